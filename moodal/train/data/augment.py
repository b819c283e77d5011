"""Augmentation of speech: more rooms, microphones and codecs than the corpus has.

After Ko et al., "Audio Augmentation for Speech Recognition", Interspeech 2015 (speed), and
"A Study on Data Augmentation of Reverberant Speech", ICASSP 2017 (rooms and noise). Drawn from
torch's generator, so that a seed decides it. Gain is not changed: the network that reads the
speech ignores it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from moodal.core.records import RATE


def augmented(wave: Tensor) -> Tensor:
    """Augment a clip at random: [samples] at 16 kHz; the length changes with the speed.

    Each has its own probability: speed (0.9 to 1.1), a room (reverberation of 0.1 to 0.7 s,
    near or far), coloured noise (5 to 40 dB below the voice), a band (telephone and other low
    passes, tilted microphones), a coarse codec (noise that follows the spectrum), clipping.
    """
    if len(wave) < 800:
        return wave
    wave = wave / wave.abs().max().clamp(min=1e-4)
    if _chance(0.3):
        wave = _speed(wave, _between(0.9, 1.1))
    if _chance(0.35):
        wave = _room(wave, _between(0.1, 0.7), _between(0.1, 1.0))
    if _chance(0.5):
        wave = _noise(wave, _between(5, 40), _between(-1.0, 0.5))
    if _chance(0.5):
        wave = _band(wave)
    if _chance(0.2):
        wave = _codec(wave, _between(8, 25))
    if _chance(0.15):
        top = wave.abs().max() * _between(0.3, 0.9)
        wave = wave.clamp(-top, top)
    return wave


def _chance(share: float) -> bool:
    return bool(torch.rand(()) < share)


def _between(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


def _even(n: int) -> int:
    """Round ``n`` up to a length whose Fourier transform is fast."""
    return -(-n // 1024) * 1024


def _speed(wave: Tensor, factor: float) -> Tensor:
    size = max(1, round(len(wave) / factor))
    return torch.nn.functional.interpolate(
        wave[None, None], size=size, mode="linear", align_corners=False
    )[0, 0]


def _room(wave: Tensor, seconds: float, wet: float) -> Tensor:
    """Convolve with decaying noise, the impulse response of a room: -60 dB after ``seconds``."""
    n = int(seconds * RATE)
    response = torch.randn(n, device=wave.device)
    response = response * torch.exp(-6.9 * torch.arange(n, device=wave.device) / n)
    response = response / response.square().sum().sqrt() * wet
    response[0] = 1.0
    size = _even(len(wave) + n)
    wet_wave = torch.fft.irfft(torch.fft.rfft(wave, size) * torch.fft.rfft(response, size), size)
    return wet_wave[: len(wave)]


def _noise(wave: Tensor, decibels: float, slope: float) -> Tensor:
    """Add noise whose power falls (slope -1: pink) or rises over frequency, below the voice."""
    size = _even(len(wave))
    spectrum = torch.fft.rfft(torch.randn(size, device=wave.device))
    rising = torch.arange(len(spectrum), device=wave.device) + 1.0
    spectrum = spectrum * rising ** (slope / 2)
    noise = torch.fft.irfft(spectrum, size)[: len(wave)]
    level = wave.square().mean().sqrt() * 10 ** (-decibels / 20)
    return wave + noise * level / noise.square().mean().sqrt().clamp(min=1e-9)


def _band(wave: Tensor) -> Tensor:
    """Apply a low pass (2.5 to 6 kHz), a high pass (to 350 Hz) and a tilt (to 6.7 dB/octave)."""
    size = _even(len(wave))
    spectrum = torch.fft.rfft(wave, size)
    hertz = torch.linspace(0, RATE / 2, len(spectrum), device=wave.device)
    low, high = _between(10, 350), _between(2500, 6000)
    gain = torch.sigmoid((hertz - low) / 20) * torch.sigmoid((high - hertz) / 100)
    tilt = _between(-1.0, 1.0) * math.log2(10) / 3
    gain = gain * ((hertz + 100) / 1000) ** (tilt if _chance(0.5) else 0.0)
    return torch.fft.irfft(spectrum * gain, size)[: len(wave)]


def _codec(wave: Tensor, decibels: float) -> Tensor:
    """Add noise below each band of each 20 ms, as codecs of low rates leave it."""
    frame = 320
    n = -(-len(wave) // frame) * frame
    parts = torch.nn.functional.pad(wave, (0, n - len(wave))).reshape(-1, frame)
    spectrum = torch.fft.rfft(parts)
    noise = torch.fft.rfft(torch.randn_like(parts))
    noise = noise / noise.abs().mean() * spectrum.abs() * 10 ** (-decibels / 20)
    return torch.fft.irfft(spectrum + noise, frame).reshape(-1)[: len(wave)]
