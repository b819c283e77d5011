"""Adaptation: teach a fused artefact a word by a few clips, and write a new artefact.

A branch turns a clip into its mean state h [H] (`moodal.model.states`). Within one emotion the
states scatter with a covariance S that all emotions share and that training measured. So each
emotion is a Gaussian with its own mean, and a clip's evidence for a word is linear in h: Fisher's
discriminant, here with posterior means.

    m0    = m + g R (k - k'), the mean that the word's vector suggests: m is the mean state of the
            training, k the key of the word's vector, k' the mean key of the basic emotions, and g
            the measured worth of the branch's guesses, 0 to 1
    m_w   = m0 + n / (n + c) (mean of the n clips - m0), the posterior mean, if the means of
            emotions lie around m0 with covariance S / c; c = H / mean over the learned words of
            (k_w - k')^T S (k_w - k'), so that fewer clips, and a branch that separates emotions
            less, leave more of m0
    m_b   = m, moved in the same way towards the mean of clips that do not show the word
    key   = R^-1 (m_w - m_b) / (1 + 1 / (n + c)), with R = (1 - r) S + r mean(diag S) I and
            r = .7 c / (n + c): a few clips do not show where S is narrow
    key   = s key, s = min(1, key^T (m_w - m_b) / key^T S key): for the logarithm of the ratio of
            two Gaussians, the shift between them equals the variance within them
    l(w)  = key^T (h - m_b) - key^T S key / 2

Then l(w) = log p(h | w) / p(h): over the usual states, N(m_b, S), exp l(w) is 1 on average. With
many clips it is the linear discriminant. The .7 of r was chosen on pooled MiniLM states of
GoEmotions, with each emotion in turn unknown; docs/results.md has the results for voices.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moodal.core.errors import DataError, SpaceError, UsageError
from moodal.modalities import MODALITIES
from moodal.model import artefact as artefacts
from moodal.model.artefact import CARD, VECTORS, WEIGHTS, Artefact
from moodal.model.branches import Branch
from moodal.model.examples import mean_states, read_examples, read_negatives
from moodal.model.info import ArtefactInfo
from moodal.model.scorer import ModelParts
from moodal.model.vocabulary import vectors_of

log = logging.getLogger(__name__)

RIDGE = 0.7
"""The share of the covariance that is replaced by its mean variance without any clips."""

LARGEST_PRIOR = 1000.0
"""The highest c: a branch that separates no emotions needs as many clips to be believed."""


@dataclass(frozen=True)
class Gaussian:
    """The states of a branch: their mean [H], covariance within an emotion [H, H], and c."""

    mean: np.ndarray
    covariance: np.ndarray
    prior: float


@dataclass(frozen=True)
class Examples:
    """The mean states of clips: modality -> [n, H].

    Attributes:
        shown: the states of the clips that show the word.
        others: the states of clips that do not.
        unreadable: why other clips were left out, one sentence each.
    """

    shown: Mapping[str, np.ndarray]
    others: Mapping[str, np.ndarray]
    unreadable: Sequence[str]


def adapt(
    model: ModelParts,
    word: str,
    clips: Sequence[Path | str],
    out: Path | str,
    *,
    negatives: Sequence[Path | str] = (),
    replace: bool = False,
    left_out: list[str] | None = None,
) -> Path:
    """Teach a model a word in each modality that the clips have, and write a new artefact.

    Args:
        word: the emotion; a declared synonym becomes a separate word.
        clips: recordings, videos, pictures, text files (each line is an example), or tables (see
            `moodal.corpora.table.read`; each row is an example, and rows with another label are
            negatives). Each example is one utterance; unreadable ones are left out with a warning.
        out: folder of the new artefact.
        negatives: examples of anything but the word, which show what is usual where the clips come
            from.
        replace: also teach a basic emotion, or a word that a branch learned in training.
        left_out: gets the reason for each example that was left out.

    Raises:
        DataError: no clip can be read, or the artefact has no moments of its states.
        UsageError: ``out`` is the folder of the artefact itself, the model is a trained system, or
            the word is known already.
        SpaceError: ``word`` is not a valid word.
    """
    branches, artefact = model.scorer.adaptable(), model.artefact
    if Path(out).resolve() == artefact.folder.resolve():
        raise UsageError(f"{out} is the artefact that is adapted; choose another --out.")
    word = known_as(model, word, replace)
    examples = _read(model, word, clips, negatives)
    if left_out is not None:
        left_out += examples.unreadable
    states = {
        modality: own
        for modality, own in examples.shown.items()
        if replace or word not in branches[modality].learned
    }
    if not states:
        learned = " and ".join(examples.shown)
        raise UsageError(
            f"{word} was learned from {learned} in training; --replace overrides that."
        )
    known = artefact.word_vectors()
    vector = known[word] if word in known else vectors_of([word], artefact.info.vectors)[0]
    keys = {
        modality: discriminant(
            own,
            _gaussian(artefact, branches[modality], known),
            _suggested(artefact, branches[modality], known, vector),
            examples.others.get(modality),
        )
        for modality, own in states.items()
    }
    counts = {modality: len(own) for modality, own in states.items()}
    return write_adapted(
        artefact,
        out,
        _adapted(artefact, word, counts),
        _with_keys(artefact, branches, word, keys),
        _with_vector(artefact, word, vector),
        _note(word, counts),
    )


def discriminant(
    states: np.ndarray, branch: Gaussian, suggested: np.ndarray, others: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Compute the key [H] and constant of a word from the mean states [n, H] of its clips.

    Args:
        branch: the states of the branch.
        suggested: [H], the key of the word's vector less the mean key, times the worth of guesses.
        others: mean states [m, H] of clips without the word.
    """
    width = len(branch.mean)
    covariance = np.asarray(branch.covariance, np.float64)
    ridge = RIDGE * branch.prior / (len(states) + branch.prior)
    ridged = (1 - ridge) * covariance + ridge * np.trace(covariance) / width * np.eye(width)

    def posterior(mean: np.ndarray, clips: np.ndarray) -> np.ndarray:
        share = len(clips) / (len(clips) + branch.prior)
        return np.asarray(mean + share * (clips.mean(0) - mean))

    mean = posterior(branch.mean + ridged @ suggested, states.astype(np.float64))
    usual = branch.mean
    if others is not None and len(others):
        usual = posterior(usual, others.astype(np.float64))
    key = np.linalg.solve(ridged, mean - usual) / (1 + 1 / (len(states) + branch.prior))
    within = key @ covariance @ key
    if within > 0:
        key *= min(1.0, key @ (mean - usual) / within)
    return key, float(-key @ usual - key @ covariance @ key / 2)


