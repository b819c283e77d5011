"""The baselines accept the streams and emotions that they can score, and refuse others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, MissingStreamError, SpaceError
from moodal.train.data.batch import Stream
from moodal.train.systems import SYSTEMS

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
EQUAL = {"text": 7, "speech": 7, "face": 7}
CASES = {
    "ef": ("rnn", {"fusion": "ef", "width": 6}),
    "lf": ("rnn", {"fusion": "lf", "hidden": EQUAL}),
    "eflf": ("rnn", {"fusion": "eflf", "hidden": EQUAL, "width": 6, "cell": "gru"}),
    "ts": ("rnn", {"fusion": "ts", "hidden": EQUAL}),
    "ts-uni": ("rnn", {"fusion": "ts", "hidden": EQUAL, "bidirectional": False, "layers": 1}),
    "transformer": ("transformer", {"width": 16, "layers": 2, "heads": 2, "feedforward": 32}),
    "mult": ("mult", {"width": 10, "layers": 1, "heads": 5}),
    "tfn": ("tfn", {"hidden": 6, "embedding": {"text": 5, "face": 3}, "width": 9, "dropout": 0.0}),
    "mult-causal": ("mult", {"width": 10, "layers": 1, "heads": 5, "attention_mask": True}),
}


def build(case: str, widths, space, **more) -> nn.Module:
    torch.manual_seed(0)
    name, settings = CASES[case]
    entry = SYSTEMS[name]
    return entry.build(entry.Config(**{**settings, **more}), widths, space).eval()


@pytest.mark.parametrize("case", CASES)
def test_neither_batch_nor_padding_matters(case, widths, space, make_streams) -> None:
    system = build(case, widths, space)
    with torch.no_grad():
        for lengths in ([7, 1, 4], [2, 2, 2], [5, 6, 9]):
            together = system(make_streams(lengths, padding=2, junk=5.0), space)
            assert together.shape == (3, 3)
            streams = make_streams(lengths)
            for i, n in enumerate(lengths):
                clip = {
                    m: Stream(s.values[i : i + 1, :n], s.lengths[i : i + 1])
                    for m, s in streams.items()
                }
                torch.testing.assert_close(together[i : i + 1], system(clip, space), **CLOSE)


@pytest.mark.parametrize("case", ["lf", "ts", "mult", "mult-causal", "tfn"])
def test_unaligned_streams(case, widths, space, make_streams) -> None:
    lengths = {"text": [3, 5], "speech": [9, 2], "face": [1, 6]}
    system, streams = build(case, widths, space), make_streams(lengths)
    with torch.no_grad():
        together = system(streams, space)
        for i in range(2):
            clip = {
                m: Stream(s.values[i : i + 1, : lengths[m][i]], s.lengths[i : i + 1])
                for m, s in streams.items()
            }
            torch.testing.assert_close(together[i : i + 1], system(clip, space), **CLOSE)


@pytest.mark.parametrize("case", ["ef", "eflf", "transformer"])
def test_joining_unaligned_streams_is_refused(case, widths, space, make_streams) -> None:
    with pytest.raises(DataError, match="lengths differ"):
        build(case, widths, space)(
            make_streams({"text": [3, 5], "speech": [9, 2], "face": [1, 6]}), space
        )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("count", [1, 6])
def test_any_number_of_emotions(case, count, widths, make_streams) -> None:
    space = EmotionSpace([f"e{i}" for i in range(count)])
    assert build(case, widths, space)(make_streams([6, 6]), space).shape == (2, count)
    assert build(case, widths, space)(make_streams([6]), space).shape == (1, count)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("streams", [("text", "face"), ("face", "text", "speech")])
def test_streams_in_any_order(case, streams, widths, space, make_streams) -> None:
    system = build(case, widths, space, streams=streams)
    assert system.streams == streams
    assert not system.open_set
    assert system(make_streams([6, 5]), space).shape == (2, 3)


@pytest.mark.parametrize("case", ["ef", "lf", "eflf", "transformer"])
def test_one_stream_is_enough_where_nothing_looks_across(case, widths, space, make_streams) -> None:
    system = build(case, widths, space, streams=["speech"])
    assert system({"speech": make_streams([6, 5])["speech"]}, space).shape == (2, 3)


@pytest.mark.parametrize("case", ["ef", "lf", "transformer", "mult", "tfn"])
def test_a_modality_that_the_paper_lacks_is_one_more_stream(case, widths, space, make_streams):
    more = {"hidden": {"text": 7}} if case == "lf" else {}
    streams = ("text", "gesture")
    system = build(case, widths | {"gesture": 5}, space, streams=streams, **more)
    batch = make_streams([6, 5])
    clip = {"text": batch["text"], "gesture": batch["face"]}
    scores = system(clip, space)
    assert scores.shape == (2, 3)
    clip["gesture"] = clip["gesture"]._replace(values=clip["gesture"].values + 1)
    assert not torch.equal(system(clip, space), scores)


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("rnn", {"fusion": "ts", "hidden": EQUAL, "streams": ["text"]}, "needs text and at least"),
        ("rnn", {"fusion": "ts", "hidden": EQUAL, "streams": ["speech", "face"]}, "needs text"),
        ("rnn", {"fusion": "ts"}, "equal hidden widths"),
        ("rnn", {"fusion": "later"}, "'ef', 'lf', 'eflf' or 'ts'"),
        ("mult", {"streams": ["text"]}, "at least two"),
        ("mult", {"heads": 7}, "must divide"),
        ("mult", {"attention_dropout": {"text": 0.1}}, "lacks speech, face"),
        ("tfn", {"streams": ["text"]}, "at least two"),
        ("tfn", {"embedding": {"hand": 3}}, "unknown stream hand"),
        ("tfn", {"embedding": {"speech": 0}}, "width of speech must be at least 1"),
        ("tfn", {"embedding": {"speech": 600}}, "2,558,457 values, above 2,097,152"),
        ("transformer", {"width": 20, "heads": 8}, "must divide"),
        ("transformer", {"unknown": 1}, "not permitted"),
        ("mult", {"attention_dropout": {"text": 1.0, "speech": 0, "face": 0}}, "less than 1"),
        ("mult", {"attention_dropout": {"text": -0.1, "speech": 0, "face": 0}}, "greater than"),
        ("mult", {"layers": "2"}, "valid integer"),
        ("rnn", {"bidirectional": "off"}, "valid boolean"),
        ("transformer", {"dropout": "0.1"}, "valid number"),
    ],
)
def test_wrong_settings_are_refused_in_words(name, wrong, words) -> None:
    with pytest.raises(ValueError, match=words):
        SYSTEMS[name].Config(**wrong)


@pytest.mark.parametrize("case", CASES)
def test_other_emotions_are_refused_in_words(case, widths, space, make_streams) -> None:
    system = build(case, widths, space)
    with pytest.raises(SpaceError, match="cannot score angry, happy, sad, awe"):
        system(make_streams([6]), space.add("awe", np.ones(8)))


@pytest.mark.parametrize("case", CASES)
def test_a_missing_stream_is_refused_in_words(case, widths, space, make_streams) -> None:
    system = build(case, widths, space)
    streams = make_streams([6, 6])
    with pytest.raises(MissingStreamError, match="needs face for every utterance"):
        system({m: s for m, s in streams.items() if m != "face"}, space)
    streams["face"] = Stream(streams["face"].values, torch.tensor([6, 0]))
    with pytest.raises(MissingStreamError, match="1 of 2 in this batch have none"):
        system(streams, space)
    with pytest.raises(MissingStreamError, match="asked to read face"):
        build(case, {"text": 8, "speech": 6}, space)


@pytest.mark.parametrize("case", CASES)
def test_it_learns(case, widths, space, make_streams) -> None:
    system = build(case, widths, space).train()
    streams, targets = make_streams([6, 5, 4, 3]), torch.eye(4)[:, :3]
    optimiser = torch.optim.Adam(system.parameters(), 0.01)
    losses = []
    for _ in range(25):
        optimiser.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(system(streams, space), targets)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert min(losses[-5:]) < 0.7 * losses[0]


@pytest.mark.parametrize("case", ["lf", "ts", "transformer", "mult"])
def test_faithful_mode_takes_padding_for_data(case, widths, space, make_streams) -> None:
    faithful, exact = build(case, widths, space, last_column=True), build(case, widths, space)
    padded = make_streams([6, 9])
    full = {m: Stream(s.values, torch.tensor([9, 9])) for m, s in padded.items()}
    if case != "mult":  # mult, as published, gives no position to steps that begin with a 0
        torch.testing.assert_close(faithful(padded, space), exact(full, space), **CLOSE)
    assert not torch.allclose(faithful(padded, space)[0], exact(padded, space)[0], atol=1e-4)
