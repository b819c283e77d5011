"""adapt: a word that an artefact did not know, learned from a few clips, written as a new artefact.

A branch gives a clip the mean state h [H] (`moodal.model.states`). Within one emotion the states
scatter with a covariance S that all emotions share, and that training measured; so each emotion
is a Gaussian with its own mean, and what a clip says for a word is linear in h (Fisher's
discriminant, here with Bayes' means):

    m0    = m + g R (k - k'), where the word's guess would put its mean: m the mean state of all
            training, k the key of the word's vector, k' the mean key of the basic emotions, g the
            measured worth of the branch's guesses, 0 to 1
    m_w   = m0 + n / (n + c) (mean of the n clips - m0), the posterior mean, where emotions' means
            lie around m0 with covariance S / c; c = H / mean over the learned words of
            (k_w - k')^T S (k_w - k'), so that the fewer clips, and the less the branch tells
            emotions apart, the more is kept of m0
    m_b   = m, moved towards the mean of clips that do not show the word in the same way
    key   = R^-1 (m_w - m_b) / (1 + 1 / (n + c)), with R = (1 - r) S + r mean(diag S) I and
            r = .7 c / (n + c): few clips cannot tell where S is narrow
    key   = s key, s = min(1, key^T (m_w - m_b) / key^T S key): for the logarithm of the ratio of
            two Gaussians the shift between them is the variance within them
    l(w)  = key^T (h - m_b) - key^T S key / 2

so that l(w) = log p(h | w) / p(h): over what is usual, N(m_b, S), exp l(w) is 1 on average. With
many clips it is the linear discriminant. r was chosen on
pooled MiniLM states of GoEmotions, each emotion in turn unknown; for voices see docs/results.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moodal.core.errors import DataError, SpaceError, UsageError
from moodal.modalities import MODALITIES
from moodal.model import artefact
from moodal.model.artefact import Artefact
from moodal.model.branches import Branch
from moodal.model.examples import mean_states, read_examples, read_negatives
from moodal.model.fused import FusedScorer
from moodal.model.info import ArtefactInfo
from moodal.model.predict import PredictingModel

log = logging.getLogger(__name__)

RIDGE = 0.7
"""Share of the covariance that is replaced by its mean variance, of no clips."""

MOST = 1000.0
"""The highest c: a branch that tells nothing apart needs as many clips to be believed."""


@dataclass(frozen=True)
class Gaussian:
    """What a branch knows of its states: mean [H], within-class covariance [H, H], and c."""

    mean: np.ndarray
    covariance: np.ndarray
    prior: float


def adapt(
    model: PredictingModel,
    word: str,
    clips: Sequence[Path | str],
    out: Path | str,
    *,
    negatives: Sequence[Path | str] = (),
    replace: bool = False,
) -> Path:
    """Make a word known in each modality that its clips have, and write a new artefact.

    Args:
        word: the emotion; a declared synonym becomes a word of its own.
        clips: recordings, videos, pictures, text files (a line is an example), or tables (see
            `moodal.corpora.table.read`, a row is an example; where it has a label, rows of other
            words are negatives). Each example is taken whole; one that cannot be read is left out
            with a warning.
        out: folder of the new artefact.
        negatives: the same, of anything but the word: what is usual where the clips come from.
        replace: also where the word is a basic emotion, or one that a branch learned.

    Raises:
        DataError: no clip can be read, or the artefact lacks what this needs.
        UsageError: ``out`` is the artefact's own folder, or the word is known and not to be
            replaced.
        SpaceError: it is no word.
    """
    scorer = _fused(model)
    found = model.artefact
    if Path(out).resolve() == found.folder.resolve():
        raise UsageError(f"{out} is the artefact that is adapted; choose another --out.")
    word = known_as(model, word, replace)
    failed: list[str] = []
    shown, others = read_examples(clips, word, failed)
    others += read_negatives(negatives, word, failed)
    states, background = (mean_states(model, some, failed) for some in (shown, others))
    for said in failed:
        log.warning("Left out: %s", said)
    if not states:
        why = f" ({failed[0].rstrip('.')})" if failed else ""
        wanted = ", ".join(model.modalities)
        raise DataError(f"No clip has {wanted} that can be read{why}; a word needs one or more.")
    taught = {s: x for s, x in states.items() if _may(scorer, s, word, replace)}
    if not taught:
        known = " and ".join(states)
        raise UsageError(f"{word} was learned from {known} in training; --replace overrides that.")
    vector = _vector(scorer, word)
    branches = dict(found.fused.branches)
    weights = found.weights()
    for stream, own in taught.items():
        gaussian = _gaussian(scorer, stream)
        guess = _guess(scorer, stream, vector)
        key, constant = discriminant(own, gaussian, guess, background.get(stream))
        branch = scorer.branches[stream]
        adapted = {**branch.adapted, word: (key, constant)}
        weights[f"{stream}.adapted"] = np.stack([k for k, _ in adapted.values()]).astype(np.float32)
        weights[f"{stream}.constants"] = np.array([c for _, c in adapted.values()], np.float32)
        branches[stream] = branches[stream].model_copy(update={"adapted": tuple(adapted)})
    clips_of = {stream: len(own) for stream, own in taught.items()}
    words, vectors = found.fused.words, found.vectors()
    if word not in words:
        words = (*words, word)
        vectors["words"] = np.concatenate([vectors["words"], vector[None]]).astype(np.float32)
    body = found.fused.model_copy(update={"branches": branches, "words": words})
    examples = {**found.info.data.adapted, word: clips_of}
    data = found.info.data.model_copy(update={"adapted": examples})
    info = found.info.model_copy(update={"body": body, "data": data})
    return _write(found, out, info, weights, vectors, _note(word, clips_of))


def discriminant(
    states: np.ndarray, known: Gaussian, guess: np.ndarray, negatives: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Key [H] and constant of a word, from the mean states [n, H] of its clips.

    Args:
        known: of the branch.
        guess: [H], what the word's vector adds to the mean key, already weighed by its worth.
        negatives: mean states [m, H] of clips without the word.
    """
    width = len(known.mean)
    covariance = np.asarray(known.covariance, np.float64)
    ridge = RIDGE * known.prior / (len(states) + known.prior)
    ridged = (1 - ridge) * covariance + ridge * np.trace(covariance) / width * np.eye(width)

    def moved(start: np.ndarray, some: np.ndarray) -> np.ndarray:
        share = len(some) / (len(some) + known.prior)
        return np.asarray(start + share * (some.mean(0) - start))

    mean = moved(known.mean + ridged @ guess, states.astype(np.float64))
    usual = known.mean
    if negatives is not None and len(negatives):
        usual = moved(usual, negatives.astype(np.float64))
    key = np.linalg.solve(ridged, mean - usual) / (1 + 1 / (len(states) + known.prior))
    within = key @ covariance @ key
    if within > 0:
        key *= min(1.0, key @ (mean - usual) / within)
    return key, float(-key @ usual - key @ covariance @ key / 2)


