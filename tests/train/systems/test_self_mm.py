"""Self-MM follows its equations, and remembers labels and features of each training row."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.emotions import EmotionSpace, Value, Values
from moodal.core.errors import MissingStreamError, SpaceError, UsageError
from moodal.core.targets import JointTargets
from moodal.train.data.batch import Batch, Stream
from moodal.train.systems import self_mm

SENTIMENT = Values(["sentiment"])
WORDS = EmotionSpace(["angry", "happy", "sad"])
SMALL = {
    "hidden": {"text": 5, "speech": 4, "face": 3},
    "projected": {"text": 4, "speech": 3, "face": 2},
    "width": 6,
    "dropout": 0.0,
}


def build(widths, space=SENTIMENT, **more):
    torch.manual_seed(0)
    return self_mm.build(self_mm.Config(**{**SMALL, **more}), widths, space)


def batch(streams, targets, rows=None):
    targets = torch.as_tensor(targets, dtype=torch.float32)
    rows = torch.arange(len(targets)) if rows is None else torch.as_tensor(rows)
    return Batch(streams, targets, rows, None, None)


def test_the_equations_by_hand(widths, make_streams) -> None:
    """F_s by torch's own LSTM, F* = ReLU(W F + b), y^ = W F* + b; the multimodal task is read."""
    system, streams = build(widths).eval(), make_streams([5, 5])
    f = []
    for s in system.streams:
        lstm = torch.nn.LSTM(widths[s], SMALL["hidden"][s], batch_first=True)
        lstm.load_state_dict(system.lstm[s].state_dict())
        f.append(lstm(streams[s].values)[0][:, -1])
    own = system.projections(system.represent(streams))
    for s, x in zip(system.streams, f, strict=True):
        layer = system.project[s]
        torch.testing.assert_close(own[s], torch.relu(x @ layer.weight.T + layer.bias))
    joint, head = system.project["m"], system.predict["m"]
    star = torch.relu(torch.cat(f, 1) @ joint.weight.T + joint.bias)
    expected = star @ head.weight.T + head.bias
    torch.testing.assert_close(system(streams, SENTIMENT), expected, atol=1e-5, rtol=1e-4)


def test_a_relative_distance_by_hand(widths) -> None:
    system = build(widths)
    rows = system.start_rows(4, "cpu")
    features = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0], [9.0, 9.0]])
    rows["features face"].copy_(features)
    rows["label face"].copy_(torch.tensor([[1.0], [2.0], [-1.0], [0.0]]))  # 0 is of neither centre
    x = torch.tensor([[1.0, 2.0]])
    positive, negative = (1 + 4) / math.sqrt(2), 1 / math.sqrt(2)  # to (2, 0) and to (0, 2)
    alpha = (negative - positive) / positive
    torch.testing.assert_close(system.distances("face", x), torch.tensor([[alpha]]))
    rows["label face"].copy_(torch.ones(4, 1))
    assert system.distances("face", x).isnan().all()  # no negative centre


@given(
    st.floats(-3, 3, width=32),
    st.floats(0.125, 4, width=32) | st.floats(-4, -0.125, width=32),
    st.floats(-4, 4, width=32),
)
@settings(max_examples=200, deadline=None)
def test_a_generated_label_is_the_mean_of_ratio_and_difference_within_the_range(y, a_m, a_s):
    system = build({"text": 2, "speech": 2, "face": 2})
    one = [torch.tensor([[float(x)]]) for x in (y, a_m, a_s)]
    generated = float(system.generate(*one, torch.tensor([3.0])))
    expected = (y * a_s / a_m + y + a_s - a_m) / 2
    assert generated == pytest.approx(max(-3, min(3, expected)), abs=1e-3)
    same = float(system.generate(one[0], one[1], one[1], torch.tensor([3.0])))
    assert same == pytest.approx(y, abs=1e-5)  # as near as the fusion: the label stays


