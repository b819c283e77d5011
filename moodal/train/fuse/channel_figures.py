"""The channel model of an artefact: fitted on validation rows, measured on test rows.

The two parts share no row: neither speakers, nor sentences, nor pictures, nor the further plain
rows. Nothing here chooses by what it reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from moodal.core.fusion_recipe import FusionRecipe
from moodal.evaluation.metrics.calibration import binned, calibration_error
from moodal.model.channel import Channel, log_ratios
from moodal.model.fusion import key
from moodal.model.fusion_info import ChannelInfo, FusionFigures, RegimeFigures
from moodal.train.fuse.branch_scores import BranchScores
from moodal.train.fuse.fit_channel import Setting, fit_channel, log_probabilities
from moodal.train.fuse.fit_weights import EvidenceRows, figures, prior_odds
from moodal.train.fuse.plain_rows import plain_evidence
from moodal.train.fuse.regimes import Pool, Regime, compose_regimes, subsets
from moodal.train.fuse.train_branch import FusedBranch

COUNT = 2000
"""The number of utterances of each regime."""


def fit_channel_info(
    learned: Mapping[str, FusedBranch],
    scores: Mapping[str, BranchScores],
    recipe: FusionRecipe,
    data: Path,
    folder: Path,
) -> ChannelInfo:
    """Fit the channel model of the branches, and measure it.

    Args:
        learned: modality -> its branch.
        scores: modality -> its evidence on validation and test rows.
        data: the folder of all corpora.
        folder: keeps the evidence of further plain rows.
    """
    plain = plain_evidence(learned, scores, recipe, data, folder)
    rows = {s: {"valid": own.valid, "test": own.test} for s, own in scores.items()}
    setting = Setting(tuple(recipe.basics), {s: own.valid.learned for s, own in scores.items()})
    parts = {
        part: list(
            compose_regimes(
                {s: _pool(rows[s][part], plain.get(s, {}).get(part)) for s in scores},
                recipe.basics,
                COUNT,
                recipe.seed + offset,
            )
        )
        for offset, part in enumerate(("valid", "test"))
    }
    channel = fit_channel(parts["valid"], setting)
    others = {
        word: odds
        for stream, own in scores.items()
        for word, odds in _others(stream, own, channel, setting).items()
    }
    return ChannelInfo(
        sharpness=dict(channel.sharpness),
        floor=dict(channel.floor),
        expected=dict(channel.expected),
        telling=dict(channel.telling),
        certainty=dict(channel.certainty),
        others=others,
        other=float(np.mean(list(others.values()))) if others else 0.0,
        threshold=recipe.sure,
        trained=_trained(scores, recipe.basics),
        measured={
            key(present): _measured(
                [r for r in parts["test"] if r.present == present], channel, setting, recipe.sure
            )
            for present in subsets(setting.modalities)
        },
        regimes={
            f"{key(regime.present)}: {regime.name}": _regime_figures(regime, channel, setting)
            for regime in parts["test"]
            if len(regime.present) > 1
        },
    )


def _pool(rows: EvidenceRows, plain: np.ndarray | None) -> Pool:
    return Pool(rows.evidence, rows.labels, plain, rows.spoken)


def _trained(scores: Mapping[str, BranchScores], basics: Sequence[str]) -> dict[str, float]:
    """Return the mean share of each basic emotion in the trainings that had it."""
    shares = {
        b: float(np.mean([own.shares[b] for own in scores.values() if b in own.shares]))
        for b in basics
    }
    total = sum(shares.values())
    return {b: share / total for b, share in shares.items()}


def _measured(
    regimes: Sequence[Regime], channel: Channel, setting: Setting, sure: float
) -> FusionFigures:
    """Measure a set of modalities on all its regimes together."""
    logs = [log_probabilities(channel, regime.evidence, setting) for regime in regimes]
    labels = np.concatenate([regime.labels for regime in regimes])
    made_up = len(regimes[0].present) > 1
    return FusionFigures(made_up=made_up, **figures(np.exp(np.concatenate(logs)), labels, sure))


def _regime_figures(regime: Regime, channel: Channel, setting: Setting) -> RegimeFigures:
    logs = log_probabilities(channel, regime.evidence, setting)
    hit = logs.argmax(1) == regime.labels
    alone = {
        m: log_probabilities(channel, {m: regime.evidence[m]}, setting).argmax(1) == regime.labels
        for m in regime.present
    }
    return RegimeFigures(
        present=regime.present,
        telling=regime.telling,
        rows=len(hit),
        accuracy=float(hit.mean()),
        ece=calibration_error(binned(np.exp(logs.max(1)), hit)),
        loss=float(-logs[np.arange(len(hit)), regime.labels].mean()),
        alone={m: float(right.mean()) for m, right in alone.items()},
    )


def _others(
    stream: str, scores: BranchScores, channel: Channel, setting: Setting
) -> dict[str, float]:
    """Fit the prior odds of each word that a branch learned and that is not basic.

    With them the word's mean probability on the branch's validation rows is its frequency there.
    """
    words, evidence, truth = scores.words, scores.every, scores.truth
    count = len(setting.basics)
    learned = setting.learned[stream]
    known = np.concatenate([learned, np.ones(len(words), bool)])
    ratios = log_ratios(evidence, np.flatnonzero(learned), channel.sharpness[stream])
    logs = channel.log_likelihoods({stream: ratios}, {stream: known}, setting.neutral, (stream,))
    basic = np.logaddexp.reduce(logs[:, :count] - np.log(count), axis=1)
    odds = {}
    for i, word in enumerate(words):
        said = ~np.isnan(truth[:, i])  # a corpus may say nothing of a word
        values = (logs[:, count + i] - basic)[said]
        odds[word] = prior_odds(values, float(truth[said, i].mean()))
    return odds
