"""Dialogues composed of the clips of actors, with who speaks when, for benchmarks/speakers.py.

Turns last 1 to 8 s and are of one emotion; one in five begins before the last one ends, by up to
1.2 s. Each actor stands elsewhere in the same room (none in half of the dialogues), and half have
noise of 10 to 30 dB below the voices.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from moodal.core.manifest import Manifest
from moodal.core.records import RATE, Clip
from moodal.media.audio import read_audio
from moodal.modalities.speech.segment import PAD, speech_spans

SHORTEST, LONGEST = 1.0, 8.0
"""Seconds of a turn, drawn on a logarithmic scale."""
OVERLAPS, OVERLAP = 0.2, (0.3, 1.2)
"""The share of turns that overlap with the one before, and by how many seconds."""
GAP = 0.4
"""The mean of the seconds between turns that do not overlap."""

Spoken = tuple[float, float, str]
"""Start and end in seconds, and who speaks."""


@dataclass(frozen=True)
class Dialogue:
    """A made-up recording.

    Attributes:
        samples: [n] float32 at 16 kHz.
        speech: who speaks when; overlaps are there twice.
    """

    samples: np.ndarray
    speech: list[Spoken]


class Actors:
    """The clips of the actors of a corpus, by actor and emotion."""

    def __init__(self, manifest: Manifest) -> None:
        self.root = Path(manifest.root or "")
        self.clips: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for utterance, label in zip(manifest.utterances, manifest.labels, strict=True):
            clip = utterance.media.get("speech")
            if isinstance(clip, Clip) and utterance.speaker:
                self.clips[utterance.speaker][int(np.argmax(label))].append(clip.path)
        self.read = cache(self._read)

    def _read(self, path: str) -> np.ndarray:
        """Read the speech of a clip, without what is before and after it; 16 bits save memory."""
        samples = read_audio(self.root / path, rate=RATE)
        spans = speech_spans([(0.0, samples)])
        if not spans:
            return np.zeros(0, np.float16)
        first, last = spans[0].start + PAD, spans[-1].end - PAD
        return samples[round(first * RATE) : round(last * RATE)].astype(np.float16)

    def turn(self, actor: str, seconds: float, rng: np.random.Generator) -> list[np.ndarray]:
        """Draw clips of one emotion until they last so long; the last one is cut."""
        emotions = self.clips[actor]
        paths = emotions[rng.choice(list(emotions))]
        pieces: list[np.ndarray] = []
        left = round(seconds * RATE)
        for number in rng.permutation(len(paths)):
            clip = self.read(paths[number]).astype(np.float32)[:left]
            if len(clip) >= min(left, RATE // 4):
                fade = np.minimum(1.0, np.arange(len(clip), 0, -1) / (0.01 * RATE))
                pieces.append(clip * fade.astype(np.float32))
                left -= len(clip)
            if left < RATE // 4:
                break
        return pieces


def compose(
    actors: Actors, names: Sequence[str], seconds: float, rng: np.random.Generator
) -> Dialogue:
    """Compose a dialogue of some actors that lasts about so many seconds."""
    room = _Room(rng)
    voices = {name: room.place(rng) for name in names}
    sound = np.zeros(round((seconds + 30) * RATE), np.float32)
    speech: list[Spoken] = []
    order = [*rng.permutation(names)]
    reached, last, before = 0.5, "", 0.0
    while reached < seconds or order:
        others = [name for name in names if name != last]
        last = order.pop(0) if order else str(rng.choice(others))
        length = float(np.exp(rng.uniform(np.log(SHORTEST), np.log(LONGEST))))
        start = reached + rng.exponential(GAP)
        if speech and rng.random() < OVERLAPS:
            start = reached - min(rng.uniform(*OVERLAP), 0.5 * length, 0.5 * before)
        level = 0.05 * 10 ** (rng.normal(0, 2) / 20)
        begin = start
        for piece in actors.turn(last, length, rng):
            loud = float(np.sqrt(np.mean(np.square(piece)))) + 1e-6
            wet = voices[last](piece * (level / loud))
            at = round(start * RATE)
            wet = wet[: len(sound) - at]
            sound[at : at + len(wet)] += wet
            speech.append((start, start + len(piece) / RATE, last))
            start += len(piece) / RATE + rng.uniform(0.1, 0.4)
        if speech and speech[-1][2] == last:
            reached = max(reached, speech[-1][1])
            before = reached - begin
    sound = sound[: round((reached + 1.0) * RATE)]
    return Dialogue(np.clip(sound + _noise(len(sound), rng), -1, 1), speech)


class _Room:
    """A room: noise that decays, as in `moodal.train.data.augment`, or none."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.decay = float(rng.uniform(0.2, 0.6)) if rng.random() < 0.5 else 0.0

    def place(self, rng: np.random.Generator):  # type: ignore[no-untyped-def]
        """Choose a place in the room; return a function of samples to samples there."""
        if not self.decay:
            return lambda samples: samples
        time = np.arange(round(self.decay * RATE)) / RATE
        tail = rng.normal(size=len(time)) * 10 ** (-3 * time / self.decay)
        tail[: round(0.002 * RATE)] = 0
        share = rng.uniform(0.1, 0.8)
        response = share * tail / np.sqrt(np.sum(tail**2))
        response[0] = 1.0

        def heard(samples: np.ndarray) -> np.ndarray:
            size = len(samples) + len(response)
            spectrum = np.fft.rfft(samples, size) * np.fft.rfft(response, size)
            return np.fft.irfft(spectrum, size).astype(np.float32)

        return heard


def _noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw noise whose spectrum falls, 10 to 30 dB below the voices, or 45 dB in half of cases."""
    decibels = rng.uniform(10, 30) if rng.random() < 0.5 else 45.0
    spectrum = np.fft.rfft(rng.normal(size=count))
    spectrum *= np.maximum(1, np.arange(len(spectrum)) * RATE / count / 50) ** -rng.uniform(0, 0.5)
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(0.05 * 10 ** (-decibels / 20) * noise / noise.std(), np.float32)
