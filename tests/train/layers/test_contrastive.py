"""Contrastive losses equal the papers' sums, term by term, also without pairs."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from moodal.train.layers.contrastive import between_views, supervised, supervised_published

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def drawn(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=7), st.integers(0, 99))
def test_supervised_is_equation_2_of_khosla(labels, seed) -> None:
    z = F.normalize(drawn(len(labels), seed), dim=1).double()
    terms = []
    for i, label in enumerate(labels):
        positives = [p for p, other in enumerate(labels) if other == label and p != i]
        if positives:
            below = sum(math.exp(z[i] @ z[a] / 0.5) for a in range(len(labels)) if a != i)
            each = [math.log(math.exp(z[i] @ z[p] / 0.5) / below) for p in positives]
            terms.append(-sum(each) / len(each))
    actual = supervised(
        3 * z.float(), torch.tensor(labels), 0.5
    )  # of any length: it is scaled to 1
    assert actual.shape == (len(labels),)
    expected = sum(terms) / len(terms) if terms else 0.0
    assert float(actual.mean()) == pytest.approx(expected, abs=1e-4)
    lonely = [labels.count(label) == 1 for label in labels]
    assert not actual[torch.tensor(lonely)].any()


def test_supervised_as_published_is_a_mean_over_pairs() -> None:
    z, labels = drawn(4, 0), torch.tensor([0, 1, 0, 2])
    log_p = (z @ z.T).log_softmax(1) / 0.07
    pairs = [(0, 0), (0, 2), (1, 1), (2, 0), (2, 2), (3, 3)]
    expected = -sum(log_p[i, j] for i, j in pairs) / len(pairs)
    torch.testing.assert_close(supervised_published(z, labels, 0.07).mean(), expected, **CLOSE)


def test_between_views_is_cross_entropy_against_the_diagonal() -> None:
    z, other = drawn(3, 0), drawn(3, 1)
    cosines = F.cosine_similarity(z[:, None], other, dim=2)
    expected = F.cross_entropy(cosines / 0.2, torch.arange(3), reduction="none")
    torch.testing.assert_close(between_views(z, other, 0.2), expected, **CLOSE)
    raw = F.cross_entropy(z @ other.T / 0.2, torch.arange(3), reduction="none")
    torch.testing.assert_close(between_views(z, other, 0.2, unit=False), raw, **CLOSE)


@pytest.mark.parametrize("labels", [[0], [0, 1, 2], [1, 1, 1]])
def test_gradients_are_numbers_whatever_the_labels(labels) -> None:
    for loss in (supervised, supervised_published):
        z = drawn(len(labels), 0).requires_grad_()
        each = loss(z, torch.tensor(labels), 0.07)
        each.sum().backward()
        assert each.isfinite().all()
        assert z.grad.isfinite().all()
    z = drawn(len(labels), 0).requires_grad_()
    between_views(z, drawn(len(labels), 1), 0.07).sum().backward()
    assert z.grad.isfinite().all()


def test_anchors_without_a_positive_do_not_count() -> None:
    z = drawn(5, 0)
    some = supervised(z, torch.tensor([0, 0, 1, 2, 3]), 0.5)
    assert some[2:].tolist() == [0, 0, 0]
    assert not supervised(z, torch.arange(5), 0.5).any()
    assert float(supervised(z[:1], torch.tensor([0]), 0.5)) == 0


def test_they_are_of_32_bits_under_autocast() -> None:
    z, other = drawn(4, 0), drawn(4, 1)
    labels = torch.tensor([0, 0, 1, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = [supervised(z, labels, 0.07), between_views(z, other, 0.07)]
    plain = [supervised(z, labels, 0.07), between_views(z, other, 0.07)]
    for actual, expected in zip(mixed, plain, strict=True):
        assert actual.dtype == torch.float32
        torch.testing.assert_close(actual, expected)