def test_the_first_epoch_keeps_the_labels_and_later_ones_move_them_with_momentum(
    widths, make_streams
) -> None:
    system, streams = build(widths), make_streams([4, 4, 4, 4])
    rows = system.start_rows(6, "cpu")
    y = torch.tensor([[2.0], [1.0], [-1.0], [-2.0]])
    chosen = [5, 0, 3, 1]
    first = system.objective(batch(streams, y, chosen), SENTIMENT)
    torch.testing.assert_close(rows["label text"][chosen], y)
    assert rows["visits"].tolist() == [1, 1, 0, 1, 0, 1]
    assert not rows["features m"][[2, 4]].any()
    assert first.parts["text"] == 0  # tanh |y_s - y_m| is 0 as yet
    projected = system.projections(system.represent(streams))
    generated = {}
    for visit in (2, 3):
        old = {s: rows[f"label {s}"][chosen].clone() for s in system.streams}
        alpha = {task: system.distances(task, x.detach()) for task, x in projected.items()}
        for s in system.streams:
            new = system.generate(y, alpha["m"], alpha[s], torch.tensor([3.0]))
            generated[s] = (visit - 1) / (visit + 1) * old[s] + 2 / (visit + 1) * new
        system.objective(batch(streams, y, chosen), SENTIMENT)
        for s in system.streams:
            torch.testing.assert_close(rows[f"label {s}"][chosen], generated[s])
    assert not torch.allclose(rows["label speech"][chosen], y, atol=1e-3)
    assert rows["label speech"].abs().max() <= 3


def test_the_loss_weighs_each_modality_by_the_shift_of_its_label(widths, make_streams) -> None:
    system, streams = build(widths), make_streams([4, 3])
    rows = system.start_rows(2, "cpu")
    y = torch.tensor([[1.5], [-0.5]])
    system.objective(batch(streams, y), SENTIMENT)
    moved = {"text": [0.5, -1.0], "speech": [2.5, -0.5], "face": [1.5, 1.0]}
    for s, values in moved.items():
        rows[f"label {s}"].copy_(torch.tensor(values)[:, None])
    projected = system.projections(system.represent(streams))
    predicted = {task: system.predict[task](x) for task, x in projected.items()}
    expected = (predicted["m"] - y).abs()
    for s, values in moved.items():
        y_s = torch.tensor(values)[:, None]
        expected = expected + torch.tanh((y_s - y).abs()) * (predicted[s] - y_s).abs()
    loss = system.objective(batch(streams, y), SENTIMENT)
    torch.testing.assert_close(loss.each, expected[:, 0])
    assert float(loss.parts["face_shift"]) == pytest.approx(0.75)


def test_values_are_measured_from_the_middle_of_their_range() -> None:
    space = Values([Value("trust", 0, 4), "sentiment"])
    y, limit = self_mm.centred(torch.tensor([[0.0, 3.0], [2.0, -1.5]]), space)
    assert y.tolist() == [[-1.0, 3.0], [0.0, -1.5]]
    assert limit.tolist() == [1.0, 3.0]


def test_words_are_values_of_minus_one_and_one_and_an_unknown_one_does_not_count(
    widths, make_streams
) -> None:
    system, streams = build(widths, WORDS), make_streams([4, 3])
    assert system.loss_name == "bce"
    system.start_rows(2, "cpu")
    nan = math.nan
    targets = torch.tensor([[1.0, 0.0, nan], [0.0, 1.0, 1.0]])
    loss = system.objective(batch(streams, targets), WORDS)
    logits = system(streams, WORDS)
    plain = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, targets.nan_to_num(), reduction="none"
    )
    torch.testing.assert_close(loss.each[0], plain[0, :2].mean())
    torch.testing.assert_close(loss.each[1], plain[1].mean())
    assert system.rows["label text"].tolist() == [[1, -1, 0], [-1, 1, 1]]
    for _ in range(3):
        assert system.objective(batch(streams, targets), WORDS).each.isfinite().all()


