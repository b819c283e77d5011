"""Formatting of numbers, intervals and tables in reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moodal.core.guard import line

Rows = Sequence[Sequence[str]]

UNDEFINED = "undefined"
"""What a table has in place of a figure that cannot be computed."""


def number(value: float | None) -> str:
    """Format a figure with three digits, an undefined one as a dash."""
    return "–" if value is None else f"{value:.3f}".replace("-0.000", "0.000")


def cell(entry: Mapping[str, Any]) -> str:
    """Format the value and the interval of a metric's entry."""
    if entry["value"] is None:
        return UNDEFINED
    if entry.get("low") is None or entry.get("high") is None:
        return number(entry["value"])
    return f"{entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]"


def difference(entry: Mapping[str, Any]) -> str:
    """Format a difference and its interval with signs."""
    if entry["value"] is None:
        return UNDEFINED
    if entry.get("low") is None or entry.get("high") is None:
        return f"{entry['value']:+.3f}"
    return f"{entry['value']:+.3f} [{entry['low']:+.3f}, {entry['high']:+.3f}]"


def bullets(lines: Sequence[str]) -> str:
    """Format lines as a Markdown list."""
    return "".join(f"- {' '.join(line.split())}\n" for line in lines)


def table(rows: Rows, right: bool = True) -> str:
    """Format rows as a Markdown table whose first row is the header.

    Args:
        rows: all of one length.
        right: align all columns but the first to the right.
    """
    head, *body = ([c.replace("|", "\\|") for c in row] for row in rows)
    rule = ["---", *["---:" if right else "---"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *body))


def grid(title: str, rows: Rows) -> Any:
    """Build a rich table whose first row is the header; header words wrap, figures do not."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    built = Table(title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE)
    for i, column in enumerate(zip(*rows, strict=True)):
        wide = max(len(c) for c in column[1:]) if i else None
        name = "\n".join(line(column[0]).replace("-", " ").split())
        # Text, as "[" would be read as markup
        built.add_column(Text(name), justify="right" if i else "left", min_width=wide)
    for row in rows[1:]:
        built.add_row(*(Text(line(cell)) for cell in row))
    return built
