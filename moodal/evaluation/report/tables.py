"""Text of a report: report.md, and tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moodal.evaluation.report.calibration import calibration_lines
from moodal.evaluation.report.cells import bullets, cell, grid, number, table
from moodal.evaluation.report.learning_curves import kept_lines
from moodal.evaluation.report.measures import HEADLINES, NO_SENTIMENT
from moodal.evaluation.report.people import people_lines
from moodal.evaluation.report.sections import (
    audit_lines,
    companion_lines,
    group_rows,
    split_lines,
    values_line,
)
from moodal.evaluation.report.summary import overall
from moodal.evaluation.report.value_calibration import value_calibration_lines

_PER_EMOTION = {
    "multi": ("auc", "average_precision", "weighted_accuracy", "binary_f1", "weighted_f1"),
    "single": ("recall", "precision", "binary_f1", "auc"),
    "regression": ("ccc", "pearson", "mae", "rmse"),
}
_TERMINAL = {
    "multi": ("auc", "weighted_accuracy", "binary_f1"),
    "single": ("recall", "binary_f1", "auc"),
    "regression": ("ccc", "pearson", "mae"),
}

_CHANCE = "prior-random"
"""The baseline that is left out of tables, as the column of chance has its figures: exact ones
where a metric's chance level is known, and otherwise those of the baseline."""

_REPEATED = {"recall": "balanced_accuracy", "binary_f1": "macro_f1"}
"""Metric of each emotion -> the metric that is its mean; tables of all metrics show that alone."""

MOST_UNREADABLE = 50
"""report.md names at most so many rows that could not be read."""

SWAPPED = (
    "UA (unweighted accuracy) is the balanced accuracy and WA (weighted accuracy) the plain "
    "accuracy, as in the field; MMER's published code prints its UA as WA and its WA as UA."
)
"""The note in every text that shows both."""


def markdown(report: Mapping[str, Any]) -> str:
    """Format a report of `summary.summarise` or `summary.combine` as Markdown."""
    return "\n".join(_parts(report)).rstrip() + "\n"


def show(report: Mapping[str, Any], console: Any = None) -> None:
    """Print the headlines and the emotions as tables to a rich console (None: a new one)."""
    from rich.console import Console

    out = console or Console()
    for title, rows in (
        (f"{report['subset']}: {report['rows']:,} rows, {_clusters(report)}", _short(report)),
        (f"Each {_kind(report)}", _narrow(report)),
    ):
        if len(rows) > 1:
            out.print(grid(title, rows))
    for column, values in report.get("groups", {}).items():
        rows = group_rows(column, values, report["extras"].get("words"))
        # only the first metric has an interval, as a terminal has 80 columns
        narrow = [[*row[:3], *(c.split(" [")[0] for c in row[3:])] for row in rows]
        out.print(grid(f"By {column}", narrow))
    for line in _remarks(report):
        if line:
            out.print(line, highlight=False, markup=False)
    for line in kept_lines(report):
        out.print(line, highlight=False, markup=False)
    for label, about in report["extras"].get("nulls", {}).items():
        out.print(_null_line(label, about), highlight=False, markup=False)
    for stamp in report["protocol"]["stamps"]:
        out.print(f"Mark of every number here: {stamp}.", highlight=False, markup=False)
    for note in _notes(report):
        out.print(f"Note: {note}", highlight=False, markup=False)
    for gap in gaps(report):
        out.print(f"Undefined: {gap}", highlight=False, markup=False)


def _remarks(report: Mapping[str, Any]) -> list[str]:
    """Collect the sentences below the headline metrics; "" for those that have nothing to say."""
    return [
        *people_lines(report),
        *companion_lines(report),
        values_line(report),
        *calibration_lines(report),
        *value_calibration_lines(report),
    ]


def _short(report: Mapping[str, Any]) -> list[list[str]]:
    """Reduce `headlines` to a terminal of 80 columns: without validation.

    Beside the agreement of people there is no room for baselines.
    """
    rows = headlines(report)
    left_out = {"validation"}
    if "votes" in report:
        left_out |= set(_baselines([overall(e) for e in report["metrics"].values()]))
    kept = [i for i, name in enumerate(rows[0]) if name not in left_out]
    return [[row[i] for i in kept] for row in rows]


