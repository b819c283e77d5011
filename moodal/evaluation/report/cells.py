"""The parts that every table of a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[Sequence[str]]


def number(value: float | None) -> str:
    """Write a figure with three digits, and a dash for what is undefined."""
    return "–" if value is None else f"{value:.3f}".replace("-0.000", "0.000")


def cell(entry: Mapping[str, Any]) -> str:
    """Value and interval of a metric's entry."""
    if entry["value"] is None:
        return "gap"
    if entry.get("low") is None or entry.get("high") is None:
        return number(entry["value"])
    return f"{entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]"


def difference(entry: Mapping[str, Any]) -> str:
    """Like `cell`, with a sign before every figure."""
    if entry["value"] is None:
        return "gap"
    if entry.get("low") is None or entry.get("high") is None:
        return f"{entry['value']:+.3f}"
    return f"{entry['value']:+.3f} [{entry['low']:+.3f}, {entry['high']:+.3f}]"


def bullets(lines: Sequence[str]) -> str:
    """A Markdown list."""
    return "".join(f"- {' '.join(line.split())}\n" for line in lines)


def table(rows: Rows, right: bool = True) -> str:
    """A Markdown table, its first row the head; all but the first column to the right."""
    head, *body = ([c.replace("|", "\\|") for c in row] for row in rows)
    rule = ["---", *["---:" if right else "---"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *body))


def grid(title: str, rows: Rows) -> Any:
    """A rich table; its first row the head, names broken at every word, figures never."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE)
    for i, column in enumerate(zip(*rows, strict=True)):
        wide = max(len(c) for c in column[1:]) if i else None
        name = "\n".join(column[0].replace("-", " ").split())
        # Text, for "[" would be markup
        made.add_column(Text(name), justify="right" if i else "left", min_width=wide)
    for row in rows[1:]:
        made.add_row(*map(Text, row))
    return made
