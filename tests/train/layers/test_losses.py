"""Losses equal their formulas, and can be computed in shards."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.nn import functional as F

from moodal.core.emotions import Value, Values
from moodal.core.errors import UsageError
from moodal.evaluation import metrics
from moodal.train.layers.losses import LOSSES, loss, per_utterance, pos_weight, range_weight

torch.manual_seed(0)
LOGITS = torch.randn(6, 4)
MULTI = (torch.rand(6, 4) > 0.5).float()


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"ccc"}))
def test_shards_of_unequal_size_weigh_by_their_rows(name: str) -> None:
    rows = per_utterance(name, LOGITS, MULTI)
    assert rows.shape == (6,)
    parts = [per_utterance(name, LOGITS[s], MULTI[s]).sum() for s in (slice(0, 1), slice(1, 6))]
    torch.testing.assert_close(sum(parts) / 6, loss(name, LOGITS, MULTI))


def test_bce_weighs_positives() -> None:
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0])
    p = LOGITS.sigmoid()
    expected = -(weight * MULTI * p.log() + (1 - MULTI) * (1 - p).log()).mean()
    torch.testing.assert_close(loss("bce", LOGITS, MULTI, weight), expected)


def test_what_a_row_says_nothing_of_does_not_count() -> None:
    logits = torch.tensor([[2.0, -1.0, 3.0], [0.5, 1.0, 0.0]], requires_grad=True)
    nan = float("nan")
    targets = torch.tensor([[1.0, nan, 0.0], [nan, nan, nan]])
    each = per_utterance("bce", logits, targets)
    known = per_utterance("bce", logits[:1, [0, 2]], targets[:1, [0, 2]])
    torch.testing.assert_close(each, torch.stack([known[0], torch.tensor(0.0)]))
    each.sum().backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0, 1] == 0
    assert not logits.grad[1].any()
    assert pos_weight(targets).tolist() == [0.0, 1.0, 1.0]  # no negative of the first is known
    assert pos_weight(torch.tensor([[1.0], [0.0], [nan], [0.0]])).tolist() == [2.0]


def test_ce_on_one_hot_rows_is_ordinary() -> None:
    classes = torch.tensor([0, 1, 2, 3, 0, 1])
    expected = F.cross_entropy(LOGITS, classes)
    torch.testing.assert_close(loss("ce", LOGITS, F.one_hot(classes, 4).float()), expected)


def test_ce_on_multi_hot_rows_counts_each_emotion_and_an_empty_row_not_at_all() -> None:
    rows = per_utterance("ce", LOGITS[:2], torch.tensor([[1.0, 0, 1, 0], [0, 0, 0, 0]]))
    logs = LOGITS[0].log_softmax(0)
    torch.testing.assert_close(rows, torch.stack([-(logs[0] + logs[2]), torch.tensor(0.0)]))


def test_l1_and_mse() -> None:
    torch.testing.assert_close(loss("l1", LOGITS, MULTI), F.l1_loss(LOGITS, MULTI))
    torch.testing.assert_close(loss("mse", LOGITS, MULTI), F.mse_loss(LOGITS, MULTI))


def test_ccc_is_one_less_the_metric_in_every_row() -> None:
    rows = per_utterance("ccc", LOGITS, MULTI)
    assert rows.shape == (6,)
    metric = metrics.ccc(MULTI.numpy(), LOGITS.numpy())
    torch.testing.assert_close(rows, torch.full((6,), 1 - float(metric.mean())))


@given(hnp.arrays(np.float32, (8, 2), elements=st.floats(-4, 4, width=16)), st.floats(0.5, 20))
def test_ccc_lies_between_0_and_2_and_scales_do_not_change_it(values, scale) -> None:
    truth = torch.linspace(-1, 1, 16).reshape(8, 2)
    predicted = torch.from_numpy(values)
    found = float(loss("ccc", predicted, truth))
    assert -1e-5 <= found <= 2 + 1e-5
    assert float(loss("ccc", predicted * scale, truth * scale)) == pytest.approx(found, abs=1e-4)
    assert float(loss("ccc", truth, truth)) == pytest.approx(0, abs=1e-5)


def test_descent_on_ccc_finds_the_truth_and_odd_batches_do_no_harm() -> None:
    truth = torch.linspace(-1, 1, 12).reshape(6, 2)
    predicted = (torch.rand(6, 2) - 3).requires_grad_()
    optimiser = torch.optim.Adam([predicted], lr=0.1)
    for _ in range(400):
        optimiser.zero_grad()
        loss("ccc", predicted, truth).backward()
        optimiser.step()
    torch.testing.assert_close(predicted.detach(), truth, atol=0.02, rtol=0)
    for rows, logits in (
        (truth[:1], truth[:1] + 1),
        (truth[:1], truth[:1]),
        (truth * 0, truth * 0),
    ):
        given = logits.clone().requires_grad_()
        loss("ccc", given, rows).backward()
        assert torch.isfinite(given.grad).all()


def test_errors_of_values_count_by_their_share_of_the_range() -> None:
    values = Values([Value("valence", -1, 1), Value("trust", 0, 4)])
    weight = range_weight(values)
    truth = torch.tensor([[0.0, 2.0]])
    tenth = truth + torch.tensor([[0.2, 0.0]]), truth + torch.tensor([[0.0, 0.4]])
    for name in ("l1", "mse"):
        of_valence, of_trust = (loss(name, x, truth, weight) for x in tenth)
        torch.testing.assert_close(of_valence, of_trust)
        assert float(loss(name, tenth[1], truth)) > 1.9 * float(loss(name, tenth[0], truth))
    assert range_weight(Values(["valence", "arousal"])) is None
    assert range_weight(Values(["sentiment"])) is None


def test_half_precision_logits_are_counted_in_full() -> None:
    assert per_utterance("bce", LOGITS.bfloat16(), MULTI).dtype == torch.float32


def test_an_unknown_loss_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="choose one of bce, ce, kl, l1, mse, ccc"):
        loss("hinge", LOGITS, MULTI)


def test_pos_weight_is_negatives_per_positive() -> None:
    labels = torch.tensor([[1.0, 0, 1], [0, 0, 1], [0, 0, 1], [1, 0, 1]])
    assert pos_weight(labels).tolist() == [1.0, 1.0, 0.0]


def test_kl_is_the_soft_cross_entropy_less_the_entropy_of_the_shares() -> None:
    shares = torch.tensor([[0.5, 0.3, 0.2, 0.0], [1.0, 0.0, 0.0, 0.0]])
    logits = LOGITS[:2].clone().requires_grad_()
    expected = F.kl_div(logits.log_softmax(1), shares, reduction="none").sum(1)
    torch.testing.assert_close(per_utterance("kl", logits, shares), expected)
    assert per_utterance("kl", shares.clamp(min=1e-9).log(), shares).abs().max() < 1e-5
    (soft,) = torch.autograd.grad(loss("ce", logits, shares), logits)
    (divergence,) = torch.autograd.grad(loss("kl", logits, shares), logits)
    torch.testing.assert_close(soft, divergence)


def test_shares_are_parts_of_positive_rows() -> None:
    shares = torch.tensor([[0.5, 0.5], [0.25, 0.75], [0.25, 0.75]])
    torch.testing.assert_close(pos_weight(shares), torch.tensor([2.0, 0.5]))
