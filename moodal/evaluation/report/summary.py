"""report.json: what a run scored, what that is worth, and what must be known to read it.

The schema is versioned and told in docs/reports.md. JSON only: no NaN, no infinity.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.emotions import Values
from moodal.core.errors import DataError
from moodal.core.files import replacing
from moodal.evaluation.report.baselines import baselines, distribution, mean_baselines
from moodal.evaluation.report.calibration import calibration
from moodal.evaluation.report.intervals import describe
from moodal.evaluation.report.measures import (
    decisions,
    headlines,
    lines,
    means,
    measures,
    number,
    overall,
)
from moodal.evaluation.report.scores import Scored, join
from moodal.evaluation.report.subgroups import by_group
from moodal.evaluation.report.thresholds import Thresholds, fixed

SCHEMA = "moodal.report/1"


def summarise(
    test: Scored,
    *,
    train_targets: np.ndarray,
    thresholds: Thresholds | np.ndarray | None = None,
    valid: Scored | None = None,
    draws: int = 1000,
    seed: int = 0,
    stamps: Sequence[str] = (),
    audit: Sequence[Any] = (),
    unseen: Sequence[str] = (),
    extras: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The report of one model on one test set.

    Args:
        train_targets: [M, C] in the order of ``test.labels``, for the baselines; 0 or NaN
            throughout for an emotion that training did not see.
        thresholds: of `thresholds.choose` or `thresholds.fixed`; None is fixed at 0.5.
        valid: its values are told too, without intervals.
        draws: of the bootstrap; 0 for no intervals.
        stamps: what sets these numbers apart, in words ("selected on test"); shown with each.
        audit: findings of `moodal.evaluation.protocols.audit`, or JSON objects like theirs.
        unseen: labels that training did not see; their means are told apart from the others'.
        extras: further JSON values, by name (null distributions, timings, figures).

    Raises:
        DataError: the sizes do not agree, or extras hold what JSON has no word for.
    """
    if not len(test):
        raise DataError(f"{test.subset} has no rows to report on.")
    chosen = _thresholds(test, thresholds)
    train = np.asarray(train_targets, np.float64)
    beside = {
        line.key: baselines(line.metric, test.task, test.targets, train, seed)
        for line in lines(test)
    }
    decided = decisions(test, chosen.values)
    report = _head(test, chosen, draws, seed, stamps, audit, unseen)
    report["train"] = distribution(train, test.task, test.labels)
    report["metrics"] = measures(
        test, decided, beside, groups=means(test.labels, unseen), draws=draws, seed=seed
    )
    if told := calibration(test, draws=draws, seed=seed):
        report["calibration"] = told
    if test.groups:
        report["groups"] = by_group(
            test,
            decided,
            unseen,
            lambda column, value, part: {
                line.key: baselines(line.metric, part.task, part.targets, train, seed)
                for line in lines(part)
                if line.key in headlines(part)
            },
            draws=draws,
            seed=seed,
        )
    if valid is not None and len(valid):
        report["valid"] = _values(valid, chosen, unseen)
    report["extras"] = dict(extras or {})
    return checked(report)