def _narrow(report: Mapping[str, Any]) -> list[list[str]]:
    """Reduce `emotions` to a terminal of 80 columns: only the first metric has an interval."""
    rows = emotions(report, _TERMINAL[report["task"]]) if len(report["labels"]) > 1 else []
    end = 1 + len(_columns_of_parts(report))
    if report["task"] == "regression":  # a table of values has no room for means
        rows, end = [[row[0], *row[end:]] for row in rows], 1
    return [[*row[: end + 1], *(cell.split(" [")[0] for cell in row[end + 1 :])] for row in rows]


def headlines(report: Mapping[str, Any]) -> list[list[str]]:
    """Build the rows of the headline metrics: name, value, interval, chance and baselines."""
    keys = report.get("headlines") or HEADLINES[report["task"]]
    return _metric_rows(report, list(keys))


def emotions(report: Mapping[str, Any], keys: Sequence[str] | None = None) -> list[list[str]]:
    """Build a row per emotion or value, then means, chance and baselines; a column per metric.

    Args:
        report: see `summary.summarise`.
        keys: of the metrics (default: those of the task); missing ones are left out.
    """
    chosen = [k for k in keys or _PER_EMOTION[report["task"]] if k in report["metrics"]]
    entries = [report["metrics"][k] for k in chosen]
    unseen = report["protocol"]["unseen"]
    parts = _columns_of_parts(report)
    blank = [""] * len(parts)
    rows = [[_kind(report).capitalize(), *parts, *(e["title"] for e in entries)]]
    ranges = {v["name"]: f"{v['low']:g} to {v['high']:g}" for v in report.get("values", ())}
    for label in report["labels"]:
        about = "unseen" if label in unseen else ranges.get(label)
        name = f"{label} ({about})" if about else label
        of_parts = [column[label] for column in parts.values()]
        rows.append([name, *of_parts, *(cell(e["emotions"][label]) for e in entries)])
    for mean in ("mean", "mean_seen", "mean_unseen"):
        if mean in entries[0]:
            name = mean.replace("_", " of the ").replace("mean", "Mean")
            rows.append([name, *blank, *(cell(e[mean]) for e in entries)])
    for name, values in _baseline_rows([e["mean"] for e in entries]):
        rows.append([name, *blank, *values])
    return rows


