"""Text of a comparison of runs: compare.md, and tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moodal.evaluation.report.cells import cell, difference, grid, metric_title, table
from moodal.evaluation.report.tables import SWAPPED

_KEYS_SHOWN = 8


def markdown(comparison: Mapping[str, Any]) -> str:
    """Format the content of compare.json as Markdown."""
    return "\n".join(_parts(comparison)).rstrip() + "\n"


def show(comparison: Mapping[str, Any], console: Any = None) -> None:
    """Print the content of compare.json as tables to a rich console (None: a new one)."""
    from rich.console import Console

    out = console or Console()
    for line in _head(comparison):
        out.print(line, highlight=False, markup=False)
    runs = comparison["runs"]
    marks = list(dict.fromkeys(stamp for run in runs for stamp in run["stamps"]))
    numbers = {stamp: str(number) for number, stamp in enumerate(marks, 1)}
    column = [", ".join(numbers[stamp] for stamp in run["stamps"]) for run in runs]
    for key in comparison["headlines"]:
        rows = _rows(runs, runs, key, column) + _people(comparison, key, any(column))
        out.print(grid(metric_title(comparison, key), rows))
    for number, stamp in enumerate(marks, 1):
        out.print(f"Mark {number}: {stamp}.", highlight=False, markup=False)
    for line in _notes(comparison):
        out.print(line, highlight=False, markup=False)


def _parts(comparison: Mapping[str, Any]) -> Iterator[str]:
    """Yield the sections of compare.md in order."""
    yield f"# {' against '.join(run['name'] for run in comparison['runs'])}\n"
    for line in _head(comparison):
        yield line + "\n"
    if comparison["task"] == "single":
        yield SWAPPED + "\n"
    runs = comparison["runs"]
    shared = [stamp for stamp in runs[0]["stamps"] if all(stamp in run["stamps"] for run in runs)]
    for stamp in shared:
        yield f"> **Mark of every number here: {stamp}.**\n"
    marks = ["; ".join(x for x in run["stamps"] if x not in shared) for run in runs]
    for key in comparison["headlines"]:
        yield f"## {metric_title(comparison, key)}\n"
        yield table(_rows(runs, runs, key, marks) + _people(comparison, key, any(marks)))
    for column, values in comparison["groups"].items():
        yield f"## By {column}\n"
        for value, about in values.items():
            yield f"{value or f'without {column}'}, {about['rows']:,} rows:\n"
            for key in comparison["headlines"][:2]:
                rows = _rows(runs, about["runs"], key, marks)
                yield table([[metric_title(comparison, key), *rows[0][1:]], *rows[1:]])
    yield "## The runs\n"
    for line in _notes(comparison):
        yield f"- {line}"


def _head(comparison: Mapping[str, Any]) -> Iterator[str]:
    """Yield the number of rows, how intervals are computed, and the warning about clusters."""
    boot, clusters = comparison["bootstrap"], comparison["clusters"]
    yield (
        f"{comparison['rows']:,} rows that all {len(comparison['runs'])} runs tested, "
        f"{clusters['count']:,} {clusters['kind']}s."
    )
    if boot["draws"]:
        yield (
            f"Intervals are {boot['level']:.0%} percentile bootstrap, {boot['draws']:,} draws of "
            f"whole {clusters['kind']}s; differences are taken within each draw."
        )
    if clusters["warning"]:
        yield str(clusters["warning"])


def _rows(
    runs: Sequence[Mapping[str, Any]],
    entries: Sequence[Mapping[str, Any]],
    key: str,
    marks: Sequence[str],
) -> list[list[str]]:
    """Build a row per run: its value, its difference from the first run, and its marks if any."""
    rows = [["run", "value [interval]", "minus the first", *["mark"] * any(marks)]]
    for run, entry, mark in zip(runs, entries, marks, strict=True):
        between = entry.get("difference", {}).get(key)
        rows.append(
            [
                run["name"],
                cell(entry["metrics"][key]),
                difference(between) if between else "",
                *[mark or "–"] * any(marks),
            ]
        )
    return rows


def _people(comparison: Mapping[str, Any], key: str, marked: bool) -> list[list[str]]:
    """Build a row with the agreement of people, where it is known of this metric."""
    entry = comparison.get("people", {}).get(key)
    if entry is None:
        return []
    return [["one rater against the others", cell(entry), "", *[""] * marked]]


def _notes(comparison: Mapping[str, Any]) -> Iterator[str]:
    """Describe each run: title, rows, rows left out, and the difference from the first run."""
    first = comparison["runs"][0]
    key = comparison["headlines"][0]
    for run in comparison["runs"]:
        note = f"{run['name']}: {run['title']}, {run['rows']:,} test rows"
        if run["seeds"] > 1:
            note += f", the mean of {run['seeds']} seeds"
        if run["left_out"]:
            note += f", {run['left_out']:,} of them left out, as not all runs tested them"
        if run is not first:
            note += ". " + _difference(run, comparison)
            note += _over_seeds(run["difference"][key], comparison["titles"][key])
        yield note + "."


def _over_seeds(entry: Mapping[str, Any], title: str) -> str:
    """Describe the difference of a metric over pairs of seeds; "" where they are not paired."""
    spread = entry.get("seeds")
    if spread is None:
        return ""
    higher = sum(value > 0 for value in spread["values"])
    return (
        f". Over {len(spread['values'])} pairs of seeds, {title} differs by {entry['value']:+.3f} "
        f"[{spread['low']:+.3f}, {spread['high']:+.3f}], and is higher in {higher}"
    )


def _difference(run: Mapping[str, Any], comparison: Mapping[str, Any]) -> str:
    """Describe how the recipe of a run differs from that of the first run."""
    first = comparison["runs"][0]
    if run["gap"]:
        key, changed = comparison["headlines"][0], ", ".join(run["differs"])
        return (
            f"It differs from {first['name']} only in the selection ({changed}): "
            f"{difference(run['difference'][key])} of {comparison['titles'][key]} is the gap of "
            "the authors' protocol, which selects on the test and keeps no rows for validation"
        )
    if run["differs"] is None:
        return f"Its recipe, or that of {first['name']}, is not known"
    if not run["differs"]:
        return f"Its recipe is that of {first['name']}"
    keys = list(run["differs"])
    more = f" and {len(keys) - _KEYS_SHOWN} more keys" if len(keys) > _KEYS_SHOWN else ""
    return f"It differs from {first['name']} in {', '.join(keys[:_KEYS_SHOWN])}{more}"
