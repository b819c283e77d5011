"""The model card of an artefact: description, training data, results and limits.

`moodal.model.card` fills one in from an artefact's description.

The sections follow Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moodal.evaluation.report.cells import bullets, table
from moodal.evaluation.report.tables import emotions, gaps, headlines

LIMITS = (
    "It recognises what people display and what raters or actors called it, not what anyone feels.",
    "Emotions are displayed and named differently across cultures, languages, ages and persons; "
    "outside the corpora named above its figures do not hold.",
)
"""Limits of every model of this kind; a card adds those of its model."""

NOT_FOR = (
    "decisions about a person: hiring, schooling, insurance, credit, policing, border control",
    "diagnosis or therapy",
    "inferring emotions at the workplace or in education, which the EU's AI Act (Regulation "
    "2024/1689, article 5(1)(f)) forbids save for medical or safety reasons",
    "watching people who do not know of it or did not agree",
)
"""Uses that are wrong for every model of this kind; a card adds those of its model."""


@dataclass(frozen=True)
class TrainingCorpus:
    """A training corpus on a model card; empty fields are unknown."""

    corpus: str
    utterances: int | None = None
    licence: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class Card:
    """The content of a model card; empty fields are left out or described as unknown.

    Attributes:
        summary: the purpose of the model; "": what it predicts and from which streams.
        system: the name of the system.
        paper: its citation.
        task: "multi", "single" or "regression".
        streams: the modalities that it reads.
        vectors: source of the emotion vectors.
        parameters: their number.
        version: of moodal.
        licence: of the weights.
        corpora: the training corpora.
        encoders: modality -> name and fingerprint of its encoder.
        protocol: of the training.
        measured: Markdown of figures that replace those of a report.
        limits, not_for: sentences, added to `LIMITS` and `NOT_FOR`.
        use: a command that uses the model.
    """

    name: str = "Model"
    summary: str = ""
    system: str = ""
    paper: str = ""
    labels: Sequence[str] = ()
    task: str = ""
    streams: Sequence[str] = ()
    vectors: str = ""
    parameters: int | None = None
    version: str = ""
    licence: str = ""
    corpora: Sequence[TrainingCorpus] = ()
    encoders: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    protocol: str = ""
    measured: Sequence[str] = ()
    limits: Sequence[str] = ()
    not_for: Sequence[str] = ()
    use: str = ""


def model_card(card: Card, report: Mapping[str, Any] | None = None) -> str:
    """Write a card as Markdown.

    Args:
        report: of `summary.summarise` or `summary.combine`; without one, and without measured
            figures, the card says that the model was not evaluated.
    """
    parts = [
        f"# {card.name}\n",
        (card.summary or _summary(card)) + "\n",
        table([["", ""], *([name, value] for name, value in _facts(card))], right=False),
    ]
    if card.use:
        parts += ["## Use\n", f"```\n{card.use}\n```\n"]
    parts += ["## Trained on\n", _corpora(card.corpora)]
    if card.encoders:
        rows = [["Stream", "Encoder", "Fingerprint"]]
        rows += [[stream, name, mark or "–"] for stream, (name, mark) in card.encoders.items()]
        parts += ["Its inputs must be computed by exactly these encoders:\n"]
        parts += [table(rows, right=False)]
    parts += ["## How good it is\n", *(card.measured or _results(report, card.protocol))]
    limits = dict.fromkeys([*LIMITS, *card.limits, *_warnings(report)])
    parts += ["## Limits\n", bullets(list(limits))]
    parts += ["## Not to be used for\n", bullets([*NOT_FOR, *card.not_for])]
    return "\n".join(parts).rstrip() + "\n"


def _summary(card: Card) -> str:
    """Describe what the model predicts and from which streams."""
    kind = {
        "multi": "any number of emotions at once",
        "single": "one emotion at a time",
        "regression": "values",
    }.get(card.task, "emotions")
    return f"Predicts {kind} from {', '.join(card.streams) or 'its inputs'}."


def _facts(card: Card) -> list[tuple[str, str]]:
    """Collect the rows of the first table: name and value."""
    facts = [
        ("System", card.system),
        ("Paper", card.paper),
        ("Labels", ", ".join(card.labels)),
        ("Reads", ", ".join(card.streams)),
        ("Emotion vectors", card.vectors),
        ("Parameters", "" if card.parameters is None else f"{card.parameters:,}"),
        ("Licence of the weights", card.licence or "unknown: ask before sharing"),
        ("Made with", card.version and f"moodal {card.version}"),
    ]
    return [(name, value) for name, value in facts if value]


def _corpora(corpora: Sequence[TrainingCorpus]) -> str:
    """Write the table of training corpora."""
    if not corpora:
        return "Unknown: the artefact does not say.\n"
    rows = [["Corpus", "Utterances", "Licence", "Fingerprint"]]
    for c in corpora:
        count = "–" if c.utterances is None else f"{c.utterances:,}"
        rows.append([c.corpus, count, c.licence or "unknown", c.fingerprint or "–"])
    return table(rows, right=False)


def _results(report: Mapping[str, Any] | None, protocol: str) -> list[str]:
    """Write the section on results."""
    if report is None:
        return ["It was not evaluated: there are no figures that show how reliable it is.\n"]
    clusters = report["clusters"]
    parts = [f"{protocol.rstrip('.')}.\n"] if protocol else []
    kind = f"{clusters['kind']}s"
    parts.append(
        f"On {report['subset']}: {report['rows']:,} rows, {clusters['count']:,} {kind}. "
        f"Intervals are 95%, whole {kind} resampled; chance and the trivial baselines "
        f"are in the same row. Thresholds: {report['thresholds']['source']}.\n"
    )
    parts += [f"**Mark of every number here: {s}.**\n" for s in report["protocol"]["stamps"]]
    parts.append(table(headlines(report)))
    if len(report["labels"]) > 1:
        parts.append(table(emotions(report)))
    if missing := gaps(report):
        parts.append(bullets(missing))
    return parts


def _warnings(report: Mapping[str, Any] | None) -> list[str]:
    """Collect the warnings of the report: audit findings, notes of the corpus, few clusters."""
    if report is None:
        return []
    audit = report["protocol"]["audit"]
    warnings = [finding["detail"] for finding in audit if finding["level"] != "note"]
    warnings += [finding["detail"] for finding in audit if finding["what"] == "notes"]
    warnings += [report["clusters"]["warning"] or ""]
    return [warning for warning in dict.fromkeys(warnings) if warning]
