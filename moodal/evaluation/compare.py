"""Compare several runs on the rows that all of them tested.

The comparison reads the predictions and reports of the runs and needs no model. If two runs of one
recipe select the epoch on validation and on the test, their difference is the gap of the authors'
protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.files import load_json, replacing
from moodal.evaluation.report import scores
from moodal.evaluation.report.comparison import markdown
from moodal.evaluation.report.figures import differences
from moodal.evaluation.report.intervals import describe
from moodal.evaluation.report.measures import SHARES, decisions, headlines
from moodal.evaluation.report.paired import Decided, paired, titles
from moodal.evaluation.report.scores import Scored
from moodal.evaluation.report.stored import checked, save
from moodal.evaluation.report.subgroups import group_rows

SCHEMA = "moodal.compare/1"
SELECTION = "train.select_on"
_SELECTING = {SELECTION, "train.early_stop", "split.valid_by", "split.valid_share"}

_WITHOUT_EFFECT = ("title", "about", "report")  # recipe keys that change no prediction


SEEDS = "seeds.json"
"""The file of a run with several seeds, whose folder has one for each."""


class ComparedRun(NamedTuple):
    """A run: its report, and its predictions and decisions for the test rows by each seed.

    The report is that of the first seed.
    """

    name: str
    folder: Path
    report: Mapping[str, Any]
    seeds: tuple[Decided, ...]

    @property
    def tested(self) -> Decided:
        """The predictions by the first seed."""
        return self.seeds[0]


def compare(
    folders: Sequence[Path | str], out: Path | str, *, draws: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Write compare.json, compare.md and compare.png, and return the content of compare.json.

    Args:
        folders: of runs, single folds or evaluations, with predictions and a report each. The
            first one is the reference.
        out: folder of the comparison.
        draws: of the bootstrap; 0: no intervals.
        seed: of the bootstrap.

    Raises:
        UsageError: there are fewer than two folders, or ``out`` is the folder of something else.
        DataError: a folder is no finished run, the runs differ in labels, task or truth, or they
            have no common row.
    """
    out = Path(out)
    if len(folders) < 2:
        raise UsageError("compare needs at least two runs.")
    if any((out / name).exists() for name in ("report.json", "artefact.json", "manifest.json")):
        raise UsageError(f"{out} contains a run, an artefact or a corpus; choose another --out.")
    runs = [read(Path(f), name) for f, name in zip(folders, _names(folders), strict=True)]
    shared = _shared(runs)
    comparison = checked(_report(runs, shared, draws, seed))
    with replacing(out / "compare.md") as part:
        part.write_text(markdown(comparison), encoding="utf-8")
    differences(comparison, out / "compare.png")
    save(comparison, out / "compare.json")
    return comparison


def read(folder: Path, name: str) -> ComparedRun:
    """Read report, predictions and decisions of a finished run.

    Raises:
        DataError: the run is not finished, or a file is damaged.
    """
    if (folder / SEEDS).exists():
        parts = [read(folder / part, name) for part in load_json(folder / SEEDS)["folders"]]
        return parts[0]._replace(folder=folder, seeds=tuple(part.tested for part in parts))
    try:
        report = load_json(folder / "report.json")
    except FileNotFoundError:
        raise DataError(
            f"{folder} contains no report.json; name the folder of a finished run, of one of its "
            "folds, or of an evaluation."
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}/report.json cannot be read: {error}.") from None
    test = scores.load(folder)
    repeated = len(test) - len(set(test.ids))
    if repeated:
        raise DataError(
            f"{folder}: {repeated} rows were tested more than once; compare single folds."
        )
    return ComparedRun(name, folder, report, (Decided(test, _decided(folder, report, test)),))


def _decided(folder: Path, report: Mapping[str, Any], test: Scored) -> dict[str, np.ndarray]:
    """Decide with the thresholds of the run, or of each fold, whose folders contain them."""
    if test.task == "regression":
        return {}
    values = report["thresholds"]["values"]
    if values or test.task == "single":  # one emotion per row needs no threshold
        chosen = np.array([values.get(label, 0.5) for label in test.labels])
        return decisions(test, chosen)
    parts = [folder / fold["name"].replace(" ", "-") for fold in report["folds"]]
    folds = [read(part, part.name) for part in parts]
    place = {name: i for fold in folds for i, name in enumerate(fold.tested.scored.ids)}
    whole = {name: fold for fold in folds for name in fold.tested.scored.ids}
    return {
        kind: np.stack([whole[name].tested.decided[kind][place[name]] for name in test.ids])
        for kind in ("each", "rows")
    }


