"""The fusion of the artefact by regime, over five splits of the held-out speakers.

    python benchmarks/regimes.py --data DATA --work runs/artefact [recipes/artefact/default.toml]

The folder ``--work`` is that of `moodal compose`, which keeps the evidence. In each split a third
of the speakers, sentences and pictures that trained no branch fits the channel model, and the
others test it: accuracy, likelihood loss, calibration error and the mean probability of surprise,
as mean and deviation over the splits; beside it EEA's sum and a mixture of experts
(`benchmarks/mixture.py`), fitted on the same utterances.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from mixture import fit_mixture

from moodal.core.recipe import load_fusion
from moodal.evaluation.metrics.calibration import binned, calibration_error
from moodal.model.channel import Channel
from moodal.model.fusion import NEUTRAL
from moodal.train.fuse.build import branches_of, scores_of
from moodal.train.fuse.fit_channel import Setting, fit_channel, log_probabilities
from moodal.train.fuse.fit_weights import EvidenceRows, fit_set, fused_probabilities
from moodal.train.fuse.plain_rows import plain_evidence
from moodal.train.fuse.regimes import Pool, Regime, compose_regimes, contradict

SPLITS, COUNT = 5, 2000


def main() -> None:
    """Print a table of regimes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", default="recipes/artefact/default.toml")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/artefact"))
    args = parser.parse_args()
    recipe = load_fusion(args.recipe)
    learned = branches_of(recipe, Path(args.recipe), args.data, args.work, lambda _: None)
    scores = scores_of(learned, recipe)
    plain = plain_evidence(learned, scores, recipe, args.data, args.work)
    setting = Setting(tuple(recipe.basics), {s: own.valid.learned for s, own in scores.items()})
    found: dict[str, list[tuple[float, ...]]] = {}
    for number in range(SPLITS):
        fit, test = {}, {}
        for stream, own in scores.items():
            rows = _joined(own.valid, own.test)
            chosen = _third(rows, number)
            extra = plain.get(stream)
            every = None if extra is None else np.concatenate([extra["valid"], extra["test"]])
            drawn = np.random.default_rng(number).random(0 if every is None else len(every))
            fit[stream] = _pool(rows, chosen, every, drawn < 1 / 3)
            test[stream] = _pool(rows, ~chosen, every, drawn >= 1 / 3)
        regimes = list(compose_regimes(fit, recipe.basics, COUNT, number))
        channel = fit_channel(regimes, setting)
        tested = list(compose_regimes(test, recipe.basics, COUNT, 100 + number))
        sums = {r.present: _sum(regimes, r.present, recipe.basics) for r in tested}
        mixtures = {p: fit_mixture(own, setting, [1] * len(own)) for p, own in _sets(regimes)}
        for regime in tested:
            logs = log_probabilities(channel, regime.evidence, setting)
            by_sum = fused_probabilities(regime.evidence, sums[regime.present], recipe.basics)
            surprise = float(np.exp(logs[:, recipe.basics.index("surprise")]).mean())
            row = (*_figures(logs, regime.labels), surprise)
            name = f"{'+'.join(regime.present)}: {regime.name}"
            mixed = _figures(mixtures[regime.present](regime.evidence), regime.labels)
            found.setdefault(name, []).append(
                (*row, *_figures(np.log(by_sum), regime.labels)[:2], *mixed)
            )
        _contradictions(found, channel, setting, test, tested, recipe.basics)
    head = ("accuracy", "deviation", "loss", "ECE", "P(surprise)", "sum: accuracy", "loss")
    head += ("mix: accuracy", "loss", "ECE")
    print(f"{'regime':55s}" + "".join(f"{h:>15s}" for h in head))
    for name, values in found.items():
        means, spread = np.mean(values, 0), np.std(values, 0)
        row = [means[0], spread[0], *means[1:]]
        print(f"{name:55s}" + "".join(f"{v:15.3f}" for v in row))


def _sets(regimes: list[Regime]) -> list[tuple[tuple[str, ...], list[Regime]]]:
    """Return each set of modalities with its regimes."""
    sets = list(dict.fromkeys(r.present for r in regimes))
    return [(present, [r for r in regimes if r.present == present]) for present in sets]


def _contradictions(
    found: dict[str, list[tuple[float, ...]]],
    channel: Channel,
    setting: Setting,
    pools: dict[str, Pool],
    regimes: list[Regime],
    basics: list[str],
) -> None:
    """Add how many contradictions of words and voice are flagged, and how many flags are right."""
    regime = contradict(pools, ("text", "speech"), basics, COUNT, 7)
    flagged = _flags(channel, regime, setting, basics).mean()
    others = [
        _flags(channel, r, setting, basics).mean()
        for r in regimes
        if r.present == ("text", "speech")
    ]
    precision = flagged / (flagged + float(np.mean(others)))
    found.setdefault("contradiction: recall, precision of its flag", []).append(
        (float(flagged), float(precision))
    )


def _flags(channel: Channel, regime: Regime, setting: Setting, basics: list[str]) -> np.ndarray:
    """Return [n] whether both modalities are sure of different emotions that are not neutral."""
    answers = {
        m: np.exp(log_probabilities(channel, {m: regime.evidence[m]}, setting))
        for m in ("text", "speech")
    }
    tops = {m: p.argmax(1) for m, p in answers.items()}
    sure = np.all([p.max(1) >= 0.5 for p in answers.values()], axis=0)
    neutral = basics.index(NEUTRAL)
    told = np.all([top != neutral for top in tops.values()], axis=0)
    return np.asarray(sure & told & (tops["text"] != tops["speech"]))


def _figures(logs: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    hit = logs.argmax(1) == labels
    loss = -logs[np.arange(len(labels)), labels].mean()
    error = calibration_error(binned(np.exp(logs.max(1)), hit))
    return float(hit.mean()), float(loss), float(error)


def _sum(regimes: list[Regime], present: tuple[str, ...], basics: list[str]) -> dict[str, object]:
    """Fit EEA's sum on all regimes of a set."""
    own = [r for r in regimes if r.present == present]
    shown = {m: np.concatenate([r.evidence[m] for r in own]) for m in present}
    return fit_set(shown, np.concatenate([r.labels for r in own]), basics)


def _joined(*parts: EvidenceRows) -> EvidenceRows:
    spoken = [p.spoken for p in parts if p.spoken is not None]
    return EvidenceRows(
        np.concatenate([p.evidence for p in parts]),
        np.concatenate([p.labels for p in parts]),
        parts[0].learned,
        tuple(t for p in parts for t in p.texts),
        tuple(s for p in parts for s in p.speakers),
        np.concatenate(spoken) if len(spoken) == len(parts) else None,
    )


def _third(rows: EvidenceRows, seed: int) -> np.ndarray:
    """Choose the rows of a third of the speakers, or of the rows where none is named: [n] bool."""
    groups = np.array([s or str(i) for i, s in enumerate(rows.speakers)])
    names = np.unique(groups)
    chosen = np.random.default_rng(seed).permutation(names)[: max(1, len(names) // 3)]
    return np.isin(groups, chosen)


def _pool(
    rows: EvidenceRows, chosen: np.ndarray, plain: np.ndarray | None, part: np.ndarray
) -> Pool:
    spoken = None if rows.spoken is None else rows.spoken[chosen]
    extra = None if plain is None else plain[part]
    return Pool(rows.evidence[chosen], rows.labels[chosen], extra, spoken)


if __name__ == "__main__":
    main()
