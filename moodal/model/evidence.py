"""Readings: what one modality says of one utterance, for every word asked, and which part of the
utterance says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moodal.core.records import RATE
from moodal.core.timeline import Word
from moodal.modalities.modality import Part, Reading
from moodal.modalities.text.minilm import tokenizer
from moodal.model.branches import Branch

FRAMES = 50.0
"""States of the speech network a second."""
SECOND = 1.0
"""Length of the stretches of speech whose parts are told."""


@dataclass(frozen=True)
class Reader:
    """A branch with the keys of the words that are asked."""

    branch: Branch
    keys: np.ndarray
    """[H, C]"""
    constants: np.ndarray
    """[C]"""

    @classmethod
    def of(cls, branch: Branch, words: Sequence[str], vectors: np.ndarray) -> Reader:
        """The reader of ``words`` with their vectors [C, d]."""
        return cls(branch, *branch.keys(words, vectors))

    def text(self, text: str, timed: Sequence[Word] = ()) -> Reading | None:
        """Of an utterance's text; None where there is no word in it.

        Args:
            text: what was said; at most 256 word pieces of it are read.
            timed: its words, where they are timed; else the text is cut at blanks.
        """
        encoded = tokenizer().encode(text)
        if len(encoded.ids) <= 2:
            return None
        logits = self.branch.pieces(np.array(encoded.ids, np.int64)) @ self.keys / len(encoded.ids)
        flags = ("Only the first 256 word pieces of the text were read.",)
        cut = bool(encoded.overflowing)
        parts = _by_word(text, encoded, logits, timed)
        return Reading(logits.sum(0) + self.constants, parts, flags=flags if cut else ())

    def speech(self, samples: np.ndarray, start: float = 0.0) -> Reading:
        """Of an utterance's samples [n] at 16 kHz, which begin at ``start`` seconds."""
        from moodal.modalities.speech.quality import flags, sound_quality

        states = np.concatenate([part @ self.keys for part in self.branch.windows(samples)])
        states = states / len(states)
        seconds = len(samples) / RATE
        step = max(1, round(SECOND * FRAMES))
        parts = tuple(
            Part(
                states[i : i + step].sum(0),
                start + min(i / FRAMES, seconds),
                start + min((i + step) / FRAMES, seconds),
            )
            for i in range(0, len(states), step)
        )
        quality = sound_quality(samples, RATE)
        said = tuple(f"Speech: {flag}." for flag in flags(quality))
        return Reading(states.sum(0) + self.constants, parts, quality, said)

    def seen(self, pixels: np.ndarray) -> np.ndarray:
        """Of pictures [n, 2304] of faces: [n, C] without the constants."""
        logits: np.ndarray = self.branch.faces(pixels) @ self.keys
        return logits

    def face(self, seen: Sequence[tuple[float, float, np.ndarray]]) -> Reading:
        """Of one face over an utterance: (start, end, `seen`'s row) of each picture."""
        parts = tuple(Part(row / len(seen), start, end) for start, end, row in seen)
        return Reading(np.sum([p.logits for p in parts], 0) + self.constants, parts)


def _by_word(
    text: str, encoded: Any, logits: np.ndarray, timed: Sequence[Word]
) -> tuple[Part, ...]:
    """The pieces' logits [T, C] added up word by word."""
    ends, at = [], 0
    words = [w.text for w in timed] or text.split()
    for word in words:
        found = text.find(word, at)
        at = (found if found >= 0 else at) + len(word)
        ends.append(at)
    sums = np.zeros((len(words), logits.shape[1]))
    if not words:
        return ()
    offsets = np.array(encoded.offsets)
    inside = offsets[:, 1] > offsets[:, 0]  # the special pieces have no place in the text
    places = np.searchsorted(ends, offsets[inside, 0], side="right")
    np.add.at(sums, np.minimum(places, len(words) - 1), logits[inside])
    spans = [(w.start, w.end) for w in timed] or [(None, None)] * len(words)
    return tuple(
        Part(part, start, end, word)
        for part, (start, end), word in zip(sums, spans, words, strict=True)
    )
