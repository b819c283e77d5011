"""compare: several runs on the rows that they share, and what lies between them.

Reads what runs left behind (predictions and reports); no model is needed, and no PyTorch. Of two
runs of one recipe, the epoch selected on validation in the one and on the test in the other, the
difference is the gap of the authors' protocol.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.files import replacing
from moodal.evaluation.report import scores
from moodal.evaluation.report.comparison import markdown
from moodal.evaluation.report.figures import differences
from moodal.evaluation.report.intervals import describe
from moodal.evaluation.report.measures import decisions, headlines
from moodal.evaluation.report.paired import Said, paired, titles
from moodal.evaluation.report.scores import Scored
from moodal.evaluation.report.subgroups import group_rows
from moodal.evaluation.report.summary import checked, save

SCHEMA = "moodal.compare/1"
SELECTION = "train.select_on"
_SELECTING = {SELECTION, "train.early_stop", "split.valid_by", "split.valid_share"}

_NO_MATTER = ("title", "about", "report")  # keys of a recipe that decide no prediction


class ComparedRun(NamedTuple):
    """A run's predictions of its test rows, the decisions on them, and its report."""

    name: str
    folder: Path
    report: Mapping[str, Any]
    said: Said


def compare(
    folders: Sequence[Path | str], out: Path | str, *, draws: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Write OUT/compare.json, compare.md and compare.png, and return the first.

    Args:
        folders: of runs, of single folds, or of evaluations: what holds predictions and a
            report. All others are set against the first.
        draws: of the bootstrap; 0 for no intervals.

    Raises:
        UsageError: fewer than two folders, or ``out`` holds something else.
        DataError: a folder is no finished run, the runs differ in labels, task or truth, or no
            row is in all of them.
    """
    out = Path(out)
    if len(folders) < 2:
        raise UsageError("compare wants two runs at least.")
    if any((out / name).exists() for name in ("report.json", "artefact.json", "manifest.json")):
        raise UsageError(f"{out} holds a run, an artefact or a corpus; choose another --out.")
    runs = [read(Path(f), name) for f, name in zip(folders, _names(folders), strict=True)]
    shared = _shared(runs)
    made = checked(_report(runs, shared, draws, seed))
    with replacing(out / "compare.md") as part:
        part.write_text(markdown(made), encoding="utf-8")
    differences(made, out / "compare.png")
    save(made, out / "compare.json")
    return made


def read(folder: Path, name: str) -> ComparedRun:
    """What a finished run left in its folder.

    Raises:
        DataError: it is no finished run, or its thresholds are not kept.
    """
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{folder} holds no report.json; name the folder of a finished run, of one of its "
            "folds, or of an evaluation."
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}/report.json cannot be read: {error}.") from None
    test = scores.load(folder)
    twice = len(test) - len(set(test.ids))
    if twice:
        raise DataError(f"{folder}: {twice} rows were tested more than once; compare single folds.")
    return ComparedRun(name, folder, report, Said(test, _decided(folder, report, test)))


def _decided(folder: Path, report: Mapping[str, Any], test: Scored) -> dict[str, np.ndarray]:
    """The run's own decisions; folds have thresholds of their own, kept in their folders."""
    if test.task == "regression":
        return {}
    values = report["thresholds"]["values"]
    if values or test.task == "single":  # one emotion a row: the highest, whatever the threshold
        chosen = np.array([values.get(label, 0.5) for label in test.labels])
        return decisions(test, chosen)
    parts = [folder / fold["name"].replace(" ", "-") for fold in report["folds"]]
    folds = [read(part, part.name) for part in parts]
    place = {name: i for fold in folds for i, name in enumerate(fold.said.scored.ids)}
    whole = {name: fold for fold in folds for name in fold.said.scored.ids}
    return {
        kind: np.stack([whole[name].said.decided[kind][place[name]] for name in test.ids])
        for kind in ("each", "rows")
    }


def _names(folders: Sequence[Path | str]) -> list[str]:
    """The last parts of the paths, as many as tell them apart."""
    parts = [Path(f).absolute().parts for f in folders]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-count:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    raise UsageError("The same run is named twice.")


def _shared(runs: Sequence[ComparedRun]) -> list[ComparedRun]:
    """The runs cut down to the rows that all of them tested, in the order of the first."""
    first = runs[0].said.scored
    for run in runs[1:]:
        other = run.said.scored
        if _asked(other) != _asked(first):
            raise DataError(
                f"{runs[0].name} scores {', '.join(first.columns)} ({first.task}), {run.name} "
                f"{', '.join(other.columns)} ({other.task}): only runs of the same emotions or "
                "values can be compared."
            )
    ids = set.intersection(*(set(run.said.scored.ids) for run in runs))
    if not ids:
        raise DataError(
            "The runs have no test row in common; compare runs on the same corpus and folds."
        )
    order = [name for name in first.ids if name in ids]
    cut = [_cut(run, order, first.labels) for run in runs]
    for run in cut[1:]:
        differs = (run.said.scored.targets != cut[0].said.scored.targets).any(1)
        if differs.any():
            raise DataError(
                f"{runs[0].name} and {run.name} hold {int(differs.sum())} rows to be of different "
                f"emotions, the first {order[int(differs.argmax())]!r}: not the same truth."
            )
    return cut


def _asked(scored: Scored) -> tuple[set[str], str]:
    """Return what must be equal in runs that are compared: emotions, or values and ranges."""
    return set(scored.columns), scored.task


def _cut(run: ComparedRun, order: Sequence[str], labels: Sequence[str]) -> ComparedRun:
    row_of = {name: i for i, name in enumerate(run.said.scored.ids)}
    said = run.said.rows([row_of[name] for name in order])
    columns = [said.scored.labels.index(label) for label in labels]
    decided = {kind: made[:, columns] for kind, made in said.decided.items()}
    return run._replace(said=Said(said.scored.select(labels), decided))


def _report(
    whole: Sequence[ComparedRun], runs: Sequence[ComparedRun], draws: int, seed: int
) -> dict[str, Any]:
    first = runs[0].said.scored
    said = [run.said for run in runs]
    keys = headlines(first)
    told = paired(said, keys, draws=draws, seed=seed)
    groups = {
        column: {
            value: {
                "rows": len(rows),
                "runs": paired([s.rows(rows) for s in said], keys, draws=draws, seed=seed),
            }
            for value, rows in group_rows(values).items()
        }
        for column, values in first.groups.items()
    }
    return {
        "schema": SCHEMA,
        "task": first.task,
        "labels": list(first.labels),
        "rows": len(first),
        "clusters": describe(first.clusters, first.cluster_kind),
        "bootstrap": {"draws": draws, "seed": seed, "level": 0.95},
        "headlines": list(keys),
        "titles": titles(keys, first.task),
        "runs": [
            {**_about(run, whole[0], len(first)), **entry}
            for run, entry in zip(whole, told, strict=True)
        ],
        "groups": groups,
    }


def _about(run: ComparedRun, first: ComparedRun, shared: int) -> dict[str, Any]:
    """A run by name, what marks its numbers, and in what its recipe differs from the first's."""
    tested = len(run.said.scored)
    mine, theirs = (_flat(r.report["extras"].get("recipe") or {}) for r in (run, first))
    changed = [key for key in {**theirs, **mine} if mine.get(key) != theirs.get(key)]
    known = bool(mine and theirs)
    return {
        "name": run.name,
        "folder": str(run.folder),
        "title": run.report["extras"].get("title") or run.name,
        "rows": tested,
        "left_out": tested - shared,
        "stamps": list(run.report["protocol"]["stamps"]),
        "differs": {key: [theirs.get(key), mine.get(key)] for key in changed} if known else None,
        "gap": known and SELECTION in changed and _SELECTING.issuperset(changed),
    }


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A recipe as dotted keys, without those that decide no figure."""
    out: dict[str, Any] = {}
    for key, value in values.items():
        name = before + key
        if name in _NO_MATTER:
            continue
        out |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return out
