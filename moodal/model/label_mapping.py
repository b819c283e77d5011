"""Mapping of a corpus's labels to a model's names, by declared names alone."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from moodal.core.concatenation import origins
from moodal.core.emotions import Values
from moodal.core.errors import DataError, SpaceError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.votes import HardRule
from moodal.corpora.checks.values import require_values
from moodal.evaluation.report.scores import Scored
from moodal.model.scorer import Scorer
from moodal.model.vocabulary import Asked


@dataclass(frozen=True)
class MappedRows:
    """The rows and emotions that are scored.

    Attributes:
        manifest: the rows, with labels under the model's names.
        asked: the question for its emotions.
        names: the corpus's name -> the model's, where they differ.
        unseen: emotions that none of the used modalities has learned.
        stamps: notes on rows and labels that were left out.
    """

    manifest: Manifest
    asked: Asked
    names: Mapping[str, str]
    unseen: tuple[str, ...]
    stamps: tuple[str, ...]


OWN_MAJORITY = ("ferplus", "clear")
"""The corpus whose majority is of all votes, those for no emotion included, and its column."""


def with_truth(test: Scored, manifest: Manifest, rule: HardRule) -> tuple[Scored, list[str]]:
    """Take the true emotion of a row by a rule alone, where labels are shares of votes.

    A majority is a share of more than a half, and of FER+ what its own column says, too.

    Args:
        test: predictions of the rows of ``manifest``, with the shares and their truth by ``rule``.

    Returns:
        The predictions, in which rows without a true emotion count only in the metrics against
        shares, and a stamp with their number, if there are any.

    Raises:
        DataError: no row has a true emotion.
    """
    if test.rated is None:
        return test, []
    clear = test.rated.clear
    if rule.rule == "majority":
        corpus, column = OWN_MAJORITY
        pairs = zip(origins(manifest), manifest.column(column), strict=True)
        clear = clear & np.array([x != "no" or own[0] != corpus for own, x in pairs])
    if not clear.any():
        raise DataError(f"{manifest.corpus}: no row has a single true emotion ({rule}).")
    without = int((~clear).sum())
    lacking = "a majority" if rule.rule == "majority" else "one emotion with the most votes"
    stamp = f"{without} rows without {lacking} count only against the shares of raters"
    rated = dataclasses.replace(test.rated, clear=clear)
    targets = np.where(clear[:, None], test.targets, 0)
    return dataclasses.replace(test, rated=rated, targets=targets), [stamp] * bool(without)


def name_emotions(
    scorer: Scorer,
    manifest: Manifest,
    modalities: Sequence[str],
    emotions: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    vectors: str | None = None,
) -> MappedRows:
    """Map a corpus's labels to a model's names, and choose the emotions to score.

    Args:
        scorer: the scorer of the model.
        manifest: the rows.
        modalities: the modalities that are used.
        emotions, names, vectors: see `moodal.model.options.EvaluateOptions`.

    Raises:
        UsageError: the corpus lacks a name.
        SpaceError: nothing is left to score, or the model cannot score a word.
        DataError: a row lacks a value, or has one outside of the corpus's range.
    """
    _require_same_kind(scorer, manifest, emotions)
    corpus, declared = manifest.space.labels, names or {}
    if wrong := [x for x in declared if x not in corpus]:
        raise UsageError(
            f"--map: the corpus has no {', '.join(wrong)}; it has {', '.join(corpus)}."
        )
    merges = _merges(scorer, corpus, declared)
    renamed = manifest.merged(merges) if merges else manifest
    learned = {word for m in modalities for word in scorer.learned[m]}
    wanted = _wanted(scorer, manifest, renamed, modalities, emotions, merges)
    asked = scorer.ask(wanted, vectors, exact=True)
    kept = renamed.only(wanted) if tuple(wanted) != renamed.space.labels else renamed
    if not len(kept):
        raise SpaceError(f"No row of {manifest.corpus} has any of {', '.join(wanted)}.")
    unseen = tuple(x for x in wanted if x not in learned)
    others = [x for x in renamed.space.labels if x not in wanted]
    stamps = _stamps(merges, wanted, others, len(manifest) - len(kept), unseen)
    require_values(kept)
    scaled, scales = _on_scales_of(asked, kept)
    return MappedRows(scaled, asked, merges, unseen, (*stamps, *scales))


def _require_same_kind(scorer: Scorer, manifest: Manifest, emotions: Sequence[str] | None) -> None:
    """Check that a corpus and a model both have emotions, or both have values.

    Raises:
        SpaceError: one has emotions, the other values.
    """
    asked, space = scorer.ask(), manifest.space
    if isinstance(space, Values) and emotions and not asked.values:
        # a model of both is asked for values by name
        with contextlib.suppress(SpaceError, UsageError):
            asked = scorer.ask(emotions)
    if bool(asked.values) == isinstance(space, Values):
        return
    kinds = ("values", "emotions") if asked.values else ("emotions", "values")
    raise SpaceError(
        f"The model answers with {kinds[0]} ({', '.join(asked.shown)}), and {manifest.corpus} has "
        f"{kinds[1]} ({', '.join(space.labels)}); test it on a corpus of {kinds[0]}."
    )


def _on_scales_of(asked: Asked, manifest: Manifest) -> tuple[Manifest, list[str]]:
    """Rescale a corpus's values linearly to the model's ranges, and name those that differ.

    The ends of one range map to the ends of the other.
    """
    if not isinstance(manifest.space, Values) or manifest.space.values == asked.values:
        return manifest, []
    own, model = manifest.space, Values(asked.values)
    share = (manifest.labels - own.low) / (own.high - own.low)
    labels = (model.low + share * (model.high - model.low)).astype(np.float32)
    pairs = zip(own.values, model.values, strict=True)
    stamps = [f"{a} taken as {b.low:g} to {b.high:g}" for a, b in pairs if a != b]
    return dataclasses.replace(manifest, space=model, labels=labels), stamps


def _merges(scorer: Scorer, corpus: Sequence[str], declared: Mapping[str, str]) -> dict[str, str]:
    """Return the corpus's names to replace, from the options and the artefact's synonyms."""
    known = {word for words in scorer.learned.values() for word in words}
    synonyms = {
        x: scorer.synonyms[x]
        for x in corpus
        if x not in declared and x not in known and x in scorer.synonyms
    }
    return {x: y for x, y in {**synonyms, **declared}.items() if x != y}


def _wanted(
    scorer: Scorer,
    manifest: Manifest,
    renamed: Manifest,
    modalities: Sequence[str],
    emotions: Sequence[str] | None,
    merges: Mapping[str, str],
) -> list[str]:
    labels = renamed.space.labels
    if emotions:
        wanted = list(dict.fromkeys(merges.get(x, x) for x in emotions))
        if wrong := [x for x in wanted if x not in labels]:
            raise UsageError(
                f"--emotions: the corpus has no {', '.join(wrong)}; it has {', '.join(labels)}."
            )
        return wanted
    wanted = scorer.defaults(labels, modalities)
    if not wanted:
        learned = sorted({word for m in modalities for word in scorer.learned[m]})
        raise SpaceError(
            f"No emotion of {manifest.corpus} ({', '.join(manifest.space.labels)}) is one that "
            f"the artefact learned ({', '.join(learned)}). Match them with --map THEIRS=OURS, or "
            "name with --emotions those that it shall guess."
        )
    return wanted


def _stamps(
    merges: Mapping[str, str],
    wanted: Sequence[str],
    others: Sequence[str],
    left_out: int,
    unseen: Sequence[str],
) -> list[str]:
    """Return notes on the names and on the rows that were left out."""
    stamps = []
    if pairs := [f"{x} for {y}" for x, y in merges.items() if y in wanted]:
        stamps.append(f"names as declared: {', '.join(pairs)}")
    if left_out:
        stamp = f"{left_out} rows of other emotions left out"
        stamps.append(f"{stamp} ({', '.join(others)})" if others else stamp)
    elif others:
        stamps.append(f"not scored, as not asked for or never learned: {', '.join(others)}")
    if unseen:
        stamps.append(f"never trained on: {', '.join(unseen)}")
    return stamps
