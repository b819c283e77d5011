"""Level adaptation: store the level of unlabelled recordings in a new artefact.

`predict --level` judges the recordings of one call by each other. Here the level of a folder of
recordings of one channel is estimated once (see `moodal.model.level`), and every later prediction
of the new artefact is shifted by it, also that of a single clip.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from moodal.core.errors import DataError, UsageError
from moodal.model.adapt import write_adapted
from moodal.model.batch import with_subtitles
from moodal.model.fused import FusedScorer
from moodal.model.fusion_info import LevelInfo
from moodal.model.level import LEAST, STRENGTH
from moodal.model.levelled import joined, level_note
from moodal.model.model import Model
from moodal.model.options import PredictOptions
from moodal.model.scorer import Evidence

log = logging.getLogger(__name__)


def adapt_level(
    model: Model,
    recordings: Sequence[Path | str],
    out: Path | str,
    *,
    strength: float = STRENGTH,
    source: str = "",
    left_out: list[str] | None = None,
) -> Path:
    """Estimate the level of unlabelled recordings, and write an artefact that takes it off.

    The level presumes that the emotions of the recordings occur as often as the model's prior
    says (`Model.under`); it replaces a level that the artefact had.

    Args:
        recordings: files of one channel and of many moods; those that cannot be read are left
            out with a warning.
        out: folder of the new artefact.
        strength: the part of the estimated shift that is taken off, 0 to 1.
        source: a name for the recordings, for notes and the card.
        left_out: gets the reason for each recording that was left out.

    Raises:
        UsageError: ``out`` is the folder of the artefact itself, or its fusion has no separate
            evidence of each modality.
        DataError: no modality has enough utterances.
    """
    if not 0 < strength <= 1:
        raise UsageError(f"strength is above 0 and at most 1; got {strength:g}.")
    artefact = model.artefact
    if Path(out).resolve() == artefact.folder.resolve():
        raise UsageError(f"{out} is the artefact that is adapted; choose another --out.")
    model.scorer.adaptable()
    scorer, basics = model.scorer, model.info.labels
    assert isinstance(scorer, FusedScorer)  # what is no fused artefact is not adaptable
    evidence = _evidence(model, recordings, [] if left_out is None else left_out)
    levels = scorer.level(joined(evidence), scorer.ask(), strength) if evidence else {}
    enough = {m: level for m, level in levels.items() if level.utterances >= LEAST}
    if not enough:
        counts = " and ".join(f"{one.utterances} of {m}" for m, one in levels.items()) or "none"
        raise DataError(
            f"A level needs {LEAST} utterances of a modality; the recordings have {counts}."
        )
    level = LevelInfo(
        source=source,
        prior=scorer.assumes,
        strength=strength,
        utterances={m: one.utterances for m, one in enough.items()},
        shifts={m: dict(zip(basics, one.shift.tolist(), strict=True)) for m, one in enough.items()},
    )
    body = artefact.fused.model_copy(update={"level": level})
    info = artefact.info.model_copy(update={"body": body})
    note = f"\n## Level\n\n{level_note(level)} It presumes the prior {level.prior}.\n"
    return write_adapted(artefact, out, info, artefact.weights(), artefact.vectors(), note)


def _evidence(
    model: Model, recordings: Sequence[Path | str], left_out: list[str]
) -> list[Evidence]:
    """Compute the evidence of every utterance; recordings that cannot be read are left out."""
    evidence: list[Evidence] = []
    console = Console(stderr=True)
    for recording in track(recordings, "reading recordings", console=console, transient=True):
        try:
            options = with_subtitles(PredictOptions(), Path(recording))
            weighed = model.weigh(recording, options=options)
        except DataError as error:
            log.warning("Left out: %s", error)
            left_out.append(str(error))
            continue
        evidence += [pending.evidence for pending in weighed.pending]
    return evidence
