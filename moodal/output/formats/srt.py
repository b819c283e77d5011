"""A timeline as SubRip subtitles: what was said under its emotion, for any player."""

from __future__ import annotations

from collections.abc import Sequence

from moodal.core.timeline import Prediction, Timeline
from moodal.output.formats import timed
from moodal.output.style import label, percent, plain

OWN = ".moodal.srt"
"""What answers are called in a folder, so that they are not taken for somebody's transcript."""


def to_srt(timelines: Sequence[Timeline]) -> str:
    """Cues such as "[anger 62 %] I told you"; "[unsure]" where the model abstains.

    Raises:
        UsageError: several recordings, or one without times.
    """
    timeline = timed.only(timelines, "srt")
    cells = timed.cells(timeline, "srt")
    several = len({c.of.track for c in cells}) > 1
    return "".join(
        f"{i}\n{_time(c.start)} --> {_time(c.end)}\n{_line(c.of, several)}\n\n"
        for i, c in enumerate(cells, 1)
    )


def _line(p: Prediction, several: bool) -> str:
    told = f"{label(p)} {percent(p.probabilities[p.decided[0]])}" if p.decided else label(p)
    who = f"face {p.track}: " if several and p.track is not None else ""
    words = plain(p.text or "").replace("-->", "→") or "(no words)"
    return f"[{who}{told}] {words}"


def _time(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{ms:03d}"
