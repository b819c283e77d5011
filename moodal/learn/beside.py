"""beside: what stands next to a system's own figures: the words alone, and what CTC read."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from moodal.config import Recipe
from moodal.learn.data.dataset import TensorData
from moodal.learn.scoring import batches_of
from moodal.learn.words_alone import words_alone, words_entry
from moodal.protocols.experiment import Experiment
from moodal.report.scored import Scored
from moodal.report.transcripts import ctc_entry


def of(
    recipe: Recipe, experiment: Experiment, system: nn.Module, data: TensorData, test: Scored
) -> dict[str, Any]:
    """The extras of a report: "words" and "ctc", where the recipe and the system have them.

    Args:
        test: the system's own predictions of the test rows.
    """
    draws, seed = recipe.report.draws, recipe.train.seed
    extras: dict[str, Any] = {}
    if recipe.report.words:
        logits = words_alone(experiment.manifest, experiment, seed)
        extras["words"] = words_entry(test, logits, draws, seed)
    if data.transcripts is not None and hasattr(system, "transcribe"):
        references, read = transcripts(system, data, experiment, recipe.train.max_frames)
        extras["ctc"] = ctc_entry(references, read, test.clusters, draws, seed)
    return extras


def transcripts(
    system: Any, data: TensorData, experiment: Experiment, max_frames: int = 0
) -> tuple[list[str], list[str]]:
    """What was said in each test row, as CTC spells it, and what the system read."""
    from moodal.learn.data.characters import clean

    utterances = [experiment.manifest.utterances[row] for row in experiment.test]
    references = [clean(u.extra.get("ctc_text") or u.text or "") for u in utterances]
    place = {int(row): i for i, row in enumerate(experiment.test)}
    read = [""] * len(references)
    system.eval()
    with torch.no_grad():
        for part in batches_of(data, np.asarray(experiment.test), 64, max_frames):
            said = system.transcribe(data.batch(part).streams)
            for row, text in zip(part.tolist(), said, strict=True):
                read[place[row]] = text
    return references, read
