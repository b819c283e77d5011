"""Corrected: the scale and offset of each basic emotion that corrections taught, and their fit.

Let LL(y) be the log likelihood of the fused modalities for basic emotion y, with mean 0 over the
basic emotions. The corrected answer is

    log p(y | x) = log prior(y) + s_y LL(y) + b_y + constant

that is vector scaling (Guo et al., "On calibration of modern neural networks", ICML 2017), with
the prior kept apart. Without corrections s is 1 and b is 0. The fit maximises the penalised
likelihood of the corrections, with normal priors around these values:

    sum over corrections log p(y_i | x_i) - sum_y b_y^2 / 2 w^2 - sum_y (s_y - 1)^2 / 2 (w / 2)^2

It is concave, so Newton's method finds its only maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from moodal.model.fusion_info import CorrectionInfo

Kind = Literal["none", "offsets", "one scale", "scales"]
"""The parameters that are fitted: none; offsets; also one scale of all; also a scale of each."""

KINDS: tuple[Kind, ...] = ("none", "offsets", "one scale", "scales")
"""The kinds, the simplest first."""

SMALLEST_SCALE = 0.05
"""The least scale: an emotion keeps its order."""
STEPS = 50


@dataclass(frozen=True)
class Corrected:
    """The scale s [K] and offset b [K] of each basic emotion."""

    scale: np.ndarray
    offset: np.ndarray

    @classmethod
    def read(cls, info: CorrectionInfo | None, basics: Sequence[str]) -> Corrected | None:
        """Read the parameters of an artefact; None if it has none, or they change nothing."""
        if info is None or info.fitted == "none":
            return None
        scale, offset = ([own[b] for b in basics] for own in (info.scales, info.offsets))
        return cls(np.array(scale), np.array(offset))

    @classmethod
    def none(cls, count: int) -> Corrected:
        """Return what changes no answer of ``count`` basic emotions."""
        return cls(np.ones(count), np.zeros(count))

    def undone(self, log_odds: np.ndarray) -> np.ndarray:
        """Return the log likelihoods [n, K], with mean 0, of corrected ones without the prior.

        >>> one = Corrected(np.array([2.0, 1.0]), np.array([0.5, 0.0]))
        >>> one.undone(np.array([[2.5, -1.0]]) + 7).tolist()
        [[1.0, -1.0]]
        """
        values = log_odds - self.offset
        constant = (values / self.scale).sum(-1, keepdims=True) / (1 / self.scale).sum()
        return np.asarray((values - constant) / self.scale)

    def log_odds(self, prior: np.ndarray, likelihood: np.ndarray) -> np.ndarray:
        """Correct the log odds of C words, of which the first K are the basic emotions.

        Other words keep their probability, which compares each with the basic emotions together.

        Args:
            prior: [n, C] log prior odds.
            likelihood: [n, C] log likelihoods; 0 before anything is observed.
        """
        count = len(self.scale)
        total = np.asarray(prior + likelihood, float)
        basic = prior[..., :count] + self.scale * centred(likelihood[..., :count]) + self.offset
        moved = _log_sum(total[..., :count]) - _log_sum(basic)
        total[..., :count] = basic + moved
        return total


def centred(values: np.ndarray) -> np.ndarray:
    """Subtract from each row its mean."""
    return np.asarray(values - values.mean(-1, keepdims=True))


def log_probabilities(
    corrected: Corrected, likelihood: np.ndarray, prior: np.ndarray
) -> np.ndarray:
    """Return the log probabilities [n, K] of the basic emotions.

    Args:
        likelihood: [n, K] log likelihoods with mean 0.
        prior: [K] log probabilities.
    """
    total = prior + corrected.scale * likelihood + corrected.offset
    return np.asarray(total - _log_sum(total))


def fit(
    kind: Kind,
    likelihood: np.ndarray,
    labels: np.ndarray,
    prior: np.ndarray,
    width: float = 1.0,
) -> Corrected:
    """Fit scales and offsets to corrections.

    An emotion that no correction shows keeps its offset and, with "scales", its scale.

    Args:
        kind: the parameters that are fitted.
        likelihood: [n, K] log likelihoods with mean 0.
        labels: [n] the columns of the right emotions.
        prior: [K] log probabilities.
        width: w, the standard deviation of the offsets beforehand, in nats.
    """
    count = likelihood.shape[1]
    shown = np.isin(np.arange(count), labels)
    base = _bases(kind, shown)
    precision = np.concatenate(
        [np.full(len(base[0]), (2 / width) ** 2), np.full(len(base[1]), width**-2)]
    )
    scales, offsets = base
    parameters = np.zeros(len(precision))  # s - 1, then b, both along the base
    target = np.eye(count)[labels]

    def corrected(values: np.ndarray) -> Corrected:
        split = len(scales)
        scale = 1 + values[:split] @ scales
        return Corrected(np.maximum(scale, SMALLEST_SCALE), values[split:] @ offsets)

    # [n, P, K]: how each parameter moves each log odds
    moves = np.concatenate(
        [likelihood[:, None] * scales, np.broadcast_to(offsets, (len(labels), *offsets.shape))], 1
    )
    for _ in range(STEPS if len(parameters) else 0):
        p = np.exp(log_probabilities(corrected(parameters), likelihood, prior))
        gradient = np.einsum("npk,nk->p", moves, target - p) - precision * parameters
        mean = np.einsum("npk,nk->np", moves, p)
        hessian = np.einsum("npk,nqk,nk->pq", moves, moves, p) - mean.T @ mean
        step = np.linalg.solve(hessian + np.diag(precision), gradient)
        parameters = parameters + step * min(1.0, 2.0 / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < 1e-8:
            break
    return corrected(parameters)


def _bases(kind: Kind, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the directions [P, K] in which scales and offsets may move."""
    each = np.eye(len(shown))[shown]
    none = np.zeros((0, len(shown)))
    if kind == "none":
        return none, none
    scales = {"offsets": none, "one scale": np.ones((1, len(shown))), "scales": each}[kind]
    return scales, each


def _log_sum(values: np.ndarray) -> np.ndarray:
    """Return the logarithm of the sum of exponentials of each row, [..., 1]."""
    top = values.max(-1, keepdims=True)
    return np.asarray(top + np.log(np.exp(values - top).sum(-1, keepdims=True)))