def combine(
    reports: Sequence[Mapping[str, Any]],
    tests: Sequence[Scored],
    *,
    draws: int = 1000,
    seed: int = 0,
    stamps: Sequence[str] = (),
    extras: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The report of several folds: the pooled predictions, and beside them the folds' own.

    Value and interval of each metric are of the pooled rows, each decided with its own fold's
    thresholds, clusters resampled over all folds; under "folds" stand the values of each fold,
    their mean and standard deviation. Baselines are the row-weighted means of the folds'.

    Raises:
        DataError: no folds, folds of different labels, or other reports than predictions.
    """
    if not reports or len(reports) != len(tests):
        raise DataError(f"{len(reports)} fold reports do not go with {len(tests)} predictions.")
    pooled = join(tests)
    per_fold = [
        decisions(test, np.array([r["thresholds"]["values"][x] for x in test.labels]))
        if test.task != "regression"
        else {}
        for r, test in zip(reports, tests, strict=True)
    ]
    decided = {key: np.concatenate([d[key] for d in per_fold]) for key in per_fold[0]}
    unseen = list(dict.fromkeys(x for r in reports for x in r["protocol"]["unseen"]))
    audit = [f for r in reports for f in r["protocol"]["audit"]]
    marks = dict.fromkeys([*stamps, *(s for r in reports for s in r["protocol"]["stamps"])])
    chosen = Thresholds(np.zeros(len(pooled.labels)), "each fold's own: see the folds' reports")
    report = _head(pooled, chosen, draws, seed, list(marks), audit, unseen)
    report["thresholds"]["values"] = {}
    report["metrics"] = measures(
        pooled,
        decided,
        mean_baselines(reports, pooled.labels),
        groups=means(pooled.labels, unseen),
        draws=draws,
        seed=seed,
    )
    for key, entry in report["metrics"].items():
        entry["folds"] = _folds(key, reports)
    if told := calibration(pooled, draws=draws, seed=seed):
        report["calibration"] = told
    if pooled.groups:
        report["groups"] = by_group(
            pooled,
            decided,
            unseen,
            lambda column, value, part: mean_baselines(_told(reports, column, value), part.labels),
            draws=draws,
            seed=seed,
        )
    report["folds"] = [
        {
            "subset": r["subset"],
            "name": r["extras"].get("experiment", r["subset"]),
            "rows": r["rows"],
        }
        for r in reports
    ]
    report["extras"] = dict(extras or {})
    return checked(report)


def checked(report: dict[str, Any]) -> dict[str, Any]:
    """The report as it will be read back.

    Raises:
        DataError: it holds NaN, infinity, or what JSON has no word for.
    """
    try:
        return json.loads(json.dumps(report, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise DataError(f"A report holds what JSON cannot: {error}.") from None


def save(report: Mapping[str, Any], path: Path | str) -> Path:
    """Write report.json in one piece."""
    path = Path(path)
    with replacing(path) as part:
        part.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return path


def _head(
    test: Scored,
    chosen: Thresholds,
    draws: int,
    seed: int,
    stamps: Sequence[str],
    audit: Sequence[Any],
    unseen: Sequence[str],
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "subset": test.subset,
        "task": test.task,
        "labels": list(test.labels),
        **({"values": Values(test.values).ranges()} if test.values else {}),
        "rows": len(test),
        "info": dict(test.info),
        "test": distribution(test.targets, test.task, test.labels),
        "clusters": describe(test.clusters, test.cluster_kind),
        "bootstrap": {"draws": draws, "seed": seed, "level": 0.95},
        "thresholds": {
            "source": chosen.source,
            "values": {
                label: float(v) for label, v in zip(test.labels, chosen.values, strict=True)
            },
            "notes": list(chosen.notes),
        },
        "protocol": {
            "stamps": list(stamps),
            "audit": [dict(f) if isinstance(f, Mapping) else dataclasses.asdict(f) for f in audit],
            "unseen": list(unseen),
        },
        "headlines": list(headlines(test)),
    }


def _thresholds(test: Scored, given: Thresholds | np.ndarray | None) -> Thresholds:
    if given is None:
        given = fixed(test.labels)
    elif not isinstance(given, Thresholds):
        given = Thresholds(np.asarray(given, np.float64), "given")
    if given.values.shape != (len(test.labels),):
        raise DataError(
            f"{len(test.labels)} emotions need as many thresholds; got {list(given.values.shape)}."
        )
    if test.task == "regression":
        return Thresholds(given.values, "none: values are not decided on")
    return given


def _values(valid: Scored, chosen: Thresholds, unseen: Sequence[str]) -> dict[str, Any]:
    """Key -> value over all emotions, of the validation rows."""
    groups = means(valid.labels, unseen)
    entries = measures(valid, decisions(valid, chosen.values), {}, groups=groups, draws=0)
    values = {key: overall(entry)["value"] for key, entry in entries.items()}
    return {"subset": valid.subset, "rows": len(valid), "values": values}


def _told(reports: Sequence[Mapping[str, Any]], column: str, value: str) -> list[dict[str, Any]]:
    """What those folds say of a group that have rows of it."""
    told = (r.get("groups", {}).get(column, {}).get(value) for r in reports)
    return [entry for entry in told if entry is not None]


def _folds(key: str, reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    # a fold that an older moodal reported may lack a metric
    values = [overall(r["metrics"][key])["value"] if key in r["metrics"] else None for r in reports]
    known = [v for v in values if v is not None]
    return {
        "values": values,
        "mean": number(float(np.mean(known))) if known else None,
        "std": number(float(np.std(known, ddof=1))) if len(known) > 1 else None,
    }
