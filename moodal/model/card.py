"""Model cards: the card of any artefact, from its description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moodal.core.emotions import Value
from moodal.evaluation.report.card import Card, TrainingCorpus, model_card
from moodal.evaluation.report.cells import bullets, table
from moodal.model.fusion_info import ChannelInfo, FusionFigures
from moodal.model.info import ArtefactInfo, BranchInfo, FusedBody

RELIABILITY = "reliability.png"
"""The figure of a fused artefact's calibration on its card."""

FIGURES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "UA",
    "macro_f1": "macro F1 (thresholds of validation)",
    "mean_auc": "mean AUC",
}
"""Key of a branch's figure -> its name on the card."""


def card_of(
    info: ArtefactInfo,
    *,
    parameters: int | None = None,
    paper: str = "",
    report: Mapping[str, Any] | None = None,
) -> str:
    """Write the model card of an artefact as Markdown.

    Args:
        parameters: the number of parameters of its system.
        paper: the citation of its system.
        report: the report of its test; a fused artefact has its figures in the description.
    """
    if isinstance(info.body, FusedBody):
        return model_card(_fused(info, info.body))
    return model_card(_system(info, parameters, paper), report)


CHANNEL = (
    "The basic emotions under a level prior, by which modalities are present; fitted on validation "
    "rows, measured on test rows. No corpus that may be shipped has several modalities at once: "
    "such utterances are composed of a text, a voice and a face. In each regime the modalities "
    "that tell have rows of one emotion, and the others plain rows: neutral ones, what a telling "
    "voice really said, and telling texts read out by a synthetic voice. They validate the "
    "fusion, not its accuracy on natural conversation. The probabilities are calibrated for this "
    "prior and mixture; under another prior, or on recordings of another kind, they are not.\n"
)
"""The text above the figures of the channel model."""


def measured_sets(body: FusedBody) -> dict[str, FusionFigures]:
    """Return the measured figures of each set of modalities."""
    if body.channel is not None:
        return dict(body.channel.measured)
    return {name: w.measured for name, w in body.fusion.items() if w.measured}


def _system(info: ArtefactInfo, parameters: int | None, paper: str) -> Card:
    rows = info.data.rows.get("train")
    corpus = TrainingCorpus(info.data.corpus, rows, info.licence, info.data.fingerprint)
    from_files = any(encoder.name == "as-given" for encoder in info.encoders.values())
    predict = "moodal predict RECORDING --artefact ARTEFACT\n"
    return Card(
        name=f"{info.name} on {info.data.corpus}",
        summary=info.summary,
        system=info.name,
        paper=paper,
        labels=[
            *(info.answered if info.task != "regression" else ()),
            *(str(Value(**value.model_dump())) for value in info.values),
        ],
        task=info.task,
        streams=list(info.widths),
        vectors=info.vectors or "",
        parameters=parameters,
        licence=info.licence,
        corpora=[corpus],
        encoders=_encoders(info),
        protocol=f"{info.protocol.name}, {info.protocol.experiment}",
        limits=[*info.limits, *info.data.notes],
        use=f"{'' if from_files else predict}moodal evaluate ARTEFACT PREPARED --out REPORT",
    )


def _fused(info: ArtefactInfo, body: FusedBody) -> Card:
    corpora = [
        TrainingCorpus(b.corpus, b.rows.get("train"), b.licence, info.data.fingerprints.get(s, ""))
        for s, b in body.branches.items()
    ]
    return Card(
        name=body.name,
        summary=info.summary,
        system="fused branches of EEA's kind",
        paper="Dai et al., AACL-IJCNLP 2020 (arXiv 2009.09629), see docs/fused.md",
        labels=info.labels,
        streams=list(body.branches),
        vectors=info.vectors or "",
        licence=info.licence,
        corpora=corpora,
        encoders=_encoders(info),
        limits=[*info.limits, *(f"{stamp.rstrip('.')}." for stamp in info.protocol.stamps)],
        measured=[
            *_branches(body),
            *_sets(body),
            *_heads(body),
            *_people(body),
            _making(info, body),
        ],
        use="moodal predict RECORDING --artefact ARTEFACT",
    )


def _encoders(info: ArtefactInfo) -> dict[str, tuple[str, str]]:
    """Return modality -> name and fingerprint of its encoder."""
    return {s: (encoder.name, encoder.fingerprint or "") for s, encoder in info.encoders.items()}


def _branches(body: FusedBody) -> Iterator[str]:
    """Write the section on each separate branch."""
    rows = [["Modality", "Tested on", "Rows", "Figures", "Guesses of words left out: mean AUC"]]
    for stream, branch in body.branches.items():
        count = branch.test.get("rows")
        rows.append(
            [
                stream,
                f"{branch.corpus}, held-out rows",
                f"{count:,}" if isinstance(count, int) else "–",
                "; ".join(figures_of(branch.test)),
                _guess(branch),
            ]
        )
    yield (
        "Each branch by itself, on rows that neither its training nor any choice has seen; the "
        "network in 32 bits. `moodal evaluate` tests the graphs of the artefact, with intervals: "
        "docs/results.md.\n"
    )
    yield table(rows, right=False)
    yield bullets([_graph(stream, branch) for stream, branch in body.branches.items()])
    yield (
        "The last column: each learned word in turn is left out of the projections (not of the "
        "network below them, so the figure is too good), and scored by its vector alone.\n"
    )