def test_the_memory_is_no_weight_and_scores_do_not_need_it(widths, make_streams) -> None:
    system, streams = build(widths).eval(), make_streams([4, 3])
    before = system(streams, SENTIMENT)
    names = set(system.state_dict())
    system.start_rows(9, "cpu")
    assert set(system.state_dict()) == names
    assert torch.equal(system(streams, SENTIMENT), before)


def test_neither_batch_nor_padding_matters(widths, make_streams) -> None:
    system = build(widths).eval()
    together = system(make_streams([7, 1, 4], padding=2, junk=5.0), SENTIMENT)
    streams = make_streams([7, 1, 4])
    for i, n in enumerate([7, 1, 4]):
        clip = {
            m: Stream(s.values[i : i + 1, :n], s.lengths[i : i + 1]) for m, s in streams.items()
        }
        torch.testing.assert_close(together[i : i + 1], system(clip, SENTIMENT))


def test_text_may_have_a_backbone_whose_first_state_is_read() -> None:
    text = {"path": "minilm", "layers": 1, "architecture": {}}
    torch.manual_seed(0)
    config = self_mm.Config(
        streams=("text", "speech"), text=text, hidden={"speech": 3}, dropout=0.0
    )
    system = self_mm.build(config, {"text": 1, "speech": 2}, SENTIMENT).eval()
    assert system.heavy
    assert set(system.lstm) == {"speech"}
    assert system.features["text"]["name"] == "tokens"
    assert system.portable.text.architecture
    assert len(system.backbone_parameters()) > 5
    ids = torch.tensor([[[102.0], [2000.0], [103.0]]])
    streams = {
        "text": Stream(ids, torch.tensor([3])),
        "speech": Stream(torch.zeros(1, 2, 2), torch.tensor([2])),
    }
    states, _ = system.text(*streams["text"])
    torch.testing.assert_close(system.represent(streams)["text"], states[:, 0])


def test_what_is_wrong_is_one_sentence(widths, make_streams) -> None:
    with pytest.raises(ValueError, match="at least two"):
        self_mm.Config(streams=["text"])
    with pytest.raises(ValueError, match="unknown stream hand"):
        self_mm.Config(projected={"hand": 3})
    with pytest.raises(MissingStreamError, match="asked to read face"):
        build({"text": 8, "speech": 6})
    with pytest.raises(UsageError, match=r"token ids, which a backbone must read"):
        build({**widths, "text": 1})
    both = JointTargets(EmotionSpace(["a", "b"], "single"), SENTIMENT)
    with pytest.raises(UsageError, match="self_mm learns emotions or values, not both at once"):
        build(widths, both)
    system, streams = build(widths), make_streams([4])
    with pytest.raises(UsageError, match="call start_rows"):
        system.objective(batch(streams, [[1.0]]), SENTIMENT)
    with pytest.raises(SpaceError, match="closed-set"):
        system(streams, Values(["valence"]))
    with pytest.raises(MissingStreamError, match="needs face"):
        system({m: s for m, s in streams.items() if m != "face"}, SENTIMENT)


def test_labels_of_a_modality_that_contradicts_move_away(widths) -> None:
    """A face that smiles at negative words gets a higher label than the whole utterance."""
    system = build(widths)
    rows = system.start_rows(40, "cpu")
    rng = np.random.default_rng(0)
    y = torch.from_numpy(np.where(np.arange(40) % 2, 1.0, -1.0).astype(np.float32))[:, None]
    signs = {"m": y, "text": y, "speech": y, "face": y.clone()}
    signs["face"][0] = 1.0  # row 0 is negative, and its face is as those of positive rows
    projected = {}
    for task, size in system.sizes.items():
        noise = torch.from_numpy(rng.normal(0, 0.1, (40, size)).astype(np.float32))
        projected[task] = (2 + signs[task] + noise).relu()
    for _ in range(4):
        system.remember(torch.arange(40), y, projected, torch.tensor([3.0]))
    assert rows["label face"][0] > 0
    assert rows["label text"][0] < 0
