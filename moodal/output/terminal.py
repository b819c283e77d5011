"""Timelines in the terminal: a coloured strip over time, and a table of the utterances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from moodal.core.timeline import Prediction, Timeline
from moodal.output.remarks import remarks
from moodal.output.style import (
    UNSURE,
    clock,
    colours,
    ink,
    label,
    letters,
    percent,
    plain,
    streams_of,
    told,
)

_BAR = 5
_ASCII = str.maketrans({"█": "#", "▌": "=", "░": ".", "·": ".", "–": "-", "−": "-", "…": "~"})


def show(timelines: Sequence[Timeline], console: Any = None) -> None:
    """Print one or several timelines.

    Colours are left out where NO_COLOR is set or the output is no terminal; letters tell the
    emotions as well. Signs that the output's encoding lacks are replaced.

    Args:
        timelines: a Timeline, or several.
        console: of rich; None for standard output.
    """
    from rich.console import Console

    out = console or Console()
    several = [timelines] if isinstance(timelines, Timeline) else timelines
    for i, timeline in enumerate(several):
        if i:
            out.print()
        for part in _parts(timeline, out.width, out.encoding):
            out.print(part, highlight=False, markup=False, soft_wrap=False)


def _parts(timeline: Timeline, width: int, encoding: str) -> Iterator[Any]:
    pen = _Pen(timeline, encoding)
    yield pen.text(_heading(timeline), "bold")
    if len(timeline):
        yield from _strips(timeline, pen, width)
        yield _table(timeline, pen, width)
    for line in remarks(timeline):
        yield pen.text(line)


class _Pen:
    """Writes text that the output can show, and emotions in their colours."""

    def __init__(self, timeline: Timeline, encoding: str) -> None:
        asked = list(dict.fromkeys([*timeline.emotions, *(told(p) for p in timeline)]))
        self.colours, self.letters = colours(asked), letters(asked)
        self.streams = streams_of(timeline)
        self.encoding = encoding

    def can(self, text: str) -> str:
        """What the output's encoding has, on one line."""
        try:
            text.encode(self.encoding)
        except (UnicodeEncodeError, LookupError):
            text = text.translate(_ASCII)
            text = text.encode(self.encoding, "replace").decode(self.encoding)
        return text

    def text(self, text: str, style: str = "") -> Any:
        from rich.text import Text

        return Text(self.can(plain(text)), style=style)

    def cell(self, emotion: str, sign: str | None = None) -> Any:
        """Signs on the emotion's colour; its letter where None."""
        from rich.text import Text

        if emotion == UNSURE:
            return Text(self.can(sign or "?"), style="dim")
        colour = self.colours[emotion]
        return Text(self.can(sign or self.letters[emotion]), style=f"{ink(colour)} on {colour}")


def _heading(t: Timeline) -> str:
    unnamed = "a text" if t.kind == "text" else "sound from memory"
    name = {"": unnamed, "-": "standard input"}.get(t.path, t.path)
    count = (
        f"{len(t)} {'sentence' if t.kind == 'text' else 'utterance'}{'' if len(t) == 1 else 's'}"
    )
    length = [] if t.duration is None else [_length(t.duration)]
    return " · ".join([name, t.kind, *length, count])


def _length(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)


def _strips(timeline: Timeline, pen: _Pen, width: int) -> Iterator[Any]:
    """A row of cells over time (one per sentence without times) for each followed face."""
    from rich.text import Text

    tracks = list(dict.fromkeys(p.track for p in timeline))
    used: dict[str, None] = {}
    for track in tracks:
        mine = [p for p in timeline if p.track == track]
        name = "" if len(tracks) == 1 else "no face " if track is None else f"face {track} "
        start, stop = _ends(timeline)
        room = max(10, width - len(name) - len(start) - len(stop) - 4)
        line = Text(f"  {name}{start} ")
        for emotion, wide in _runs(_cells(timeline, mine, room)):
            if emotion is None:
                line.append(pen.can("·") * wide, style="dim")
            elif emotion == UNSURE:
                line.append_text(pen.cell(UNSURE, "?" * wide))
            else:
                line.append_text(pen.cell(emotion, pen.letters[emotion] * wide))
            used |= {emotion: None} if emotion else {}
        yield line.append(f" {stop}")
    legend = Text("  ")
    for emotion in [e for e in (*timeline.emotions, UNSURE) if e in used]:
        legend.append_text(pen.cell(emotion)).append(f" {plain(emotion)}   ")
    yield legend


