"""A matrix of corpora: what is trained on one, or on all but one, and tested on each.

A cell is the mean over the models of a training (its folds and seeds), with an interval over the
tested corpus's speakers; the diagonal is a training's own test.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from moodal.core.errors import UsageError
from moodal.core.files import replacing
from moodal.evaluation.metrics import METRICS
from moodal.evaluation.report.cells import cell as written
from moodal.evaluation.report.cells import grid, number, table
from moodal.evaluation.report.figures import matrix
from moodal.evaluation.report.intervals import describe
from moodal.evaluation.report.measures import LINES, headlines, lines
from moodal.evaluation.report.paired import Decided, paired
from moodal.evaluation.report.stored import checked, save

SCHEMA = "moodal.cross/1"


class CorpusTest(NamedTuple):
    """The test of one training on one corpus.

    Attributes:
        trained: the name of the training, the corpora joined by "+".
        tested: the corpus.
        own: whether other rows of that corpus trained.
        models: the predictions of each model of the training, of the same rows.
        stamps: the marks of the figures.
    """

    trained: str
    tested: str
    own: bool
    models: Sequence[Decided]
    stamps: Sequence[str] = ()


def write_cross(
    tests: Sequence[CorpusTest],
    out: Path,
    *,
    about: Mapping[str, Any],
    metric: str = "",
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Write cross.json, cross.md, cross.csv and cross.png, and return the content of cross.json.

    Args:
        tests: row by row of the matrix.
        out: the folder of the whole.
        about: further JSON values: title, maps, corpora.
        metric: that of the matrix (default: the first headline metric of the task).
        draws: of the bootstrap; 0: no intervals.
        seed: of the bootstrap.

    Raises:
        UsageError: the task has no such metric.
    """
    first = tests[0].models[0].scored
    shown = metric_of(metric, lines(first)) if metric else headlines(first)[0]
    keys = list(dict.fromkeys((shown, *headlines(first))))
    titles = {line.key: line.title for line in LINES[first.task] if line.key in keys}
    marks = [set(test.stamps) for test in tests]
    report = checked(
        {
            "schema": SCHEMA,
            **about,
            "task": first.task,
            "labels": list(first.labels),
            "metric": shown,
            "titles": {key: titles[key] for key in keys},
            "lower_is_better": METRICS[shown.removesuffix("_each")].lower_is_better,
            "stamps": [stamp for stamp in tests[0].stamps if all(stamp in own for own in marks)],
            "bootstrap": {"draws": draws, "seed": seed, "level": 0.95},
            "rows": list(dict.fromkeys(test.trained for test in tests)),
            "columns": list(dict.fromkeys(test.tested for test in tests)),
            "cells": [_cell(test, keys, draws, seed) for test in tests],
        }
    )
    with replacing(out / "cross.md") as part:
        part.write_text(markdown(report), encoding="utf-8")
    _write_csv(report, out / "cross.csv")
    matrix(report, out / "cross.png")
    save(report, out / "cross.json")
    return report


def metric_of(name: str, known: Sequence[Any]) -> str:
    """Check that a task has a metric, and return its key.

    Raises:
        UsageError: it does not.
    """
    keys = [line.key for line in known]
    if name not in keys:
        raise UsageError(f"--metric {name}: these corpora have {', '.join(keys)}.")
    return name


def _cell(test: CorpusTest, keys: Sequence[str], draws: int, seed: int) -> dict[str, Any]:
    first = test.models[0].scored
    [entry] = paired([test.models], keys, draws=draws, seed=seed)
    figures = {
        key: {"models" if name == "seeds" else name: value for name, value in figure.items()}
        for key, figure in entry["metrics"].items()
    }
    return {
        "trained": test.trained,
        "tested": test.tested,
        "own": test.own,
        "models": len(test.models),
        "rows": len(first),
        "clusters": describe(first.clusters, first.cluster_kind),
        "chance": _chance(keys, test),
        "metrics": figures,
        "stamps": list(test.stamps),
    }


