"""cards: the model card of a fused artefact, from what was measured while it was made."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moodal.evaluation.report.card import model_card
from moodal.evaluation.report.cells import bullets, table
from moodal.model.info import ArtefactInfo, FusedBody, FusionFigures

if TYPE_CHECKING:
    from moodal.train.fuse.branch_scores import Held
    from moodal.train.fuse.recipe import Fused

RELIABILITY = "reliability.png"


def fused_card(
    recipe: Fused, info: ArtefactInfo, held: Mapping[str, Held]
) -> tuple[str, dict[str, bytes]]:
    """The card as Markdown, and the pictures it shows (name -> PNG)."""
    fused = info.body
    assert isinstance(fused, FusedBody)
    parts = {
        s: {
            "corpus": b.corpus,
            "licence": b.licence,
            "utterances": b.rows["train"],
            "fingerprint": info.data.fingerprints[s],
        }
        for s, b in fused.branches.items()
    }
    commit = info.data.commit
    card = model_card(
        {
            "name": recipe.name,
            "summary": recipe.about,
            "system": "fused branches of EEA's kind",
            "paper": "Dai et al., AACL-IJCNLP 2020 (arXiv 2009.09629), see docs/fused.md",
            "labels": info.labels,
            "streams": list(parts),
            "vectors": info.vectors,
            "licence": recipe.licence,
            "data": list(parts.values()),
            "encoders": {s: encoder.spec() for s, encoder in info.encoders.items()},
            "limits": recipe.limits,
            "use": "moodal predict RECORDING --artefact ARTEFACT",
        },
        measured=[*_branches(fused, held), *_sets(fused), *_people(held), *_how(recipe, commit)],
    )
    return card, {RELIABILITY: _diagram(_measured(fused))}


def _branches(fused: FusedBody, held: Mapping[str, Held]) -> list[str]:
    rows = [["Modality", "Tested on", "Rows", "Figures", "Guesses of words left out: mean AUC"]]
    for stream, told in fused.branches.items():
        tested = dict(held[stream].tested)
        inner = {k: v for k, v in tested.items() if isinstance(v, dict)}
        figures = [_figures(tested)] + [f"{k}: {_figures(v)}" for k, v in inner.items()]
        guess = told.guess
        rows.append(
            [
                stream,
                f"{told.corpus}, held-out rows",
                f"{tested['rows']:,}",
                "; ".join(figures),
                ("–" if guess.auc is None else f"{guess.auc:.2f}")
                + (" (not counted)" if not guess.weight else ""),
            ]
        )
    agree = [
        f"{s}: {b.base or 'trained from scratch'}; the graph's most probable word is the 32-bit "
        f"network's on {b.graph_agrees.top:.1%} of {b.graph_agrees.rows} test rows "
        f"(a logit differs by {b.graph_agrees.mean:.3f} on average)."
        for s, b in fused.branches.items()
        if b.graph_agrees
    ]
    return [
        "Each branch by itself, on rows that neither its training nor any choice has seen; the "
        "network in 32 bits. Of the graphs that lie here, with intervals, by `moodal evaluate`: "
        "docs/results.md.\n",
        table(rows, right=False),
        bullets(agree),
        "The last column: each learned word in turn is left out of the projections (not of the "
        "network below, so it flatters), and known by its vector alone.\n",
    ]


def _figures(tested: Mapping[str, Any]) -> str:
    names = {
        "accuracy": "accuracy",
        "balanced_accuracy": "UA",
        "macro_f1": "macro F1 (thresholds of validation)",
        "mean_auc": "mean AUC",
    }
    return ", ".join(f"{said} {tested[k]:.3f}" for k, said in names.items() if k in tested)


def _measured(fused: FusedBody) -> dict[str, FusionFigures]:
    """Return what was measured of each set of modalities."""
    return {name: w.measured for name, w in fused.fusion.items() if w.measured}


def _sets(fused: FusedBody) -> list[str]:
    rows = [["Modalities", "Rows", "Accuracy", "ECE", "Decided", "Accuracy of those", "Rows are"]]
    for name, measured in _measured(fused).items():
        among = measured.decided_accuracy
        rows.append(
            [
                name,
                f"{measured.rows:,}",
                f"{measured.accuracy:.3f}",
                f"{measured.ece:.3f}",
                f"{measured.decided:.0%}",
                "–" if among is None else f"{among:.3f}",
                "made up" if measured.made_up else "held out",
            ]
        )
    return [
        "The seven basic emotions, by which modalities are there; calibrated on validation rows, "
        "measured on test rows, of those alone that have one clear basic emotion (texts with "
        "several or other emotions, contempt and pictures without a majority are left out). No "
        "corpus that may be shipped has several modalities at once: such rows are made up of a "
        "voice, a text and a face of one emotion (two thirds of the voices with the words that "
        "they really said; of the other texts half, and a quarter of the faces, being neutral "
        "ones), and only show that the sum is right, not how people are.\n",
        table(rows, right=False),
        f"![Reliability by set of modalities]({RELIABILITY})\n",
    ]


def _people(held: Mapping[str, Held]) -> list[str]:
    rows = [["Modality", "People", "Persons", "Rows", "UA"]]
    for stream, one in held.items():
        for column, values in one.groups.items():
            for value, told in values.items():
                if not told["rows"]:
                    continue
                rows.append(
                    [
                        stream,
                        f"{column}: {value}",
                        str(told["persons"]),
                        f"{told['rows']:,}",
                        f"{told['balanced_accuracy']:.3f}",
                    ]
                )
    if len(rows) == 1:
        return []
    return [
        "By sex and age, where the corpus tells (it tells nothing of the writers of texts, nor of "
        "the people in pictures):\n",
        table(rows, right=False),
    ]


def _how(recipe: Fused, commit: str) -> list[str]:
    made = f" at commit {commit}" if commit else ""
    return [
        bullets(
            [
                f"Put together by `moodal compose`{made}; the same data, code and number of "
                "threads give the same weights.",
                f"The most probable emotion is decided from a probability of {recipe.sure:.0%} on; "
                "else it abstains.",
            ]
        )
    ]


def _diagram(sets: Mapping[str, FusionFigures]) -> bytes:
    """The reliability of each set: how probable it said, how often it was so."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(4, len(sets))
    lines = -(-len(sets) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.7 * lines), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes: list[Any] = list(figure.subplots(lines, columns, squeeze=False).ravel())
    for plot, (name, told) in zip(axes, sets.items(), strict=False):
        points = told.reliability
        most = max(n for _, _, n in points)
        plot.plot([0, 1], [0, 1], color="0.75", linewidth=1)
        plot.plot([p for p, _, _ in points], [a for _, a, _ in points], color="#0072b2")
        plot.scatter(
            [p for p, _, _ in points],
            [a for _, a, _ in points],
            s=[4 + 60 * n / most for _, _, n in points],
            color="#0072b2",
        )
        plot.set_title(f"{name}\nECE {told.ece:.3f}", fontsize=8)
        plot.set_xlim(0, 1)
        plot.set_ylim(0, 1)
        plot.set_aspect("equal")
        plot.tick_params(labelsize=7)
    for plot in axes[len(sets) :]:
        plot.set_axis_off()
    figure.supxlabel("probability told", fontsize=8)
    figure.supylabel("share that was right", fontsize=8)
    held = io.BytesIO()
    figure.savefig(held, format="png", metadata={"Software": None})
    return held.getvalue()
