"""EEA follows its equations, scores any emotions, and leaves out absent streams."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import MissingStreamError, SpaceError
from moodal.core.records import STREAMS
from moodal.train.data.batch import Stream
from moodal.train.systems import eea

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
HIDDEN = {"text": 8, "speech": 7, "face": 4}
ORDERS = [order for size in (1, 2, 3) for order in permutations(STREAMS, size)]


def build(widths, space, **settings):
    torch.manual_seed(0)
    config = eea.Config(**{"hidden": HIDDEN, **settings})
    return eea.build(config, widths, space).eval()


def test_the_equations_by_hand(widths, space, make_streams) -> None:
    """logit_c = sum_m w_m <r_m, e_c^m>, with torch's own LSTM for r_m."""
    system = build(widths, space)
    streams = make_streams([5, 5])
    e = torch.from_numpy(space.vectors)
    logits = torch.zeros(2, 3)
    for i, m in enumerate(STREAMS):
        rnn = nn.LSTM(widths[m], HIDDEN[m], 2, bidirectional=True, batch_first=True)
        rnn.load_state_dict(system.rnn[m].state_dict())
        last = rnn(streams[m].values)[0][:, -1]
        r = last[:, : HIDDEN[m]] + last[:, HIDDEN[m] :]
        e_m = e if m == "text" else e @ system.affine[m].weight.T + system.affine[m].bias
        logits += system.weight[i] * (r @ e_m.T)
    torch.testing.assert_close(system(streams, space), logits, **CLOSE)
    assert system.weight.tolist() == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("streams", ORDERS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_any_streams_in_any_order(widths, space, make_streams, streams, cell) -> None:
    system = build(widths, space, streams=streams, cell=cell, bidirectional=cell == "lstm")
    assert system.streams == streams
    assert (system.weight is None) == (len(streams) == 1)
    assert system(make_streams([3, 2]), space).shape == (2, 3)


def test_one_modality_is_its_score_without_a_weight(widths, space, make_streams) -> None:
    system = build(widths, space, streams=["speech"])
    streams = make_streams([3, 2])
    r = system.represent("speech", *streams["speech"])
    expected = r @ system.emotions("speech", space).T
    torch.testing.assert_close(system(streams, space), expected, **CLOSE)


def test_shares_sum_to_the_logits(widths, space, make_streams) -> None:
    system = build(widths, space)
    streams = make_streams({"text": [3, 2], "speech": [0, 4], "face": [2, 0]})
    shares = system.contributions(streams, space)
    assert list(shares) == list(STREAMS)
    assert torch.equal(sum(shares.values()), system(streams, space))
    assert not shares["speech"][0].any()
    assert not shares["face"][1].any()


@pytest.mark.parametrize("count", [1, 2, 12])
def test_any_number_of_emotions_and_each_keeps_its_logit(widths, make_streams, count) -> None:
    vectors = np.random.default_rng(1).normal(size=(count, 8))
    space = EmotionSpace([f"e{i}" for i in range(count)], vectors=vectors)
    system, streams = build(widths, space), make_streams([3, 2])
    logits = system(streams, space)
    assert logits.shape == (2, count)
    wider = system(streams, space.add("awe", np.ones(8)))
    torch.testing.assert_close(wider[:, :count], logits, **CLOSE)


def test_a_batch_of_one_is_a_batch(widths, space, make_streams) -> None:
    assert build(widths, space)(make_streams([4]), space).shape == (1, 3)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_neither_batch_nor_padding_matters(data) -> None:
    size = data.draw(st.integers(1, 4))
    each = st.lists(st.integers(0, 6), min_size=size, max_size=size)
    lengths = {m: data.draw(each, label=m) for m in STREAMS}
    lengths["face"] = [max(n, 1) for n in lengths["face"]]  # nobody is without any stream
    padding, junk = data.draw(st.integers(0, 3)), data.draw(st.sampled_from([0.0, 9.0]))
    widths = {"text": 8, "speech": 6, "face": 5}
    vectors = np.random.default_rng(0).normal(size=(3, 8))
    space = EmotionSpace(["angry", "happy", "sad"], vectors=vectors)
    system = build(widths, space)
    values = {m: torch.randn(size, 6, d) for m, d in widths.items()}
    padded = {}
    for m, own in lengths.items():
        x = torch.full((size, max([*own, 1]) + padding, widths[m]), junk)
        for i, n in enumerate(own):
            x[i, :n] = values[m][i, :n]
        padded[m] = Stream(x, torch.tensor(own))
    with torch.no_grad():
        together = system(padded, space)
        for i in range(size):
            clip = {
                m: Stream(values[m][i : i + 1, : own[i]], torch.tensor([own[i]]))
                for m, own in lengths.items()
                if own[i]
            }
            torch.testing.assert_close(together[i : i + 1], system(clip, space), **CLOSE)


def test_a_stream_missing_for_all_is_as_if_left_out(widths, space, make_streams) -> None:
    system = build(widths, space)
    streams = make_streams([3, 2])
    without = {m: s for m, s in streams.items() if m != "speech"}
    empty = Stream(torch.zeros(2, 1, 6), torch.zeros(2, dtype=torch.long))
    torch.testing.assert_close(
        system({**without, "speech": empty}, space), system(without, space), rtol=0, atol=0
    )


def test_gradients_flow_past_a_missing_stream(widths, space, make_streams) -> None:
    system = build(widths, space).train()
    system(make_streams({"text": [3, 0], "speech": [2, 2], "face": [1, 1]}), space).sum().backward()
    assert system.rnn["text"].weight_ih_l0.grad.abs().sum() > 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in system.parameters())


