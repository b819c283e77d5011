"""Fit the channel model (`moodal.model.channel`) by maximum likelihood on composed regimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import log_softmax

from moodal.core.records import ordered
from moodal.model.channel import Channel, log_ratios
from moodal.model.fusion import NEUTRAL, key
from moodal.train.fuse.regimes import Regime, subsets

DECAY = 1e-3
"""The weight of the penalty that keeps parameters near their start."""


@dataclass(frozen=True)
class Setting:
    """The emotions and modalities for which a channel model is fitted.

    Attributes:
        basics: the basic emotions.
        learned: modality -> [K] bool, whether its branch learned each.
    """

    basics: tuple[str, ...]
    learned: Mapping[str, np.ndarray]

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities."""
        return ordered(self.learned)

    @property
    def neutral(self) -> int:
        """The column of neutral."""
        return self.basics.index(NEUTRAL)


def fit_channel(
    regimes: Sequence[Regime], setting: Setting, weights: Sequence[float] | None = None
) -> Channel:
    """Fit all parameters together, then the certainty of each set of modalities.

    Args:
        regimes: composed of rows that neither trained the branches nor test the model.
        weights: the weight of each regime; by default all are alike.
    """
    from scipy.optimize import minimize

    share = np.ones(len(regimes)) if weights is None else np.array(weights, float)
    share = share / share.sum()
    start = _start(setting)

    def loss(values: np.ndarray) -> float:
        channel = with_expected(_channel(values, setting), regimes, setting)
        total = sum(
            w * cross_entropy(channel, regime, setting)
            for w, regime in zip(share, regimes, strict=True)
        )
        return float(total + DECAY * ((values - start) ** 2).sum())

    fitted = minimize(loss, start, method="L-BFGS-B", options={"maxiter": 200})
    channel = with_expected(_channel(fitted.x, setting), regimes, setting)
    return _with_certainty(channel, regimes, share, setting)


def log_probabilities(
    channel: Channel, evidence: Mapping[str, np.ndarray], setting: Setting
) -> np.ndarray:
    """Compute the log probabilities [n, K] under a level prior."""
    present = ordered(evidence)
    ratios = {
        m: log_ratios(evidence[m], np.flatnonzero(setting.learned[m]), channel.sharpness[m])
        for m in present
    }
    logits = channel.log_likelihoods(ratios, setting.learned, setting.neutral, present)
    return np.asarray(log_softmax(logits, axis=1))


def cross_entropy(channel: Channel, regime: Regime, setting: Setting) -> float:
    """Compute the mean negative log likelihood of a regime's emotions."""
    logs = log_probabilities(channel, regime.evidence, setting)
    return float(-logs[np.arange(len(logs)), regime.labels].mean())


def with_expected(channel: Channel, regimes: Sequence[Regime], setting: Setting) -> Channel:
    """Set what a modality that tells is expected to say of an emotion that it never learned.

    That is the mean log l of the emotions that it learned and that are not shown.
    """
    expected: dict[str, float] = {}
    for m in setting.modalities:
        own = next(r for r in regimes if r.present == (m,))
        learned = setting.learned[m]
        ratios = log_ratios(own.evidence[m], np.flatnonzero(learned), channel.sharpness[m])
        floor = channel.floor[m]
        logs = np.log((1 - floor) * np.exp(ratios) + floor)
        others = np.tile(learned, (len(logs), 1))
        others[np.arange(len(logs)), own.labels] = False
        expected[m] = float(logs[others].mean())
    return replace(channel, expected=expected)


def _start(setting: Setting) -> np.ndarray:
    """Return where the search starts: sharpness 1, floor .05, all patterns alike."""
    count = len(setting.modalities)
    floors = np.full(count, np.log(0.05 / 0.95))
    return np.concatenate([np.zeros(count), floors, np.zeros(2 * 2**count)])


def _channel(values: np.ndarray, setting: Setting) -> Channel:
    """Make the channel model of unbounded parameters."""
    names = setting.modalities
    sharpness, floors, table = np.split(values, [len(names), 2 * len(names)])
    telling = np.exp(table.reshape(-1, 2) - table.reshape(-1, 2).max(0))
    telling = telling / telling.sum(0)
    patterns = ["", *(key(z) for z in subsets(names))]
    return Channel(
        sharpness=dict(zip(names, np.exp(sharpness).tolist(), strict=True)),
        floor=dict(zip(names, (1 / (1 + np.exp(-floors))).tolist(), strict=True)),
        expected=dict.fromkeys(names, 0.0),
        telling={z: (float(a), float(b)) for z, (a, b) in zip(patterns, telling, strict=True)},
    )


def _with_certainty(
    channel: Channel, regimes: Sequence[Regime], share: np.ndarray, setting: Setting
) -> Channel:
    """Fit one factor of the log likelihoods for each set of modalities."""
    from scipy.optimize import minimize_scalar

    certainty: dict[str, float] = {}
    for present in subsets(setting.modalities):
        own = [(w, r) for w, r in zip(share, regimes, strict=True) if r.present == present]

        def loss(log: float, own: list[tuple[float, Regime]] = own, present=present) -> float:  # type: ignore[no-untyped-def]
            factor = {**certainty, key(present): float(np.exp(log))}
            tried = replace(channel, certainty=factor)
            return float(sum(w * cross_entropy(tried, r, setting) for w, r in own))

        best = minimize_scalar(loss, bounds=(-1.5, 1.5), method="bounded")
        certainty[key(present)] = float(np.exp(best.x))
    return replace(channel, certainty=certainty)
