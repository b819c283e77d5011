"""Diarisation: who speaks when, while the sound is read, and corrected at its end.

Each span of speech is heard once. Its vectors (`SpeakerEncoder`) are grouped, VBx finds who speaks
in it and where that changes, and what one person explains as well is merged; then each of its
speakers is one that was heard before, or new. At the end the same three steps go over the vectors
of all spans. Of an hour of speech 0.7 MB are kept, and no sound.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from moodal.core.errors import UsageError
from moodal.core.records import RATE
from moodal.modalities.speech.speakers.clusters import grouped, numbered
from moodal.modalities.speech.speakers.encoder import SpeakerEncoder
from moodal.modalities.speech.speakers.merging import COUNTS, FEWEST, merged, same_speaker
from moodal.modalities.speech.speakers.turns import MOST, Turn
from moodal.modalities.speech.speakers.vbx import VbxSettings, find_speakers

DISTANCE = 0.6
"""The cosine distance below which vectors are grouped before VBx."""

GUESSED = 64
"""Groups from which VBx starts, at most."""

FEWEST_IN_SPAN = 2.0
"""Vectors below which a speaker of a span is joined with the most similar one."""

SHORTEST = 0.6
"""Seconds below which the speaker of a turn is unsure."""

SURE = 4.0
"""The log-likelihood ratio of a turn's speaker and the next best one from which it is sure."""

MIXED = 8.0
"""How much nearer to a vector, in squared distance, the middle of two speakers is than each of them
where their speech overlaps."""


@dataclass(frozen=True)
class _Heard:
    """The vectors of a span: edges [k + 1] in seconds of the recording, vectors [k, D]."""

    edges: np.ndarray
    vectors: np.ndarray


