"""Augmented speech is finite, of similar length, and decided by the seed."""

import pytest
import torch

from moodal.train.data.augment import augmented


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_drawn_is_sound(seed):
    wave = torch.sin(torch.arange(8000) / 20.0) * 0.2
    torch.manual_seed(seed)
    first = augmented(wave)
    torch.manual_seed(seed)
    assert torch.equal(first, augmented(wave))
    assert torch.isfinite(first).all()
    assert 0.85 < len(first) / len(wave) < 1.15
    assert first.abs().max() > 0


def test_silence_and_crumbs_pass():
    assert torch.isfinite(augmented(torch.zeros(16000))).all()
    assert augmented(torch.ones(10)).tolist() == [1.0] * 10
