"""IEMOCAP by the votes of its evaluators: labels are the shares of those who chose an emotion.

Busso et al., "IEMOCAP: Interactive emotional dyadic motion capture database", Language
Resources and Evaluation, 2008: three evaluators saw each turn, and could choose several emotions.
What the actors said of their own turns is no vote, as in the release's labels.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Utterance
from moodal.core.votes import RATERS, shares_of, tally, written
from moodal.corpora.find import shortened
from moodal.corpora.iemocap import release
from moodal.corpora.iemocap.names import CATEGORIES, CODES

UNDECIDED = "undecided"
"""The label of turns on which evaluators disagreed, which is nobody's vote."""

EVALUATOR = "E"
"""Begins the name of an evaluator; F and M are the speakers."""


def read(root: Path | str) -> Manifest:
    """Read IEMOCAP as released, with the shares of its evaluators' votes.

    Labels are [N, 10], and each row sums to 1; an evaluator who chose several emotions gives each
    an equal part. Turns without a vote are left out and counted in the notes; all else is as
    `moodal.corpora.iemocap.release.read`.

    Raises:
        DataError: as that, or no turn has a vote.
    """
    manifest = release.read(root)
    unknown: dict[str, int] = {}
    votes = [_votes(u, unknown) for u in manifest.utterances]
    rows = [row for row, own in enumerate(votes) if own]
    if not rows:
        raise DataError(
            f'{root}: no label file has the lines of evaluators, such as "C-E2: Anger; ()"; take '
            "the release's own files from dialog/EmoEvaluation."
        )
    kept = manifest.select(rows)
    labels = [word for word in CODES.values() if word != UNDECIDED]
    notes = ["Labels are the shares of the evaluators' votes."]
    if without := len(manifest) - len(rows):
        notes.append(f"{without} turns without a vote were left out.")
    if unknown:
        listed = shortened([f"{word!r} ({count})" for word, count in unknown.items()])
        notes.append(f"Votes for words that are none of the release's were left out: {listed}.")
    return dataclasses.replace(
        kept,
        corpus="iemocap-votes",
        space=EmotionSpace(labels, "single"),
        utterances=tuple(
            dataclasses.replace(u, extra={**u.extra, RATERS: written(votes[row])})
            for row, u in zip(rows, kept.utterances, strict=True)
        ),
        labels=shares_of([tally(votes[row]) for row in rows], labels),
        notes=(*kept.notes, *notes),
    )


def _votes(utterance: Utterance, unknown: dict[str, int]) -> dict[str, list[str]]:
    """Return evaluator -> emotions; count words that are none of the release's."""
    raters = json.loads(utterance.extra.get("annotators", "{}")).get("categories", {})
    votes: dict[str, list[str]] = {}
    for who, words in raters.items():
        if not who.startswith(EVALUATOR):
            continue
        chosen = [CATEGORIES.get(word.lower()) for word in words]
        for word, emotion in zip(words, chosen, strict=True):
            if emotion is None:
                unknown[word] = unknown.get(word, 0) + 1
        if own := list(dict.fromkeys(emotion for emotion in chosen if emotion)):
            votes[who] = own
    return votes