def test_an_utterance_without_any_stream_is_refused(widths, space, make_streams) -> None:
    system = build(widths, space)
    with pytest.raises(MissingStreamError, match=r"1 utterances .* row 1"):
        system(make_streams({"text": [3, 0], "speech": [1, 0], "face": [1, 0]}), space)
    with pytest.raises(MissingStreamError, match="none of text, speech, face"):
        system({}, space)


def test_faithful_mode_reads_the_last_column_valid_or_not(widths, space, make_streams) -> None:
    faithful = build(widths, space, last_column=True)
    padded = make_streams([3, 5])
    as_if_full = {m: Stream(s.values, torch.tensor([5, 5])) for m, s in padded.items()}
    exact = build(widths, space)
    torch.testing.assert_close(faithful(padded, space), exact(as_if_full, space), **CLOSE)
    assert not torch.allclose(faithful(padded, space)[0], exact(padded, space)[0])


def test_text_must_be_as_wide_as_the_vectors(widths, space) -> None:
    with pytest.raises(SpaceError, match=r"system\.hidden\.text=8 \(it is 300\)"):
        eea.build(eea.Config(), widths, space)
    eea.build(eea.Config(streams=["speech"]), widths, space)


def test_spaces_that_do_not_fit_are_refused(widths, space, make_streams) -> None:
    system, streams = build(widths, space), make_streams([2])
    with pytest.raises(SpaceError, match=r"angry, happy have none.*space\.vectors="):
        system(streams, EmotionSpace(["angry", "happy"]))
    with pytest.raises(SpaceError, match="width 8; those of angry are 5 wide"):
        system(streams, EmotionSpace(["angry"], vectors=np.ones((1, 5))))
    with pytest.raises(SpaceError, match="have none"):
        eea.build(eea.Config(), widths, EmotionSpace(["angry"]))
    with pytest.raises(MissingStreamError, match="asked to read face"):
        eea.build(eea.Config(), {"text": 8, "speech": 6}, space)


def test_half_precision(widths, space, make_streams) -> None:
    system, streams = build(widths, space), make_streams([3, 2])
    exact = system(streams, space)
    half = {m: Stream(s.values.bfloat16(), s.lengths) for m, s in streams.items()}
    logits = system.bfloat16()(half, space)
    assert logits.dtype == torch.bfloat16
    torch.testing.assert_close(logits.float(), exact, atol=0.05, rtol=0.1)


def test_emotion_vectors_are_kept_but_never_trained(widths, space, make_streams) -> None:
    system = build(widths, space)
    assert system.vectors(space) is system.vectors(space)
    assert not system.vectors(space).requires_grad
    assert not any("vector" in name for name in system.state_dict())
    system(make_streams([2]), space.with_vectors(space.vectors + 1))
    assert not torch.equal(
        system.vectors(space), system.vectors(space.with_vectors(space.vectors + 1))
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"streams": []},
        {"streams": ["text", "text"]},
        {"hidden": {"smell": 3}},
        {"hidden": {"text": 0}},
        {"layers": 0},
        {"dropout": 1.0},
        {"cell": "rnn"},
        {"unknown": 1},
        {"layers": "2"},
        {"layers": 2.0},
        {"hidden": {"text": "8"}},
        {"bidirectional": "off"},
        {"last_column": 1},
        {"dropout": "0.1"},
        {"streams": "text"},
    ],
)
def test_wrong_settings_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="validation error"):
        eea.Config(**wrong)


def test_any_modality_of_the_corpus_is_read(space) -> None:
    config = eea.Config(streams=["text", "pulse"], hidden={"text": 8})
    assert config.hidden["pulse"] == 100
    with pytest.raises(MissingStreamError, match=r"asked to read pulse.*has text"):
        eea.build(config, {"text": 5}, space)
    system = eea.build(config, {"text": 5, "pulse": 3}, space).eval()
    streams = {
        "text": Stream(torch.randn(2, 4, 5), torch.tensor([4, 0])),
        "pulse": Stream(torch.randn(2, 6, 3), torch.tensor([6, 2])),
    }
    shares = system.contributions(streams, space)
    assert list(shares) == ["text", "pulse"]
    assert (shares["pulse"] != 0).all()
    assert (shares["text"][1] == 0).all()


@pytest.mark.parametrize("stream", ["text", "speech"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_single_modality_has_keys(widths, space, make_streams, stream, cell) -> None:
    system = build(widths, space, streams=[stream], cell=cell)
    keyed = system.keyed()
    assert keyed is not None
    read = make_streams([5, 1, 3])[stream]
    states, counts = keyed.states(*read)
    assert states.shape[1] == 1
    assert counts.tolist() == [1, 1, 1]
    vectors = torch.from_numpy(space.vectors)
    logits = states[:, 0] @ (keyed.map @ vectors.T + keyed.bias[:, None]) + vectors @ keyed.offset
    torch.testing.assert_close(logits, system.scores({stream: read}, space), **CLOSE)


def test_several_modalities_have_no_keys(widths, space) -> None:
    assert build(widths, space, streams=["text", "speech"]).keyed() is None
