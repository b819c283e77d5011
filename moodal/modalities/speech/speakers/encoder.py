"""Speaker encoder: vectors of who speaks in each part of a second, from the network GE2E.

The mean states of the three layers of GE2E (Wan et al., ICASSP 2018; the weights are
Resemblyzer's) are projected to the directions in which speakers differ and moods and rooms do not
(`moodal.train.export.speaker_space`). On emotional speech they tell speakers apart better than the
256 numbers that the network was trained to give. The network runs on pieces of 1.6 s, each with
the 0.4 s before it, so that its states do not remember a voice for long, and all speech is read
about once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from moodal.core.process_local import ProcessLocal
from moodal.core.records import RATE
from moodal.modalities.graphs import open_graph
from moodal.modalities.speech.speakers.mel import HOP, mel_spectrogram

GRAPH = Path(__file__).with_name("ge2e.onnx")
SPACE = Path(__file__).with_name("speaker_space.safetensors")

WIDTH, LAYERS = 256, 3
STEP = 10
"""Frames whose states are averaged, 0.1 s."""

PIECE, BEFORE = 160, 40
"""Frames that the network reads at a time, and frames before them that it reads first."""

TOGETHER = 8
"""Pieces in one batch."""

LEVEL, AROUND = -24.0, 0.8
"""The level in dB of full scale to which speech is brought, and the seconds on each side of a frame
over which its level is measured: a loud and a quiet speaker are heard alike."""

WINDOW, EVERY = 14, 4
"""Steps of 0.1 s that a vector describes, and from one vector to the next."""

LEAST = 0.1
"""Seconds of the shortest sound that has a vector."""

_SESSION = ProcessLocal(lambda: open_graph(GRAPH))


@dataclass(frozen=True)
class SpeakerSpace:
    """The space in which vectors of speakers are compared, by linear discriminants (PLDA).

    Within a speaker, each number varies by 1 around the speaker's own.

    Attributes:
        mean: [768] of the states.
        projection: [768, D] from states to vectors.
        between: [D] variances of the numbers between speakers, falling.
    """

    mean: np.ndarray
    projection: np.ndarray
    between: np.ndarray


@dataclass(frozen=True)
class SpeakerVectors:
    """The vectors of one stretch of speech.

    Attributes:
        edges: [k + 1] seconds from its beginning; vector i stands for edges i to i + 1.
        vectors: [k, D] float32, of 1.4 s around the middle of their part of 0.4 s.
    """

    edges: np.ndarray
    vectors: np.ndarray


class SpeakerEncoder:
    """The encoder of speech as vectors of its speakers.

    Args:
        space: the space of the vectors; None for the package's own.
    """

    def __init__(self, space: SpeakerSpace | None = None) -> None:
        self.space = space or own_space()

    def encode(self, samples: np.ndarray) -> SpeakerVectors:
        """Encode speech, samples [n] at 16 kHz; what is shorter than `LEAST` has no vector."""
        states = speaker_states(samples)
        if not len(states):
            return SpeakerVectors(np.zeros(1), np.zeros((0, len(self.space.between)), np.float32))
        vectors = (states - self.space.mean) @ self.space.projection
        count, windows = len(vectors), max(1, round(len(vectors) / EVERY))
        edges = np.linspace(0, count, windows + 1)
        first = np.rint((edges[1:] + edges[:-1] - WINDOW) / 2).astype(int)
        first = np.clip(first, 0, max(0, count - WINDOW))
        last = np.minimum(first + WINDOW, count)
        total = np.concatenate([np.zeros((1, vectors.shape[1])), np.cumsum(vectors, 0)])
        means = (total[last] - total[first]) / (last - first)[:, None]
        return SpeakerVectors(edges * (len(samples) / RATE / count), means.astype(np.float32))


def speaker_states(samples: np.ndarray) -> np.ndarray:
    """Compute the mean states of the network's layers for each 0.1 s of samples [n]: [t, 768]."""
    samples = np.nan_to_num(np.asarray(samples, np.float32), nan=0, posinf=0, neginf=0)
    samples = np.clip(samples, -100, 100)  # damaged floats overflow when they are squared
    frames = _levelled(samples)
    count = len(samples) // HOP // STEP
    if not count:
        return np.zeros((0, LAYERS * WIDTH), np.float32)
    frames = frames[: count * STEP]
    pieces = -(-len(frames) // PIECE)
    # the first piece is preceded by itself in reverse
    before = np.pad(frames, ((BEFORE, 0), (0, 0)), mode="symmetric")
    padded = np.pad(before, ((0, pieces * PIECE - len(frames)), (0, 0)), mode="edge")
    batch = np.stack([padded[i * PIECE : (i + 1) * PIECE + BEFORE] for i in range(pieces)])
    session = _SESSION.get()
    means = [
        session.run(None, {"mel": batch[i : i + TOGETHER]})[0] for i in range(0, pieces, TOGETHER)
    ]
    states = np.concatenate(means)[:, BEFORE // STEP :].reshape(-1, LAYERS * WIDTH)
    return np.asarray(states[:count], np.float32)


def _levelled(samples: np.ndarray) -> np.ndarray:
    """Compute the mel spectrogram of samples as if all of them were at `LEVEL`."""
    frames = mel_spectrogram(samples)
    width = min(round(2 * AROUND * RATE), len(samples))
    middle = np.arange(len(frames)) * HOP
    first = np.clip(middle - width // 2, 0, len(samples) - width)
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    power = (energy[first + width] - energy[first]) / max(width, 1)
    gain = 10 ** (LEVEL / 10) / np.maximum(power, 1e-10)
    return np.asarray(frames * gain[:, None], np.float32)


@cache
def own_space() -> SpeakerSpace:
    """Read the package's space of speakers."""
    return SpeakerSpace(**load_file(SPACE))
