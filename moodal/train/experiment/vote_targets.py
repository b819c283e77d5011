"""The targets of training in a corpus of raters' shares: these, or one emotion made of each row."""

from __future__ import annotations

import dataclasses

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.recipe import Recipe, Votes
from moodal.core.votes import is_soft
from moodal.evaluation.protocols.experiment import Experiment


def require_votes(recipe: Recipe, manifest: Manifest) -> None:
    """Check, before any training, that a recipe's use of votes fits its corpus.

    Raises:
        UsageError: the recipe makes emotions of votes, and the corpus has none.
    """
    if recipe.votes != Votes() and not _rated(manifest):
        raise UsageError(
            f"The recipe has a section votes, but every row of {manifest.corpus} has whole labels, "
            "no shares of raters; leave that section out, or prepare the corpus with its votes "
            "(see docs/disagreement.md)."
        )


def training_labels(recipe: Recipe, manifest: Manifest) -> np.ndarray:
    """Return what training learns of each row [N, C]; 0 throughout where it learns nothing."""
    name = recipe.votes.targets
    if name == "shares" or not _rated(manifest):
        return manifest.labels
    return recipe.votes.rule(name).decide(manifest.labels, _ids(manifest))[0]


def true_emotions(recipe: Recipe, manifest: Manifest, rows: np.ndarray) -> np.ndarray:
    """Return the labels of rows [n, C], or the emotions that the recipe's truth makes of shares.

    Rows without a single emotion are left out.
    """
    labels = manifest.labels[rows]
    if not _rated(manifest):
        return labels
    votes = recipe.votes
    emotions, clear = votes.rule(votes.truth).decide(labels, [_ids(manifest)[r] for r in rows])
    return emotions[clear]


def with_targets(recipe: Recipe, experiment: Experiment) -> Experiment:
    """Leave the rows out of training and validation of which it could learn nothing, with a stamp.

    Raises:
        DataError: no row of training or of validation is left, or no test row has a true emotion.
    """
    manifest, votes = experiment.manifest, recipe.votes
    if not _rated(manifest):
        return experiment
    if not len(true_emotions(recipe, manifest, experiment.test)):
        raise DataError(
            f"{experiment.name}: no test row has one true emotion "
            f"({votes.rule(votes.truth)}); choose another votes.truth, or set votes.ties."
        )
    if votes.targets == "shares":
        stamp = "trained on the shares of raters"
        return dataclasses.replace(experiment, stamps=(*experiment.stamps, stamp))
    learned = np.asarray(training_labels(recipe, manifest).any(1))
    # rows that choose the epoch and are tested are all kept
    on_test = recipe.train.select_on == "test"
    kept = dataclasses.replace(
        experiment,
        train=experiment.train[learned[experiment.train]],
        valid=experiment.valid if on_test else experiment.valid[learned[experiment.valid]],
        shots=experiment.shots[learned[experiment.shots]],
    )
    for part in ("train", "valid"):
        if not len(kept.parts[part]):
            raise DataError(
                f"{experiment.name}: no {part} row has one emotion by votes.targets = "
                f'"{votes.targets}"; set votes.targets = "shares".'
            )
    stamp = f"trained on one emotion a row: {votes.rule(votes.targets)}"
    return dataclasses.replace(kept, stamps=(*experiment.stamps, stamp))


def _rated(manifest: Manifest) -> bool:
    return manifest.space.task == "single" and is_soft(manifest.labels)


def _ids(manifest: Manifest) -> list[str]:
    return [u.id for u in manifest.utterances]
