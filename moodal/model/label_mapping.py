"""A corpus's labels under an artefact's names, by what was declared and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moodal.core.errors import SpaceError, UsageError
from moodal.core.manifest import Manifest
from moodal.model.vocabulary import Asked

if TYPE_CHECKING:
    from moodal.model.predictor import Predictor


@dataclass(frozen=True)
class Named:
    """The rows and emotions that are scored.

    Attributes:
        manifest: under the artefact's names.
        asked: its emotions, and the basic ones.
        names: the corpus's name -> the artefact's, where they differ.
        unseen: emotions that no branch which is used has learned.
        stamps: what was left out.
    """

    manifest: Manifest
    asked: Asked
    names: Mapping[str, str]
    unseen: tuple[str, ...]
    stamps: tuple[str, ...]


def one_emotion(manifest: Manifest) -> tuple[Manifest, list[str]]:
    """Single-label rows whose labels are shares of votes, by their majority.

    Rows without one are left out: those whose column ``clear`` says "no", or, where there is no
    such column, whose highest share is a half or less. Also a stamp that counts them.
    """
    if manifest.space.task == "regression":
        raise UsageError(f"{manifest.corpus} has values, no emotions; nothing here scores values.")
    one_hot = ((manifest.labels == 0) | (manifest.labels == 1)).all()
    if manifest.space.task != "single" or one_hot:
        return manifest, []
    clear = np.array(manifest.column("clear"), dtype=object)
    kept = clear == "yes" if (clear != None).any() else manifest.labels.max(1) > 0.5  # noqa: E711
    rows = np.flatnonzero(kept)
    some = manifest.select(rows)
    best = np.eye(len(some.space), dtype=np.float32)[some.labels.argmax(1)]
    gone = len(manifest) - len(rows)
    stamps = [f"{gone} rows without a majority left out"] if gone else []
    return dataclasses.replace(some, labels=best), stamps


def name_emotions(
    predictor: Predictor,
    manifest: Manifest,
    emotions: Sequence[str] | None,
    names: Mapping[str, str],
    streams: Sequence[str],
) -> Named:
    """See `moodal.model.evaluate.evaluate_manifest`, whose arguments these are.

    Raises:
        UsageError: a name that the corpus does not have.
        SpaceError: nothing is left to score.
    """
    has = manifest.space.labels
    if wrong := [x for x in names if x not in has]:
        raise UsageError(f"--map: the corpus has no {', '.join(wrong)}; it has {', '.join(has)}.")
    declared = predictor.found.fused.synonyms
    taken = {x: declared[x] for x in has if x not in names and _means(predictor, x, declared)}
    merges = {x: y for x, y in {**taken, **names}.items() if x != y}
    renamed = manifest.merged(merges)
    learned = {w for s in streams for w in predictor.learned[s]}
    if emotions:
        wanted = list(dict.fromkeys(merges.get(x, x) for x in emotions))
        if wrong := [x for x in wanted if x not in renamed.space.labels]:
            theirs = ", ".join(renamed.space.labels)
            raise UsageError(f"--emotions: the corpus has no {', '.join(wrong)}; it has {theirs}.")
    else:
        wanted = [x for x in renamed.space.labels if x in learned]
    if not wanted:
        raise SpaceError(
            f"No emotion of {manifest.corpus} ({', '.join(has)}) is one that the artefact learned "
            f"({', '.join(sorted(learned))}). Match them with --map THEIRS=OURS, or name with "
            "--emotions those that it shall guess."
        )
    kept = renamed.only(wanted)
    others = [x for x in renamed.space.labels if x not in wanted]
    stamps = []
    if names_told := [f"{x} for {y}" for x, y in merges.items() if y in wanted]:
        stamps.append(f"names as declared: {', '.join(names_told)}")
    if len(kept) < len(manifest):
        gone = f"{len(manifest) - len(kept)} rows of other emotions left out"
        stamps.append(f"{gone} ({', '.join(others)})" if others else gone)
    elif others:
        stamps.append(f"not scored, as not asked for or never learned: {', '.join(others)}")
    if not len(kept):
        raise SpaceError(f"No row of {manifest.corpus} has any of {', '.join(wanted)}.")
    unseen = tuple(x for x in wanted if x not in learned)
    if unseen:
        stamps.append(f"never trained on: {', '.join(unseen)}")
    return Named(kept, _asked(predictor, wanted), merges, unseen, tuple(stamps))


def _means(predictor: Predictor, name: str, declared: Mapping[str, str]) -> bool:
    """Whether a name stands for another word, by the artefact alone."""
    return name not in predictor.known and name in declared


def _asked(predictor: Predictor, wanted: Sequence[str]) -> Asked:
    """The question for them, whatever case the artefact's words are in."""
    new = [w for w in wanted if w not in predictor.known]
    more = predictor.ask(new)
    vectors = {**predictor.known, **dict(zip(more.words, more.vectors, strict=True))}
    shown = dict(zip(new, more.shown.values(), strict=True)) if new else {}
    shown = {w: shown.get(w, w) for w in wanted}
    words = tuple(dict.fromkeys([*predictor.basics, *shown.values()]))
    return Asked(words, np.stack([vectors[w] for w in words]), shown)