def known_as(model: ModelParts, word: str, replace: bool = False) -> str:
    """Return the name under which `adapt` teaches a word.

    That is the cleaned word; for a synonym of a basic emotion, it is that emotion.

    Raises:
        UsageError, SpaceError: as `adapt`.
    """
    model.scorer.adaptable()
    asked = model.scorer.ask([word])
    [(name, meaning)] = asked.shown.items()
    basic = meaning in model.info.labels
    if basic and not replace:
        both = meaning if meaning == name else f"{name} ({meaning})"
        raise UsageError(
            f"{both} is one of the artefact's basic emotions, learned from many people; "
            "--replace overrides it in the modalities of the clips."
        )
    if "," in name or name in MODALITIES:
        raise SpaceError(f"{name!r} cannot be an emotion's name.")
    return meaning if basic else name


def _read(
    model: ModelParts,
    word: str,
    clips: Sequence[Path | str],
    negatives: Sequence[Path | str],
) -> Examples:
    """Read the clips, and warn about those that cannot be read.

    Raises:
        DataError: no clip can be read.
    """
    unreadable: list[str] = []
    shown, others = read_examples(clips, word, unreadable)
    others += read_negatives(negatives, word, unreadable)
    states = mean_states(model, shown, unreadable)
    background = mean_states(model, others, unreadable)
    for reason in unreadable:
        log.warning("Left out: %s", reason)
    if not states:
        why = f" ({unreadable[0].rstrip('.')})" if unreadable else ""
        needed = ", ".join(model.modalities)
        raise DataError(f"No clip has {needed} that can be read{why}; a word needs one or more.")
    return Examples(states, background, unreadable)


def _gaussian(artefact: Artefact, branch: Branch, known: Mapping[str, np.ndarray]) -> Gaussian:
    """Return the moments of a branch's states, which training measured.

    Raises:
        DataError: the artefact has none, or the matrix is not a covariance.
    """
    weights = artefact.weights()
    names = (f"{branch.modality}.mean", f"{branch.modality}.covariance")
    if any(name not in weights for name in names):
        raise DataError(
            f"{artefact.folder} has no {' and '.join(names)}, so it cannot be adapted; make "
            "it again with `moodal compose`."
        )
    mean, covariance = (weights[name].astype(np.float64) for name in names)
    variances = np.linalg.eigvalsh((covariance + covariance.T) / 2)
    if not np.allclose(covariance, covariance.T, atol=1e-3) or not (
        variances[0] > -1e-3 * variances[-1] and variances[-1] > 0
    ):
        raise DataError(
            f"{artefact.folder}: {names[1]} is no covariance, so it cannot be adapted; make "
            "it again with `moodal compose`."
        )
    keys = np.stack([branch.map @ known[word] for word in branch.learned if word in known])
    keys = keys - _mean_key(artefact, branch, known)
    separation = float(np.einsum("wh,hg,wg->w", keys, covariance, keys).mean())
    return Gaussian(mean, covariance, min(LARGEST_PRIOR, len(mean) / max(separation, 1e-9)))


