"""Regimes: utterances in which some modalities tell an emotion and the others are plain.

No corpus that may be shipped holds text, voice and face at once, and none has telling words in a
plain voice. So utterances are composed of rows that the branches were not trained on: for a set
of telling modalities, each gives a row of one emotion, as if independent given the emotion, and
each of the other modalities that are present gives a plain row. Plain words are either what the
telling voice really spoke, or neutral lines of text; plain voices are neutral speakers or a
synthetic voice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from moodal.core.records import ordered
from moodal.model.fusion import NEUTRAL, key


@dataclass(frozen=True)
class Pool:
    """Rows of one modality from which utterances are composed.

    Attributes:
        evidence: [n, K] for the basic emotions, see `moodal.model.channel`.
        labels: [n] columns of the basic emotions.
        plain: [p, K] further rows that tell nothing, such as a synthetic voice.
        spoken: [n, K] the text branch's evidence for what each voice spoke; None without words.
    """

    evidence: np.ndarray
    labels: np.ndarray
    plain: np.ndarray | None = None
    spoken: np.ndarray | None = None


@dataclass(frozen=True)
class Regime:
    """Composed utterances in which the same modalities tell.

    Attributes:
        name: such as "voice tells", for tables.
        telling: the modalities that tell.
        evidence: modality -> [n, K], of the modalities that are present.
        labels: [n] columns of the basic emotions.
    """

    name: str
    telling: tuple[str, ...]
    evidence: Mapping[str, np.ndarray]
    labels: np.ndarray

    @property
    def present(self) -> tuple[str, ...]:
        """The modalities that are present."""
        return ordered(self.evidence)


def compose_regimes(
    pools: Mapping[str, Pool], basics: Sequence[str], count: int, seed: int
) -> Iterator[Regime]:
    """Compose the regimes of every set of modalities, of which at most two are plain.

    Args:
        count: the number of utterances in each.
    """
    names = ordered(pools)
    for present in subsets(names):
        for telling in subsets(present):
            if len(present) - len(telling) > 2:
                continue
            yield from compose(pools, present, telling, basics, count, seed)


def compose(
    pools: Mapping[str, Pool],
    present: Sequence[str],
    telling: Sequence[str],
    basics: Sequence[str],
    count: int,
    seed: int,
) -> Iterator[Regime]:
    """Compose a regime; two where plain words can be those that the telling voice spoke.

    Emotions are equally frequent, those that all of the telling modalities have rows of.
    """
    rng = np.random.default_rng([seed, *key(present).encode(), *key(telling).encode()])
    neutral = list(basics).index(NEUTRAL)
    shared = [k for k in range(len(basics)) if all((pools[m].labels == k).any() for m in telling)]
    labels = rng.permutation(np.resize(shared, count))
    evidence: dict[str, np.ndarray] = {}
    spoken: np.ndarray | None = None
    for m in present:
        pool = pools[m]
        rows = _rows(pool, labels if m in telling else np.full(count, neutral), rng)
        values = pool.evidence[rows]
        if m in telling and pool.spoken is not None:
            spoken = pool.spoken[rows]
        if m not in telling and pool.plain is not None:
            half = rng.random(count) < 0.5
            values[half] = pool.plain[rng.integers(0, len(pool.plain), int(half.sum()))]
        evidence[m] = values
    name = " and ".join(telling) + (" tell" if len(telling) > 1 else " tells")
    yield Regime(name, tuple(telling), evidence, labels)
    wordless = [m for m in present if m not in telling and pools[m].spoken is None]
    if spoken is not None and "text" in wordless:
        own = {**evidence, "text": spoken}
        yield Regime(f"{name}, its own words", tuple(telling), own, labels)


def contradict(
    pools: Mapping[str, Pool], pair: tuple[str, str], basics: Sequence[str], count: int, seed: int
) -> Regime:
    """Compose utterances in which two modalities tell different emotions, labelled by the first."""
    rng = np.random.default_rng(seed)
    told = [
        [k for k, b in enumerate(basics) if b != NEUTRAL and (pools[m].labels == k).any()]
        for m in pair
    ]
    first = rng.choice(told[0], count)
    second = np.array([rng.choice([k for k in told[1] if k != y]) for y in first])
    labels = dict(zip(pair, (first, second), strict=True))
    evidence = {m: pools[m].evidence[_rows(pools[m], labels[m], rng)] for m in pair}
    return Regime("contradiction", tuple(pair), evidence, first)


def subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield every set of modalities but the empty one, small ones first."""
    for size in range(1, len(names) + 1):
        yield from combinations(names, size)


def _rows(pool: Pool, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a row of each label: [n]."""
    rows = np.zeros(len(labels), np.intp)
    for k in np.unique(labels):
        places = np.flatnonzero(labels == k)
        rows[places] = rng.choice(np.flatnonzero(pool.labels == k), len(places))
    return rows
