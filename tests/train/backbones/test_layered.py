"""Layered: learned sums of layers, adapters, and rates by depth, on tiny networks."""

import json
import sys

import numpy as np
import pytest
import torch

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import MissingDependencyError, UsageError
from moodal.core.recipe import Train
from moodal.train.backbones.settings import Backbone, Lora
from moodal.train.backbones.speech import build_speech
from moodal.train.backbones.text import build_text
from moodal.train.engine.step import depths_of, parameters, set_rates
from moodal.train.systems import emobox

FAMILIES = ["wav2vec2-group", "wav2vec2-layer", "hubert", "wavlm", "wavlm-layer", "whisper"]
SPACE = EmotionSpace(["happy", "sad"], "single")
IDS = torch.tensor([[3, 6, 7, 8, 4], [3, 9, 11, 4, 0]])


def samples(*lengths):
    """Clips [B, S, 1] of noise, padded with zeros, and their lengths [B]."""
    generator = torch.Generator().manual_seed(3)
    values = torch.zeros(len(lengths), max(lengths), 1)
    for row, n in enumerate(lengths):
        values[row, :n] = 0.3 * torch.randn(n, 1, generator=generator)
    return values, torch.tensor(lengths)


def tokens():
    """Token numbers plus one [B, L, 1], and lengths."""
    return (IDS[..., None] + 1).float(), torch.tensor([5, 4])


def unequal(backbone):
    """Give the layers of a learned sum different shares."""
    with torch.no_grad():
        backbone.layer_sum.weights.copy_(torch.tensor([0.3, -0.2, 0.9, 0.1]))
    return backbone


@pytest.mark.parametrize("name", FAMILIES)
def test_a_sum_of_layers_of_speech_is_that_of_separate_layers(networks, name):
    backbone = unequal(build_speech(Backbone(path=networks[name], layer_sum=True), 1).eval())
    shares = backbone.layer_sum.shares
    values, lengths = samples(6000, 3000)
    with torch.no_grad():
        got, counts = backbone(values, lengths)
        each = [
            build_speech(Backbone(path=networks[name], layers=k), 1).eval()(values, lengths)[0]
            for k in (1, 2, 3)
        ]
        first = (got - sum(s * x for s, x in zip(shares[1:], each, strict=True))) / shares[0]
        alone, _ = backbone(values[1:, :3000], lengths[1:])
    torch.testing.assert_close(alone[0], got[1, : counts[1]], atol=1e-5, rtol=1e-5)
    # what is left is what enters the first layer: no state of a layer
    assert first[0].std() > 0.05
    assert all((first - x).abs().max() > 0.1 for x in each)
    assert not got[1, counts[1] :].any()


@pytest.mark.parametrize("name", ["wav2vec2-group", "hubert"])
def test_a_sum_of_layers_is_that_of_the_states_of_transformers(networks, name):
    from transformers import AutoModel

    backbone = unequal(build_speech(Backbone(path=networks[name], layer_sum=True), 1).eval())
    values, lengths = samples(7000)
    wave = values[..., 0]
    if name != "hubert":
        wave = (wave - wave.mean()) / torch.sqrt(wave.var(unbiased=False) + 1e-7)
    with torch.no_grad():
        theirs = AutoModel.from_pretrained(networks[name]).eval()
        states = theirs(wave, output_hidden_states=True).hidden_states
        want = (torch.stack(states, -2) * backbone.layer_sum.shares[:, None]).sum(-2)
        torch.testing.assert_close(backbone(values, lengths)[0], want, atol=1e-5, rtol=1e-5)


