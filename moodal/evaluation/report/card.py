"""The model card of an artefact: what it is, what it learnt from, how good it is, its limits.

The sections follow Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moodal.evaluation.report.cells import bullets, table
from moodal.evaluation.report.tables import emotions, gaps, headlines

LIMITS = (
    "It recognises what people display and what raters or actors called it, not what anyone feels.",
    "Emotions are displayed and named differently across cultures, languages, ages and persons; "
    "outside the corpora named above its figures do not hold.",
)
"""True of every model of this kind; a card adds its own."""

NOT_FOR = (
    "decisions about a person: hiring, schooling, insurance, credit, policing, border control",
    "diagnosis or therapy",
    "inferring emotions at the workplace or in education, which the EU's AI Act (Regulation "
    "2024/1689, article 5(1)(f)) forbids save for medical or safety reasons",
    "watching people who do not know of it or did not agree",
)
"""What no model of this kind is to be used for; a card adds its own."""


def model_card(
    artefact: Mapping[str, Any],
    report: Mapping[str, Any] | None = None,
    *,
    measured: Sequence[str] = (),
) -> str:
    """The card as Markdown.

    Args:
        artefact: JSON values; what lacks is left out, or said to be unknown.
            name, system, summary, paper: words; labels: names; task; streams: names;
            parameters: count; version: of moodal; licence: of the weights;
            data: list of {corpus, licence, fingerprint, utterances};
            encoders: stream -> {name, fingerprint, ...}; vectors: where emotion vectors came from;
            protocol: words; limits, not_for: lists of words, added to `LIMITS` and `NOT_FOR`;
            use: a command that predicts with it.
        report: of `summary.summarise` or `summary.combine`; without one the card says that
            it was not evaluated.
        measured: Markdown of figures that stand in place of a report's.
    """
    a = artefact
    parts = [
        f"# {a.get('name', 'Model')}\n",
        str(a.get("summary") or _summary(a)) + "\n",
        table([["", ""], *([k, v] for k, v in _facts(a))], right=False),
    ]
    if a.get("use"):
        parts += ["## Use\n", f"```\n{a['use']}\n```\n"]
    parts += ["## Trained on\n", _data(a.get("data", ()))]
    if a.get("encoders"):
        rows = [["Stream", "Encoder", "Fingerprint"]]
        for stream, spec in a["encoders"].items():
            rows.append([stream, str(spec.get("name", "?")), str(spec.get("fingerprint", "–"))])
        parts += ["Its inputs are made by these encoders, and by no others:\n"]
        parts += [table(rows, right=False)]
    parts += ["## How good it is\n", *(measured or _results(report, str(a.get("protocol") or "")))]
    parts += ["## Limits\n", bullets([*LIMITS, *a.get("limits", ()), *_warnings(report)])]
    parts += ["## Not to be used for\n", bullets([*NOT_FOR, *a.get("not_for", ())])]
    return "\n".join(parts).rstrip() + "\n"


def _summary(a: Mapping[str, Any]) -> str:
    kind = {
        "multi": "any number of emotions at once",
        "single": "one emotion at a time",
        "regression": "a value",
    }.get(str(a.get("task")), "emotions")
    streams = ", ".join(a.get("streams", ())) or "its inputs"
    return f"Predicts {kind} from {streams}."


def _facts(a: Mapping[str, Any]) -> list[tuple[str, str]]:
    count = a.get("parameters")
    facts = [
        ("System", a.get("system")),
        ("Paper", a.get("paper")),
        ("Labels", ", ".join(a.get("labels", ()))),
        ("Reads", ", ".join(a.get("streams", ()))),
        ("Emotion vectors", a.get("vectors")),
        ("Parameters", None if count is None else f"{count:,}"),
        ("Licence of the weights", a.get("licence") or "unknown: ask before sharing"),
        ("Made with", f"moodal {a['version']}" if a.get("version") else None),
    ]
    return [(name, str(value)) for name, value in facts if value]


def _data(data: Sequence[Mapping[str, Any]]) -> str:
    if not data:
        return "Unknown: the artefact does not say.\n"
    rows = [["Corpus", "Utterances", "Licence", "Fingerprint"]]
    for d in data:
        count = f"{d['utterances']:,}" if d.get("utterances") is not None else "–"
        licence, mark = d.get("licence") or "unknown", d.get("fingerprint") or "–"
        rows.append([str(d.get("corpus", "?")), count, str(licence), str(mark)])
    return table(rows, right=False)


def _results(report: Mapping[str, Any] | None, protocol: str) -> list[str]:
    if report is None:
        return ["It was not evaluated: there are no figures to trust it by.\n"]
    about = report["clusters"]
    parts = [f"{protocol.rstrip('.')}.\n"] if protocol else []
    parts.append(
        f"On {report['subset']}: {report['rows']:,} rows, {about['count']:,} {about['kind']}s. "
        f"Intervals are 95%, whole {about['kind']}s resampled; chance and the trivial baselines "
        f"stand beside each figure. Thresholds: {report['thresholds']['source']}.\n"
    )
    parts += [f"**Mark of every number here: {s}.**\n" for s in report["protocol"]["stamps"]]
    parts.append(table(headlines(report)))
    if len(report["labels"]) > 1:
        parts.append(table(emotions(report)))
    if found := gaps(report):
        parts.append(bullets(found))
    return parts


def _warnings(report: Mapping[str, Any] | None) -> list[str]:
    """What the report itself warns of."""
    if report is None:
        return []
    found = [f["detail"] for f in report["protocol"]["audit"] if f["level"] != "note"]
    found += [f["detail"] for f in report["protocol"]["audit"] if f["what"] == "notes"]
    warning = report["clusters"]["warning"]
    return [*dict.fromkeys(found), *([warning] if warning else [])]
