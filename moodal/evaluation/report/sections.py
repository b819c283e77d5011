"""Optional parts of a report: split, groups, text baseline, transcripts and audit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moodal.evaluation.metrics import METRICS
from moodal.evaluation.report.cells import cell, difference
from moodal.evaluation.report.measures import overall

_SHOWN = 6


def split_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield which groups were tested and which validated, where the report knows."""
    split = report["extras"].get("split") or {}
    clauses = []
    if split.get("test"):
        clauses.append(f"Tested on {split['by']} {_some(split['test'])}")
    for column, value in split.get("apart", {}).items():
        clauses.append(
            f"{column} {value} held out of training" if value else f"turns without a {column}"
        )
    if split.get("valid"):
        clauses.append(f"validated on {split['valid_by']} {_some(split['valid'])}")
    if clauses:
        yield "; ".join(clauses) + ".\n"


def group_rows(
    column: str, values: Mapping[str, Any], words: Mapping[str, Any] | None = None
) -> list[list[str]]:
    """Build a row per value of a column: its rows, headline metrics, and the text baseline's UA."""
    keys = list(next(iter(values.values()))["metrics"])
    baseline = (words or {}).get("groups", {}).get(column, {})
    rows = [
        [
            column,
            "rows",
            *(_short(values, key) for key in keys),
            *["text baseline: UA"] * bool(baseline),
        ]
    ]
    for value, about in values.items():
        name = value or f"without {column}"
        figures = [cell(overall(about["metrics"][key])) for key in keys]
        if baseline:
            entry = baseline.get(value, {}).get("metrics", {}).get("balanced_accuracy")
            figures.append(cell(entry) if entry else "–")
        rows.append([name, f"{about['rows']:,}", *figures])
    return rows


def companion_lines(report: Mapping[str, Any]) -> tuple[str, ...]:
    """Describe what stands beside a system's figures: two baselines, and what it reads aloud."""
    return text_baseline_line(report), probe_line(report), transcript_line(report)


def text_baseline_line(report: Mapping[str, Any]) -> str:
    """Describe the text baseline and the system's gain over it; "" without a text baseline."""
    words = report["extras"].get("words")
    if not words:
        return ""
    ua, wa, f1 = (words["metrics"][k] for k in ("balanced_accuracy", "accuracy", "macro_f1"))
    more = words["difference"]["balanced_accuracy"]
    return (
        f"Text baseline ({words['what']}): UA {cell(ua)}, WA {cell(wa)}, macro F1 {cell(f1)}; "
        f"the system's UA minus the baseline's: {difference(more)}."
    )


def probe_line(report: Mapping[str, Any]) -> str:
    """Describe the acoustic probe and the system's gain over it; "" without measures of sounds."""
    probe = report["extras"].get("acoustics")
    if not probe:
        return ""
    ua, wa = (probe["metrics"][key] for key in ("balanced_accuracy", "accuracy"))
    more = probe["difference"]["balanced_accuracy"]
    return (
        f"Acoustic probe ({probe['what']}): UA {cell(ua)}, WA {cell(wa)} (chance UA "
        f"{1 / len(report['labels']):.3f}); the system's UA minus the probe's: {difference(more)}."
    )


def transcript_line(report: Mapping[str, Any]) -> str:
    """Describe the character error rate; "" without transcripts."""
    ctc = report["extras"].get("ctc")
    if not ctc:
        return ""
    entry = {"value": ctc["character_error_rate"], "low": ctc["low"], "high": ctc["high"]}
    if entry["value"] is None:
        return "CTC: no character error rate, as no reference has any text."
    rate = (
        f"CTC: character error rate {cell(entry)} over {ctc['characters']:,} characters of "
        f"{ctc['rows']:,} rows"
    )
    losses = [
        f"{key.replace('_', ' ')} {value:,}"
        if isinstance(value, int)
        else f"{key.replace('_', ' ')} {value}"
        for key, value in ctc["infinite"].items()
    ]
    return rate + (f"; infinite losses: {', '.join(losses)}." if losses else ".")


def values_line(report: Mapping[str, Any]) -> str:
    """Describe the values that were learned next to the emotions; "" without such."""
    values = report["extras"].get("values")
    if not values:
        return ""
    figures = ", ".join(f"{METRICS[key].title} {cell(entry)}" for key, entry in values.items())
    return f"Values learned at the same time: {figures}, means over them; see values/report.md."


def audit_lines(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Describe each finding in one line; findings of several folds share a line."""
    by_kind: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for f in findings:
        own = [f["detail"]] if f["what"] in ("notes", "emotions") else []
        kind = f.get("between", ""), f["what"], *own
        by_kind.setdefault((f["level"], *kind), []).append(f)
    return [_finding(group) for group in by_kind.values()]


def _finding(findings: Sequence[Mapping[str, Any]]) -> str:
    """Describe one finding, or the same finding in several folds."""
    first = findings[0]
    examples = () if first["what"] == "emotions" else first.get("examples", ())  # already named
    shown = "; ".join(f"`{str(e)[:60]}`" for e in examples)
    line = f"{first['level']}: {first['detail']}" + (f" For example {shown}." if shown else "")
    if len(findings) > 1 and first["what"] != "notes":
        shares = sorted(f["share"] for f in findings)
        line += (
            f" The same holds in {len(findings)} folds, for {shares[0]:.1%} to {shares[-1]:.1%} "
            "of the rows."
        )
    return line


def _short(values: Mapping[str, Any], key: str) -> str:
    """Return a short name of a metric for a narrow column."""
    about = next(iter(values.values()))["metrics"][key]
    return {"balanced_accuracy": "UA", "accuracy": "WA"}.get(key, METRICS[about["metric"]].title)


def _some(names: Sequence[str]) -> str:
    """List the first names and count the others."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
