"""VBx: find the speakers of a sequence of vectors, and who speaks in each.

Landini, Profant, Diez and Burget, "Bayesian HMM clustering of x-vector sequences (VBx) in speaker
diarization", Computer Speech & Language, 2022: a hidden Markov model whose states are speakers,
with a prior on their places from PLDA. Speakers that explain nothing get no share and vanish, so
their number is found. The symbols are the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class VbxSettings:
    """The settings of VBx, chosen on dialogues of CREMA-D's development actors.

    Attributes:
        acoustic: F_A, how much one vector counts; neighbours overlap, so less than 1.
        speaker: F_B, how strong the prior is; a higher one finds fewer speakers.
        stay: P_loop, the probability that the next vector is of the same speaker.
        rounds: the most iterations.
        least: the share of a speaker who vanishes.
    """

    acoustic: float = 0.5
    speaker: float = 3.0
    stay: float = 0.97
    rounds: int = 20
    least: float = 1e-3


@dataclass(frozen=True)
class SpeakerShares:
    """The speakers of a sequence of vectors.

    Attributes:
        shares: [T, S] the probability that each vector is of each speaker.
        places: [S, D] the mean of each speaker in the space of the vectors.
        bound: the lower bound of the evidence (ELBO), by which guesses are compared.
    """

    shares: np.ndarray
    places: np.ndarray
    bound: float


def find_speakers(
    vectors: np.ndarray, labels: np.ndarray, between: np.ndarray, settings: VbxSettings
) -> SpeakerShares:
    """Find the speakers of vectors in their order of time.

    Args:
        vectors: [T, D], which vary by 1 within a speaker.
        labels: [T] a first guess, from 0, of at least as many speakers as there are.
        between: [D] the variance between speakers.
        settings: see `VbxSettings`.
    """
    scaled = np.asarray(vectors, np.float64) * np.sqrt(between)
    gamma = np.full((len(labels), labels.max() + 1), 0.1 / (labels.max() + 1))
    gamma[np.arange(len(labels)), labels] = 1.0
    gamma /= gamma.sum(1, keepdims=True)
    pi = np.full(gamma.shape[1], 1 / gamma.shape[1])
    ratio = settings.acoustic / settings.speaker
    before = -np.inf
    for _ in range(settings.rounds):
        inverse = 1 / (1 + ratio * gamma.sum(0)[:, None] * between)
        alpha = ratio * inverse * (gamma.T @ scaled)
        score = scaled @ alpha.T
        score -= (inverse + alpha**2) @ between / 2
        score *= settings.acoustic
        entries, likelihood = _forward_backward(score, pi, settings.stay, gamma)
        del score
        pi = entries / entries.sum()
        prior = np.sum(np.log(inverse) - inverse - alpha**2 + 1)
        bound = likelihood + settings.speaker * prior / 2
        kept = pi >= min(settings.least, pi.max())
        if not kept.all():
            gamma = gamma[:, kept]
        pi = pi[kept] / pi[kept].sum()
        gamma /= np.maximum(gamma.sum(1, keepdims=True), 1e-300)
        alpha = alpha[kept]
        if abs(bound - before) < 1e-4 * abs(bound):
            break
        before = bound
    return SpeakerShares(gamma, alpha * np.sqrt(between), float(bound))


def _forward_backward(
    score: np.ndarray, pi: np.ndarray, stay: float, gamma: np.ndarray
) -> tuple[np.ndarray, float]:
    """Run the forward-backward algorithm; return [S] expected entries and the log-likelihood.

    A state is kept with probability ``stay``, else drawn anew from ``pi``. Hours of speech have
    large arrays, so two serve for all: the posteriors are written into ``gamma`` [T, S], and
    ``score`` [T, S] is used up.
    """
    top = score.max(1, keepdims=True)
    score -= top
    emission = np.maximum(np.exp(score, out=score), 1e-100, out=score)
    enter = (1 - stay) * pi
    scale = np.empty(len(emission))
    state = pi * emission[0]
    for t in range(len(emission)):
        if t:
            state = (stay * state + enter) * emission[t]
        scale[t] = state.sum()
        state = state / scale[t]
        gamma[t] = state
    entries = np.zeros(len(pi))
    back = np.ones(len(pi))
    for t in range(len(emission) - 1, 0, -1):
        ahead = back * emission[t] / scale[t]
        entries += enter * ahead
        back = stay * ahead + enter @ ahead
        gamma[t - 1] *= back
    entries += gamma[0]
    return entries, float(np.log(scale).sum() + top.sum())
