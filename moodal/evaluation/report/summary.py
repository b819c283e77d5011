"""The content of report.json: metrics with intervals, chance, baselines, protocol and audit.

The schema is versioned and described in docs/reports.md. Numbers are finite or null.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moodal.core.emotions import Values
from moodal.core.errors import DataError
from moodal.evaluation.metrics import METRICS
from moodal.evaluation.report.baselines import (
    distribution,
    mean_baselines,
    pooled_baselines,
)
from moodal.evaluation.report.calibration import calibration
from moodal.evaluation.report.intervals import describe
from moodal.evaluation.report.measures import (
    BaselineValues,
    decisions,
    headlines,
    lines,
    means,
    measures,
    number,
    overall,
)
from moodal.evaluation.report.people import add_people, share_baselines
from moodal.evaluation.report.scores import Scored, join
from moodal.evaluation.report.stored import checked, stored_targets
from moodal.evaluation.report.subgroups import by_group
from moodal.evaluation.report.thresholds import Thresholds, fixed
from moodal.evaluation.report.value_calibration import value_calibration

SCHEMA = "moodal.report/1"


@dataclass(frozen=True)
class ReportContext:
    """The context that a reader needs to interpret the numbers of a report.

    Attributes:
        stamps: caveats that hold for every number, in words ("selected on test").
        audit: findings of `moodal.evaluation.protocols.audit`, or JSON objects like theirs.
        unseen: labels without training rows; they have a mean of their own.
        extras: further JSON values by name (null distributions, timings, the recipe).
    """

    stamps: Sequence[str] = ()
    audit: Sequence[Any] = ()
    unseen: Sequence[str] = ()
    extras: Mapping[str, Any] = field(default_factory=dict)


UNKNOWN = "training's label distribution is unknown: baselines are of the tested rows"
"""The stamp of a report whose baselines cannot know the labels of training."""


def summarise(
    test: Scored,
    *,
    train_targets: np.ndarray | None = None,
    thresholds: Thresholds | np.ndarray | None = None,
    valid: Scored | None = None,
    draws: int | None = None,
    seed: int | None = None,
    context: ReportContext | None = None,
) -> dict[str, Any]:
    """Report on the predictions of one model for one test set.

    What is not given is that of the report with which the predictions were stored, if any; the
    marks of that report are always kept.

    Args:
        test: the predictions and their truth.
        train_targets: [M, C] in the order of ``test.labels``, for the baselines; 0 or NaN
            throughout for an emotion without training rows. None, and nothing stored: unknown; the
            baselines are then of the tested rows, and a stamp says so.
        thresholds: of `thresholds.choose` or `thresholds.fixed`; None: fixed at 0.5.
        valid: predictions of the validation rows, reported without intervals.
        draws: number of bootstrap samples (1000); 0: no intervals.
        seed: of the bootstrap and of the random baseline (0).
        context: what else the report must say.

    Returns:
        The content of report.json, see docs/reports.md.

    Raises:
        DataError: the sizes do not agree, a value cannot be written as JSON, or the predictions
            are of several folds and no thresholds are given.
    """
    if not len(test):
        raise DataError(f"{test.subset} has no rows to report on.")
    draws, seed = _bootstrap(test, draws, seed)
    known = stored_targets(test) if train_targets is None else train_targets
    context = _context(test, context, () if known is not None else (UNKNOWN,))
    chosen = _thresholds(test, thresholds)
    train = np.asarray(test.hard.targets if known is None else known, np.float64)
    by_baseline = _baselines(test, [test], [(test.targets[test.clear], train)], seed)
    decided = decisions(test, chosen.values)
    averages = means(test.labels, context.unseen)
    report = _head(test, chosen, draws, seed, context)
    if known is not None:
        report["train"] = distribution(train, test.task, test.labels)
    report["metrics"] = measures(
        test, decided, by_baseline, groups=averages, draws=draws, seed=seed
    )
    add_people(report, test, draws, seed)
    report |= _calibrated(test, draws, seed)
    if test.groups:
        report["groups"] = by_group(
            test,
            decided,
            context.unseen,
            lambda column, value, part: _baselines(
                part, [part], [(part.targets[part.clear], train)], seed, headlines(part)
            ),
            draws=draws,
            seed=seed,
        )
    if valid is not None and len(valid):
        report["valid"] = _validation(valid, chosen, context.unseen)
    elif valid is None and "valid" in test.context:
        report["valid"] = test.context["valid"]
    report["extras"] = dict(context.extras)
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
    """Report on the pooled predictions of several folds, with each fold's values.

    The value and interval of each metric are computed on the pooled rows; each row is decided with
    the thresholds of its own fold, and clusters are resampled over all folds. "folds" holds the
    values of each fold, their mean and their standard deviation. Baselines are computed on the
    pooled rows, too, each row predicted from the training of its own fold; where the targets of a
    fold's training are unknown, they are the row-weighted means of the folds' baselines.

    Args:
        reports: of the folds, by `summarise`.
        tests: the folds' predictions, in the same order.
        draws, seed: see `summarise`.
        stamps: caveats in addition to those of the folds.
        extras: further JSON values by name.

    Raises:
        DataError: there are no folds, their labels differ, or there are not as many reports as
            predictions.
    """
    if not reports or len(reports) != len(tests):
        raise DataError(
            f"Each fold needs a report and predictions; got {len(reports)} reports and "
            f"{len(tests)} predictions."
        )
    pooled = join(tests)
    per_fold = [
        decisions(test, np.array([r["thresholds"]["values"][x] for x in test.labels]))
        if test.task != "regression"
        else {}
        for r, test in zip(reports, tests, strict=True)
    ]
    decided = {key: np.concatenate([d[key] for d in per_fold]) for key in per_fold[0]}
    unseen = list(dict.fromkeys(x for r in reports for x in r["protocol"]["unseen"]))
    audit = [_of_fold(f, r) for r in reports for f in r["protocol"]["audit"]]
    marks = dict.fromkeys([*stamps, *(s for r in reports for s in r["protocol"]["stamps"])])
    chosen = Thresholds(np.zeros(len(pooled.labels)), "those of each fold, see the folds' reports")
    context = ReportContext(list(marks), audit, unseen, extras or {})
    report = _head(pooled, chosen, draws, seed, context)
    report["thresholds"]["values"] = {}
    trained = [stored_targets(test) for test in tests]

    def by_baseline(
        rows: Scored,
        chosen: Callable[[Scored], np.ndarray],
        entries: Sequence[Mapping[str, Any]] = reports,
    ) -> BaselineValues:
        """Compute the baselines of pooled rows, or average those of the folds' entries."""
        parts = [
            (test.targets[chosen(test) & test.clear], np.asarray(known, np.float64))
            for test, known in zip(tests, trained, strict=True)
            if known is not None
        ]
        if len(parts) < len(tests):
            return mean_baselines(entries, rows.labels)
        own = [test.rows(np.flatnonzero(chosen(test))) for test in tests] if rows.rated else tests
        return _baselines(rows, own, parts, seed)

    report["metrics"] = measures(
        pooled,
        decided,
        by_baseline(pooled, _everything),
        groups=means(pooled.labels, unseen),
        draws=draws,
        seed=seed,
    )
    for key, entry in report["metrics"].items():
        entry["folds"] = _folds(key, reports)
    add_people(report, pooled, draws, seed)
    report |= _calibrated(pooled, draws, seed)
    if pooled.groups:
        report["groups"] = by_group(
            pooled,
            decided,
            unseen,
            lambda column, value, part: by_baseline(
                part,
                lambda test: np.array(test.groups[column]) == value,
                _group_entries(reports, column, value),
            ),
            draws=draws,
            seed=seed,
        )
    report["folds"] = [
        {
            "subset": r["subset"],
            "name": _name(r),
            "rows": r["rows"],
        }
        for r in reports
    ]
    report["extras"] = dict(context.extras)
    return checked(report)


