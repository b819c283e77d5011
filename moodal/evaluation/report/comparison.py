"""A comparison of runs as people read it: compare.md, and tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moodal.evaluation.report.cells import cell, difference, grid, table
from moodal.evaluation.report.tables import SWAPPED

_KEYS_SHOWN = 8


def markdown(made: Mapping[str, Any]) -> str:
    """compare.json as people read it."""
    return "\n".join(_parts(made)).rstrip() + "\n"


def show(made: Mapping[str, Any], console: Any = None) -> None:
    """Print it as tables to a rich console (None: a new one)."""
    from rich.console import Console

    out = console or Console()
    for line in _head(made):
        out.print(line, highlight=False, markup=False)
    marks = list(dict.fromkeys(stamp for run in made["runs"] for stamp in run["stamps"]))
    for key in made["headlines"]:
        rows = _rows(made["runs"], made["runs"], key)
        for row, run in zip(rows[1:], made["runs"], strict=True):
            row[-1] = ", ".join(str(marks.index(stamp) + 1) for stamp in run["stamps"])
        out.print(grid(made["titles"][key], rows))
    for number, stamp in enumerate(marks, 1):
        out.print(f"Mark {number}: {stamp}.", highlight=False, markup=False)
    for line in _notes(made):
        out.print(line, highlight=False, markup=False)


def _parts(made: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {' against '.join(run['name'] for run in made['runs'])}\n"
    for line in _head(made):
        yield line + "\n"
    if made["task"] == "single":
        yield SWAPPED + "\n"
    for key in made["headlines"]:
        yield f"## {made['titles'][key]}\n"
        yield table(_rows(made["runs"], made["runs"], key))
    for column, values in made["groups"].items():
        yield f"## By {column}\n"
        for value, about in values.items():
            yield f"{value or f'without {column}'}, {about['rows']:,} rows:\n"
            for key in made["headlines"][:2]:
                rows = _rows(made["runs"], about["runs"], key)
                yield table([[made["titles"][key], *rows[0][1:]], *rows[1:]])
    yield "## The runs\n"
    for line in _notes(made):
        yield f"- {line}"


def _head(made: Mapping[str, Any]) -> Iterator[str]:
    boot, clusters = made["bootstrap"], made["clusters"]
    yield (
        f"{made['rows']:,} rows that all {len(made['runs'])} runs tested, "
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
    runs: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]], key: str
) -> list[list[str]]:
    rows = [["run", "value [interval]", "less the first", "mark"]]
    for run, entry in zip(runs, told, strict=True):
        between = entry.get("difference", {}).get(key)
        rows.append(
            [
                run["name"],
                cell(entry["metrics"][key]),
                difference(between) if between else "",
                "; ".join(run["stamps"]) or "–",
            ]
        )
    return rows


def _notes(made: Mapping[str, Any]) -> Iterator[str]:
    """Of each run: which it is, what was left out of it, and how it differs from the first."""
    first = made["runs"][0]
    for run in made["runs"]:
        said = f"{run['name']}: {run['title']}, {run['rows']:,} test rows"
        if run["left_out"]:
            said += f", {run['left_out']:,} of them left out, for not all runs tested them"
        if run is not first:
            said += ". " + _how(run, made)
        yield said + "."


def _how(run: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    first = made["runs"][0]
    if run["gap"]:
        key, changed = made["headlines"][0], ", ".join(run["differs"])
        return (
            f"It differs from {first['name']} in the selection alone ({changed}): "
            f"{difference(run['difference'][key])} of {made['titles'][key]} is the gap of the "
            "authors' protocol, which selects on the test and keeps no rows for validation"
        )
    if run["differs"] is None:
        return f"Its recipe, or that of {first['name']}, is not known"
    if not run["differs"]:
        return f"Its recipe is that of {first['name']}"
    keys = list(run["differs"])
    more = f" and {len(keys) - _KEYS_SHOWN} more keys" if len(keys) > _KEYS_SHOWN else ""
    return f"It differs from {first['name']} in {', '.join(keys[:_KEYS_SHOWN])}{more}"
