"""Labels and frames of features that carry emotion: learnable, not trivial.

An utterance has emotions; each of its streams *expresses* them, or, with the
chance given in `FAITHFUL`, something else. What is expressed is the mean of the
emotions' word vectors, the target: some words of the text stream are near it,
and the speech and face frames lean to a fixed linear image of it. So a model
that learns the link from vectors to frames knows unseen emotions too, and no
stream, nor all together, can be right every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from moodal.lookalikes.words import WIDTH, direction, word_vectors

FAITHFUL = {"text": 0.75, "speech": 0.6, "face": 0.55}
"""Chance that a stream expresses what the label says."""

PHASES = {"train": 0.7, "valid": 0.1, "test": 0.2}
"""Phase -> its share of the utterances."""

_FILLERS = 400  # words without emotion that a text stream is made of


class Layout(NamedTuple):
    """The shape of one stream in a file.

    Attributes:
        steps: T, all of them, padding included.
        width: D.
        shortest: valid steps of the shortest utterance.
    """

    steps: int
    width: int
    shortest: int


def phase_sizes(utterances: int) -> dict[str, int]:
    """Divide a number of utterances among the phases, at least one each.

    >>> phase_sizes(100)
    {'train': 70, 'valid': 10, 'test': 20}
    """
    valid, test = (max(1, round(utterances * PHASES[p])) for p in ("valid", "test"))
    return {"train": utterances - valid - test, "valid": valid, "test": test}


def primary(n: int, prior: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Draw the main emotion [n] int of each utterance by ``prior`` [C].

    Where n has room for it, each emotion occurs: a corpus for trying things out
    should not lack one by chance.
    """
    weights = np.asarray(prior, float)
    chosen = rng.choice(len(weights), n, p=weights / weights.sum())
    if n >= len(weights):
        chosen[: len(weights)] = np.arange(len(weights))
    return rng.permutation(chosen)


def several(
    main: np.ndarray,
    words: Sequence[str],
    prior: Sequence[float],
    none: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw labels [N, C] 0/1: the main emotion, a second in some rows, none in a share ``none``."""
    vectors = vectors_of(words)
    near = np.exp(vectors @ vectors.T / 8) * np.asarray(prior)
    np.fill_diagonal(near, 0)
    near /= near.sum(1, keepdims=True)
    labels = np.eye(len(words), dtype=np.float32)[main]
    for row in np.flatnonzero(rng.random(len(main)) < 0.35):
        labels[row, rng.choice(len(words), p=near[main[row]])] = 1
    counts = np.bincount(main, minlength=len(words))
    # never empty the only row of an emotion
    empty = (rng.random(len(main)) < none) & (counts[main] > 2)
    labels[empty] = 0
    return labels


def vectors_of(words: Sequence[str]) -> np.ndarray:
    """Return the vectors [C, 300] float64 of ``words``."""
    known = word_vectors()
    return np.stack([known[word] for word in words]).astype(float)


def targets(weights: np.ndarray, words: Sequence[str]) -> np.ndarray:
    """Average each row's emotion vectors by ``weights`` [N, C] to [N, 300]; 0 without any."""
    total = weights.sum(1, keepdims=True)
    return (weights @ vectors_of(words)) / np.where(total > 0, total, 1)


def expressed(target: np.ndarray, stream: str, rng: np.random.Generator) -> np.ndarray:
    """Draw what a stream expresses [N, 300]: its target or another row's, with noise."""
    n = len(target)
    other = rng.permutation(n)
    faithful = rng.random(n) < FAITHFUL[stream]
    strength = rng.uniform(0.6, 1.2, (n, 1))
    noise = rng.standard_normal((n, WIDTH)) * 0.1
    return np.where(faithful[:, None], target, target[other]) * strength + noise


def frames(
    stream: str,
    target: np.ndarray,
    layout: Layout,
    rng: np.random.Generator,
    *,
    front: bool = False,
) -> np.ndarray:
    """Draw one stream [N, T, D] float32 of N utterances with the targets [N, 300].

    Steps beyond an utterance's own are 0, before its first one (``front``) or
    after its last.
    """
    lean = expressed(target, stream, rng)
    lengths = rng.integers(layout.shortest, layout.steps + 1, len(target))
    values = _words(lean, layout, rng) if stream == "text" else _frames(stream, lean, layout, rng)
    steps = np.arange(layout.steps)
    valid = steps < lengths[:, None]
    if front:
        valid = valid[:, ::-1]
    values[~valid] = 0
    return values


def _words(lean: np.ndarray, layout: Layout, rng: np.random.Generator) -> np.ndarray:
    """Draw word vectors: fillers of a fixed vocabulary, and about one in four near ``lean``."""
    n = len(lean)
    vocabulary = np.random.default_rng(840).standard_normal((_FILLERS, WIDTH)) * 0.3
    values = vocabulary.astype(np.float32)[rng.integers(0, _FILLERS, (n, layout.steps))]
    rows, steps = np.nonzero(rng.random((n, layout.steps)) < 0.25)
    values[rows, steps] = lean[rows] + rng.standard_normal((len(rows), WIDTH)) * 0.1
    return values


def _frames(stream: str, lean: np.ndarray, layout: Layout, rng: np.random.Generator) -> np.ndarray:
    """Draw frames around a speaker's mean, moved by the image of ``lean`` with varying strength."""
    n = len(lean)
    image = np.stack([direction(f"{stream} {d}") for d in range(layout.width)], axis=1)
    # a column's share of a vector of length 5 is about .3: bring it near the noise's size
    moved = lean @ image * 3
    speaker = rng.standard_normal((max(2, n // 20), layout.width)) * 0.4
    own = speaker[rng.integers(0, len(speaker), n)]
    swell = 0.5 + 0.5 * np.sin(
        rng.uniform(0, 2 * np.pi, (n, 1)) + np.arange(layout.steps) * rng.uniform(0.2, 0.6, (n, 1))
    )
    values = rng.standard_normal((n, layout.steps, layout.width), np.float32)
    values += own[:, None].astype(np.float32)
    values += moved[:, None].astype(np.float32) * swell[:, :, None].astype(np.float32)
    return values