def _bootstrap(test: Scored, draws: int | None, seed: int | None) -> tuple[int, int]:
    """Return the draws and the seed: given, stored, or the default."""
    stored = test.context.get("bootstrap", {})
    return (
        stored.get("draws", 1000) if draws is None else draws,
        stored.get("seed", 0) if seed is None else seed,
    )


def _context(test: Scored, given: ReportContext | None, stamps: Sequence[str]) -> ReportContext:
    """Return the context of a report: given or stored, with all stored marks and further stamps."""
    protocol = test.context.get("protocol", {})
    context = given or ReportContext(
        audit=protocol.get("audit", ()),
        unseen=[label for label in protocol.get("unseen", ()) if label in test.labels],
        extras=test.context.get("extras", {}),
    )
    marks = dict.fromkeys([*protocol.get("stamps", ()), *context.stamps, *stamps])
    return dataclasses.replace(context, stamps=tuple(marks))


def _head(
    test: Scored,
    chosen: Thresholds,
    draws: int,
    seed: int,
    context: ReportContext,
) -> dict[str, Any]:
    """Describe the test set, the thresholds, the bootstrap and the protocol."""
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
            "stamps": list(context.stamps),
            "audit": [
                dict(f) if isinstance(f, Mapping) else dataclasses.asdict(f) for f in context.audit
            ],
            "unseen": list(context.unseen),
        },
        "headlines": list(headlines(test)),
    }


