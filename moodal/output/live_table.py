"""The moving table of a live session: the latest utterances, and the one that goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from moodal.core.timeline import Prediction, Timeline
from moodal.output.style import clock, numeral
from moodal.output.terminal import Pen, decided, strips, times

LINES = 10
"""Lines around the rows: the heading, the strip of emotions and the names of columns."""

TIME, PERSON, ANSWER = 17, 16, 20
"""Characters of the columns beside the words."""


def live_table(
    timeline: Timeline, provisional: Sequence[Prediction], width: int, height: int, encoding: str
) -> Any:
    """Draw what is known so far, as something that rich can print.

    Args:
        timeline: the final answers so far.
        provisional: the answers for what goes on, which are marked as such.
        width, height: of the terminal, in characters.
        encoding: of the terminal; characters that it lacks are replaced.
    """
    from rich.console import Group

    shown = (*timeline, *provisional)
    pen = Pen(dataclasses.replace(timeline, predictions=shown), encoding)
    count = f"{len(timeline)} utterance{'' if len(timeline) == 1 else 's'}"
    heading = f"live · {clock(timeline.duration or 0.0)} · {count} · Ctrl-C ends it"
    parts = [pen.text(heading, "bold")]
    if len(timeline) and not timeline.values:
        parts += strips(timeline, pen, width)
    rows = _Rows(timeline, pen, width, provisional)
    parts.append(rows.table(shown[-max(1, (height - LINES) // 2) :]))
    return Group(*parts)


@dataclasses.dataclass(frozen=True)
class _Rows:
    """The rows of utterances, each of two lines."""

    timeline: Timeline
    pen: Pen
    width: int
    provisional: Sequence[Prediction]

    def table(self, shown: Sequence[Prediction]) -> Any:
        """Draw the rows of these answers."""
        from rich import box
        from rich.table import Table

        names = [value.name for value in self.timeline.values] or ["decided"]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
        table.add_column("time", no_wrap=True)
        if with_persons := any(map(_who, shown)):
            table.add_column("person", no_wrap=True)
        table.add_column("words", no_wrap=True)
        for name in names:
            table.add_column(self.pen.text(name), no_wrap=True)
        room = max(10, self.width - TIME - ANSWER * len(names) - PERSON * with_persons)
        for p in shown:
            goes_on = any(p is one for one in self.provisional)
            cells = self._cells(p, goes_on, with_persons, room)
            table.add_row(*cells, style="dim" if goes_on else "")
        return table

    def _cells(self, p: Prediction, goes_on: bool, with_persons: bool, room: int) -> list[Any]:
        pen, timeline = self.pen, self.timeline
        short = (timeline.duration or 0.0) < 60
        cells: list[Any] = [pen.encodable(f"{times(p, short)}{' …' if goes_on else ''}")]
        if with_persons:
            cells.append(pen.text(_shortened(_who(p), PERSON - 2)))
        cells.append(pen.text(_shortened(p.text or ("…" if goes_on else ""), room)))
        if timeline.values:
            return cells + [pen.encodable(numeral(v, p.values[v.name])) for v in timeline.values]
        return [*cells, decided(p, pen)]


def _who(p: Prediction) -> str:
    """Return the speaker, else the face where several are followed; "" of what has neither."""
    return p.speaker or (p.who if p.track else "")


def _shortened(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"