def test_a_sum_of_layers_of_text_is_that_of_the_states_of_transformers(bert):
    backbone = unequal(build_text(Backbone(path=bert, layer_sum=True), 1).eval())
    with torch.no_grad():
        got, _ = backbone(*tokens())
        states = [backbone.states(IDS[:1], layer) for layer in range(4)]
        want = sum(s * x for s, x in zip(backbone.layer_sum.shares, states, strict=True))
        torch.testing.assert_close(got[0], want[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(backbone.states(IDS[:1])[0], want[0], atol=1e-5, rtol=1e-5)


def test_the_shares_train_with_the_head_though_the_network_is_frozen(networks):
    settings = Backbone(path=networks["whisper"], layer_sum=True, freeze=-1)
    backbone = build_speech(settings, 1).train()
    assert backbone.trained_parameters() == []
    system = emobox.Emobox(("a", "b"), backbone, 8)
    groups = parameters(system, Train(backbone_lr=1e-5))
    assert any(p is backbone.layer_sum.weights for p in groups[0]["params"])
    out, _ = backbone(*samples(4000))
    out.square().sum().backward()
    assert backbone.layer_sum.weights.grad.abs().max() > 0


def test_stored_layers_are_summed_as_those_of_the_network(networks):
    from moodal.modalities.build import build
    from moodal.train.encoders import ENCODERS

    wave = samples(5000)[0][0, :, 0].numpy()
    encoder = build(f"speech-layers:path={networks['whisper']},longest=64000", ENCODERS)
    frames = torch.from_numpy(encoder.encode(wave).astype(np.float32))
    assert frames.shape[1] == encoder.width == encoder.layers * 32 == 128
    live = unequal(build_speech(Backbone(path=networks["whisper"], layer_sum=True), 1).eval())
    stored = unequal(build_speech(Backbone(stored_layers=4), 128).eval())
    assert stored.width == 32
    assert list(stored.state_dict()) == ["layer_sum.weights"]
    with torch.no_grad():
        got, _ = stored(frames[None], torch.tensor([len(frames)]))
        want, _ = live(torch.from_numpy(wave)[None, :, None], torch.tensor([5000]))
        chosen = build_speech(Backbone(stored_layers=4, only_layer=2), 128)
        one, _ = chosen(frames[None], torch.tensor([len(frames)]))
    torch.testing.assert_close(got, want, atol=5e-3, rtol=5e-3)
    torch.testing.assert_close(one[0], frames[:, 64:96])
    whole = build(
        f"speech-layers:path={networks['whisper']},longest=64000,stride=4", ENCODERS
    ).encode(wave)
    np.testing.assert_allclose(whole[0], frames[:4].mean(0), atol=5e-3)


def test_stored_layers_of_text(bert):
    from moodal.modalities.build import build
    from moodal.train.encoders import ENCODERS

    every = build(f"text-layers:path={bert}", ENCODERS).encode("what a day")
    third = build(f"text-backbone:path={bert},layer=2", ENCODERS).encode("what a day")
    assert every.shape == (5, 128)
    np.testing.assert_allclose(every[:, 64:96], third, atol=5e-3)


def lora_of(networks, bert, name, **settings):
    lora = Lora(rank=2, **settings.pop("lora", {}))
    if name == "bert":
        return build_text(Backbone(path=bert, lora=lora, **settings), 1), tokens()
    backbone = build_speech(Backbone(path=networks[name], lora=lora, **settings), 1)
    return backbone, samples(5000, 3000)


@pytest.mark.parametrize("name", [*FAMILIES, "bert"])
def test_adapters_train_alone_and_are_merged_into_the_names_that_were(networks, bert, name):
    pytest.importorskip("peft")
    backbone, batch = lora_of(networks, bert, name, freeze=1)
    plain = build_text(Backbone(path=bert), 1) if name == "bert" else None
    plain = plain or build_speech(Backbone(path=networks[name]), 1)
    with torch.no_grad():
        before = plain.eval()(*batch)[0]
        torch.testing.assert_close(backbone.eval()(*batch)[0], before)
    trained = [n for n, p in backbone.named_parameters() if p.requires_grad]
    assert len(trained) == 2 * 2 * 2  # A and B of two matrices in two layers
    assert all("lora_" in n for n in trained)
    optimiser = torch.optim.Adam(backbone.trained_parameters(), lr=0.1)
    direction = torch.randn(before.shape, generator=torch.Generator().manual_seed(1))
    for _ in range(2):  # in the first step A gets no gradient, as B is zero
        optimiser.zero_grad()
        (backbone(*batch)[0] * direction).sum().backward()
        optimiser.step()
    with torch.no_grad():
        adapted = backbone(*batch)[0]
        assert (adapted - before).abs().max() > 1e-3
        backbone.merge()
        torch.testing.assert_close(backbone(*batch)[0], adapted, atol=2e-5, rtol=1e-4)
        assert list(backbone.state_dict()) == list(plain.state_dict())
        settings = Backbone(**json.loads(json.dumps(backbone.settings.model_dump())))
        assert not settings.lora.rank
        again = build_text(settings, 1) if name == "bert" else build_speech(settings, 1)
        again.load_state_dict(backbone.state_dict())
        torch.testing.assert_close(again.eval()(*batch)[0], backbone(*batch)[0])


def test_adapters_of_other_matrices(networks, bert):
    pytest.importorskip("peft")
    backbone, _ = lora_of(networks, bert, "bert", lora={"modules": ["dense"], "alpha": 3})
    names = [n for n, p in backbone.named_parameters() if p.requires_grad]
    assert len(names) == 3 * 3 * 2
    with pytest.raises(UsageError, match=r"no matrix dens; let lora.modules name some of query"):
        lora_of(networks, bert, "bert", lora={"modules": ["dens"]})


def test_without_peft_it_is_one_sentence(networks, bert, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingDependencyError, match=r"package peft; `pip install '\.\[lora\]'"):
        lora_of(networks, bert, "bert")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lora": {"rank": 2}, "freeze": -1}, "leave freeze out"),
        ({"stored_layers": 4}, "leave path out"),
    ],
)
def test_settings_that_contradict_each_other(bert, settings, message):
    with pytest.raises(UsageError, match=message):
        build_text(Backbone.model_validate({"path": bert, **settings}), 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer_sum": True}, "layer_sum is for a network"),
        ({"lora": {"rank": 2}}, "lora is for a network"),
        ({"stored_layers": 3}, "128 wide, which is no multiple of 3"),
        ({"only_layer": 3}, "set stored_layers, too"),
        ({"stored_layers": 4, "only_layer": 4}, "only_layer = 4: 4 layers are stored"),
    ],
)
def test_settings_of_features_as_they_are(settings, message):
    with pytest.raises(UsageError, match=message):
        build_speech(Backbone.model_validate(settings), 128)


