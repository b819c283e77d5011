"""Show timelines in the terminal: a strip of emotions or values over time, and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from moodal.core.emotions import Value
from moodal.core.guard import plain
from moodal.core.timeline import UNSURE, Prediction, Timeline
from moodal.output.footnotes import footnotes
from moodal.output.style import (
    clock,
    colours,
    dimension_texts,
    face_name,
    ink,
    interval,
    letters,
    numbered,
    numeral,
    percent,
    position,
    streams_of,
)
from moodal.output.summary_lines import summary_lines

_BAR = 5
_LEVELS = "▁▂▃▄▅▆▇█"
_ASCII = str.maketrans(
    {c: str(i) for i, c in enumerate(_LEVELS, 1)}
    | {"█": "#", "▌": "=", "░": ".", "·": ".", "–": "-", "−": "-", "…": "~"}
)


def show(timelines: Sequence[Timeline], console: Any = None) -> None:
    """Print one or several timelines.

    There are no colours if NO_COLOR is set or the output is not a terminal; letters identify the
    emotions as well. Characters that the output's encoding lacks are replaced.

    Args:
        timelines: a Timeline, or several.
        console: a Console of rich; None for standard output.
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
        yield from (_lines if timeline.values else _strips)(timeline, pen, width)
        yield _table(timeline, pen, width)
    for line in (*summary_lines(timeline), *footnotes(timeline)):
        yield pen.text(line)


class _Pen:
    """A writer of text in the output's encoding, and of emotions in their colours."""

    def __init__(self, timeline: Timeline, encoding: str) -> None:
        shown = [p.shown_emotion for p in timeline.rows if p.probabilities]
        asked = list(dict.fromkeys([*timeline.emotions, *shown]))
        self.colours, self.letters = colours(asked), letters(asked)
        self.streams = streams_of(timeline)
        self.encoding = encoding

    def encodable(self, text: str) -> str:
        """Replace the characters that the output's encoding lacks."""
        try:
            text.encode(self.encoding)
        except (UnicodeEncodeError, LookupError):
            text = text.translate(_ASCII)
            text = text.encode(self.encoding, "replace").decode(self.encoding)
        return text

    def text(self, text: str, style: str = "") -> Any:
        from rich.text import Text

        return Text(self.encodable(plain(text)), style=style)

    def cell(self, emotion: str, sign: str | None = None) -> Any:
        """Return ``sign`` on the emotion's colour; None: the emotion's letter."""
        from rich.text import Text

        if emotion == UNSURE:
            return Text(self.encodable(sign or "?"), style="dim")
        colour = self.colours[emotion]
        return Text(
            self.encodable(sign or self.letters[emotion]), style=f"{ink(colour)} on {colour}"
        )


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
    """Yield a row of cells over time (without times, one per sentence) for each tracked face."""
    from rich.text import Text

    used: dict[str, None] = {}
    for name, predictions in _by_face(timeline):
        start, stop = _ends(timeline)
        columns = max(10, width - len(name) - len(start) - len(stop) - 4)
        line = Text(f"  {name}{start} ")
        for emotion, count in _runs(_cells(timeline, predictions, columns, lambda p: p.label)):
            if emotion is None:
                line.append(pen.encodable("·") * count, style="dim")
            elif emotion == UNSURE:
                line.append_text(pen.cell(UNSURE, "?" * count))
            else:
                line.append_text(pen.cell(emotion, pen.letters[emotion] * count))
            used |= {emotion: None} if emotion else {}
        yield line.append(f" {stop}")
    legend = Text("  ")
    for emotion in [e for e in (*timeline.emotions, UNSURE) if e in used]:
        legend.append_text(pen.cell(emotion)).append(f" {plain(emotion)}   ")
    yield legend


def _by_face(timeline: Timeline) -> list[tuple[str, list[Prediction]]]:
    """Return the rows of each tracked face with its label; all together where there is one face."""
    if len(timeline.faces) < 2:
        return [("", list(timeline.rows))]
    tracks = dict.fromkeys(p.track for p in timeline)
    return [
        (f"{face_name(track)}: ", [p for p in timeline.rows if p.track == track])
        for track in tracks
    ]


def _ends(t: Timeline) -> tuple[str, str]:
    ends = [p.end for p in t if p.end is not None]
    if not ends:
        return "", ""
    length = max([t.duration or 0, *ends])
    return "0" if length < 60 else clock(0), _length(length)


def _lines(timeline: Timeline, pen: _Pen, width: int) -> Iterator[Any]:
    """Yield a row of bars over time for each value and tracked face, as high as the value."""
    from rich.text import Text

    start, stop = _ends(timeline)
    names = {v.name: pen.encodable(f"{plain(v.name)} ({interval(v)})") for v in timeline.values}
    wide = max(map(len, names.values()))
    for face, predictions in _by_face(timeline):
        for value in timeline.values:
            before = f"  {face}{names[value.name]:{wide}} {start} "
            columns = max(10, width - len(before) - len(stop) - 2)

            def bar(p: Prediction, value: Value = value) -> str:
                return _LEVELS[round(position(value, p.values[value.name]) * (len(_LEVELS) - 1))]

            cells = _cells(timeline, predictions, columns, bar)
            line = Text(before)
            for cell in cells:
                line.append(pen.encodable(cell or "·"), style="" if cell else "dim")
            yield line.append(f" {stop}")


