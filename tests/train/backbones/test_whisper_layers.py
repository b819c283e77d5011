"""The speech branch reads Whisper's frames, except for level and high bands."""

import pytest
import torch

from moodal.core.records import RATE
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.whisper import log_mel
from moodal.train.backbones.whisper_layers import HIGHEST, LOUDEST, LogMel, WhisperLayers


def voice(seconds=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    t = torch.arange(int(seconds * RATE)) / RATE
    tone = sum(torch.sin(6.283 * f * t) / f for f in (150, 300, 900, 2400))
    return 0.3 * tone / tone.abs().max() + 0.01 * torch.randn(len(t), generator=generator)


@pytest.fixture(scope="module")
def hearing():
    return WhisperLayers(Backbone(path="whisper-tiny", layers=1)).eval()


def test_frames_are_whispers_in_the_heard_bands():
    wave, mel = voice(), LogMel()
    mine, theirs = mel(wave[None])[0] * 4 - 4, log_mel(wave) * 4 - 4
    heard = mel.heard[:, 0]
    shift = theirs[heard].max() - LOUDEST
    both = (theirs[heard] - shift) > mine.min() + 0.01
    torch.testing.assert_close(
        mine[heard][both], (theirs[heard] - shift)[both], atol=2e-3, rtol=1e-3
    )
    assert mine[~heard].unique().numel() == 1  # the floor


def test_level_is_not_heard(hearing):
    wave = voice()
    torch.testing.assert_close(
        hearing.frames(wave), hearing.frames(wave * 0.05), atol=1e-3, rtol=1e-3
    )


def test_high_bands_are_not_heard(hearing):
    wave = voice()
    t = torch.arange(len(wave)) / RATE
    hiss = 0.05 * torch.sin(6.283 * (HIGHEST + 900) * t)
    torch.testing.assert_close(
        hearing.frames(wave), hearing.frames(wave + hiss), atol=0.05, rtol=0.0
    )


def test_a_clip_does_not_depend_on_its_batch(hearing):
    waves = [voice(1.0), voice(0.4, 1), voice(0.01, 2)]
    lengths = torch.tensor([*map(len, waves), 0])
    batch = torch.zeros(4, RATE, 1)
    for row, wave in zip(batch, waves, strict=False):
        row[: len(wave), 0] = wave
    with torch.no_grad():
        states, counts = hearing(batch, lengths)
        assert counts[3] == 0
        for i, wave in enumerate(waves):
            alone, n = hearing(wave[None, :, None], torch.tensor([len(wave)]))
            assert n[0] == counts[i] >= 1
            torch.testing.assert_close(states[i, : n[0]], alone[0], atol=1e-4, rtol=1e-4)
            assert states[i, n[0] :].abs().sum() == 0


def test_training_disturbs(hearing):
    wave = voice()[None, :, None]
    torch.manual_seed(5)
    with torch.no_grad():
        quiet, _ = hearing(wave, torch.tensor([RATE]))
        other, _ = hearing.train()(wave, torch.tensor([RATE]))
    hearing.eval()
    steps = min(quiet.shape[1], other.shape[1])
    assert (quiet[:, :steps] - other[:, :steps]).abs().max() > 1e-3
