"""A recording -> its utterances, with what was said and what was seen in each.

Two passes over the sound, both in blocks: where somebody speaks, then the samples of each
utterance; one pass over the pictures. Of three hours no more is kept than of three minutes, but
for a few numbers a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from moodal.core.records import RATE
from moodal.core.timeline import Word
from moodal.media.blocks import Block
from moodal.modalities.speech.segment import Span

ENVELOPE = 100
"""Stretches a second of the drawn waveform, at most."""
DRAWN = 4000
"""Stretches of the drawn waveform of a whole recording, at most."""


@dataclass
class Utterance:
    """A stretch of a recording in which somebody speaks, or a face is seen.

    Attributes:
        start, end: seconds; None for a text without times.
        text: what was said, None where nothing tells; "" where nothing was.
        words: with times, where it was transcribed.
        spoken: somebody speaks in it.
    """

    start: float | None = None
    end: float | None = None
    text: str | None = None
    words: tuple[Word, ...] = ()
    spoken: bool = True


@dataclass
class Envelope:
    """The lowest and highest sample of short stretches of a sound, gathered block by block."""

    parts: list[np.ndarray] = field(default_factory=list)
    samples: int = 0
    peak: float = 0.0

    def passing(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The same blocks, looked at on their way."""
        step = RATE // ENVELOPE
        for block in blocks:
            x = block.samples
            self.samples += len(x)
            if len(x):
                self.peak = max(self.peak, float(np.abs(x).max()))
                padded = np.pad(x, (0, -len(x) % step), mode="edge").reshape(-1, step)
                self.parts.append(np.stack([padded.min(1), padded.max(1)], 1))
            yield block

    @property
    def seconds(self) -> float:
        """How long the sound is."""
        return self.samples / RATE

    @property
    def drawn(self) -> np.ndarray | None:
        """[n, 2] float32, n at most `DRAWN`; None for no sound."""
        if not self.parts:
            return None
        whole = np.concatenate(self.parts)
        count = min(DRAWN, len(whole))
        first = np.arange(count) * len(whole) // count  # of even length, as they are drawn
        low, high = np.minimum.reduceat(whole[:, 0], first), np.maximum.reduceat(whole[:, 1], first)
        return np.stack([low, high], 1).astype(np.float32)


def slices(blocks: Iterable[Block], spans: Sequence[Span]) -> Iterator[tuple[int, np.ndarray]]:
    """The samples of spans, which may overlap and lie in any order: (number, [n]) of each.

    They come in the order of their ends; one that reaches past the sound is as long as there is.
    """
    order = sorted(range(len(spans)), key=lambda i: spans[i].end)
    waiting = list(order)
    kept, first = np.zeros(0, np.float32), 0

    def cut(i: int) -> np.ndarray:
        begin = max(0, round(spans[i].start * RATE) - first)
        return kept[begin : max(begin, round(spans[i].end * RATE) - first)].copy()

    for block in blocks if waiting else ():
        needed = min(round(spans[i].start * RATE) for i in waiting)
        if not len(kept):
            first = round(block.start * RATE)
        kept = np.concatenate([kept, block.samples])
        if needed > first:  # what lies before the earliest utterance that waits is let go
            gone = min(needed - first, len(kept))
            kept, first = kept[gone:], first + gone
        while waiting and round(spans[waiting[0]].end * RATE) <= first + len(kept):
            i = waiting.pop(0)
            yield i, cut(i)
        if not waiting:
            return  # the rest is not even read
    for i in waiting:
        yield i, cut(i)


def spoken_words(
    groups: Sequence[Sequence[int]],
    spans: Sequence[Span],
    sound: Callable[[], Iterable[Block]],
    threads: int,
) -> dict[int, tuple[Word, ...]]:
    """Number of a span -> the words that Whisper hears in it.

    Args:
        groups: spans that are transcribed together, see `moodal.modalities.speech.segment.joined`.
        sound: gives the blocks of the recording from its beginning.
    """
    from moodal.modalities.speech.transcribe import words

    whole = [Span(spans[g[0]].start, spans[g[-1]].end) for g in groups]
    found: dict[int, list[Word]] = {i: [] for group in groups for i in group}
    for g, samples in slices(sound(), whole):
        for word in words(samples, RATE, whole[g].start, threads=threads):
            middle = ((word.start or 0.0) + (word.end or 0.0)) / 2
            near = min(groups[g], key=lambda i: _distance(spans[i], middle))
            found[near].append(word)
    return {i: tuple(some) for i, some in found.items()}


def _distance(span: Span, at: float) -> float:
    return max(span.start - at, at - span.end, 0.0)


def silent_stretches(
    spans: Sequence[Span], seen: Sequence[float], *, least: float = 1.0, longest: float = 5.0
) -> list[Span]:
    """Stretches without speech in which a face is seen, of ``longest`` seconds at most.

    Args:
        spans: where somebody speaks.
        seen: seconds at which a face is seen, ascending.
        least: seconds below which a pause is none.
    """
    times = np.asarray(seen)
    if not len(times):
        return []
    edges = [(0.0, 0.0), *sorted((s.start, s.end) for s in spans), (np.inf, np.inf)]
    out: list[Span] = []
    reached = 0.0
    for start, end in edges:
        inside = times[(times >= reached) & (times < start)]
        # a face that is lost for two seconds ends the stretch
        for run in np.split(inside, np.flatnonzero(np.diff(inside) > 2.0) + 1):
            if len(run) and run[-1] - run[0] >= least:
                pieces = max(1, int(np.ceil((run[-1] - run[0]) / longest)))
                cuts = np.linspace(run[0], run[-1], pieces + 1)
                out += [Span(float(a), float(b)) for a, b in pairwise(cuts)]
        reached = max(reached, end)
    return out
