"""Speech backbones: a clip's frames never depend on its batch, whatever the family."""

import json

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from moodal.core.errors import DataError, UsageError
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.speech import build_speech, spans

FAMILIES = ["wav2vec2-group", "wav2vec2-layer", "hubert", "wavlm", "wavlm-layer", "whisper"]
LENGTHS = [9000, 4321, 1, 16000, 399, 0, 402]


def waves(lengths=LENGTHS):
    """Clips [B, S, 1] of noise, padded with zeros, and their lengths [B]."""
    generator = torch.Generator().manual_seed(3)
    clips = [0.3 * torch.randn(n, 1, generator=generator) + 0.1 for n in lengths]
    return pad_sequence(clips, batch_first=True), torch.tensor(lengths)


def frames(backbone, seed=4, counts=(11, 3, 30, 1, 0)):
    """Made-up frames of its front-end."""
    generator = torch.Generator().manual_seed(seed)
    parts = [torch.randn(n, backbone.front, generator=generator) for n in counts]
    return pad_sequence(parts, batch_first=True), torch.tensor(counts)


def front_of(networks, name):
    return build_speech(Backbone(path=networks[name]), 1).front


@pytest.mark.parametrize("name", FAMILIES)
def test_a_clips_frames_in_a_padded_batch_are_those_it_has_alone(networks, name):
    backbone = build_speech(Backbone(path=networks[name]), 1).eval()
    values, lengths = waves()
    with torch.no_grad():
        together, counts = backbone(values, lengths)
        assert (counts > 0).tolist() == (lengths > 0).tolist()
        for row, n in enumerate(lengths.tolist()):
            assert not together[row, counts[row] :].any()
            if n:
                alone, _ = backbone(values[row : row + 1, :n], lengths[row : row + 1])
                assert alone.shape[1] == counts[row]
                np.testing.assert_allclose(
                    alone[0], together[row, : counts[row]], atol=1e-5, rtol=1e-5
                )
    assert together.isfinite().all()
    assert backbone.width == together.shape[2] == 32
    assert together[0].std() > 0.1


@pytest.mark.parametrize("name", FAMILIES)
def test_in_half_the_precision_frames_are_about_the_same(networks, name):
    backbone = build_speech(Backbone(path=networks[name]), 1).eval()
    values, lengths = waves([6000, 3000])
    with torch.no_grad():
        want = backbone(values, lengths)[0]
        with torch.autocast("cpu", torch.bfloat16):
            got = backbone(values, lengths)[0].float()
            front = backbone.front_end(values[..., 0], lengths)[0]
    assert ((got - want).norm() / want.norm()) < 0.15
    torch.testing.assert_close(front, backbone.front_end(values[..., 0], lengths)[0])


@pytest.mark.parametrize("name", FAMILIES)
def test_frames_kept_before_give_what_samples_give(networks, name):
    samples = build_speech(Backbone(path=networks[name]), 1).eval()
    kept = build_speech(Backbone(path=networks[name]), samples.front).eval()
    values, lengths = waves()
    with torch.no_grad():
        front, counts = samples.front_end(values[..., 0], lengths)
        want, _ = samples(values, lengths)
        got, same = kept(front, counts)
    assert same.tolist() == counts.tolist()
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["wav2vec2-group", "wav2vec2-layer", "hubert", "wavlm"])
def test_alone_it_computes_what_transformers_computes(networks, name):
    from transformers import AutoFeatureExtractor, AutoModel, Wav2Vec2FeatureExtractor

    theirs = AutoModel.from_pretrained(networks[name]).eval()
    wave = waves([7000])[0][0, :, 0].numpy()
    extract = Wav2Vec2FeatureExtractor(do_normalize=name != "hubert")
    assert AutoFeatureExtractor
    with torch.no_grad():
        inputs = extract(wave, sampling_rate=16000, return_tensors="pt").input_values
        want = theirs(inputs).last_hidden_state
        got, _ = build_speech(Backbone(path=networks[name]), 1).eval()(*waves([7000]))
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


def test_whispers_log_mel_is_that_of_its_feature_extractor_but_unpadded():
    from transformers import WhisperFeatureExtractor

    from moodal.train.backbones.whisper import log_mel

    wave = waves([30000])[0][0, :, 0]
    theirs = WhisperFeatureExtractor()._torch_extract_fbank_features(wave.numpy())
    np.testing.assert_allclose(log_mel(wave), theirs, atol=1e-5)
    assert log_mel(wave).shape == (80, 187)


