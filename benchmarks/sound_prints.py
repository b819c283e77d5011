"""How well prints tell copies of a sound from other sounds, on CREMA-D and RAVDESS.

    python benchmarks/sound_prints.py CREMA_D RAVDESS

Pairs of different recordings show how alike these are; copies of each fifth recording, made
quieter, coded anew, cut and so on, how alike copies remain.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from scipy import signal

from moodal.core.acoustics import MEASURES
from moodal.core.records import RATE
from moodal.corpora import CORPORA
from moodal.evaluation.protocols.leaks import COPY
from moodal.features.acoustics import measured
from moodal.media.audio import read_audio

COUNT = 700
"""The recordings of each corpus."""


def mp3(samples: np.ndarray) -> np.ndarray:
    """Code a sound as MP3, and decode it."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="MP3")
    file.seek(0)
    return np.asarray(soundfile.read(file, dtype="float32")[0])


def noisy(samples: np.ndarray, decibels: float) -> np.ndarray:
    """Add white noise so many decibels below the sound."""
    noise = np.random.default_rng(0).normal(0, samples.std() * 10 ** (-decibels / 20), len(samples))
    return (samples + noise).astype(np.float32)


def telephone(samples: np.ndarray) -> np.ndarray:
    """Sample a sound at 8 kHz and back."""
    return np.asarray(signal.resample_poly(signal.resample_poly(samples, 1, 2), 2, 1))


def echo(samples: np.ndarray) -> np.ndarray:
    """Put a sound into a made-up room."""
    room = np.exp(-np.arange(4000) / 600) * np.random.default_rng(0).normal(size=4000)
    return np.asarray(signal.fftconvolve(samples, room)[: len(samples)])


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "a fifth as loud": lambda x: x * 0.2,
    "through 8 kHz": telephone,
    "as MP3": mp3,
    "0.5 s of silence before, 0.25 s after": lambda x: np.pad(x, (8000, 4000)),
    "noise 30 dB below": lambda x: noisy(x, 30),
    "noise 20 dB below": lambda x: noisy(x, 20),
    "2 % faster": lambda x: np.asarray(signal.resample(x, int(len(x) / 1.02))),
    "0.1 s cut off at both ends": lambda x: x[1600:-1600],
    "treble raised": lambda x: np.asarray(signal.lfilter([1, -0.7], [1], x)),
    "in another room": echo,
}


def main() -> None:
    """Print how alike different recordings are, and copies."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("crema_d", type=Path)
    parser.add_argument("ravdess", type=Path)
    args = parser.parse_args()
    rng, names, sounds = np.random.default_rng(0), [], []
    for corpus, root in (("crema-d", args.crema_d), ("ravdess", args.ravdess)):
        rows = [u for u in CORPORA[corpus](root).utterances if "speech" in u.media]
        for row in sorted(rng.choice(len(rows), min(COUNT, len(rows)), replace=False)):
            names.append(rows[row].id)
            sounds.append(read_audio(root / rows[row].media["speech"].path, rate=RATE))
    prints = np.array([measured(x)[len(MEASURES) :] for x in sounds])
    alike = (prints @ prints.T)[np.triu_indices(len(prints), 1)]
    pairs = np.transpose(np.triu_indices(len(prints), 1))
    print(f"{len(alike):,} pairs of different recordings; {(alike >= COPY).sum()} reach {COPY}")
    for at in np.argsort(alike)[::-1][:5]:
        first, second = pairs[at]
        print(f"  {alike[at]:.3f}  {names[first]}  {names[second]}")
    print("copies: cosine of one in twenty, median, share that reaches the bound")
    for name, change in COPIES.items():
        own = np.array(
            [
                prints[i] @ measured(np.asarray(change(sounds[i]), np.float32))[len(MEASURES) :]
                for i in range(0, len(sounds), 5)
            ]
        )
        low, median = np.quantile(own, [0.05, 0.5])
        print(f"  {name:40} {low:6.3f} {median:6.3f} {np.mean(own >= COPY):7.1%}")


if __name__ == "__main__":
    main()