def known_as(model: PredictingModel, word: str, replace: bool = False) -> str:
    """The name by which `adapt` makes a word known: cleaned, and of a synonym of a basic emotion
    that emotion's.

    Raises:
        UsageError, SpaceError: as `adapt`.
    """
    _fused(model)
    asked = model.ask([word])
    (name,) = asked.shown
    meant = asked.shown[name]
    if meant in model.info.labels and not replace:
        told = meant if meant == name else f"{name} ({meant})"
        raise UsageError(
            f"{told} is one of the artefact's basic emotions, learned from many people; "
            "--replace overrides it where these clips tell."
        )
    if name.count(",") or name in MODALITIES:
        raise SpaceError(f"{name!r} cannot be an emotion's name.")
    return meant if meant in model.info.labels else name


def _fused(model: PredictingModel) -> FusedScorer:
    """Return a model's scorer, if it can learn a word.

    Raises:
        UsageError: it is a trained system.
    """
    if not isinstance(model.scorer, FusedScorer):
        raise UsageError(
            f"{model.artefact.folder} holds the system {model.info.name}, whose emotions are those "
            "of its training; moodal adapt takes fused artefacts. Train it with the word instead."
        )
    return model.scorer


def _may(scorer: FusedScorer, stream: str, word: str, replace: bool) -> bool:
    return replace or word not in scorer.branches[stream].learned


def _vector(scorer: FusedScorer, word: str) -> np.ndarray:
    from moodal.modalities.text.minilm import MiniLM

    if word in scorer.known:
        return np.asarray(scorer.known[word])
    return np.asarray(MiniLM(pool=True).encode(word)[0])


def _gaussian(scorer: FusedScorer, stream: str) -> Gaussian:
    weights, branch = scorer.artefact.weights(), scorer.branches[stream]
    names = (f"{stream}.mean", f"{stream}.covariance")
    if any(name not in weights for name in names):
        raise DataError(
            f"{scorer.artefact.folder} does not tell how its {stream} states scatter "
            f"({' and '.join(names)}); it cannot be adapted. Make it anew with `moodal compose`."
        )
    mean, covariance = (weights[name].astype(np.float64) for name in names)
    words = [w for w in branch.learned if w in scorer.known]
    keys = np.stack([branch.map @ scorer.known[w] for w in words]) - _usual_key(scorer, stream)
    apart = float(np.einsum("wh,hg,wg->w", keys, covariance, keys).mean())
    return Gaussian(mean, covariance, min(MOST, len(mean) / max(apart, 1e-9)))


def _usual_key(scorer: FusedScorer, stream: str) -> np.ndarray:
    """The mean key of the basic emotions that a branch learned, weighed by their shares."""
    branch: Branch = scorer.branches[stream]
    words = [w for w in scorer.basics if w in branch.learned]
    shares = np.array([branch.learned[w] for w in words])
    keys = np.stack([branch.map @ scorer.known[w] for w in words])
    return np.asarray(shares @ keys / shares.sum(), np.float64)


def _guess(scorer: FusedScorer, stream: str, vector: np.ndarray) -> np.ndarray:
    key = scorer.branches[stream].map @ vector
    return np.asarray(scorer.guesses[stream] * (key - _usual_key(scorer, stream)))


def _note(word: str, clips: Mapping[str, int]) -> str:
    told = ", ".join(f"{n} of {stream}" for stream, n in clips.items())
    return (
        f"\n## Adapted: {word}\n\nThe word *{word}* was taught by `moodal adapt` from few examples "
        f"({told}). Nothing was measured of it: try it on examples of your own "
        "(`moodal evaluate`) before you rely on it.\n"
    )


def _write(
    found: Artefact,
    out: Path | str,
    info: ArtefactInfo,
    weights: Mapping[str, np.ndarray],
    vectors: Mapping[str, np.ndarray],
    note: str,
) -> Path:
    """The new artefact: the same networks, other weights, and a card that says so."""
    own = ("weights.safetensors", "vectors.safetensors", "README.md")
    files = {n: found.file(n).read_bytes() for n in found.info.files if n not in own}
    card = found.file("README.md").read_text(encoding="utf-8")
    return artefact.write(out, info, weights, vectors, card + note, files)
