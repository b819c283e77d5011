"""Adaptation by corrections: scales and offsets of emotions that annotators' labels teach.

The evidence comes from the results that were corrected (`moodal predict --format json`): their
shares and biases add up to the logits, so no recording is read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moodal.core.correction import Correction, latest
from moodal.core.errors import DataError, UsageError
from moodal.core.timeline import UNSURE, Prediction, Timeline
from moodal.model.adapt import write_adapted
from moodal.model.adapted_notes import correction_note
from moodal.model.corrected import Corrected, centred
from moodal.model.correction_fit import Fitted, Labelled, cross_validated
from moodal.model.fused import FusedScorer
from moodal.model.fusion import key
from moodal.model.fusion_info import CorrectionInfo
from moodal.model.model import Model

LEAST_CORRECTIONS, LEAST_RECORDINGS = 10, 3
"""The least numbers from which anything is learned."""

SMALLEST = 5e-5
"""The probability that stands for one that results round to 0."""

LEVELLED = "Levelled by other utterances"
"""Begins the note of results that `--level` judged by each other."""


@dataclass(frozen=True)
class _Used:
    """A correction with its utterance, and the column of its emotion."""

    correction: Correction
    timeline: Timeline
    prediction: Prediction
    column: int


def adapt_corrections(
    model: Model,
    corrections: Sequence[Correction],
    results: Sequence[Timeline],
    out: Path | str,
    *,
    source: str = "",
    left_out: list[str] | None = None,
) -> Path:
    """Learn scales and offsets of emotions from corrections, and write a new artefact.

    They replace those that the artefact had. Where they do not help on held-out recordings, the
    new artefact answers as the old one without any, and its card says so.

    Args:
        model: the model that was corrected.
        corrections: the rows; the last of each annotator on an utterance counts. Rows that agree
            with the model count, too.
        results: the timelines that were corrected.
        out: folder of the new artefact.
        source: a name for the corrections, for notes and the card.
        left_out: gets the reason for the rows that were not used.

    Raises:
        UsageError: ``out`` is the folder of the artefact itself, the model is no fused one with a
            channel model, or the results were levelled or have several priors.
        DataError: too few corrections can be used.
    """
    artefact = model.artefact
    if Path(out).resolve() == artefact.folder.resolve():
        raise UsageError(f"{out} is the artefact that is adapted; choose another --out.")
    model.scorer.adaptable()
    scorer = model.scorer
    assert isinstance(scorer, FusedScorer)  # what is no fused artefact is not adaptable
    if artefact.fused.channel is None:
        raise UsageError(
            f"{model.info.name} is fused by a sum, which learns nothing from corrections; compose "
            'it with fusion = "channel".'
        )
    reasons: Counter[str] = Counter()
    used = list(_used(model, latest(corrections), results, reasons))
    if left_out is not None:
        left_out += [f"{count} corrections: {why}" for why, count in reasons.items()]
    recordings = list(dict.fromkeys(one.timeline.path for one in used))
    if len(used) < LEAST_CORRECTIONS or len(recordings) < LEAST_RECORDINGS:
        why = "".join(f"; {count} {reason}" for reason, count in reasons.items())
        raise DataError(
            f"{LEAST_CORRECTIONS} corrections in {LEAST_RECORDINGS} recordings are needed; there "
            f"are {len(used)} in {len(recordings)} that can be used{why}."
        )
    assumed = scorer.under(_prior(used))
    fitted = cross_validated(_labelled(assumed, used, recordings))
    learned = _info(assumed, used, fitted, source)
    body = artefact.fused.model_copy(update={"corrections": learned})
    info = artefact.info.model_copy(update={"body": body})
    note = (
        f"\n## Corrections\n\n{correction_note(learned)} It presumes the prior {learned.prior}.\n"
    )
    return write_adapted(artefact, out, info, artefact.weights(), artefact.vectors(), note)


def _used(
    model: Model,
    corrections: Sequence[Correction],
    results: Sequence[Timeline],
    reasons: Counter[str],
) -> Iterator[_Used]:
    """Yield the corrections that can be used, and count the reasons for the others."""
    rows = {(t.path, p.id): (t, p) for t in results for p in t}
    columns = _columns(model, {row.new for row in corrections if row.kind == "emotion"})
    for row in corrections:
        if row.kind != "emotion":
            continue
        why = _unused(model, row, rows, columns)
        if why:
            reasons[why] += 1
            continue
        yield _Used(row, *rows[row.recording, row.id], columns[row.new])


def _columns(model: Model, names: set[str]) -> dict[str, int]:
    """Return the columns of the basic emotions that names mean, such as "joy" happiness."""
    labels = model.info.labels
    meant = {name: model.ask([name]).shown for name in sorted(names - {UNSURE, ""})}
    words = {name: next(iter(shown.values())) for name, shown in meant.items()}
    return {name: labels.index(word) for name, word in words.items() if word in labels}


def _unused(
    model: Model,
    row: Correction,
    rows: Mapping[tuple[str, str], tuple[Timeline, Prediction]],
    columns: Mapping[str, int],
) -> str:
    """Say why a correction cannot be used; "" if it can."""
    if row.new in (UNSURE, ""):
        return "are unsure"
    if row.new not in columns:
        return f"say {row.new}, which is no basic emotion of the model (teach it as a word)"
    if (row.recording, row.id) not in rows:
        return "are of utterances that the results do not have"
    timeline, p = rows[row.recording, row.id]
    digests = {row.artefact, timeline.artefact.get("digest", "")} - {""}
    if digests != {model.info.digest}:
        return "are of results of another artefact"
    if (row.start, row.end) != tuple(None if x is None else round(x, 3) for x in (p.start, p.end)):
        return "are of other times than the results have"
    if not set(model.info.labels) <= set(p.probabilities):
        return "are of results that do not have all basic emotions"
    return ""


def _prior(used: Sequence[_Used]) -> str | None:
    """Return the prior of all results.

    Raises:
        UsageError: there are several, or recordings were levelled by each other.
    """
    priors = sorted({one.timeline.prior for one in used})
    if len(priors) > 1:
        raise UsageError(
            f"The results were predicted under different priors ({', '.join(priors)}); predict all "
            "under one."
        )
    if any(note.startswith(LEVELLED) for one in used for note in one.timeline.notes):
        raise UsageError("The results were levelled by each other; predict without --level.")
    return priors[0] or None


def _labelled(scorer: FusedScorer, used: Sequence[_Used], recordings: Sequence[str]) -> Labelled:
    """Return the log likelihoods of the results, without the prior and earlier corrections."""
    basics = scorer.basics
    prior = np.log([scorer.shares[b] for b in basics])
    odds = np.array([_log_odds(one.prediction, basics) for one in used]) - prior
    earlier = Corrected.read(scorer.artefact.fused.corrections, basics)
    return Labelled(
        likelihood=centred(odds) if earlier is None else earlier.undone(odds),
        labels=np.array([one.column for one in used]),
        recordings=np.array([recordings.index(one.timeline.path) for one in used]),
        prior=prior,
    )


def _log_odds(p: Prediction, basics: Sequence[str]) -> list[float]:
    """Return the log odds of each basic emotion.

    They are the logits; a document leaves out the share of an emotion that no stream can tell,
    so that its odds follow from the probabilities.
    """
    logits = p.logits
    scored = [b for b in basics if any(s != "absent" for s in p.sources.get(b, {}).values())]
    top = max(scored or basics, key=lambda b: p.probabilities[b])
    return [
        logits[b]
        if b in scored
        else logits[top] + float(np.log(max(p.probabilities[b], SMALLEST) / p.probabilities[top]))
        for b in basics
    ]


def _info(
    scorer: FusedScorer, used: Sequence[_Used], fitted: Fitted, source: str
) -> CorrectionInfo:
    basics, rows = scorer.basics, [one.correction for one in used]
    labels = Counter(basics[one.column] for one in used)
    return CorrectionInfo(
        source=source,
        prior=scorer.assumes,
        corrections=len(rows),
        recordings=len({row.recording for row in rows}),
        annotators=len({row.annotator for row in rows}),
        labels={b: labels[b] for b in basics if labels[b]},
        modalities=dict(Counter(key(one.prediction.streams) for one in used)),
        fitted=fitted.kind,
        width=fitted.width,
        before=fitted.before,
        after=fitted.after,
        scales=dict(zip(basics, fitted.corrected.scale.tolist(), strict=True)),
        offsets=dict(zip(basics, fitted.corrected.offset.tolist(), strict=True)),
    )