def _chance(keys: Sequence[str], test: CorpusTest) -> dict[str, float | None]:
    """Return the chance level of each metric on the tested rows, where it has one."""
    shares = (test.models[0].scored.targets > 0).mean(0)
    levels = {}
    for key in keys:
        level = METRICS[key.removesuffix("_each")].chance_level(shares)
        levels[key] = None if level is None else float(level.mean())
    return levels


def markdown(report: Mapping[str, Any]) -> str:
    """Format the content of cross.json as Markdown."""
    parts = [
        f"# {report['title']}: trained on one corpus, tested on another\n",
        "\n\n".join(_head(report)),
        "",
    ]
    for key, title in report["titles"].items():
        parts += [f"## {title}\n", table(_rows(report, key))]
    parts.append("## The cells\n")
    for cell in report["cells"]:
        clusters = cell["clusters"]
        models = f", {cell['models']} models" if cell["models"] > 1 else ""
        line = f"- {cell['trained']} -> {cell['tested']}: {cell['rows']:,} rows, "
        line += f"{clusters['count']:,} {clusters['kind']}s{models}"
        parts.append(
            "; ".join([line, *(s for s in cell["stamps"] if s not in report["stamps"])]) + "."
        )
    return "\n".join(parts) + "\n"


def show(report: Mapping[str, Any], console: Any = None) -> None:
    """Print the matrix as a table to a rich console (None: a new one)."""
    from rich.console import Console

    out = console or Console()
    for sentence in _head(report):
        out.print(sentence, highlight=False, markup=False)
    out.print(grid(report["titles"][report["metric"]], _rows(report, report["metric"])))


def _head(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the sentences on labels, maps and intervals."""
    yield f"Labels of all corpora: {', '.join(report['labels'])}."
    for corpus, names in report["maps"].items():
        pairs = ", ".join(f"{theirs} as {ours}" for theirs, ours in names.items())
        yield f"Of {corpus}, as declared: {pairs}."
    if report["bootstrap"]["draws"]:
        yield (
            "Intervals are percentile bootstrap over the tested corpus's speakers (or dialogues, "
            "or utterances); a cell is the mean over the models of a training, in each draw too."
        )
    yield from (f"Mark of every number here: {stamp}." for stamp in report["stamps"])
    yield "A * marks a training's own test: other rows of that corpus trained."


def _rows(report: Mapping[str, Any], key: str) -> list[list[str]]:
    """Build the matrix: a row per training, a column per tested corpus, and chance."""
    cells = {(cell["trained"], cell["tested"]): cell for cell in report["cells"]}
    rows = [["trained on", *(f"on {name}" for name in report["columns"])]]
    for name in report["rows"]:
        row = [name]
        for tested in report["columns"]:
            cell = cells.get((name, tested))
            mark = "*" if cell and cell["own"] else ""
            row.append(written(cell["metrics"][key]) + mark if cell else "–")
        rows.append(row)
    chance = {cell["tested"]: cell["chance"][key] for cell in report["cells"]}
    if any(level is not None for level in chance.values()):
        rows.append(["chance", *(number(chance[name]) for name in report["columns"])])
    return rows


def _write_csv(report: Mapping[str, Any], path: Path) -> None:
    """Write a line for each cell and metric."""
    head = ["trained", "tested", "own", "metric", "value", "low", "high"]
    head += ["chance", "rows", "clusters", "cluster_kind", "models"]
    with replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for cell in report["cells"]:
            clusters = cell["clusters"]
            size = [cell["rows"], clusters["count"], clusters["kind"], cell["models"]]
            for key, figure in cell["metrics"].items():
                interval = [figure[name] for name in ("value", "low", "high") if name in figure]
                interval += [None] * (3 - len(interval))
                of = [cell["trained"], cell["tested"], "yes" if cell["own"] else "no", key]
                writer.writerow([*of, *interval, cell["chance"][key], *size])
