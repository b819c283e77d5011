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
_WORDS = 18
"""The places of a line that words get at least, before other columns give way to them."""
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
    pen = Pen(timeline, encoding)
    yield pen.text(_heading(timeline), "bold")
    if len(timeline):
        yield from (value_lines if timeline.values else strips)(timeline, pen, width)
        table = _table(timeline, pen, width)
        yield table
        columns = [column.header for column in table.columns]
        if "dimensions" not in columns and any(p.dimensions for p in timeline.rows):
            yield pen.text("(A wider window has the dimensions of each row.)", "dim")
    for line in (*summary_lines(timeline), *footnotes(timeline)):
        yield pen.text(line)


class Pen:
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


def strips(timeline: Timeline, pen: Pen, width: int) -> Iterator[Any]:
    """Yield a row of cells over time (without times, one per sentence) for each person."""
    from rich.text import Text

    used: dict[str, None] = {}
    for name, predictions in _by_person(timeline):
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


def _by_person(timeline: Timeline) -> list[tuple[str, list[Prediction]]]:
    """Return the rows of each person with the name; all together where there is one."""
    if not timeline.persons:
        return [("", list(timeline.rows))]
    return [
        (f"{plain(name)}: ", [p for p in timeline.rows if p.who == name])
        for name in timeline.persons
    ]


def _ends(t: Timeline) -> tuple[str, str]:
    ends = [p.end for p in t if p.end is not None]
    if not ends:
        return "", ""
    length = max([t.duration or 0, *ends])
    return "0" if length < 60 else clock(0), _length(length)


def value_lines(timeline: Timeline, pen: Pen, width: int) -> Iterator[Any]:
    """Yield a row of bars over time for each value and tracked face, as high as the value."""
    from rich.text import Text

    start, stop = _ends(timeline)
    names = {v.name: pen.encodable(f"{plain(v.name)} ({interval(v)})") for v in timeline.values}
    wide = max(map(len, names.values()))
    for face, predictions in _by_person(timeline):
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


def _table(timeline: Timeline, pen: Pen, width: int) -> Any:
    from rich import box
    from rich.table import Table

    columns = _fitted(_columns(timeline, pen, width >= 110), width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    for name in columns:
        if name == "words":
            table.add_column(name, ratio=1, overflow="fold")
        elif name == "#":
            table.add_column(name, justify="right", style="dim", no_wrap=True)
        else:
            numeric = name in {plain(v.name) for v in timeline.values}
            table.add_column(name, no_wrap=True, justify="right" if numeric else "left")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table


def _fitted(columns: dict[str, list[Any]], width: int) -> dict[str, list[Any]]:
    """Return columns of which others have given way to words, where these had little room.

    Persons are named in front of their words; dimensions are left to their sums below the table.
    """
    for name in ("person", "dimensions"):
        others = [_wide(head, cells) + 2 for head, cells in columns.items() if head != "words"]
        if name in columns and "words" in columns and width - sum(others) - 2 < _WORDS:
            gone = columns[name]
            columns = {head: cells for head, cells in columns.items() if head != name}
            if name == "person":
                columns["words"] = list(map(_spoken_by, gone, columns["words"]))
    return columns


def _columns(timeline: Timeline, pen: Pen, wide: bool) -> dict[str, list[Any]]:
    """Return the head and cells of each column, all as rich's Text."""
    rows = list(numbered(timeline))
    columns: dict[str, list[Any]] = {"#": [pen.text(number) for number, _ in rows]}
    short = max([timeline.duration or 0, *(p.end or 0 for p in timeline)]) < 60
    if any(p.start is not None for p in timeline) and timeline.kind != "image":
        columns["time"] = [pen.text(times(p, short)) for _, p in rows]
    if timeline.persons:
        columns["person"] = [pen.text(p.who) for _, p in rows]
    if any(p.text for p in timeline):
        columns["words"] = _words(rows, pen, bool(timeline.persons))
    if timeline.values:
        for value in timeline.values:
            columns[plain(value.name)] = [
                pen.text(numeral(value, p.values[value.name])) for _, p in rows
            ]
        return columns
    columns["decided"] = [decided(p, pen) for _, p in rows]
    columns["its shares"] = [_lines(_shares(p, pen), pen, wide) for _, p in rows]
    if any(p.dimensions or p.intensity for p in timeline):
        columns["dimensions"] = [_lines(dimension_texts(p), pen, wide) for _, p in rows]
    return columns


def _words(rows: Sequence[tuple[str, Prediction]], pen: Pen, several: bool) -> list[Any]:
    """Return the cells of words; those of an utterance's slices are shown once."""
    shown: set[str] = set()
    cells = []
    for number, p in rows:
        utterance = number.partition(".")[0]
        words = p.text if several else p.turn  # the person has a column
        text = "" if utterance in shown else words or "(no words)"
        shown.add(utterance)
        cells.append(pen.text(text, "" if p.text else "dim"))
    return cells


def _spoken_by(person: Any, words: Any) -> Any:
    """Return words behind the name of who said them."""
    return person.copy().append(": ").append_text(words) if person.plain else words


def _lines(texts: Sequence[str], pen: Pen, wide: bool) -> Any:
    from rich.text import Text

    return Text(pen.encodable(("  " if wide else "\n").join(texts) or "–"))


def _wide(head: str, cells: Sequence[Any]) -> int:
    """Return the width of a column's widest line, in places of the terminal."""
    from rich.cells import cell_len

    lines = [line for cell in cells for line in cell.plain.splitlines()]
    return max(map(cell_len, [head, *lines]))


def times(p: Prediction, short: bool) -> str:
    """Format start and end; in a recording under a minute as seconds with tenths."""
    if p.start is None or p.end is None:
        return ""
    if short:
        return f"{p.start:.1f}–{p.end:.1f} s"
    return f"{clock(p.start)}–{clock(p.end)}"


def decided(p: Prediction, pen: Pen) -> Any:
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


def _shares(p: Prediction, pen: Pen) -> list[str]:
    """Return each stream's share in the emotion's logit, largest first: "voice +1.2"."""
    sources = p.sources.get(p.shown_emotion, {})
    shares = [
        (s, v.get(p.shown_emotion, 0.0)) for s, v in p.shares.items() if sources.get(s) != "absent"
    ]
    shares.sort(key=lambda x: -abs(x[1]))
    return [f"{pen.streams[s].label} {v:+.1f}".replace("-", "−") for s, v in shares]