@pytest.mark.parametrize("name", [*FAMILIES, "bert"])
def test_rates_fall_with_depth(networks, bert, name):
    config = Train(lr=0.1, backbone_lr=1e-3, layer_decay=0.5)
    if name == "bert":
        backbone = build_text(Backbone(path=bert), 1)
    else:
        backbone = build_speech(Backbone(path=networks[name], freeze=1), 1)
    system = emobox.Emobox(("a", "b"), backbone, 8)
    groups = parameters(system, config)
    listed = [p for group in groups for p in group["params"]]
    assert len({id(p) for p in listed}) == len(listed)
    assert {id(p) for p in listed} == {id(p) for p in system.parameters() if p.requires_grad}
    rates = {id(p): group.get("lr", config.lr) for group in groups for p in group["params"]}
    layers = [{rates[id(p)] for p in layer.parameters()} for layer in backbone.stack()[1:]]
    assert layers == [{0.5e-3}, {1e-3}]
    assert rates[id(system.post_net.weight)] == 0.1
    if name == "bert":
        embeddings = backbone.model.embeddings.word_embeddings.weight
        assert rates[id(embeddings)] == 1e-3 / 8
        assert depths_of(system)[embeddings] == 3
    if name == "whisper":
        assert rates[id(backbone.model.layer_norm.weight)] == 1e-3
    # the schedule keeps the proportions
    optimiser = torch.optim.AdamW(groups, lr=config.lr)
    for group in optimiser.param_groups:
        group["full_lr"] = group["lr"]
    set_rates(optimiser, 1, 10, config.model_copy(update={"warmup": 0.5}))
    now = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    assert all(abs(now[i] / rates[i] - 0.4) < 1e-6 for i in rates)
