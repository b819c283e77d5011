"""The selected figure decides which epoch is kept."""

import numpy as np
import pytest

from moodal.core.emotions import EmotionSpace, Values
from moodal.core.errors import UsageError
from moodal.core.targets import JointTargets
from moodal.train.engine.selection import figure, merit, recorded, require

LOGITS = np.array([[2.0, -1.0], [-1.0, 3.0], [1.0, 0.5]])
TARGETS = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
SINGLE, MULTI = (EmotionSpace(["joy", "fear"], task) for task in ("single", "multi"))


def test_single_label_metrics_take_the_highest_and_the_others_a_threshold():
    assert figure("accuracy", LOGITS, TARGETS, SINGLE) == pytest.approx(2 / 3)
    # each emotion by itself: the third row has both
    assert figure("binary_accuracy", LOGITS, TARGETS, SINGLE) == pytest.approx((2 / 3 + 1) / 2)


def test_an_emotion_that_validation_lacks_is_left_out():
    targets = TARGETS.copy()
    targets[:, 0] = 0
    assert figure("auc", LOGITS, targets, MULTI) == figure(
        "auc", LOGITS[:, 1:], targets[:, 1:], MULTI
    )
    with pytest.raises(UsageError, match="undefined"):
        figure("auc", LOGITS, np.zeros_like(TARGETS), MULTI)


def test_recorded_metrics_are_of_each_emotion_without_undefined_ones():
    rows = recorded("binary_accuracy", LOGITS, TARGETS, SINGLE)
    expected = {"valid/binary_accuracy/joy": 2 / 3, "valid/binary_accuracy/fear": 1.0}
    assert rows == pytest.approx(expected)
    targets = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert recorded("auc", LOGITS, targets, MULTI) == {"valid/auc/fear": 1.0}
    matched = recorded("exact_match", LOGITS, TARGETS, MULTI)
    assert matched == pytest.approx({"valid/exact_match": 2 / 3})
    with pytest.raises(UsageError, match=r"train\.record names 'luck'; choose from"):
        require("auc", "bce", MULTI, ["auc", "luck"])


def test_errors_count_downwards():
    row = {"epoch": 3.0, "valid_loss": 0.5, "valid_mae": 0.7, "valid_auc": 0.9}
    assert [merit(s, row) for s in ("last", "loss", "mae", "auc")] == [3.0, -0.5, -0.7, 0.9]


def test_metrics_of_other_tasks_are_refused():
    with pytest.raises(UsageError, match="not for a multi corpus"):
        require("mae", "bce", MULTI)
    with pytest.raises(UsageError, match="values take l1, mse, ccc"):
        require("mae", "bce", Values(["valence"]))
    with pytest.raises(UsageError, match="is for values"):
        require("auc", "ccc", MULTI)
    with pytest.raises(UsageError, match=r"train\.select = 'foo' is not for"):
        require("foo", "bce", MULTI)
    require("last", "mse", Values(["valence"]))


def test_steps_and_signs_choose_the_epoch_of_sentiment_alone():
    with pytest.raises(UsageError, match=r"a corpus of valence; choose: ccc, pearson, mae, rmse\."):
        require("acc7", "l1", Values(["valence"]))
    both = Values(["valence", "sentiment"])
    require("acc7", "l1", both)
    truth = np.array([[0.1, 3.0], [0.2, -2.0]])
    assert figure("acc7", truth + np.array([9.0, 0.1]), truth, both) == 1.0


def test_a_constant_prediction_has_a_correlation_of_0_and_a_constant_truth_none():
    values = Values(["valence", "arousal"])
    truth = np.array([[0.1, 0.5], [0.2, -0.5], [0.3, 0.0]])
    same = np.zeros_like(truth)
    same[:, 0] = truth[:, 0]
    assert figure("pearson", same, truth, values) == pytest.approx(0.5)
    truth[:, 1] = 0.5
    assert figure("pearson", same, truth, values) == pytest.approx(1)
    with pytest.raises(UsageError, match="a value is the same in all"):
        figure("ccc", same, truth * 0, values)


def test_shares_of_raters_are_compared_as_such_or_by_their_mode():
    shares = np.array([[0.7, 0.3], [0.5, 0.5], [0.4, 0.6]])
    assert figure("accuracy", LOGITS, shares, SINGLE) == 0.5  # the tied row does not count
    assert figure("top2_accuracy", LOGITS, shares, SINGLE) == 1
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    soft = -(shares * np.log(probabilities)).sum(1).mean()
    assert figure("cross_entropy", LOGITS, shares, SINGLE) == pytest.approx(soft)
    assert recorded("jsd", LOGITS, shares, SINGLE).keys() == {"valid/jsd"}
    one = recorded("recall", LOGITS, shares, SINGLE)
    assert one == {"valid/recall/joy": 1.0, "valid/recall/fear": 1.0}
    tied = np.full((3, 2), 0.5)
    assert figure("accuracy", LOGITS, tied, SINGLE) == pytest.approx(2 / 3)
    row = {"epoch": 0.0, "valid_jsd": 0.25}
    assert merit("jsd", row) == -0.25


def test_of_both_each_metric_is_of_its_part():
    values = Values(["valence"])
    both = JointTargets(SINGLE, values)
    numbers, truth = np.array([[0.1], [0.5], [0.2]]), np.array([[0.0], [0.6], [0.4]])
    logits, targets = np.hstack([LOGITS, numbers]), np.hstack([TARGETS, truth])
    for name, part, own in (("accuracy", SINGLE, slice(2)), ("ccc", values, slice(2, None))):
        expected = figure(name, logits[:, own], targets[:, own], part)
        assert figure(name, logits, targets, both) == expected
        require(name, "ce", both)
    assert list(recorded("mae", logits, targets, both)) == ["valid/mae/valence"]
    with pytest.raises(UsageError, match="choose: "):
        require("exact_match", "ce", both)
    with pytest.raises(UsageError, match="is for values"):
        require("ccc", "ccc", both)