def figures_of(test: Mapping[str, Any]) -> list[str]:
    """List the figures of a branch, and those of a second set of labels for the same rows."""
    own = ", ".join(
        f"{title} {test[key]:.3f}"
        for key, title in FIGURES.items()
        if isinstance(test.get(key), float | int)
    )
    others = [
        f"{name}: {'; '.join(figures_of(figures))}"
        for name, figures in test.items()
        if isinstance(figures, dict)
    ]
    return [own, *others]


def _guess(branch: BranchInfo) -> str:
    auc = "–" if branch.guess.auc is None else f"{branch.guess.auc:.2f}"
    return auc if branch.guess.weight else f"{auc} (not counted)"


def _graph(stream: str, branch: BranchInfo) -> str:
    """Describe the origin of a branch, and the agreement of its graph with its network."""
    origin = f"{stream}: {branch.base or 'trained from scratch'}"
    agrees = branch.graph_agrees
    if agrees is None:
        return f"{origin}."
    return (
        f"{origin}; the graph's most probable word is the 32-bit network's on {agrees.top:.1%} of "
        f"{agrees.rows} test rows (a logit differs by {agrees.mean:.3f} on average)."
    )


def _sets(body: FusedBody) -> Iterator[str]:
    """Write the section on each set of modalities."""
    measured = measured_sets(body)
    if not measured:
        return
    rows = [["Modalities", "Rows", "Accuracy", "ECE", "Decided", "Accuracy of those", "Rows are"]]
    for name, figures in measured.items():
        among = figures.decided_accuracy
        rows.append(
            [
                name,
                f"{figures.rows:,}",
                f"{figures.accuracy:.3f}",
                f"{figures.ece:.3f}",
                f"{figures.decided:.0%}",
                "–" if among is None else f"{among:.3f}",
                "made up" if figures.made_up else "held out",
            ]
        )
    if body.channel is not None:
        yield CHANNEL
        yield table(rows, right=False)
        yield table(_regimes(body.channel), right=False)
        yield f"![Reliability by set of modalities]({RELIABILITY})\n"
        return
    yield (
        "The basic emotions, by which modalities are present; calibrated on validation rows, "
        "measured on test rows, and only on those that have one clear basic emotion (texts with "
        "several or other emotions, contempt and pictures without a majority are left out). No "
        "corpus that may be shipped has several modalities at once: such rows are made up of a "
        "voice, a text and a face of one emotion (two thirds of the voices with the words that "
        "they really said; half of the other texts, and a quarter of the faces, are neutral). "
        "They validate the fusion, not its accuracy on natural conversation.\n"
    )
    yield table(rows, right=False)
    yield f"![Reliability by set of modalities]({RELIABILITY})\n"


def _regimes(channel: ChannelInfo) -> list[list[str]]:
    """List the figures of each regime."""
    rows = [["Present: telling", "Rows", "Accuracy", "Loss", "ECE", "Alone"]]
    for name, figures in channel.regimes.items():
        alone = ", ".join(f"{m} {accuracy:.3f}" for m, accuracy in figures.alone.items())
        rows.append(
            [
                name,
                f"{figures.rows:,}",
                f"{figures.accuracy:.3f}",
                f"{figures.loss:.2f}",
                f"{figures.ece:.3f}",
                alone,
            ]
        )
    return rows


def _heads(body: FusedBody) -> Iterator[str]:
    """Write the section on the heads of dimensions and intensity."""
    if not body.heads:
        return
    rows = [["Head", "Learned from", "Rows", "r, validation", "r, test", "File, licence"]]
    for kind, modality, head in body.heads:
        rows.append(
            [
                f"{kind} of {modality}",
                head.corpus,
                f"{head.rows.get('train', 0):,}",
                ", ".join(head_figures(head.valid)),
                ", ".join(head_figures(head.test)),
                f"{head.file}: {head.licence}",
            ]
        )
    yield (
        "Numbers that heads read from the states of a branch, with Pearson's r between them and "
        "the ratings; the validation rows chose the settings. Dimensions of other modalities are "
        "mapped from probabilities by published coordinates, and no correlation is claimed for "
        "them (docs/dimensions.md). Each head lies in a file of its own, under the licence of its "
        "corpus.\n"
    )
    yield table(rows, right=False)


def head_figures(correlations: Mapping[str, float]) -> list[str]:
    """List Pearson's r of each value: "valence 0.72"."""
    return [f"{name} {r:.2f}" for name, r in correlations.items()]


def _people(body: FusedBody) -> Iterator[str]:
    """Write the section on sex and age, if the corpora have them."""
    rows = [["Modality", "People", "Persons", "Rows", "UA"]]
    for stream, branch in body.branches.items():
        for column, values in branch.groups.items():
            rows += [
                [
                    stream,
                    f"{column}: {value}",
                    f"{group.persons}",
                    f"{group.rows:,}",
                    f"{group.balanced_accuracy:.3f}",
                ]
                for value, group in values.items()
                if group.rows
            ]
    if len(rows) > 1:
        yield (
            "By sex and age, where the corpus has them (nothing is known of the writers of texts, "
            "nor of the people in pictures):\n"
        )
        yield table(rows, right=False)


def _making(info: ArtefactInfo, body: FusedBody) -> str:
    """Describe how the artefact was made, and when it decides."""
    commit = f" at commit {info.data.commit}" if info.data.commit else ""
    threshold = min(body.decides.values())
    return bullets(
        [
            f"Made by `moodal compose`{commit}; the same data, code and number of threads give "
            "the same weights.",
            f"The most probable emotion is decided where its probability is at least "
            f"{threshold:.0%}; otherwise the model abstains.",
        ]
    )