def _cells(
    t: Timeline,
    predictions: Sequence[Prediction],
    columns: int,
    sign: Callable[[Prediction], str],
) -> list[str | None]:
    """Return the ``sign`` that fills most of each cell; None if there is no utterance in it."""
    spans = [
        (p.start, p.end, sign(p)) for p in predictions if p.start is not None and p.end is not None
    ]
    if len(spans) < len(predictions) or t.kind == "image":
        columns_each = max(1, min(6, columns // len(predictions)))
        if len(predictions) * columns_each <= columns:
            return [sign(p) for p in predictions for _ in range(columns_each)]
        spans = [(i, i + 1, sign(p)) for i, p in enumerate(predictions)]
        length = float(len(predictions))
    else:
        length = max([t.duration or 0, *(end for _, end, _ in spans)]) or 1.0
    most: list[dict[str | None, float]] = [{None: 1e-9} for _ in range(columns)]
    for start, end, emotion in spans:
        first, last = start / length * columns, end / length * columns
        for i in range(max(0, int(first)), min(columns, int(last) + 1)):
            overlap = min(i + 1, last) - max(i, first)
            most[i][emotion] = most[i].get(emotion, 0.0) + overlap
    # half a cell of silence is not shown as speech, but no utterance is lost
    fullest = [max(cell, key=lambda e: cell[e]) for cell in most]
    for start, end, emotion in spans:
        middle = min(columns - 1, int((start + end) / 2 / length * columns))
        fullest[middle] = fullest[middle] or emotion
    return fullest


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
    several = len(timeline.faces) > 1
    wide = width >= 110
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("#", justify="right", style="dim", no_wrap=True)
    if timed:
        table.add_column("time", no_wrap=True)
    if several:
        table.add_column("face", no_wrap=True)
    if spoken:
        table.add_column("words", ratio=1, overflow="fold")
    dimensioned = any(p.dimensions or p.intensity for p in timeline)
    answers = ["decided", "its shares", *(["dimensions"] if dimensioned else [])]
    for name in [plain(v.name) for v in timeline.values] or answers:
        table.add_column(name, no_wrap=True, justify="right" if timeline.values else "left")
    shown: set[str] = set()
    for number, p in numbered(timeline):
        row: list[Any] = [number]
        if timed:
            row.append(pen.encodable(_times(p, short)))
        if several:
            row.append("" if p.track is None else str(p.track))
        if spoken:
            utterance = number.partition(".")[0]  # whose words are shown once
            text = "" if utterance in shown else p.turn or "(no words)"
            shown.add(utterance)
            row.append(pen.text(text, "" if p.text else "dim"))
        if timeline.values:
            row += [pen.encodable(numeral(v, p.values[v.name])) for v in timeline.values]
        else:
            between = "  " if wide else "\n"
            cells = [_shares(p, pen), *([dimension_texts(p)] if dimensioned else [])]
            texts = [Text(pen.encodable(between.join(cell) or "–")) for cell in cells]
            row += [_decided(p, pen), *texts]
        table.add_row(*row)
    return table


def _times(p: Prediction, short: bool) -> str:
    """Format start and end; in a recording under a minute as seconds with tenths."""
    if p.start is None or p.end is None:
        return ""
    if short:
        return f"{p.start:.1f}–{p.end:.1f} s"
    return f"{clock(p.start)}–{clock(p.end)}"


def _decided(p: Prediction, pen: _Pen) -> Any:
    """Return the emotion with its percentage and a small bar; abstaining, the most probable."""
    from rich.text import Text

    emotion, probability = p.shown_emotion, p.probabilities[p.shown_emotion]
    if not p.decided:
        abstention = f"{UNSURE}\n({plain(emotion)} {percent(probability)})"
        return Text(pen.encodable(abstention), style="dim")
    halves = round(probability * _BAR * 2)
    bar = "█" * (halves // 2) + "▌" * (halves % 2)
    empty = "░" * (_BAR - len(bar))
    shown = Text(pen.encodable(f"{plain(emotion)} {percent(probability)}\n"))
    shown.append(pen.encodable(bar), style=pen.colours[emotion])
    return shown.append(pen.encodable(empty), style="dim")


def _shares(p: Prediction, pen: _Pen) -> list[str]:
    """Return each stream's share in the emotion's logit, largest first: "voice +1.2"."""
    sources = p.sources.get(p.shown_emotion, {})
    shares = [
        (s, v.get(p.shown_emotion, 0.0)) for s, v in p.shares.items() if sources.get(s) != "absent"
    ]
    shares.sort(key=lambda x: -abs(x[1]))
    return [f"{pen.streams[s].label} {v:+.1f}".replace("-", "−") for s, v in shares]
