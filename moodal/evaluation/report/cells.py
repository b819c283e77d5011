"""Formatting of numbers, intervals and tables in reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moodal.core.guard import line
from moodal.evaluation.metrics import METRICS

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


def metric_title(report: Mapping[str, Any], key: str) -> str:
    """Return the name of a metric of a report with ``titles``, and whether less of it is better."""
    lower = " (lower is better)" if METRICS[key].lower_is_better else ""
    return f"{report['titles'][key]}{lower}"


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


_NARROW = 10
"""Characters that a first column keeps in a narrow terminal, where its longest word has them."""


def grid(title: str, rows: Rows) -> Any:
    """Build a rich table whose first row is the header; header words wrap, figures do not."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    built = Table(title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE)
    for i, column in enumerate(zip(*rows, strict=True)):
        name = "\n".join(line(column[0]).replace("-", "-\n").split())
        words = name.split() if i else " ".join(column[1:]).split()
        wide = max((len(word) for word in words), default=0)
        wide = max(wide, *(len(c) for c in column[1:])) if i else min(wide, _NARROW)
        # Text, as "[" would be read as markup
        built.add_column(Text(name), justify="right" if i else "left", min_width=wide)
    for row in rows[1:]:
        built.add_row(*(Text(line(cell)) for cell in row))
    return built
