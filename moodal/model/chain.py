"""Chain: an emotion lasts, so the answers of neighbouring slices of time support each other.

The voice is judged in overlapping windows, one for each slice of an utterance. A hidden Markov
chain (Rabiner 1989) joins them: its states are the basic emotions that the modality learned, all
equally probable at first; within d seconds an emotion stays with probability (1 - q)^d, and
otherwise changes into any other one with the same probability. Forward-backward smoothing gives
the probability of each state in each slice, given all windows of the utterance:

    gamma_t(y)  ~  sum over paths with y at t of product over t of r_t(y_t)^v T(y_t | y_t-1)

r_t is what the channel model makes of window t (`moodal.model.channel`). The windows overlap, so
each counts by v, at most 1: all of them together count as much as independent windows would. What
the fusion is given is again a ratio: K gamma_t(y), of K states.

A further word joins a chain of its own, with the basic emotions: the basic ones and all other
words stay what they are, whatever else is asked.
"""

from __future__ import annotations

import numpy as np

SWITCH = 0.8
"""q, the probability that an emotion changes within a second: the one with the highest likelihood
of the true emotions, on composed recordings of CREMA-D's validation speakers in which an emotion
lasts for one to four clips, about 2 to 8 s (benchmarks/slices.py)."""


def smooth(
    ratios: np.ndarray,
    learned: np.ndarray,
    counts: np.ndarray,
    times: np.ndarray,
    switch: float = SWITCH,
) -> np.ndarray:
    """Smooth the log ratios of an utterance's slices over time.

    Args:
        ratios: [T, C] log r of the words, see `moodal.model.channel.log_ratios`.
        learned: [K] columns of the basic emotions that the modality learned.
        counts: [T] v of each slice: 1 for an independent window, 0 where nothing is observed.
        times: [T] middle of each slice in seconds, ascending.
        switch: q, above 0 and below 1.

    Returns:
        [T, C] log r; the mean of r over the learned emotions is 1 in each slice, as before.
    """
    logs = ratios * counts[:, None]
    stays = (1 - switch) ** np.diff(times)
    basic = _posteriors(logs[None, :, learned], stays)[0]
    smoothed = np.empty_like(ratios)
    others = np.setdiff1d(np.arange(ratios.shape[1]), learned)
    if len(others):
        joint = [np.concatenate([logs[:, learned], logs[:, [i]]], 1) for i in others]
        posteriors = _posteriors(np.stack(joint), stays)
        mean = posteriors[..., :-1].mean(-1)
        smoothed[:, others] = (np.log(posteriors[..., -1]) - np.log(mean)).T
    smoothed[:, learned] = np.log(len(learned) * basic)
    return smoothed


def _posteriors(logs: np.ndarray, stays: np.ndarray) -> np.ndarray:
    """Compute gamma [B, T, S] of B chains from their log likelihoods; each row sums to 1.

    Args:
        logs: [B, T, S].
        stays: [T - 1] probability to stay, from each slice to the next.
    """
    likely = np.exp(logs - logs.max(-1, keepdims=True))
    likely = np.maximum(likely, SMALLEST)
    forward, backward = np.empty_like(likely), np.ones_like(likely)
    forward[:, 0] = _normal(likely[:, 0])
    for t, stay in enumerate(stays, 1):
        forward[:, t] = _normal(_step(forward[:, t - 1], stay) * likely[:, t])
    for t in range(len(stays) - 1, -1, -1):
        backward[:, t] = _normal(_step(backward[:, t + 1] * likely[:, t + 1], stays[t]))
    return _normal(forward * backward)


SMALLEST = 1e-150
"""The least likelihood beside the highest one of 1: products of two stay above zero."""


def _step(weights: np.ndarray, stay: float) -> np.ndarray:
    """Pass weights [B, S] to the next slice; the transition is the same in both directions."""
    change = (1 - stay) / (weights.shape[-1] - 1)
    total = weights.sum(-1, keepdims=True)
    return np.asarray(stay * weights + change * (total - weights))


def _normal(weights: np.ndarray) -> np.ndarray:
    return np.asarray(weights / weights.sum(-1, keepdims=True))


def slice_edges(start: float, end: float, step: float) -> list[tuple[float, float]]:
    """Divide a span into parts of ``step`` seconds.

    A rest shorter than half a step belongs to the last part.

    >>> slice_edges(1.0, 2.2, 0.5)
    [(1.0, 1.5), (1.5, 2.2)]
    >>> slice_edges(0.0, 0.1, 0.5)
    [(0.0, 0.1)]
    """
    count = max(1, int((end - start) / step + 0.5 + 1e-9))
    starts = [start + i * step for i in range(count)]
    return list(zip(starts, [*starts[1:], end], strict=True))