def test_whisper_of_thirty_seconds_computes_what_transformers_computes(networks):
    from transformers import WhisperFeatureExtractor, WhisperModel

    theirs = WhisperModel.from_pretrained(networks["whisper"]).encoder.eval()
    values, lengths = waves([64000])  # 200 positions: 4 s
    extract = WhisperFeatureExtractor(chunk_length=4)
    inputs = extract(values[0, :, 0].numpy(), sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        want = theirs(inputs.input_features).last_hidden_state
        got, _ = build_speech(Backbone(path=networks["whisper"]), 1).eval()(values, lengths)
    torch.testing.assert_close(got, want, atol=2e-5, rtol=1e-5)


def test_whisper_refuses_clips_that_it_has_no_positions_for(networks):
    backbone = build_speech(Backbone(path=networks["whisper"]), 1)
    with pytest.raises(DataError, match=r"201 frames, but .* has positions for 200"):
        backbone(*waves([64320]))


@pytest.mark.parametrize("name", ["wav2vec2-group", "wavlm", "whisper"])
def test_fewer_layers_are_the_states_in_between(networks, name):
    from transformers import AutoModel

    values, lengths = waves([8000])
    cut = build_speech(Backbone(path=networks[name], layers=2), 1).eval()
    whole = build_speech(Backbone(path=networks[name]), 1).eval()
    assert len(cut.stack()) == 2
    with torch.no_grad():
        got, _ = cut(values, lengths)
        assert not torch.allclose(got, whole(values, lengths)[0], atol=1e-3)
        if name == "wav2vec2-group":
            theirs = AutoModel.from_pretrained(networks[name]).eval()
            wave = values[..., 0]
            wave = (wave - wave.mean()) / torch.sqrt(wave.var(unbiased=False) + 1e-7)
            want = theirs(wave, output_hidden_states=True).hidden_states[2]
            torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("freeze", [0, 1, 3, -1])
def test_what_is_frozen_keeps_its_weights_and_the_rest_learns(networks, name, freeze):
    backbone = build_speech(Backbone(path=networks[name], freeze=freeze), 1).train()
    out, _ = backbone(*waves([6000, 3000]))
    trained = backbone.trained_parameters()
    learns = [i for i, p in enumerate(backbone.stack()) if next(p.parameters()).requires_grad]
    assert learns == list(range(3 if freeze == -1 else freeze, 3))
    still = {n for n, p in backbone.model.named_parameters() if not p.requires_grad}
    front = [n for n in still if n.startswith(("feature_extractor", "conv1", "conv2"))]
    assert len(front) >= 4
    assert trained or freeze in (3, -1)
    assert out.requires_grad == bool(trained)
    if not trained:
        return
    assert any("feature_projection" in n for n in still) == (freeze > 0 and name != "whisper")
    (out * torch.randn_like(out)).sum().backward()
    # every parameter that may learn takes part, or processes would wait for its gradient
    assert all(p.grad is not None for p in trained)
    assert all(p.grad is None for n, p in backbone.model.named_parameters() if n in still)


@pytest.mark.parametrize("name", ["wav2vec2-group", "hubert"])
def test_frozen_layers_drop_nothing_out(networks, name):
    backbone = build_speech(Backbone(path=networks[name], freeze=-1), 1)
    values, lengths = waves([6000, 3000])
    with torch.no_grad():
        evaluated = backbone.eval()(values, lengths)[0]
        torch.testing.assert_close(backbone.train()(values, lengths)[0], evaluated)
    trained = build_speech(Backbone(path=networks[name]), 1).train()
    assert not torch.allclose(trained(values, lengths)[0], evaluated, atol=1e-3)


def test_no_layer_is_dropped_unless_as_published(networks):
    path = networks["wav2vec2-group"]
    assert build_speech(Backbone(path=path), 1).model.config.layerdrop == 0
    assert build_speech(Backbone(path=path), 1, faithful=True).model.config.layerdrop == 0.1


def test_faithful_runs_the_padded_batch_without_any_mask(networks):
    from transformers import AutoModel

    path = networks["hubert"]  # which does not scale samples
    backbone = build_speech(Backbone(path=path), 1, faithful=True).eval()
    values, lengths = waves([9000, 4321])
    with torch.no_grad():
        out, counts = backbone(values, lengths)
        want = AutoModel.from_pretrained(path).eval()(values[..., 0]).last_hidden_state
    torch.testing.assert_close(out, want, atol=1e-5, rtol=1e-5)
    assert counts.tolist() == [want.shape[1]] * 2


@pytest.mark.parametrize("name", FAMILIES)
def test_it_is_built_again_from_its_settings_alone(networks, name):
    first = build_speech(Backbone(path=networks[name], layers=2), 1).eval()
    through_json = Backbone(**json.loads(json.dumps(first.settings.model_dump())))
    assert through_json.architecture["model_type"] == first.model.config.model_type
    again = build_speech(through_json, 1).eval()
    again.load_state_dict(first.state_dict())
    values, lengths = waves([5000, 2000])
    with torch.no_grad():
        torch.testing.assert_close(again(values, lengths)[0], first(values, lengths)[0])


def test_state_dicts_have_the_authors_names(networks):
    names = build_speech(Backbone(path=networks["wav2vec2-group"]), 1).state_dict()
    assert "model.feature_extractor.conv_layers.0.conv.weight" in names
    assert "model.encoder.layers.2.attention.k_proj.weight" in names
    assert (
        "model.layers.0.self_attn.k_proj.weight"
        in build_speech(Backbone(path=networks["whisper"]), 32).state_dict()
    )


def test_without_a_path_features_stay_as_they_are():
    backbone = build_speech(Backbone(), 7)
    values, lengths = torch.randn(2, 3, 7), torch.tensor([3, 1])
    assert backbone.width == 7
    assert backbone(values, lengths)[0] is values
    assert backbone.trained_parameters() == []


@pytest.mark.parametrize("name", ["wav2vec2-group", "wavlm", "whisper"])
def test_specaugment_hides_frames_in_training_alone(networks, name):
    settings = Backbone(
        path=networks[name], time_masks=0.4, time_length=3, feature_masks=0.2, feature_length=4
    )
    backbone = build_speech(settings, front_of(networks, name))
    plain = build_speech(Backbone(path=networks[name]), backbone.front).eval()
    values, lengths = frames(backbone)
    with torch.no_grad():
        torch.testing.assert_close(backbone.eval()(values, lengths)[0], plain(values, lengths)[0])
        backbone.train()
        for module in backbone.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        torch.manual_seed(1)
        one = backbone(values, lengths)[0]
        two = backbone(values, lengths)[0]
        torch.manual_seed(1)
        again = backbone(values, lengths)[0]
    torch.testing.assert_close(one, again)
    assert not torch.allclose(one, two, atol=1e-3)
    assert not one[4].any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": 4}, r"layers = 4: .* has 3 transformer layers"),
        ({"freeze": 4}, r"freeze = 4: .* has 3 transformer layers"),
        ({"layers": 1, "freeze": 2}, r"freeze = 2: .* of which 1 are used"),
    ],
)
def test_more_layers_than_the_network_has(networks, settings, message):
    with pytest.raises(UsageError, match=message):
        build_speech(Backbone(path=networks["wav2vec2-group"], **settings), 1)


