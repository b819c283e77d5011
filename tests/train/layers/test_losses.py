"""Losses against their formulas, and what distributed training needs of them."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from moodal.core.errors import UsageError
from moodal.train.layers.losses import LOSSES, loss, per_utterance, pos_weight

torch.manual_seed(0)
LOGITS = torch.randn(6, 4)
MULTI = (torch.rand(6, 4) > 0.5).float()


@pytest.mark.parametrize("name", LOSSES)
def test_shards_of_unequal_size_weigh_by_their_rows(name: str) -> None:
    rows = per_utterance(name, LOGITS, MULTI)
    assert rows.shape == (6,)
    parts = [per_utterance(name, LOGITS[s], MULTI[s]).sum() for s in (slice(0, 1), slice(1, 6))]
    torch.testing.assert_close(sum(parts) / 6, loss(name, LOGITS, MULTI))


def test_bce_weighs_positives() -> None:
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0])
    p = LOGITS.sigmoid()
    wanted = -(weight * MULTI * p.log() + (1 - MULTI) * (1 - p).log()).mean()
    torch.testing.assert_close(loss("bce", LOGITS, MULTI, weight), wanted)


def test_ce_on_one_hot_rows_is_ordinary() -> None:
    classes = torch.tensor([0, 1, 2, 3, 0, 1])
    wanted = F.cross_entropy(LOGITS, classes)
    torch.testing.assert_close(loss("ce", LOGITS, F.one_hot(classes, 4).float()), wanted)


def test_ce_on_multi_hot_rows_counts_each_emotion_and_an_empty_row_not_at_all() -> None:
    rows = per_utterance("ce", LOGITS[:2], torch.tensor([[1.0, 0, 1, 0], [0, 0, 0, 0]]))
    logs = LOGITS[0].log_softmax(0)
    torch.testing.assert_close(rows, torch.stack([-(logs[0] + logs[2]), torch.tensor(0.0)]))


def test_l1_and_mse() -> None:
    torch.testing.assert_close(loss("l1", LOGITS, MULTI), F.l1_loss(LOGITS, MULTI))
    torch.testing.assert_close(loss("mse", LOGITS, MULTI), F.mse_loss(LOGITS, MULTI))


def test_half_precision_logits_are_counted_in_full() -> None:
    assert per_utterance("bce", LOGITS.bfloat16(), MULTI).dtype == torch.float32


def test_an_unknown_loss_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="choose one of bce, ce, l1, mse"):
        loss("hinge", LOGITS, MULTI)


def test_pos_weight_is_negatives_per_positive() -> None:
    labels = torch.tensor([[1.0, 0, 1], [0, 0, 1], [0, 0, 1], [1, 0, 1]])
    assert pos_weight(labels).tolist() == [1.0, 1.0, 0.0]