def _mean_key(artefact: Artefact, branch: Branch, known: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the mean key of the basic emotions that a branch learned, weighted by their shares."""
    words = [word for word in artefact.info.labels if word in branch.learned]
    shares = np.array([branch.learned[word] for word in words])
    keys = np.stack([branch.map @ known[word] for word in words])
    return np.asarray(shares @ keys / shares.sum(), np.float64)


def _suggested(
    artefact: Artefact, branch: Branch, known: Mapping[str, np.ndarray], vector: np.ndarray
) -> np.ndarray:
    """Return the key of a vector less the mean key, times the worth of the branch's guesses."""
    worth = artefact.fused.branches[branch.modality].guess.weight
    return np.asarray(worth * (branch.map @ vector - _mean_key(artefact, branch, known)))


def _adapted(artefact: Artefact, word: str, counts: Mapping[str, int]) -> ArtefactInfo:
    """Describe the artefact with the word.

    Args:
        counts: modality -> number of examples.
    """
    info, body = artefact.info, artefact.fused
    branches = dict(body.branches)
    for modality in counts:
        adapted = dict.fromkeys((*branches[modality].adapted, word))
        branches[modality] = branches[modality].model_copy(update={"adapted": tuple(adapted)})
    words = tuple(dict.fromkeys((*body.words, word)))
    examples = {**info.data.adapted, word: dict(counts)}
    return info.model_copy(
        update={
            "body": body.model_copy(update={"branches": branches, "words": words}),
            "data": info.data.model_copy(update={"adapted": examples}),
        }
    )


def _with_keys(
    artefact: Artefact,
    branches: Mapping[str, Branch],
    word: str,
    keys: Mapping[str, tuple[np.ndarray, float]],
) -> dict[str, np.ndarray]:
    """Return the artefact's weights with the keys of the word, in the order of ``adapted``."""
    weights = artefact.weights()
    for modality, key in keys.items():
        adapted = {**branches[modality].adapted, word: key}
        vectors, constants = zip(*adapted.values(), strict=True)
        weights[f"{modality}.adapted"] = np.stack(vectors).astype(np.float32)
        weights[f"{modality}.constants"] = np.array(constants, np.float32)
    return weights


def _with_vector(artefact: Artefact, word: str, vector: np.ndarray) -> dict[str, np.ndarray]:
    """Return the artefact's vectors, and that of the word where it is new."""
    vectors = artefact.vectors()
    if word not in artefact.fused.words:
        vectors["words"] = np.concatenate([vectors["words"], vector[None]]).astype(np.float32)
    return vectors


def counted(counts: Mapping[str, int]) -> list[str]:
    """Name the number of clips of each modality.

    >>> counted({"speech": 4, "face": 1})
    ['4 clips of speech', '1 clip of face']
    """
    return [f"{n} clip{'' if n == 1 else 's'} of {modality}" for modality, n in counts.items()]


def _note(word: str, counts: Mapping[str, int]) -> str:
    """Write the section of the card on an adapted word."""
    examples = ", ".join(counted(counts))
    return (
        f"\n## Adapted: {word}\n\n`moodal adapt` taught the word *{word}* from few examples "
        f"({examples}). Nothing was measured: test it on examples of your own (`moodal evaluate`) "
        "before you rely on it.\n"
    )


def write_adapted(
    artefact: Artefact,
    out: Path | str,
    info: ArtefactInfo,
    weights: Mapping[str, np.ndarray],
    vectors: Mapping[str, np.ndarray],
    note: str,
) -> Path:
    """Write an artefact with the same networks, other weights, and a note on its card."""
    own = (WEIGHTS, VECTORS, CARD)
    files = {n: artefact.file(n).read_bytes() for n in artefact.info.files if n not in own}
    card = artefact.file(CARD).read_text(encoding="utf-8")
    return artefacts.write(out, info, weights, vectors, card + note, files)
