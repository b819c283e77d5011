"""Which epoch is kept, by which figure."""

import numpy as np
import pytest

from moodal.core.errors import UsageError
from moodal.train.engine.selection import figure, merit, require

LOGITS = np.array([[2.0, -1.0], [-1.0, 3.0], [1.0, 0.5]])
TARGETS = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])


def test_single_label_metrics_take_the_highest_and_the_others_a_threshold():
    assert figure("accuracy", LOGITS, TARGETS, "single") == pytest.approx(2 / 3)
    # each emotion by itself: the third row has both
    assert figure("binary_accuracy", LOGITS, TARGETS, "single") == pytest.approx((2 / 3 + 1) / 2)


def test_an_emotion_that_validation_lacks_is_left_out():
    targets = TARGETS.copy()
    targets[:, 0] = 0
    assert figure("auc", LOGITS, targets, "multi") == figure(
        "auc", LOGITS[:, 1:], targets[:, 1:], "multi"
    )
    with pytest.raises(UsageError, match="undefined"):
        figure("auc", LOGITS, np.zeros_like(TARGETS), "multi")


def test_errors_count_downwards():
    row = {"epoch": 3.0, "valid_loss": 0.5, "valid_mae": 0.7, "valid_auc": 0.9}
    assert [merit(s, row) for s in ("last", "loss", "mae", "auc")] == [3.0, -0.5, -0.7, 0.9]


def test_metrics_of_other_tasks_are_refused():
    with pytest.raises(UsageError, match="not for a multi corpus"):
        require("mae", "bce", "multi")
    with pytest.raises(UsageError, match="l1 or mse"):
        require("mae", "bce", "regression")
    with pytest.raises(UsageError, match="No metric 'foo'"):
        require("foo", "bce", "multi")
    require("last", "mse", "regression")