class Diariser:
    """A diariser of streamed speech.

    Args:
        speakers: how many there are; None: their number is found.
        encoder: the encoder of voices; None for the package's own.

    Raises:
        UsageError: the number of speakers is not from 1 to `MOST`.
    """

    def __init__(
        self, speakers: int | None = None, *, encoder: SpeakerEncoder | None = None
    ) -> None:
        if speakers is not None and not 1 <= speakers <= MOST:
            raise UsageError(f"The number of speakers is from 1 to {MOST}; got {speakers}.")
        self._speakers = speakers
        self._encoder = encoder or SpeakerEncoder()
        self._between = np.asarray(self._encoder.space.between, np.float64)
        self._spans: list[_Heard] = []
        self._sums = np.zeros((0, len(self._between)))
        self._counts = np.zeros(0)
        self._last = 1

    def hear(self, start: float, samples: np.ndarray) -> list[Turn]:
        """Return the provisional turns in one span of speech.

        The turns are in order and cover the span. Spans are heard in the order of time.

        Args:
            start: the second of the recording at which the span begins.
            samples: [n] at 16 kHz, about 15 s at most.
        """
        if not len(samples):
            return []
        encoded = self._encoder.encode(samples)
        edges = start + encoded.edges
        edges[-1:] = start + len(samples) / RATE
        span = _Heard(edges, encoded.vectors.astype(np.float16))
        if not len(encoded.vectors):
            span = replace(span, edges=np.array([start, start + len(samples) / RATE]))
        self._spans.append(span)
        shares = self._shares(encoded.vectors, None, FEWEST_IN_SPAN)
        numbers = self._recognise(encoded.vectors, shares)
        turns = _turns(span, numbers[shares.argmax(1)], self._last)
        self._last = turns[-1].speaker
        return turns

    def finish(self) -> list[Turn]:
        """Return the corrected turns of all spans; speakers are numbered by first appearance.

        They cover the same spans, but changes may lie elsewhere, and numbers may differ.
        """
        every = [np.zeros((0, len(self._between))), *(span.vectors for span in self._spans)]
        vectors = np.concatenate(every).astype(np.float64)
        labels = numbered(self._shares(vectors, self._speakers).argmax(1))
        means = _means(vectors, labels)
        turns: list[Turn] = []
        first = 0
        for span in self._spans:
            own = labels[first : first + len(span.vectors)]
            first += len(own)
            last = turns[-1].speaker if turns else 1
            turns += _marked(_turns(span, own + 1, last), span, means)
        return turns

    def _shares(
        self, vectors: np.ndarray, speakers: int | None, fewest: float = FEWEST
    ) -> np.ndarray:
        """Find speakers, and the probability that each vector is of each of them: [T, S]."""
        if len(vectors) < 2 or speakers == 1:
            return np.ones((len(vectors), 1))
        vectors = np.asarray(vectors, np.float64)
        guess = grouped(vectors, DISTANCE, GUESSED)
        shares = find_speakers(vectors, guess, self._between, VbxSettings()).shares
        if speakers is not None and shares.shape[1] < speakers:
            labels = grouped(vectors, -math.inf, speakers)
            shares = np.eye(labels.max() + 1)[labels]
        shares = merged(vectors, shares, self._between, speakers, fewest)
        return merged(vectors, shares, self._between, MOST)

    def _recognise(self, vectors: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Return the number of each speaker of a span, known or new, and remember them."""
        numbers = np.zeros(shares.shape[1], int)
        if not len(vectors):
            return numbers
        sums = COUNTS * (shares.T @ vectors)
        counts = COUNTS * shares.sum(0)
        for own in dict.fromkeys(shares.argmax(1).tolist()):
            together = np.vstack([sums[own], self._sums])
            ratios = same_speaker(together, np.append(counts[own], self._counts), self._between)
            ratios = ratios[0, 1:]
            room = len(self._counts) < (self._speakers or MOST)
            if not len(ratios) or (ratios.max() <= 0 and room):
                self._sums = np.vstack([self._sums, sums[own]])
                self._counts = np.append(self._counts, counts[own])
                numbers[own] = len(self._counts)
            else:
                best = int(ratios.argmax())
                self._sums[best] += sums[own]
                self._counts[best] += counts[own]
                numbers[own] = best + 1
        return numbers


def _turns(span: _Heard, speakers: np.ndarray, last: int) -> list[Turn]:
    """Divide a span into turns where the speaker of its vectors changes.

    A span without vectors is a turn of the speaker ``last``.
    """
    if not len(speakers):
        return [Turn(float(span.edges[0]), float(span.edges[-1]), last, sure=False)]
    changes = [0, *(np.flatnonzero(np.diff(speakers)) + 1).tolist(), len(speakers)]
    edges = span.edges.tolist()
    return [
        Turn(edges[i], edges[j], int(speakers[i]), edges[j] - edges[i] >= SHORTEST)
        for i, j in itertools.pairwise(changes)
    ]


def _means(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean vector [S, D] of each speaker."""
    count = labels.max() + 1 if len(labels) else 0
    means = [vectors[labels == speaker].mean(0) for speaker in range(count)]
    return np.array(means).reshape(count, vectors.shape[1])


def _marked(turns: list[Turn], span: _Heard, means: np.ndarray) -> list[Turn]:
    """Mark the turns of a span that are unsure, and those in which speech may overlap."""
    if len(means) < 2 or not len(span.vectors):
        return turns
    vectors = span.vectors.astype(np.float64)
    gaps = _gaps(vectors, means)
    one, other = np.triu_indices(len(means), 1)
    middle = _gaps(vectors, (means[one] + means[other]) / 2).min(1)
    mixed = gaps.min(1) - middle > MIXED
    places = np.searchsorted(span.edges, [turn.start for turn in turns]).tolist()
    marked = []
    for turn, (i, j) in zip(turns, itertools.pairwise([*places, len(vectors)]), strict=True):
        total = gaps[i:j].sum(0)
        others = np.delete(total, turn.speaker - 1)
        ratio = COUNTS * (others.min() - total[turn.speaker - 1]) / 2
        sure = turn.sure and bool(ratio >= SURE)
        marked.append(replace(turn, sure=sure, overlap=bool(mixed[i:j].any())))
    return marked


def _gaps(vectors: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the squared distances [k, S] of vectors to places [S, D]."""
    squares = np.square(vectors).sum(1)[:, None] + np.square(places).sum(1)
    return np.asarray(squares - 2 * vectors @ places.T)
