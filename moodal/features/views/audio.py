"""Second views of sound: the same words in another voice, room and channel.

The changes come in the order in which speech meets them: speed and pitch of the voice (Ko et al.,
"Audio Augmentation for Speech Recognition", Interspeech 2015), the echo of a room (Ko et
al., "A Study on Data Augmentation of Reverberant Speech for Robust Speech Recognition",
ICASSP 2017), noise in it (Snyder, Chen and Povey, "MUSAN", 2015), the band that a channel
lets through, and its level. Speed and pitch are Signalsmith Stretch's (package
python-stretch, MIT); the rest is a few Fourier transforms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from moodal.core.errors import UsageError
from moodal.core.records import RATE
from moodal.modalities.encoder import package_folder

SHORTEST = 4000
"""Samples below which speed and pitch are kept: the stretcher works in blocks of 0.12 s."""

Samples = np.ndarray
Range = tuple[float, float]


@dataclass(frozen=True)
class AudioRecipe:
    """The probability of each change, and the bounds between which its amount is drawn.

    Attributes:
        speed_p: probability of another speed; likewise for each change.
        speed: factor, 1.1 is a tenth faster and shorter; at least 0.8, at most 1.25.
        pitch: semitones; formants move with it.
        echo: seconds in which the room's echo falls by 60 dB.
        direct: dB by which the direct sound is above the whole echo.
        noise: signal-to-noise ratio in dB, over the whole clip.
        colour: the noise's power falls as 1 / frequency ** colour: 0 white, 1 pink, 2 brown.
        low_pass: cut-off frequency of a dull channel in Hz.
        telephone: share of telephone bands, 300 to 3400 Hz, among limited bands.
        gain: dB; lowered where the result would leave [-1, 1].
    """

    speed_p: float = 0.5
    speed: Range = (0.9, 1.1)
    pitch_p: float = 0.5
    pitch: Range = (-2.0, 2.0)
    echo_p: float = 0.3
    echo: Range = (0.15, 0.8)
    direct: Range = (0.0, 10.0)
    noise_p: float = 0.5
    noise: Range = (10.0, 30.0)
    colour: Range = (0.0, 2.0)
    band_p: float = 0.3
    low_pass: Range = (2500.0, 6000.0)
    telephone: float = 0.5
    gain_p: float = 0.5
    gain: Range = (-6.0, 6.0)

    def __post_init__(self) -> None:
        if not 0.8 <= self.speed[0] <= self.speed[1] <= 1.25:
            raise UsageError(f"speed lies within 0.8 and 1.25; got {self.speed}.")
        if not 0 < self.echo[0] <= self.echo[1]:
            raise UsageError(f"echo is in seconds, above 0; got {self.echo}.")


@dataclass(frozen=True)
class AudioChange:
    """The changes of one clip; the defaults change nothing.

    ``echo`` is (seconds to -60 dB, direct sound above it in dB), ``noise`` is (ratio in dB,
    colour), ``band`` is (lowest, highest) Hz, lowest 0 for none.
    """

    speed: float = 1.0
    pitch: float = 0.0
    echo: Range | None = None
    noise: Range | None = None
    band: Range | None = None
    gain: float = 0.0


def random_generator(seed: int, number: int, content: bytes) -> np.random.Generator:
    """Return the generator of a view, which depends on seed, number and content alone."""
    head = f"view\n{seed}\n{number}\n".encode()
    return np.random.default_rng(
        np.frombuffer(hashlib.sha256(head + hashlib.sha256(content).digest()).digest(), np.uint32)
    )


def audio_view(
    samples: Samples, seed: int, number: int, recipe: AudioRecipe | None = None
) -> Samples:
    """Make view ``number`` of samples [n] float32 at 16 kHz: [0.8 n to 1.25 n] in [-1, 1].

    The view is the same for the same seed, number and samples, and silent only if these are.

    Raises:
        MissingDependencyError: python-stretch is not installed.
    """
    samples = np.ascontiguousarray(samples, np.float32)
    random = random_generator(seed, number, samples.tobytes())
    return change_audio(samples, draw_audio(recipe or AudioRecipe(), random), random)


def draw_audio(recipe: AudioRecipe, random: np.random.Generator) -> AudioChange:
    """Draw a change with at least one part other than gain, which many encoders take out again."""
    parts: dict[str, tuple[float, Callable[[], Any]]] = {
        "speed": (recipe.speed_p, partial(random.uniform, *recipe.speed)),
        "pitch": (recipe.pitch_p, partial(random.uniform, *recipe.pitch)),
        "echo": (recipe.echo_p, lambda: _both(random, recipe.echo, recipe.direct)),
        "noise": (recipe.noise_p, lambda: _both(random, recipe.noise, recipe.colour)),
        "band": (recipe.band_p, lambda: _band(random, recipe)),
    }
    chosen = [name for name, (p, _) in parts.items() if random.random() < p]
    chosen = chosen or [str(random.choice([n for n, (p, _) in parts.items() if p] or ["noise"]))]
    drawn = {name: parts[name][1]() for name in chosen}
    if random.random() < recipe.gain_p:
        drawn["gain"] = random.uniform(*recipe.gain)
    return AudioChange(**drawn)


def _both(random: np.random.Generator, first: Range, second: Range) -> Range:
    return random.uniform(*first), random.uniform(*second)


def _band(random: np.random.Generator, recipe: AudioRecipe) -> Range:
    if random.random() < recipe.telephone:
        return 300.0, 3400.0
    return 0.0, random.uniform(*recipe.low_pass)


def change_audio(samples: Samples, change: AudioChange, random: np.random.Generator) -> Samples:
    """Apply a change to samples [n] float32; ``random`` draws the echo and the noise."""
    peak = float(np.abs(samples).max(initial=0))
    if peak < 1e-6:  # digital silence stays
        return samples.copy()
    changed = samples / np.float32(peak)
    changed = stretched(changed, change.speed, change.pitch)
    if change.echo:
        changed = echoed(changed, *change.echo, random)
    if change.noise:
        changed = noisy(changed, *change.noise, random)
    if change.band:
        limited = band_limited(changed, *change.band)
        # A hum outside the band must not leave silence.
        changed = limited if _level(limited) > 0.05 * _level(changed) else changed
    changed = changed * np.float32(peak * 10 ** (change.gain / 20))
    return changed / max(1.0, float(np.abs(changed).max()))


def stretched(samples: Samples, speed: float, pitch: float) -> Samples:
    """Make samples [n] ``speed`` times as fast and ``pitch`` semitones higher: [n / speed]."""
    if len(samples) < SHORTEST or (speed == 1 and pitch == 0):
        return samples
    package_folder("python_stretch")
    from python_stretch import Signalsmith

    stretch = Signalsmith.Stretch(0)
    stretch.preset(1, RATE)
    stretch.setTimeFactor(speed)
    stretch.setTransposeSemitones(pitch)
    return np.asarray(stretch.process(np.ascontiguousarray(samples[None])), np.float32)[0]


def echoed(samples: Samples, seconds: float, direct: float, random: np.random.Generator) -> Samples:
    """Add a room's echo that falls by 60 dB in ``seconds``, ``direct`` dB below the direct sound.

    The echo is noise that falls exponentially from 2.5 ms on (Polack 1988). Length and level are
    kept; the echo after the end is cut off.
    """
    time = np.arange(round(seconds * RATE), dtype=np.float32) / RATE
    tail = random.standard_normal(len(time), np.float32) * 10 ** (-3 * time / seconds)
    tail[: round(0.0025 * RATE)] = 0
    tail *= 10 ** (-direct / 20) / max(float(np.sqrt((tail**2).sum())), 1e-9)
    tail[0] = 1
    size = _fast(len(samples) + len(tail))
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(tail, size)
    mixed = np.fft.irfft(spectrum, size)[: len(samples)].astype(np.float32)
    return mixed * (_level(samples) / max(_level(mixed), 1e-9))


def noisy(samples: Samples, ratio: float, colour: float, random: np.random.Generator) -> Samples:
    """Add noise ``ratio`` dB below the sound; its power falls as 1 / frequency ** ``colour``."""
    size = _fast(len(samples))
    frequency = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 50.0).astype(np.float32)
    shape = frequency ** np.float32(-colour / 2)
    shape[0] = 0
    white = np.fft.rfft(random.standard_normal(size, np.float32))
    noise = np.fft.irfft(white * shape, size)[: len(samples)].astype(np.float32)
    return samples + noise * (_level(samples) * 10 ** (-ratio / 20) / max(_level(noise), 1e-9))


def band_limited(samples: Samples, lowest: float, highest: float) -> Samples:
    """Limit the band to ``lowest`` (0: no limit) to ``highest`` Hz, 48 dB per octave beyond."""
    size = _fast(len(samples) + RATE // 10)
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    kept = 1 / np.sqrt(1 + (frequency / highest) ** 16)
    if lowest:
        kept /= np.sqrt(1 + (lowest / np.maximum(frequency, 1)) ** 16)
    return np.fft.irfft(np.fft.rfft(samples, size) * kept, size)[: len(samples)].astype(np.float32)


def _level(samples: Samples) -> float:
    """Compute the root mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _fast(n: int) -> int:
    """Return the least of 2^k, 3 2^k, 5 2^k, 9 2^k and 15 2^k that is ``n`` or more."""
    return min(m << max(0, (-(-n // m) - 1).bit_length()) for m in (1, 3, 5, 9, 15))