def _columns_of_parts(report: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Collect counts of emotions, or means of values, in training and in the tested rows.

    The tested rows have the name of their split, or "tested" where that is the training's;
    training is a dash where it is unknown.
    """
    columns = {}
    folds = "folds" in report
    subset = "test" if folds else report["subset"]
    for part, name in (("train", "train"), ("test", "tested" if subset == "train" else subset)):
        known = report.get(part, {})
        mean = " mean" if report["task"] == "regression" else ""
        if "counts" in known:
            columns[name] = {label: f"{count:,}" for label, count in known["counts"].items()}
        elif "means" in known:
            columns[name + mean] = {label: number(x) for label, x in known["means"].items()}
        elif not folds:
            columns[name + mean] = dict.fromkeys(report["labels"], number(None))
    return columns


def _kind(report: Mapping[str, Any]) -> str:
    """Name what the labels are."""
    return "value" if report["task"] == "regression" else "emotion"


def gaps(report: Mapping[str, Any]) -> list[str]:
    """Describe what is undefined and why, a sentence per reason and emotion."""
    metrics: dict[tuple[str, str], list[str]] = {}
    for entry in report["metrics"].values():
        parts = {
            **entry.get("emotions", {}),
            **({"all rows": entry["all"]} if "all" in entry else {}),
        }
        for label, value in parts.items():
            if value.get("gap", NO_SENTIMENT) != NO_SENTIMENT:
                metrics.setdefault((label, value["gap"]), []).append(entry["title"])
    return [f"{label}: no {', '.join(m)}, as {why}." for (label, why), m in metrics.items()]


def _parts(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the sections of report.md in order."""
    yield from _opening(report)
    yield from _in_short(report)
    yield from _tables(report)
    yield from _problems(report)
    yield from _evidence(report)


def _opening(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the title, the stamps, the size of the test, and notes on how to read the figures."""
    boot = report["bootstrap"]
    title = report["extras"].get("title")
    yield f"# {title + ': ' if title else ''}results on {report['subset']}\n"
    for stamp in report["protocol"]["stamps"]:
        yield f"> **Mark of every number here: {stamp}.**\n"
    interval = (
        f"Intervals are {boot['level']:.0%} percentile bootstrap, {boot['draws']:,} draws of "
        f"whole {report['clusters']['kind']}s."
        if boot["draws"] and report["clusters"]["count"] > 1
        else "No intervals were computed."
    )
    yield f"{report['rows']:,} rows, {_clusters(report)}, {len(report['labels'])} " + (
        "label.\n" if len(report["labels"]) == 1 else "labels.\n"
    )
    yield f"{interval} {_thresholds(report)}\n"
    for note in _notes(report):
        yield f"**Note.** {note}\n"
    yield from split_lines(report)
    for line in kept_lines(report):
        yield f"{line}\n"


def _thresholds(report: Mapping[str, Any]) -> str:
    """Say in one sentence how the thresholds were chosen."""
    name, colon, rest = report["thresholds"]["source"].partition(": ")
    return f"Thresholds: {name}{f' ({rest})' if colon else ''}."


def _notes(report: Mapping[str, Any]) -> list[str]:
    """Collect what a reader must know of the intervals, the thresholds and the ranges."""
    notes = [report["clusters"]["warning"], *report["thresholds"]["notes"]]
    if len({v["high"] - v["low"] for v in report.get("values", ())}) > 1:
        notes.append("The values have different ranges: the mean of their errors mixes units.")
    return [note for note in notes if note]


def _in_short(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the headline metrics, the text baseline, transcripts and calibration."""
    yield "## In short\n"
    yield table(headlines(report))
    if report["task"] == "single":
        yield SWAPPED + "\n"
    for line in _remarks(report):
        if line:
            yield line + "\n"


def _tables(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the figures by group, by emotion or value, and of all metrics."""
    for column, values in report.get("groups", {}).items():
        yield f"## By {column}\n"
        yield table(group_rows(column, values, report["extras"].get("words")))
    if len(report["labels"]) > 1:
        yield f"## Each {_kind(report)}\n"
        yield table(emotions(report))
    yield "## All metrics\n"
    yield table(_metric_rows(report, _distinct(report), aliases=True))


def _distinct(report: Mapping[str, Any]) -> list[str]:
    """Return the keys of the metrics without means that another metric repeats."""
    return [key for key in report["metrics"] if _REPEATED.get(key) not in report["metrics"]]


def _problems(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the undefined figures and the rows that could not be read, with the reasons."""
    if undefined := gaps(report):
        yield "## Undefined figures\n"
        yield bullets(undefined)
    if unreadable := report["extras"].get("unreadable"):
        yield "## Not read\n"
        shown = [f"{name}: {why}" for name, why in list(unreadable.items())[:MOST_UNREADABLE]]
        more = len(unreadable) - len(shown)
        yield bullets([*shown, *([f"and {more:,} more: see report.json"] if more else [])])


def _evidence(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the null tests, the folds, the audit of the split and the thresholds."""
    if nulls := report["extras"].get("nulls"):
        yield "## Unseen emotions against chance\n"
        yield table(_null_rows(nulls))
    if "folds" in report:
        yield "## Folds\n"
        yield table(_fold_rows(report))
    findings = audit_lines(report["protocol"]["audit"])
    if findings or "artefact" not in report["extras"]:  # an artefact's test has no split to audit
        yield "## Audit of the split\n"
        yield bullets(findings or ["No findings."])
    values = report["thresholds"]["values"]
    fixed = "fixed at" in report["thresholds"]["source"] and len(set(values.values())) == 1
    if report["task"] != "regression" and values and not fixed:  # a fixed one is at the top
        yield "## Thresholds\n"
        yield table([["Emotion", "Threshold"], *([k, f"{v:.3f}"] for k, v in values.items())])


def _metric_rows(
    report: Mapping[str, Any], keys: Sequence[str], aliases: bool = False
) -> list[list[str]]:
    """Build a row per metric: name, value, interval, chance, baselines, validation and aliases."""
    entries = [overall(report["metrics"][k]) for k in keys]
    names = _baselines(entries)
    valid = report.get("valid", {}).get("values")
    rated = any("people" in about for about in report["metrics"].values())
    extra = (["validation"] if valid else []) + (["also called"] if aliases else [])
    beside = ["one rater against the others"] if rated else []
    rows = [["Metric", "value [interval]", *beside, "chance", *names, *extra]]
    for key, entry in zip(keys, entries, strict=True):
        about = report["metrics"][key]
        title = about["title"] + (" (lower is better)" if about["lower_is_better"] else "")
        if "over" in entry and len(report["labels"]) > 1:
            title += f", mean of {entry['over']}"
        tail = [number(valid[key])] if valid else []
        tail += [_also_called(report, key)] if aliases else []
        baselines = [number(entry.get("baselines", {}).get(n)) for n in names]
        person = [cell(about["people"]) if "people" in about else "–"] if rated else []
        rows.append([title, cell(entry), *person, number(entry.get("chance")), *baselines, *tail])
    return rows


def _also_called(report: Mapping[str, Any], key: str) -> str:
    """Return the other names of a metric and, of a mean, those of the metric of each emotion."""
    names = [report["metrics"][key]["alias"]]
    names += [
        f"of each emotion: {report['metrics'][repeated]['alias']}"
        for repeated, shown in _REPEATED.items()
        if shown == key and report["metrics"].get(repeated, {}).get("alias")
    ]
    return "; ".join(filter(None, names))


def _baselines(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the baselines that tables show."""
    names = dict.fromkeys(n for e in entries for n in e.get("baselines", {}))
    return [name for name in names if name != _CHANCE]


def _baseline_rows(entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the figures of chance and of each baseline."""
    yield "chance", [number(e.get("chance")) for e in entries]
    for name in _baselines(entries):
        yield name, [number(e.get("baselines", {}).get(name)) for e in entries]


def _null_rows(nulls_of: Mapping[str, Any]) -> list[list[str]]:
    """Build the rows of each unseen emotion: its AUC, that of the cosine, and each null."""
    rows = [["Emotion", "AUC", "cosine of plain embeddings", "null", "mean", "95th pct", "p"]]
    for label, about in nulls_of.items():
        cosine = about.get("cosine") or {}
        plain = cosine.get("why") or number(cosine.get("auc"))
        if cosine.get("auc_synonyms") is not None:
            plain += f"; with the synonyms {number(cosine['auc_synonyms'])}"
        name = [label, number(about.get("auc")), plain]
        nulls = [about[kind] for kind in ("other_words", "retrained") if about.get(kind)]
        for null in nulls:
            what = f"{null['what']} ({null['draws']} draws)"
            figures = [number(null[k]) for k in ("mean", "percentile_95", "p")]
            rows.append([*name, what, *figures])
            name = ["", "", ""]
        if not nulls:
            rows.append([*name, about.get("why", "none was drawn"), "", "", ""])
    return rows


def _null_line(label: str, about: Mapping[str, Any]) -> str:
    """Describe the AUC of an unseen emotion and its null distributions in one line."""
    parts = [f"Unseen {label}: AUC {number(about.get('auc'))}"]
    for kind, words in {"other_words": "with other words", "retrained": "permuted"}.items():
        if null := about.get(kind):
            parts.append(
                f"{words} {number(null['mean'])} (p {number(null['p'])}, {null['draws']} draws)"
            )
    cosine = about.get("cosine") or {}
    if cosine.get("auc") is not None:
        parts.append(f"untrained cosine {number(cosine['auc'])}")
    return "; ".join(parts) + "."


def _fold_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Build a row per metric: its value in each fold, mean, standard deviation and pooled value."""
    names = [f.get("name", f["subset"]) for f in report["folds"]]
    rows = [["Metric", *names, "mean", "std", "pooled"]]
    for entry in (report["metrics"][key] for key in _distinct(report)):
        folds = entry["folds"]
        values = [*folds["values"], folds["mean"], folds["std"], overall(entry)["value"]]
        rows.append([entry["title"], *map(number, values)])
    return rows


def _clusters(report: Mapping[str, Any]) -> str:
    """Count the clusters in words."""
    about = report["clusters"]
    return f"{about['count']:,} {about['kind']}{'' if about['count'] == 1 else 's'}"
