"""Parts of a report that not every run has: groups, words alone, transcripts, the split's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moodal.evaluation.metrics import METRICS
from moodal.evaluation.report.cells import cell, difference
from moodal.evaluation.report.measures import overall

_SHOWN = 6


def split_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Which groups were tested and which validated, where the run tells."""
    split = report["extras"].get("split") or {}
    said = []
    if split.get("test"):
        said.append(f"Tested on {split['by']} {_some(split['test'])}")
    for column, value in split.get("apart", {}).items():
        said.append(
            f"{column} {value} held out of training" if value else f"turns without a {column}"
        )
    if split.get("valid"):
        said.append(f"validated on {split['valid_by']} {_some(split['valid'])}")
    if said:
        yield "; ".join(said) + ".\n"


def group_rows(
    column: str, values: Mapping[str, Any], words: Mapping[str, Any] | None = None
) -> list[list[str]]:
    """A row for each value of a column: its rows, its headline metrics, the words' UA beside."""
    keys = list(next(iter(values.values()))["metrics"])
    beside = (words or {}).get("groups", {}).get(column, {})
    rows = [[column, "rows", *(_short(values, key) for key in keys), *["words: UA"] * bool(beside)]]
    for value, about in values.items():
        name = value or f"without {column}"
        figures = [cell(overall(about["metrics"][key])) for key in keys]
        if beside:
            told = beside.get(value, {}).get("metrics", {}).get("balanced_accuracy")
            figures.append(cell(told) if told else "–")
        rows.append([name, f"{about['rows']:,}", *figures])
    return rows


def beside_words(report: Mapping[str, Any]) -> str:
    """What the words alone reach, and what the system adds, in a sentence; "" without them."""
    words = report["extras"].get("words")
    if not words:
        return ""
    ua, wa, f1 = (words["metrics"][k] for k in ("balanced_accuracy", "accuracy", "macro_f1"))
    more = words["difference"]["balanced_accuracy"]
    return (
        f"The words alone ({words['what']}): UA {cell(ua)}, WA {cell(wa)}, macro F1 {cell(f1)}; "
        f"the system's UA less theirs: {difference(more)}."
    )


def transcript_line(report: Mapping[str, Any]) -> str:
    """The character error rate in a sentence; "" where nothing was transcribed."""
    ctc = report["extras"].get("ctc")
    if not ctc:
        return ""
    entry = {"value": ctc["character_error_rate"], "low": ctc["low"], "high": ctc["high"]}
    if entry["value"] is None:
        return "CTC: no character error rate, as nothing was said in any row."
    said = (
        f"CTC: character error rate {cell(entry)} over {ctc['characters']:,} characters of "
        f"{ctc['rows']:,} rows"
    )
    told = [
        f"{key.replace('_', ' ')} {value:,}"
        if isinstance(value, int)
        else f"{key.replace('_', ' ')} {value}"
        for key, value in ctc["infinite"].items()
    ]
    return said + (f"; infinite losses: {', '.join(told)}." if told else ".")


def audit_lines(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each finding in a line; those that differ from fold to fold in numbers alone are one."""
    alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for f in findings:
        kind = f.get("between", ""), f["what"], *([f["detail"]] if f["what"] == "notes" else [])
        alike.setdefault((f["level"], *kind), []).append(f)
    return [_finding(found) for found in alike.values()]


def _finding(found: Sequence[Mapping[str, Any]]) -> str:
    first = found[0]
    shown = "; ".join(f"`{str(e)[:60]}`" for e in first.get("examples", ()))
    line = f"{first['level']}: {first['detail']}" + (f" For example {shown}." if shown else "")
    if len(found) > 1 and first["what"] != "notes":
        shares = sorted(f["share"] for f in found)
        line += f" So in {len(found)} folds, {shares[0]:.1%} to {shares[-1]:.1%} of the rows."
    return line


def _short(values: Mapping[str, Any], key: str) -> str:
    """The name that a narrow column has for a metric."""
    about = next(iter(values.values()))["metrics"][key]
    return {"balanced_accuracy": "UA", "accuracy": "WA"}.get(key, METRICS[about["metric"]].title)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
