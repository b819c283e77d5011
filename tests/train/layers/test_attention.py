"""Additive attention, sinusoids and crossmodal Transformers."""

from __future__ import annotations

import math

import pytest
import torch

from moodal.train.layers.attention import AdditiveAttention, CrossEncoder, positions_of, sinusoids

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def test_additive_attention_ignores_masked_steps() -> None:
    torch.manual_seed(0)
    attention = AdditiveAttention(4)
    query, sequence = torch.randn(2, 4), torch.randn(2, 5, 4)
    mask = torch.tensor([[True] * 3 + [False] * 2, [True] * 5])
    got = attention(query, sequence, mask)
    torch.testing.assert_close(got[:1], attention(query[:1], sequence[:1, :3]), **CLOSE)
    torch.testing.assert_close(got[1:], attention(query[1:], sequence[1:]), **CLOSE)


def test_additive_attention_on_one_step_gives_that_step() -> None:
    sequence = torch.randn(3, 1, 4)
    torch.testing.assert_close(
        AdditiveAttention(4)(torch.randn(3, 4), sequence), sequence[:, 0], **CLOSE
    )


def test_sinusoids_by_hand() -> None:
    got = sinusoids(torch.tensor([0, 1, 3]), 6)
    assert not got[0].any()
    for row, position in ((1, 1), (2, 3)):
        for i, frequency in enumerate((1.0, 0.01, 0.0001)):
            assert got[row, i] == pytest.approx(math.sin(position * frequency), abs=1e-6)
            assert got[row, 3 + i] == pytest.approx(math.cos(position * frequency), abs=1e-6)
    assert sinusoids(torch.tensor([2]), 7).shape == (1, 7)


def test_positions_start_at_one_and_skip_what_is_not_there() -> None:
    sequence = torch.ones(1, 4, 2)
    sequence[0, 1, 0] = 0.0
    assert positions_of(sequence, None).tolist() == [[1, 0, 3, 4]]
    mask = torch.tensor([[True, True, False, False]])
    assert positions_of(sequence, mask).tolist() == [[1, 2, 0, 0]]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("cross", [False, True])
def test_a_clip_alone_is_a_clip_in_a_batch(causal: bool, cross: bool) -> None:
    torch.manual_seed(0)
    encoder = CrossEncoder(8, 2, 2, causal=causal).eval()
    x, source = torch.randn(2, 5, 8), torch.randn(2, 6, 8)
    mask = torch.arange(5) < torch.tensor([[3], [5]])
    source_mask = torch.arange(6) < torch.tensor([[6], [2]])
    extra = (source, source_mask) if cross else (None, None)
    together = encoder(x, mask, *extra)
    for i, (n, m) in enumerate(((3, 6), (5, 2))):
        one = torch.ones(1, n, dtype=torch.bool)
        other = (source[i : i + 1, :m], torch.ones(1, m, dtype=torch.bool))
        single = encoder(x[i : i + 1, :n], one, *(other if cross else (None, None)))
        torch.testing.assert_close(together[i : i + 1, :n], single, **CLOSE)


def test_causal_steps_do_not_look_ahead() -> None:
    torch.manual_seed(0)
    encoder = CrossEncoder(8, 2, 2, causal=True).eval()
    x = torch.randn(1, 5, 8)
    changed = x.clone()
    changed[:, 3:] = torch.randn(1, 2, 8)
    torch.testing.assert_close(encoder(x)[:, :3], encoder(changed)[:, :3], **CLOSE)
    assert not torch.allclose(encoder(x)[:, 3:], encoder(changed)[:, 3:])
