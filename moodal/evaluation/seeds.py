"""A run with several seeds: the mean over them, and how much seeds and speakers matter.

Two intervals stand apart: over seeds, which says how another training of the same recipe would do
on these rows, and over speakers (or dialogues), which says how these trainings would do on others.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moodal.core.errors import DataError
from moodal.core.files import replacing
from moodal.evaluation.compare import SEEDS, read
from moodal.evaluation.report.cells import cell, grid, number, table
from moodal.evaluation.report.intervals import describe
from moodal.evaluation.report.measures import headlines, lines
from moodal.evaluation.report.paired import Decided, paired, titles
from moodal.evaluation.report.stored import checked, save

SCHEMA = "moodal.seeds/1"


def write_seeds(
    folders: Mapping[int, Path],
    out: Path,
    *,
    title: str = "",
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Write seeds.json and seeds.md, and return the content of seeds.json.

    Args:
        folders: seed -> the folder of its finished run.
        out: the folder of the whole run.
        title: of the recipe.
        draws: of the bootstrap over speakers; 0: no intervals.
        seed: of the bootstrap.

    Raises:
        DataError: a run is not finished, or they tested different rows.
    """
    runs = [read(folder, f"seed {number}") for number, folder in folders.items()]
    first = runs[0].tested.scored
    for run in runs[1:]:
        if run.tested.scored.ids != first.ids:
            raise DataError(
                f"{run.folder} tested other rows than {runs[0].folder}; a split that is drawn "
                "keeps its own seed, split.seed."
            )
    keys = [line.key for line in lines(first)]
    [entry] = paired([[run.tested for run in runs]], keys, draws=draws, seed=seed)
    report = {
        "schema": SCHEMA,
        "title": title,
        "task": first.task,
        "labels": list(first.labels),
        "rows": len(first),
        "clusters": describe(first.clusters, first.cluster_kind),
        "bootstrap": {"draws": draws, "seed": seed, "level": 0.95},
        "seeds": list(folders),
        "folders": [os.path.relpath(folder, out) for folder in folders.values()],
        "stamps": list(dict.fromkeys(s for run in runs for s in run.report["protocol"]["stamps"])),
        "headlines": list(headlines(first)),
        "titles": titles(keys, first.task),
        "metrics": entry["metrics"],
    }
    # the rows and their raters are those of every seed
    for key, about in runs[0].report["metrics"].items():
        if "people" in about and key in report["metrics"]:
            report["metrics"][key]["people"] = about["people"]
    if first.task == "regression" and len(first.labels) > 1:
        report["values"] = {
            label: paired(
                [[Decided(run.tested.scored.select([label]), {}) for run in runs]],
                keys,
                draws=draws,
                seed=seed,
            )[0]["metrics"]
            for label in first.labels
        }
    checked(report)
    with replacing(out / "seeds.md") as part:
        part.write_text(markdown(report), encoding="utf-8")
    save(report, out / SEEDS)
    return report


def markdown(report: Mapping[str, Any]) -> str:
    """Format the content of seeds.json as Markdown."""
    head = f"# {report['title'] or 'A run'}: {len(report['seeds'])} seeds\n"
    marks = [f"> **Mark of every number here: {stamp}.**\n" for stamp in report["stamps"]]
    parts = [head, *_head(report), "", *marks, table(_rows(report, report["titles"]))]
    for name, entries in report.get("values", {}).items():
        parts += [f"## {name}\n", table(_rows({**report, "metrics": entries}, report["titles"]))]
    return "\n".join(parts)


def show(report: Mapping[str, Any], console: Any = None) -> None:
    """Print the headline metrics as a table to a rich console (None: a new one)."""
    from rich.console import Console

    out = console or Console()
    for sentence in _head(report):
        out.print(sentence, highlight=False, markup=False)
    out.print(grid(report["title"] or "Seeds", _rows(report, report["headlines"])))


def _head(report: Mapping[str, Any]) -> list[str]:
    """Return the sentences on rows, seeds and intervals."""
    kind = report["clusters"]["kind"]
    sentences = [
        f"{report['rows']:,} test rows, {report['clusters']['count']:,} {kind}s; seeds "
        f"{', '.join(map(str, report['seeds']))}.",
        f"The first interval draws whole {kind}s and averages the seeds in each draw; the second "
        "is Student's of the mean over seeds, on these rows.",
    ]
    if report["clusters"]["warning"]:
        sentences.append(report["clusters"]["warning"])
    return sentences


def _rows(report: Mapping[str, Any], keys: Sequence[str]) -> list[list[str]]:
    """Build a row per metric: mean with both intervals, deviation, and each seed."""
    kind = report["clusters"]["kind"]
    names = [f"seed {one}" for one in report["seeds"]]
    rated = any("people" in entry for entry in report["metrics"].values())
    beside = ["one rater against the others"] if rated else []
    rows = [["metric", f"mean [over {kind}s]", "[over seeds]", "deviation", *beside, *names]]
    for key in keys:
        entry = report["metrics"][key]
        spread = entry.get("seeds")
        each = [number(v) for v in spread["values"]] if spread else ["–"] * len(names)
        over = f"[{spread['low']:.3f}, {spread['high']:.3f}]" if spread else "–"
        deviation = number(spread["deviation"]) if spread else "–"
        people = [cell(entry["people"]) if "people" in entry else "–"] if rated else []
        rows.append([report["titles"][key], cell(entry), over, deviation, *people, *each])
    return rows