def _names(folders: Sequence[Path | str]) -> list[str]:
    """Name the runs by the last parts of their paths, as many as make the names unique."""
    parts = [Path(f).absolute().parts for f in folders]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-count:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    raise UsageError("The same run is given twice; name two different ones.")


def _shared(runs: Sequence[ComparedRun]) -> list[ComparedRun]:
    """Select the rows that all runs tested, in the order of the first run."""
    first = runs[0].tested.scored
    for run in runs[1:]:
        other = run.tested.scored
        if _asked(other) != _asked(first):
            raise DataError(
                f"{runs[0].name} scores {', '.join(first.columns)} ({first.task}), {run.name} "
                f"{', '.join(other.columns)} ({other.task}): only runs of the same emotions or "
                "values can be compared."
            )
    every = [seed.scored for run in runs for seed in run.seeds]
    ids = set.intersection(*(set(scored.ids) for scored in every))
    if not ids:
        raise DataError(
            "The runs have no test row in common; compare runs on the same corpus and folds."
        )
    order = [name for name in first.ids if name in ids]
    selected = [_select(run, order, first.labels) for run in runs]
    for run in selected[1:]:
        differs = (run.tested.scored.targets != selected[0].tested.scored.targets).any(1)
        if differs.any():
            raise DataError(
                f"{runs[0].name} and {run.name} have different true emotions for "
                f"{int(differs.sum())} rows, the first {order[int(differs.argmax())]!r}; compare "
                "runs on the same corpus."
            )
    return selected


def _asked(scored: Scored) -> tuple[set[str], str]:
    """Return what must be equal in runs that are compared: emotions, or values and ranges."""
    return set(scored.columns), scored.task


def _select(run: ComparedRun, order: Sequence[str], labels: Sequence[str]) -> ComparedRun:
    """Select rows and labels of a run, in the given order."""

    def selected(one: Decided) -> Decided:
        row_of = {name: i for i, name in enumerate(one.scored.ids)}
        tested = one.rows([row_of[name] for name in order])
        columns = [tested.scored.labels.index(label) for label in labels]
        decided = {kind: cells[:, columns] for kind, cells in tested.decided.items()}
        return Decided(tested.scored.select(labels), decided)

    return run._replace(seeds=tuple(map(selected, run.seeds)))


def _report(
    whole: Sequence[ComparedRun], runs: Sequence[ComparedRun], draws: int, seed: int
) -> dict[str, Any]:
    """Build the content of compare.json from the whole runs and from their common rows."""
    first = runs[0].tested.scored
    systems = [run.seeds for run in runs]
    rated = all(run.tested.scored.rated is not None for run in runs)
    keys = [key for key in headlines(first) if rated or key not in SHARES]
    people = _people(whole, runs, keys)
    entries = paired(systems, keys, draws=draws, seed=seed)
    groups = {
        column: {
            value: {
                "rows": len(rows),
                "runs": paired(
                    [[one.rows(rows) for one in seeds] for seeds in systems],
                    keys,
                    draws=draws,
                    seed=seed,
                ),
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
            for run, entry in zip(whole, entries, strict=True)
        ],
        "groups": groups,
        **({"people": people} if people else {}),
    }


def _people(
    whole: Sequence[ComparedRun], runs: Sequence[ComparedRun], keys: Sequence[str]
) -> dict[str, Any]:
    """Return the agreement of people by metric, of the first run that tested the common rows only.

    Empty where it is unknown.
    """
    count = len(runs[0].tested.scored)
    for run in whole:
        if len(run.tested.scored) == count:
            metrics = run.report["metrics"]
            return {key: metrics[key]["people"] for key in keys if "people" in metrics[key]}
    return {}


def _about(run: ComparedRun, first: ComparedRun, shared: int) -> dict[str, Any]:
    """Describe a run: name, stamps, and the keys in which its recipe differs from the first's."""
    tested = len(run.tested.scored)
    own, reference = (_flat(r.report["extras"].get("recipe") or {}) for r in (run, first))
    changed = [key for key in {**reference, **own} if own.get(key) != reference.get(key)]
    known = bool(own and reference)
    return {
        "name": run.name,
        "folder": str(run.folder),
        "title": run.report["extras"].get("title") or run.name,
        "seeds": len(run.seeds),
        "rows": tested,
        "left_out": tested - shared,
        "stamps": list(run.report["protocol"]["stamps"]),
        "differs": {key: [reference.get(key), own.get(key)] for key in changed} if known else None,
        "gap": known and SELECTION in changed and _SELECTING.issuperset(changed),
    }


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Flatten a recipe to dotted keys, without those that change no prediction."""
    out: dict[str, Any] = {}
    for key, value in values.items():
        name = before + key
        if name in _WITHOUT_EFFECT:
            continue
        out |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return out
