"""beside: what stands next to a system's own figures: the words alone, and what CTC read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from moodal.core.recipe import Recipe
from moodal.core.records import Utterance
from moodal.evaluation.protocols.audit import Finding
from moodal.evaluation.protocols.experiment import Experiment
from moodal.evaluation.report.scores import Scored
from moodal.evaluation.report.transcripts import ctc_combined, ctc_entry
from moodal.train.data.characters import clean
from moodal.train.data.dataset import TensorData
from moodal.train.engine.scoring import batches_of, scoring_sizes
from moodal.train.experiment.text_baseline import words_alone, words_combined, words_entry
from moodal.train.systems.system import System


def of(
    recipe: Recipe,
    experiment: Experiment,
    system: System,
    data: TensorData,
    history: Sequence[Mapping[str, float]],
    test: Scored,
) -> dict[str, Any]:
    """The extras of a report: "words" and "ctc", where the recipe and the system have them.

    Args:
        history: a row per epoch of the training.
        test: the system's own predictions of the test rows.
    """
    draws, seed = recipe.report.draws, recipe.train.seed
    extras: dict[str, Any] = {}
    if recipe.report.words:
        logits = words_alone(experiment.manifest, experiment, seed)
        extras["words"] = words_entry(test, logits, draws, seed)
    if data.transcripts is not None:
        sizes = scoring_sizes(system, recipe.train)
        references, read = transcripts(
            system, data, experiment.manifest.utterances, experiment.test, **sizes
        )
        last = history[-1] if history else {}
        infinite = {}
        if "train_ctc_infinite" in last:
            infinite["in the last epoch"] = int(last["train_ctc_infinite"])
        extras["ctc"] = ctc_entry(references, read, test.clusters, draws, seed, infinite)
    return extras


def views_told(data: TensorData, experiment: Experiment) -> list[Finding]:
    """How many training rows had a second view, stream by stream; the others were their own."""
    rows, found = experiment.train, []
    for stream, second in data.views.items():
        count = int((second.drawn[rows] >= 0).sum())
        share = count / len(rows)
        detail = f"{share:.1%} of the training rows have a second view of {stream}."
        found.append(Finding("note", "views", "train", count, share, (), detail))
    return found


def combined(
    recipe: Recipe, reports: Sequence[Mapping[str, Any]], tests: Sequence[Scored]
) -> dict[str, Any]:
    """The same of all folds together, where every fold has them."""
    draws, seed = recipe.report.draws, recipe.train.seed
    extras: dict[str, Any] = {}
    found = {
        name: [r["extras"][name] for r in reports if name in r["extras"]]
        for name in ("words", "ctc")
    }
    if len(found["words"]) == len(reports):
        extras["words"] = words_combined(found["words"], tests, draws, seed)
    if len(found["ctc"]) == len(reports):
        extras["ctc"] = ctc_combined(found["ctc"], draws, seed)
    return extras


def transcripts(
    system: System,
    data: TensorData,
    utterances: Sequence[Utterance],
    rows: np.ndarray,
    size: int = 64,
    max_frames: int = 0,
) -> tuple[list[str], list[str]]:
    """What was said in each of ``rows``, as CTC spells it, and what the system read.

    Args:
        utterances: all of the corpus of ``data``.
        size, max_frames: of a batch, see `moodal.train.engine.scoring.score`.
    """
    said = [utterances[row] for row in rows]
    references = [clean(u.extra.get("ctc_text", u.text) or "") for u in said]
    place = {int(row): i for i, row in enumerate(rows)}
    read = [""] * len(references)
    system.eval()
    with torch.no_grad():
        for part in batches_of(data, np.asarray(rows), size, max_frames):
            heard = system.transcribe(data.batch(part, views=False).streams)
            for row, text in zip(part.tolist(), heard, strict=True):
                read[place[row]] = text
    return references, read
