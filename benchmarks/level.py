"""What a level does to recordings of many moods and of few.

    python benchmarks/level.py ravdess RAVDESS [--streams speech] [--store FOLDER]

Samples of 100 clips are drawn from the rows of a corpus that the model was not trained on:
balanced, with 60% neutral clips, as in talk, and of one emotion. For each, the accuracy is printed
plain and with parts of the estimated shift taken off (`moodal.model.level`), as means over draws. A
level presumes the prior, here all emotions alike, so it loses where that is wrong.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import moodal
from moodal.core.records import Frames
from moodal.features.store import FeatureStore
from moodal.model import level
from moodal.model.evaluate import rows_of, seen_rows
from moodal.model.label_mapping import name_emotions
from moodal.model.priors import MELD_TRAIN
from moodal.model.row_sources import read_rows
from moodal.model.scorer import Evidence

CLIPS, DRAWS = 100, 40
PARTS = (0.15, 0.25, 0.5, 1.0)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus")
    parser.add_argument("root", type=Path)
    parser.add_argument("--streams", default="speech")
    parser.add_argument("--emotions", default="angry,disgust,fearful,happy,neutral,sad")
    parser.add_argument("--store", type=Path, default=Path("runs/level.states"))
    args = parser.parse_args()
    model, streams = moodal.load(threads=1), args.streams.split(",")
    manifest = rows_of(args.corpus, args.root)
    manifest = manifest.select(np.flatnonzero(~seen_rows(model, manifest)))
    rows = name_emotions(model.scorer, manifest, streams, args.emotions.split(","), {}, None)
    read = read_rows(model, rows.manifest, streams, FeatureStore(args.store), 1, False).rows
    labels = np.asarray(rows.manifest.labels).argmax(1)
    names = list(rows.asked.shown)
    columns = [rows.asked.words.index(word) for word in rows.asked.shown.values()]
    evidence = model.scorer.evidence({m: r.states for m, r in read.items()}, rows.asked)
    print(f"{'100 clips':20s}{'plain':>10s}" + "".join(f"{f'{part:g}':>10s}" for part in PARTS))
    for kind, shares in _samples(list(rows.asked.shown.values())).items():
        figures = []
        for draw in range(DRAWS):
            rng = np.random.default_rng(draw)
            chosen = _drawn(labels, shares(rng), rng)
            part = _select(evidence, chosen)
            truth = labels[chosen]
            figures.append([_accuracy(model, part, rows, columns, truth, s) for s in (0, *PARTS)])
        print(f"{kind:20s}" + "".join(f"{figure:10.3f}" for figure in np.mean(figures, 0)))
    print(f"emotions: {', '.join(names)}; {DRAWS} draws; the default is {level.STRENGTH:g}")


def _samples(words):  # type: ignore[no-untyped-def]
    """Return name -> function that draws the share of each emotion."""
    count, neutral = len(words), words.index("neutral")
    talk = np.array([MELD_TRAIN[w] for w in words], float)
    mostly = np.full(count, 0.4 / (count - 1))
    mostly[neutral] = 0.6
    return {
        "balanced": lambda rng: np.full(count, 1 / count),
        "60% neutral": lambda rng: mostly,
        "as in talk": lambda rng: talk / talk.sum(),
        "one emotion": lambda rng: np.eye(count)[rng.integers(count)],
    }


def _drawn(labels: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw `CLIPS` rows with these shares of emotions; rows may repeat where there are too few."""
    wanted = rng.choice(len(shares), CLIPS, p=shares)
    return np.array([rng.choice(np.flatnonzero(labels == k)) for k in wanted])


def _select(evidence: Evidence, rows: np.ndarray) -> Evidence:
    logits = {m: values[rows] for m, values in evidence.logits.items()}
    steps = {m: Frames.from_list([own[int(i)] for i in rows]) for m, own in evidence.steps.items()}
    return Evidence(logits, steps)


def _accuracy(model, evidence, rows, columns, labels, strength) -> float:  # type: ignore[no-untyped-def]
    """Compute the accuracy with a strength of the level; 0: none."""
    levels, names = {}, [str(i) for i in range(len(labels))]
    if strength:
        levels = model.scorer.levels(evidence, rows.asked, names, strength=strength)
    scores = model.scorer.fused(evidence, rows.asked, level=levels)
    return float((scores.probabilities[:, columns].argmax(1) == labels).mean())


if __name__ == "__main__":
    main()
