"""Findings of the sounds of a corpus: silence, and lengths unlike the table's.

Both are seen in the measures of `moodal.features.acoustics`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np

from moodal.core.acoustics import Acoustics
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Utterance
from moodal.core.table_rows import number
from moodal.corpora.checks.finding import Finding
from moodal.corpora.find import shortened
from moodal.modalities.speech.spoken import is_silent

TIMES = 2.0
"""How many times as long as its row says, or as short, a clip is named."""

APART = 1.0
"""Seconds by which it differs at least."""

OUTLIER = 20.0
"""How many times as long as the median a clip is named where no row says its length."""

MINUTE = 60.0
"""Seconds of the shortest clip that is named for that."""

_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2}(?:[.,]\d{1,9})?)")


def sound_findings(manifest: Manifest, modality: str, acoustics: Acoustics) -> Iterator[Finding]:
    """Find the sounds of a modality that are silent, or far from the length that is expected.

    Args:
        manifest: the corpus.
        modality: the modality whose sounds were measured.
        acoustics: the measures of the utterances.
    """
    measures = acoustics.measures[:, :2].tolist()
    known = {row: each for row, each in enumerate(measures) if not math.isnan(each[0])}
    names = [u.id for u in manifest.utterances]
    silent = [names[row] for row, (_, peak) in known.items() if is_silent(peak)]
    if silent:
        yield Finding(
            "warning",
            "silence",
            f"{_count(len(silent), 'recording is', 'recordings are')} silent: "
            f"{shortened(silent, 4)}; leave out rows that nobody can hear.",
        )
    stated_of = {row: stated_seconds(manifest.utterances[row], modality) for row in known}
    far = [
        f"{names[row]} ({seconds:.1f} s; from its start to its end {stated:.1f} s)"
        for row, (seconds, _) in known.items()
        if (stated := stated_of[row]) is not None and _far(seconds, stated)
    ]
    if far:
        yield Finding(
            "warning",
            "lengths",
            f"{_count(len(far), 'clip lasts', 'clips last')} much longer or shorter than the rows "
            f"say: {shortened(far, 4)}.",
        )
    lengths = [seconds for seconds, _ in known.values()]
    median = float(np.median(lengths)) if lengths else 0.0
    long = [
        f"{names[row]} ({seconds:.1f} s)"
        for row, (seconds, _) in known.items()
        if stated_of[row] is None and seconds > max(MINUTE, OUTLIER * median)
    ]
    if long:
        yield Finding(
            "warning",
            "lengths",
            f"{_count(len(long), 'clip lasts', 'clips last')} far longer than the others, whose "
            f"median is {median:.1f} s: {shortened(long, 4)}.",
        )


def stated_seconds(utterance: Utterance, modality: str) -> float | None:
    """Return the seconds from start to end that a corpus states of a whole file; None if unknown.

    Times are seconds, or hours, minutes and seconds as in 00:01:07,100.
    """
    clip = utterance.media.get(modality)
    if not isinstance(clip, Clip) or clip.start is not None or clip.end is not None:
        return None
    start, end = (_seconds(utterance.extra.get(key, "")) for key in ("start", "end"))
    return None if start is None or end is None or end <= start else end - start


def _seconds(text: str) -> float | None:
    clock = _CLOCK.fullmatch(text.strip())
    if clock:
        hours, minutes, seconds = clock.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
    return number(text)


def _far(seconds: float, stated: float) -> bool:
    longer, shorter = max(seconds, stated), min(seconds, stated)
    return longer > TIMES * shorter and longer - shorter > APART


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"
