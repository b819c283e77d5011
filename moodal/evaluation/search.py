"""The report of a search: what was tried, what it cost, and the test of what was chosen.

The best of many validation figures is optimistic (Cawley & Talbot, "On over-fitting in model
selection and subsequent selection bias in performance evaluation", JMLR 2010): the report says how
many were tried, and gives the test, which chose nothing, with its interval.
"""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moodal.core.files import replacing
from moodal.core.search_space import assignments
from moodal.evaluation.report.cells import cell, grid, metric_title, number, table
from moodal.evaluation.report.measures import overall
from moodal.evaluation.report.stored import checked, save

SCHEMA = "moodal.search/1"
FILE = "search.json"


def write_search(
    out: Path,
    searches: Sequence[Mapping[str, Any]],
    test: Mapping[str, Any],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Write search.md and, last, search.json, which marks completion; return its content.

    Args:
        searches: one per fold, with ``experiment``, ``chosen`` (the number of a trial) and
            ``trials``: each with number, state ("complete" or "failed"), values, valid, epochs,
            seconds, and the reason of a failure.
        test: the report of the chosen trials' test.
        about: title, recipe, command (the recipe's file and what replaces its keys, as in a
            shell), select, lower_is_better, seed, sampler, and space (key -> words on its range).
    """
    folds = [_described(search, bool(about["lower_is_better"])) for search in searches]
    report = {
        "schema": SCHEMA,
        **about,
        "trials": sum(len(fold["trials"]) for fold in folds),
        "seconds": round(sum(fold["seconds"] for fold in folds), 3),
        "searches": folds,
        "test": {
            "rows": test["rows"],
            "clusters": test["clusters"],
            "bootstrap": test["bootstrap"],
            "stamps": test["protocol"]["stamps"],
            "metrics": {
                key: dict(overall(test["metrics"][key]))
                for key in test["headlines"]
                if key in test["metrics"]
            },
            "titles": {
                key: test["metrics"][key].get("title", key)
                for key in test["headlines"]
                if key in test["metrics"]
            },
        },
    }
    report = checked(report)
    with replacing(out / "search.md") as part:
        part.write_text(markdown(report), encoding="utf-8")
    save(report, out / FILE)
    return report


def _described(search: Mapping[str, Any], lower_is_better: bool) -> dict[str, Any]:
    """Add the figures of the best and the median trial, and what all trials cost."""
    trials = search["trials"]
    valid = [trial["valid"] for trial in trials if trial["valid"] is not None]
    return {
        **search,
        "best_valid": min(valid) if lower_is_better else max(valid),
        "median_valid": statistics.median(valid),
        "seconds": round(sum(trial["seconds"] for trial in trials), 3),
    }


def markdown(report: Mapping[str, Any]) -> str:
    """Format the content of search.json as Markdown."""
    parts = [f"# {report['title']}: a search of {report['trials']} trials\n"]
    parts += [f"> **Mark of every number here: {s}.**\n" for s in report["test"]["stamps"]]
    parts += [sentence + "\n" for sentence in sentences(report)]
    parts += ["## Test of the chosen trial\n", table(test_rows(report))]
    parts += ["## Search space\n", table([["key", "range"], *map(list, report["space"].items())])]
    for search in report["searches"]:
        parts += [f"## Trials, {search['experiment']}\n", table(trial_rows(report, search))]
        chosen = next(t for t in search["trials"] if t["number"] == search["chosen"])
        values = shlex.join(assignments(chosen["values"]))
        parts += [
            f"Chosen: trial {search['chosen']}, as in\n",
            f"    moodal train {report['command']} {values} --out RUN\n",
        ]
    return "\n".join(parts)


def show(report: Mapping[str, Any], console: Any = None) -> None:
    """Print the trials, what they cost, and the test to a rich console (None: a new one)."""
    from rich.console import Console

    out = console or Console()
    for search in report["searches"]:
        head, *rows = trial_rows(report, search)
        short = [name.replace(".", ". ", 1).replace("_", "_ ") for name in head]
        short = [*(name.replace("validation", "valid") for name in short[:-1]), "s"]
        out.print(grid(f"Trials, {search['experiment']}", [short, *rows]))
    for sentence in sentences(report):
        out.print(sentence, highlight=False, markup=False)
    out.print(grid("Test of the chosen trial", test_rows(report)))


def sentences(report: Mapping[str, Any]) -> list[str]:
    """Say how many trials there were, what they cost, and what the best validation figure is."""
    count, folds = report["trials"], len(report["searches"])
    failed = sum(t["state"] == "failed" for s in report["searches"] for t in s["trials"])
    lost = f", of which {failed} failed" if failed else ""
    each = f" in {folds} folds, each with a search of its own" if folds > 1 else ""
    within = " in each fold" if folds > 1 else ""
    best = ", ".join(number(s["best_valid"]) for s in report["searches"])
    median = ", ".join(number(s["median_valid"]) for s in report["searches"])
    return [
        f"{count} {'trial' if count == 1 else 'trials'}{each}{lost}, {report['seconds']:.1f} s of "
        "training, proposed with "
        f"seed {report['seed']} ({report['sampler']}).",
        f"The best validation figure, {report['select']} {best} (median of the trials {median}), "
        f"is the best of {count // folds}{within} and therefore optimistic. The test "
        "rows were scored once, for the chosen trial, after the search; its figure below "
        "is the one to quote.",
    ]


def test_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Build a row per headline metric of the test, with its interval."""
    test = report["test"]
    rows = [["metric", f"test, {test['rows']:,} rows"]]
    return rows + [[metric_title(test, key), cell(entry)] for key, entry in test["metrics"].items()]


def trial_rows(report: Mapping[str, Any], search: Mapping[str, Any]) -> list[list[str]]:
    """Build a row per trial: its values, validation figure, epochs and seconds."""
    keys = list(report["space"])
    rows = [["trial", *keys, f"validation {report['select']}", "epochs", "seconds"]]
    for trial in search["trials"]:
        mark = " (chosen)" if trial["number"] == search["chosen"] else ""
        values = [_value(trial["values"].get(key)) for key in keys]
        figure = number(trial["valid"]) if trial["state"] == "complete" else "failed"
        epochs, seconds = str(trial["epochs"]), f"{trial['seconds']:.1f}"
        rows.append([f"{trial['number']}{mark}", *values, figure, epochs, seconds])
    return rows


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