def _ends(t: Timeline) -> tuple[str, str]:
    timed = [p.end for p in t if p.end is not None]
    if not timed:
        return "", ""
    length = max([t.duration or 0, *timed])
    return "0" if length < 60 else clock(0), _length(length)


def _cells(t: Timeline, mine: Sequence[Prediction], room: int) -> list[str | None]:
    """Which emotion has most of each cell; None where nobody says or shows anything."""
    spans = [(p.start, p.end, label(p)) for p in mine if p.start is not None and p.end is not None]
    if len(spans) < len(mine) or t.kind == "image":
        wide = max(1, min(6, room // len(mine)))
        if len(mine) * wide <= room:
            return [label(p) for p in mine for _ in range(wide)]
        spans = [(i, i + 1, label(p)) for i, p in enumerate(mine)]
        length = float(len(mine))
    else:
        length = max([t.duration or 0, *(end for _, end, _ in spans)]) or 1.0
    most: list[dict[str | None, float]] = [{None: 1e-9} for _ in range(room)]
    for start, end, emotion in spans:
        first, last = start / length * room, end / length * room
        for i in range(max(0, int(first)), min(room, int(last) + 1)):
            part = min(i + 1, last) - max(i, first)
            most[i][emotion] = most[i].get(emotion, 0.0) + part
    # half a cell of silence is not shown as speech, but no utterance is lost
    made = [max(cell, key=lambda e: cell[e]) for cell in most]
    for start, end, emotion in spans:
        middle = min(room - 1, int((start + end) / 2 / length * room))
        made[middle] = made[middle] or emotion
    return made


def _runs(cells: Iterable[str | None]) -> Iterator[tuple[str | None, int]]:
    from itertools import groupby

    for emotion, run in groupby(cells):
        yield emotion, len(list(run))


def _table(timeline: Timeline, pen: _Pen, width: int) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    timed = any(p.start is not None for p in timeline) and timeline.kind != "image"
    spoken = any(p.text for p in timeline)
    short = max([timeline.duration or 0, *(p.end or 0 for p in timeline)]) < 60
    several = len({p.track for p in timeline}) > 1
    wide = width >= 110
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    made.add_column("#", justify="right", style="dim", no_wrap=True)
    if timed:
        made.add_column("time", no_wrap=True)
    if several:
        made.add_column("face", no_wrap=True)
    if spoken:
        made.add_column("words", ratio=1, overflow="fold")
    made.add_column("decided", no_wrap=True)
    made.add_column("its shares", no_wrap=True)
    for i, p in enumerate(timeline, 1):
        row: list[Any] = [str(i)]
        if timed:
            row.append(pen.can(_times(p, short)))
        if several:
            row.append("" if p.track is None else str(p.track))
        if spoken:
            row.append(pen.text(p.text or "(no words)", "" if p.text else "dim"))
        shares = Text(pen.can(("  " if wide else "\n").join(_shares(p, pen)) or "–"))
        made.add_row(*row, _decided(p, pen), shares)
    return made


def _times(p: Prediction, short: bool) -> str:
    """Of a recording under a minute, seconds with tenths."""
    if p.start is None or p.end is None:
        return ""
    if short:
        return f"{p.start:.1f}–{p.end:.1f} s"
    return f"{clock(p.start)}–{clock(p.end)}"


def _decided(p: Prediction, pen: _Pen) -> Any:
    """The emotion with its percentage and a small bar; of an abstention, what comes nearest."""
    from rich.text import Text

    emotion, probability = told(p), p.probabilities[told(p)]
    if not p.decided:
        near = f"{UNSURE}\n({plain(emotion)} {percent(probability)})"
        return Text(pen.can(near), style="dim")
    halves = round(probability * _BAR * 2)
    bar = "█" * (halves // 2) + "▌" * (halves % 2)
    empty = "░" * (_BAR - len(bar))
    made = Text(pen.can(f"{plain(emotion)} {percent(probability)}\n"))
    made.append(pen.can(bar), style=pen.colours[emotion])
    return made.append(pen.can(empty), style="dim")


def _shares(p: Prediction, pen: _Pen) -> list[str]:
    """Each stream's part of the told emotion's logit, the largest first: "voice +1.2"."""
    known = p.sources.get(told(p), {})
    found = [(s, v.get(told(p), 0.0)) for s, v in p.shares.items() if known.get(s) != "absent"]
    found.sort(key=lambda x: -abs(x[1]))
    return [f"{pen.streams[s].label} {v:+.1f}".replace("-", "−") for s, v in found]
