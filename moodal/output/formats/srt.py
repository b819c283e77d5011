"""A timeline as SubRip subtitles: each utterance's emotion and words, for any player."""

from __future__ import annotations

from collections.abc import Sequence

from moodal.core.guard import plain
from moodal.core.timeline import Prediction, Timeline
from moodal.output.formats import timed
from moodal.output.style import numeral, percent

OWN = ".moodal.srt"
"""The ending of subtitles in a folder, so that they are not taken for a transcript."""


def to_srt(timelines: Sequence[Timeline]) -> str:
    """Write cues such as "[anger 62 %] I told you"; "[unsure]" if the model abstains.

    A model of values gives "[valence +0.62, arousal −0.10] I told you". A speaker's name comes
    first: "ANNA: [anger 62 %] I told you", "[Anna]: [unsure] Well". A language on which a modality
    was not trained is named: "[anger 48 %, sw (untrained)] Nina hasira".

    Raises:
        UsageError: there are several recordings, or the recording has no times.
    """
    timeline = timed.only(timelines, "srt")
    annotations = timed.annotate(timeline, "srt")
    several = bool(timeline.persons)
    return "".join(
        f"{i}\n{_time(c.start)} --> {_time(c.end)}\n{_line(timeline, c.prediction, several)}\n\n"
        for i, c in enumerate(annotations, 1)
    )


def _line(t: Timeline, p: Prediction, several: bool) -> str:
    answer = f"{p.label} {percent(p.probabilities[p.decided[0]])}" if p.decided else p.label
    if t.values:
        answer = ", ".join(f"{plain(v.name)} {numeral(v, p.values[v.name])}" for v in t.values)
    if p.untrained:
        answer += f", {plain(p.spoken)}"
    unnamed = several and not p.speaker and (p.person or p.track is not None)
    face = f"{plain(p.who)}: " if unnamed else ""
    words = plain(p.text or "") or "(no words)"
    return f"{_name(p)}[{face}{answer}] {words}".replace("-->", "→")


def _name(p: Prediction) -> str:
    """Return the speaker's name before the answer, as readers of subtitles take it for a name.

    That is in capitals or in brackets, with a colon.
    """
    name = plain(p.speaker or "")
    if not name:
        return ""
    return f"{name}: " if name.isupper() else f"[{name}]: "


def _time(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{ms:03d}"
