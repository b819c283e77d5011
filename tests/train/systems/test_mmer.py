"""The MMER systems do not depend on the batch, and their losses are the papers' sums."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, MissingStreamError, SpaceError, UsageError
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.speech import speech_features
from moodal.train.backbones.text import text_features
from moodal.train.data.batch import Batch, Stream, Transcripts
from moodal.train.systems import SYSTEMS
from moodal.train.systems.section import parse_system
from moodal.train.systems.system import System

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
SPACE = EmotionSpace(["happy", "angry", "sad"], "single")
WIDTHS = {"text": 8, "speech": 6}
TINY = {
    "model_type": "wav2vec2",
    "hidden_size": 6,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "conv_dim": [6, 6],
    "conv_kernel": [10, 3],
    "conv_stride": [5, 2],
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "layerdrop": 0.0,
}
"""wav2vec2 with a frame every 10 samples."""
TRAINED = {"speech": {"architecture": TINY}}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "baseline": ("unimodal_baseline", {}),
    "baseline on text": ("unimodal_baseline", {"streams": ["text"]}),
    "cai_sota": ("cai_sota", {}),
    "2022": ("mmer_2022", {}),
    "2023": ("mmer", {"losses": ["ctc"]}),
    "narrow": ("mmer", {"losses": ["ctc"], "width": 4, "heads": 2, "inner": 5}),
    "cai_sota, trained": ("cai_sota", TRAINED),
    "2022, trained": ("mmer_2022", TRAINED),
    "2023, trained": ("mmer", {**TRAINED, "losses": ["ctc"]}),
}


def build(name: str, values: dict[str, Any], **widths: int) -> System:
    torch.manual_seed(0)
    entry = SYSTEMS[name]
    return entry.build(entry.Config(**values), {**WIDTHS, **widths}, SPACE).eval()


BUILT = {
    f"{case}{kind}": build(name, values, **({"speech": 1} if kind else {}))
    for case, (name, values) in CASES.items()
    for kind in (["", " on samples"] if "trained" in case else [""])
}


def clip(i: int, width: int, steps: int) -> Tensor:
    """Make the values of a clip, equal in a batch of any length."""
    return torch.randn(400, width, generator=torch.Generator().manual_seed(10 * i + width))[:steps]


def make(
    rows: list[int],
    lengths: list[tuple[int, int, int]],
    padding: int = 0,
    samples: bool = False,
    views: bool = False,
    junk: float = 0.0,
) -> Batch:
    """Make a batch of clips; ``lengths``: steps of text, frames of speech, characters of each."""
    streams = {}
    for m, at in (("text", 0), ("speech", 1)):
        width = 1 if m == "speech" and samples else WIDTHS[m]
        steps = [lengths[i][at] * (10 if width == 1 else 1) + 10 * (width == 1) for i in rows]
        values = torch.full((len(rows), max(steps) + padding, width), junk)
        for row, (i, n) in enumerate(zip(rows, steps, strict=True)):
            values[row, :n] = clip(i, width, n)
        streams[m] = Stream(values, torch.tensor(steps))
    counts = [lengths[i][2] for i in rows]
    spelled = torch.zeros(len(rows), max(counts) + padding, dtype=torch.long)
    for row, (i, n) in enumerate(zip(rows, counts, strict=True)):
        spelled[row, :n] = (torch.arange(n) * (i + 2)) % 20 + 5
    targets = torch.eye(3)[torch.tensor([i % 3 for i in rows])]
    second = {m: Stream(-s.values, s.lengths) for m, s in streams.items()} if views else None
    objective = Transcripts(spelled, torch.tensor(counts))
    return Batch(streams, targets, torch.tensor(rows), objective, second)


clips = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 12), st.integers(0, 8)), min_size=1, max_size=5
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(BUILT)), clips, st.integers(0, 3), st.randoms(use_true_random=False))
def test_neither_padding_nor_order_nor_company_matters(case, lengths, padding, random) -> None:
    system, samples = BUILT[case], "samples" in case
    rows = list(range(len(lengths)))
    random.shuffle(rows)
    # what stands in the padding of features is masked; that of samples is never looked at
    batch = make(rows, lengths, padding, samples, junk=3.0)
    with torch.no_grad():
        logits = system(batch.streams, SPACE)
        objective = system.objective(batch, SPACE)
        infinite = 0
        for place, i in enumerate(rows):
            alone = make([i], lengths, samples=samples)
            torch.testing.assert_close(
                logits[place : place + 1], system(alone.streams, SPACE), **CLOSE
            )
            if objective is not None:
                single = system.objective(alone, SPACE)
                torch.testing.assert_close(objective.each[place : place + 1], single.each, **CLOSE)
                infinite += int(single.parts["ctc_infinite"])
    if objective is not None:
        assert int(objective.parts["ctc_infinite"]) == infinite


@pytest.mark.parametrize("case", ["cai_sota", "2022", "2023"])
def test_the_loss_is_ce_and_weighted_ctc(case) -> None:
    name, values = CASES[case]
    batch = make([0, 1, 2], [(3, 9, 4), (2, 5, 0), (4, 3, 8)])
    weight = {"alpha": 0.3} if case != "2023" else {"lambda": 0.3}
    with torch.no_grad():
        each, parts = build(name, {**values, **weight}).objective(batch, SPACE)
        off = build(name, {**values, **dict.fromkeys(weight, 0.0)})
        ce = off.objective(batch, SPACE)
    assert each.shape == (3,)
    assert not off.transcribes
    assert set(ce.parts) == {"ce"}
    torch.testing.assert_close(ce.each[1:], each[1:])  # no transcript; more characters than frames
    assert each[0] > ce.each[0]
    torch.testing.assert_close(each.mean(), parts["ce"] + 0.3 * parts["ctc"])
    assert int(parts["ctc_infinite"]) == 1


def test_each_auxiliary_loss_can_be_left_out() -> None:
    batch = make([0, 1, 2, 3], [(3, 9, 4)] * 4, views=True)
    parts = {}
    for losses in (["ctc", "supervised", "augmentation"], ["supervised"], ["augmentation"], []):
        system = build("mmer", {"losses": losses, "lambda": 0.2})
        assert system.transcribes == ("ctc" in losses)
        assert system.second_views == ("augmentation" in losses)
        objective = system.objective(batch, SPACE)
        assert set(objective.parts) - {"ctc_infinite"} == {"ce", *losses}
        weighted = objective.parts["ce"] + 0.2 * sum(objective.parts[x] for x in losses)
        torch.testing.assert_close(objective.each.mean().detach(), weighted)
        parts |= {tuple(losses): objective.parts}
    every = parts["ctc", "supervised", "augmentation"]
    assert every["supervised"] == parts["supervised",]["supervised"]
    assert every["augmentation"] == parts["augmentation",]["augmentation"]
    without = build("mmer", {}).objective(batch._replace(views=None), SPACE)
    assert "augmentation" not in without.parts


def test_a_view_of_one_stream_alone_will_do() -> None:
    batch = make([0, 1, 2], [(3, 9, 4)] * 3, views=True)
    one = batch._replace(views={"text": batch.views["text"]})
    objective = build("mmer", {}).objective(one, SPACE)
    assert objective.parts["augmentation"].isfinite()


@pytest.mark.parametrize("mode", ["corrected", "faithful"])
@pytest.mark.parametrize("rows", [[0], [0, 3], [0, 1, 2]])
def test_a_batch_of_one_of_one_label_and_of_no_two_alike(mode, rows) -> None:
    system = build("mmer", {"mode": mode}).train()
    batch = make(rows, [(3, 9, 4), (2, 5, 0), (4, 3, 8), (1, 1, 1)], views=True)
    objective = system.objective(batch, SPACE)
    objective.each.mean().backward()
    assert objective.each.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in system.parameters())
    if mode == "corrected" and rows != [0, 3]:  # nobody has a positive
        assert objective.parts["supervised"] == 0


@pytest.mark.parametrize("case", ["cai_sota, trained", "2022, trained", "2023, trained"])
def test_everything_that_may_learn_does(case) -> None:
    name, values = CASES[case]
    system = build(
        name, values | ({"losses": ["ctc", "supervised", "augmentation"]} if "2023" in case else {})
    )
    batch = make([0, 1, 2, 3], [(3, 9, 4)] * 4, views=True)
    system.train().objective(batch, SPACE).each.mean().backward()
    still = {n for n, p in system.named_parameters() if p.requires_grad and p.grad is None}
    assert not still
    listed = {id(p) for p in system.backbone_parameters()}
    of_backbone = {
        id(p) for n, p in system.named_parameters() if n.startswith("speech.") and p.requires_grad
    }
    assert listed == of_backbone
    assert of_backbone


@pytest.mark.parametrize("case", BUILT)
def test_faithful_and_corrected_agree_on_one_clip_without_padding(case) -> None:
    name, values = CASES[case.removesuffix(" on samples")]
    samples = "samples" in case
    widths = {"speech": 1} if samples else {}
    published = build(name, {**values, "mode": "faithful"}, **widths)
    lengths = [(3, 9, 4), (6, 5, 2)]
    one, two = (make(rows, lengths, samples=samples).streams for rows in ([0], [0, 1]))
    with torch.no_grad():
        torch.testing.assert_close(published(one, SPACE), BUILT[case](one, SPACE), **CLOSE)
        if "2023" not in case and case != "narrow":
            assert (published(two, SPACE) - BUILT[case](two, SPACE)).abs().max() > 1e-4


@pytest.mark.parametrize("case", ["cai_sota", "2022", "2023"])
def test_it_transcribes_each_clip_by_itself(case) -> None:
    system = copy.deepcopy(BUILT[case])  # the other tests use those in BUILT as they were built
    batch = make([0, 1], [(3, 12, 4), (3, 5, 4)])
    read = system.transcribe(batch.streams)
    assert len(read) == 2
    assert read[1] == system.transcribe(make([1], [(3, 12, 4), (3, 5, 4)]).streams)[0]
    with torch.no_grad():
        system.ctc.weight.zero_()
        system.ctc.bias.copy_(torch.eye(32)[7] * 9)
    assert system.transcribe(batch.streams) == ["A", "A"]


@pytest.mark.parametrize("case", BUILT)
def test_it_is_built_again_from_its_portable_config(case) -> None:
    system = BUILT[case]
    name = CASES[case.removesuffix(" on samples")][0]
    widths = {**WIDTHS, "speech": 1} if "samples" in case else WIDTHS
    entry = SYSTEMS[name]
    again = entry.build(entry.Config(**system.portable.model_dump(mode="json")), widths, SPACE)
    again.load_state_dict(system.state_dict())
    assert again.portable == system.portable


def test_what_a_backbone_wants_of_the_corpus() -> None:
    assert BUILT["2023"].features == {}
    assert BUILT["2023, trained on samples"].features == {"speech": {"name": "wave"}}
    named = Backbone(path="models/base")
    assert speech_features(named, 1) == {"speech": {"name": "wave"}}
    front = {"name": "speech-backbone", "parameters": {"path": "models/base", "layer": 0}}
    assert speech_features(named, 512) == {"speech": front}
    ids = {"name": "tokens", "parameters": {"path": "models/base"}}
    assert text_features(named, 1) == {"text": ids}
    for name in ("mmer", "mmer_2022", "cai_sota", "unimodal_baseline"):
        with pytest.raises(UsageError, match=r"samples, .* set system\.speech\.path"):
            build(name, {}, speech=1)
    for name in ("mmer", "mmer_2022"):
        with pytest.raises(UsageError, match="not its token ids"):
            build(name, {}, text=1)
    with pytest.raises(UsageError, match=r"token ids, .* set system\.text\.path"):
        build("unimodal_baseline", {"streams": ["text"]}, text=1)


def test_learning_to_transcribe_shows_the_text() -> None:
    assert build("cai_sota", {}).inputs == ("speech", "text")
    assert build("cai_sota", {"alpha": 0.0}).inputs == ("speech",)
    assert build("mmer_2022", {}).inputs == ("text", "speech")


def test_under_autocast_losses_are_of_32_bits() -> None:
    batch = make([0, 1, 2, 3], [(3, 9, 4)] * 4, views=True)
    for name in ("mmer", "mmer_2022", "cai_sota"):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            objective = build(name, {}).objective(batch, SPACE)
        assert objective.each.dtype == torch.float32
        assert objective.each.isfinite().all()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"losses": ["ctc", "centre"]}, "'supervised' or 'augmentation'"),
        ({"temperature": 0}, "greater than 0"),
        ({"speech": {"pathh": "x"}}, "not permitted"),
        ({"streams": ["text"]}, "not permitted"),
    ],
)
def test_wrong_settings_are_refused_in_words(values, words) -> None:
    with pytest.raises(ValueError, match=words):
        SYSTEMS["mmer"].Config(**values)
    with pytest.raises(ValueError, match="name one stream"):
        SYSTEMS["unimodal_baseline"].Config(streams=["text", "speech"])


def test_one_mmer_of_two_forms_is_read_as_the_two_systems() -> None:
    every = {"alpha": 0.3, "lambda": 0.2, "losses": ["ctc"], "temperature": 0.1, "heads": 2}
    for form, name in (("2022", "mmer_2022"), ("2023", "mmer")):
        found, config = parse_system({"name": "mmer", "form": form, **every}, "old.toml")
        assert found == name
        assert config.heads == 2
        # an artefact has lambda under its Python name
        older = {"lambda_" if k == "lambda" else k: v for k, v in every.items()}
        assert parse_system({"name": "mmer", "form": form, **older}, "a") == (name, config)
        assert "form" not in config.model_dump()
    assert config.lambda_ == 0.2
    assert parse_system({"name": "mmer", "form": "2022", **every}, "a")[1].alpha == 0.3
    assert parse_system({"name": "mmer"}, "a")[0] == "mmer"
    with pytest.raises(
        UsageError, match=r"old\.toml, \[system\]: form = '2024': .*'2022' or '2023'"
    ):
        parse_system({"name": "mmer", "form": "2024"}, "old.toml")
    with pytest.raises(UsageError, match="unknown key 'form'"):
        parse_system({"name": "mmer_2022", "form": "2022"}, "new.toml")


def test_heads_must_divide_the_width() -> None:
    for name in ("mmer", "mmer_2022"):
        with pytest.raises(UsageError, match="heads=3 must divide the fusion's width, 8"):
            build(name, {"heads": 3})
    for width, heads in ((768, 12), (384, 6), (100, 1), (130, 2), (8, 1)):
        system = build("mmer", {"inner": 1, "width": width})
        assert system.itself.heads == heads


def test_lambda_is_read_by_either_name() -> None:
    config = SYSTEMS["mmer"].Config
    assert config(**{"lambda": 0.3}) == config(lambda_=0.3)


def test_what_does_not_fit_is_refused_in_words() -> None:
    batch = make([0, 1], [(3, 9, 4)] * 2)
    multi = EmotionSpace(["happy", "sad"])
    for name in ("mmer", "mmer_2022", "cai_sota"):
        entry, system = SYSTEMS[name], build(name, {})
        with pytest.raises(SpaceError, match="one emotion of several"):
            entry.build(entry.Config(), WIDTHS, multi)
        with pytest.raises(SpaceError, match="cannot score happy, sad"):
            system.objective(batch, EmotionSpace(["happy", "sad"], "single"))
        with pytest.raises(DataError, match="corpus has no transcripts; set system"):
            system.objective(batch._replace(transcripts=None), SPACE)
        with pytest.raises(MissingStreamError, match="speech"):
            entry.build(entry.Config(), {"text": 8}, SPACE)
    system = build("mmer", {})
    with pytest.raises(MissingStreamError, match="needs text for every utterance"):
        system({"speech": batch.streams["speech"]}, SPACE)
    silent = Stream(batch.streams["speech"].values, torch.tensor([9, 0]))
    with pytest.raises(MissingStreamError, match="1 of 2"):
        system({**batch.streams, "speech": silent}, SPACE)


def test_the_baseline_takes_any_task() -> None:
    entry = SYSTEMS["unimodal_baseline"]
    multi = EmotionSpace(["happy", "sad"])
    built = entry.build(entry.Config(), WIDTHS, multi)
    assert not built.multitask
    assert built(make([0, 1], [(3, 9, 4)] * 2).streams, multi).shape == (2, 2)