def _thresholds(test: Scored, given: Thresholds | np.ndarray | None) -> Thresholds:
    """Return the thresholds with their source; those of values are marked as not used."""
    stored = test.context.get("thresholds", {})
    if given is None and stored.get("values"):
        values = np.array([stored["values"][label] for label in test.labels])
        given = Thresholds(values, stored["source"], tuple(stored["notes"]))
    elif given is None and stored and test.task != "regression":
        raise DataError(
            f"{test.subset} has the thresholds of each fold; make its report with "
            "moodal.evaluation.report.write.again(RUN)."
        )
    elif given is None:
        given = fixed(test.labels)
    elif not isinstance(given, Thresholds):
        given = Thresholds(np.asarray(given, np.float64), "given")
    if given.values.shape != (len(test.labels),):
        raise DataError(
            f"{len(test.labels)} emotions need as many thresholds; the thresholds given have the "
            f"shape {list(given.values.shape)}."
        )
    if test.task == "regression":
        return Thresholds(given.values, "none: values have no thresholds")
    return given


def _calibrated(test: Scored, draws: int, seed: int) -> dict[str, Any]:
    """Compute the calibration of probabilities, or of values, under its key of the report."""
    entries = {
        "calibration": calibration(test.hard, draws=draws, seed=seed),
        "value_calibration": value_calibration(test, draws=draws, seed=seed),
    }
    return {key: entry for key, entry in entries.items() if entry}


def _validation(valid: Scored, chosen: Thresholds, unseen: Sequence[str]) -> dict[str, Any]:
    """Compute every metric on the validation rows, over all emotions: key -> value."""
    groups = means(valid.labels, unseen)
    entries = measures(valid, decisions(valid, chosen.values), {}, groups=groups, draws=0)
    values = {key: overall(entry)["value"] for key, entry in entries.items()}
    return {"subset": valid.subset, "rows": len(valid), "values": values}


def _baselines(
    rows: Scored,
    folds: Sequence[Scored],
    parts: Sequence[tuple[np.ndarray, np.ndarray]],
    seed: int,
    only: Collection[str] | None = None,
) -> BaselineValues:
    """Compute the baselines of each metric, on the rows that have the truth that it needs.

    Args:
        rows: all tested rows.
        folds: the same by fold.
        parts: of each fold the targets of its rows with a single true emotion, and of its training.
        seed: of the random baseline.
        only: the keys to compute.
    """
    shown = [line for line in lines(rows) if only is None or line.key in only]
    out: dict[str, Mapping[str, np.ndarray]] = {}
    for line in shown:
        if METRICS[line.metric].needs == "shares":
            out[line.key] = share_baselines(line.metric, folds)
        elif any(len(targets) for targets, _ in parts):
            out[line.key] = pooled_baselines(line.metric, rows.task, parts, seed)
    return out


def _everything(test: Scored) -> np.ndarray:
    """Choose all rows."""
    return np.ones(len(test), bool)


def _group_entries(
    reports: Sequence[Mapping[str, Any]], column: str, value: str
) -> list[dict[str, Any]]:
    """Collect a group's entries from the folds that have rows of it."""
    entries = (r.get("groups", {}).get(column, {}).get(value) for r in reports)
    return [entry for entry in entries if entry is not None]


def _name(report: Mapping[str, Any]) -> str:
    """Return the name of a fold."""
    return str(report["extras"].get("experiment", report["subset"]))


def _of_fold(finding: Mapping[str, Any], report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a finding of the audit with its fold's name, if it is about the fold's emotions."""
    if finding["what"] != "emotions":
        return finding
    return {**finding, "detail": f"{_name(report)}: {finding['detail']}"}


def _folds(key: str, reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Collect a metric's value in each fold, with mean and standard deviation."""
    # a fold reported by an older version may lack a metric
    values = [overall(r["metrics"][key])["value"] if key in r["metrics"] else None for r in reports]
    known = [v for v in values if v is not None]
    return {
        "values": values,
        "mean": number(float(np.mean(known))) if known else None,
        "std": number(float(np.std(known, ddof=1))) if len(known) > 1 else None,
    }
