"""Companions of a system's figures in a report: two baselines, and what its CTC head reads.

The baselines read the transcripts (`text_baseline`), and how sounds were recorded
(`acoustic_probe`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moodal.core.recipe import Recipe
from moodal.core.records import Utterance
from moodal.evaluation.protocols.audit_finding import AuditFinding
from moodal.evaluation.report.scores import Scored
from moodal.evaluation.report.transcripts import ctc_combined, ctc_entry
from moodal.train.data.characters import clean
from moodal.train.data.dataset import TensorData
from moodal.train.engine.scoring import transcribe
from moodal.train.experiment.acoustic_probe import probe_entry
from moodal.train.experiment.run import Trained
from moodal.train.experiment.text_baseline import combine_entries, entry, text_logits
from moodal.train.systems.system import System


def extras(trained: Trained, test: Scored) -> dict[str, Any]:
    """Compute the extras of a report: "words", "acoustics" and "ctc", where they exist.

    Args:
        test: the system's own predictions of the test rows.
    """
    recipe, experiment = trained.run.recipe, trained.run.experiment
    draws, seed = recipe.report.draws, recipe.train.seed
    entries: dict[str, Any] = {}
    if recipe.report.words:
        logits = text_logits(experiment.manifest, experiment, seed)
        entries["words"] = entry(test, logits, draws, seed)
    if probe := probe_entry(experiment, test, draws, seed):
        entries["acoustics"] = probe
    if trained.data.transcripts is not None:
        references, hypotheses = transcripts(
            trained.system,
            trained.data,
            experiment.manifest.utterances,
            experiment.test,
            **trained.sizes,
        )
        last = trained.history[-1] if trained.history else {}
        infinite = {}
        if "train_ctc_infinite" in last:
            infinite["in the last epoch"] = int(last["train_ctc_infinite"])
        entries["ctc"] = ctc_entry(references, hypotheses, test.clusters, draws, seed, infinite)
    return entries


def view_findings(trained: Trained) -> list[AuditFinding]:
    """Report, for each stream, how many training rows had a second view of their own."""
    rows, findings = trained.run.experiment.train, []
    for stream, second in trained.data.views.items():
        count = int((second.drawn[rows] >= 0).sum())
        share = count / len(rows)
        detail = f"{share:.1%} of the training rows have a second view of {stream}."
        findings.append(AuditFinding("note", "views", "train", count, share, (), detail))
    return findings


def combined(
    recipe: Recipe, reports: Sequence[Mapping[str, Any]], tests: Sequence[Scored]
) -> dict[str, Any]:
    """Compute the extras of all folds together, where every fold has them."""
    draws, seed = recipe.report.draws, recipe.train.seed
    entries: dict[str, Any] = {}
    by_name = {
        name: [r["extras"][name] for r in reports if name in r["extras"]]
        for name in ("words", "acoustics", "ctc")
    }
    for name in ("words", "acoustics"):
        if len(by_name[name]) == len(reports):
            entries[name] = combine_entries(by_name[name], tests, draws, seed)
    if len(by_name["ctc"]) == len(reports):
        entries["ctc"] = ctc_combined(by_name["ctc"], draws, seed)
    return entries


def transcripts(
    system: System,
    data: TensorData,
    utterances: Sequence[Utterance],
    rows: np.ndarray,
    size: int = 64,
    max_frames: int = 0,
) -> tuple[list[str], list[str]]:
    """Return the transcript of each of ``rows``, as CTC spells it, and what the system reads.

    Args:
        utterances: all of the corpus of ``data``.
        size, max_frames: of a batch, see `moodal.train.engine.scoring.score`.
    """
    chosen = [utterances[row] for row in rows]
    references = [clean(u.extra.get("ctc_text", u.text) or "") for u in chosen]
    return references, transcribe(system, data, np.asarray(rows), size, max_frames)