def test_features_of_another_width(networks):
    with pytest.raises(UsageError, match=r"25 wide, but the front-end of .* gives 24; prepare"):
        build_speech(Backbone(path=networks["hubert"]), 25)


def test_a_text_network_reads_no_speech(bert):
    with pytest.raises(UsageError, match="is a bert model; speech backbones are wav2vec2"):
        build_speech(Backbone(path=bert), 1)


def test_spans_cover_about_their_share_and_only_valid_steps():
    torch.manual_seed(0)
    lengths = torch.tensor([400, 200, 9, 10, 0] * 40)
    hidden = spans(lengths, 400, 0.2, 10)
    beyond = torch.arange(400) >= lengths[:, None]
    assert not (hidden & beyond).any()
    share = hidden[lengths == 400].float().mean()
    assert 0.15 < share < 0.2  # spans may overlap
    assert not hidden[lengths == 9].any()
    assert {0, 10} == set(hidden[lengths == 10].sum(1).tolist())


def test_a_span_is_whole():
    torch.manual_seed(1)
    hidden = spans(torch.full((50,), 30), 30, 0.2, 6)[:, :, None].float()
    runs = torch.nn.functional.unfold(hidden.transpose(1, 2)[:, :, None], (1, 6)).sum(1)
    assert (runs == 6).any(1)[hidden.sum((1, 2)) > 0].all()


def test_none_where_none_are_asked_for():
    assert not spans(torch.tensor([30, 20]), 30, 0.0, 6).any()
    assert spans(torch.zeros(0, dtype=torch.long), 5, 0.5, 2).shape == (0, 5)


def test_they_follow_from_torchs_random_state():
    lengths = torch.tensor([50, 40])
    torch.manual_seed(2)
    state = torch.get_rng_state()
    one = spans(lengths, 50, 0.3, 5)
    torch.set_rng_state(state)
    assert torch.equal(spans(lengths, 50, 0.3, 5), one)
