"""Pearson's r of the words' dimensions on EmoBank, and the intensity of RAVDESS's voices.

    python benchmarks/dimensions.py --data DATA [--artefact ARTEFACT] [--draws 1000]

Each of EmoBank's test rows is read as one utterance; r has a bootstrap interval over
rows. RAVDESS's spoken clips are predicted from their files: the share of pairs of one actor,
statement, emotion and repetition in which the strong clip is the more intense one, and the area
under the curve of strong against normal clips; both with a bootstrap interval over actors.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import moodal
from moodal.core.dimensions import DIMENSIONS
from moodal.core.records import Clip
from moodal.corpora import emobank, ravdess
from moodal.evaluation.metrics import auc
from moodal.modalities.modality import Absent
from moodal.model.model import Model
from moodal.model.rows import observe_row


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--artefact", type=Path)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--split", default="test")
    args = parser.parse_args()
    model = moodal.load(args.artefact, threads=1)
    _texts(model, args.data / "emobank", args.split, args.draws)
    _voices(model, args.data / "ravdess", args.draws)


def _texts(model: Model, root: Path, split: str, draws: int) -> None:
    manifest = emobank.read(root)
    rows = manifest.rows(split)
    read = [_dimensions(model, str(manifest.utterances[row].text)) for row in rows]
    there = np.array([numbers is not None for numbers in read])
    predicted = np.array([numbers for numbers in read if numbers is not None])
    numbers = manifest.labels[rows[there]]
    print(f"EmoBank, {split}: {there.sum()} of {len(rows)} rows")
    for column, name in enumerate(DIMENSIONS):
        pair = predicted[:, column], numbers[:, column]

        def r(chosen: np.ndarray, pair: tuple[np.ndarray, np.ndarray] = pair) -> float:
            return float(np.corrcoef(pair[0][chosen], pair[1][chosen])[0, 1])

        error = float(np.abs(pair[0] - pair[1]).mean())
        print(f"  {name:10s} r {_interval(r, np.arange(len(predicted)), draws)}, MAE {error:.3f}")


def _dimensions(model: Model, text: str) -> tuple[float, ...] | None:
    """Return the learned dimensions of a text as one utterance, however many sentences it has."""
    observed = observe_row("text", text)
    if isinstance(observed, Absent):
        return None
    row = model.scorer.read("text", model.encoders["text"].encode(observed.item)).dimensions
    assert row is not None, "the artefact has no head of dimensions"
    return row.numbers


def _voices(model: Model, root: Path, draws: int) -> None:
    manifest = ravdess.read(root)
    spoken = [u for u in manifest.utterances if isinstance(u.media.get("speech"), Clip)]
    read: dict[str, float] = {}
    for utterance in spoken:
        clip = utterance.media["speech"]
        assert isinstance(clip, Clip)
        answers = model.predict(root / clip.path, streams="speech", whole=True, asr=False)
        if len(answers):
            read[utterance.id] = answers[0].intensity["speech"]
    print(f"RAVDESS: {len(read)} of {len(spoken)} clips")
    pairs: dict[str, list[bool]] = {}
    strong: dict[str, list[tuple[bool, float]]] = {}
    for utterance in spoken:
        if utterance.id not in read:
            continue
        actor, parts = str(utterance.speaker), utterance.id.split("-")
        if parts[1] != "01":  # neutral has no strong form
            loud = utterance.extra["intensity"] == "strong"
            strong.setdefault(actor, []).append((loud, read[utterance.id]))
        weak = "-".join([*parts[:2], "01", *parts[3:]])
        if utterance.extra["intensity"] == "strong" and weak in read:
            pairs.setdefault(actor, []).append(read[utterance.id] > read[weak])
    actors = np.array(sorted(pairs))
    count = sum(map(len, pairs.values()))

    def share(chosen: np.ndarray) -> float:
        return float(np.mean(np.concatenate([pairs[actor] for actor in chosen])))

    def area(chosen: np.ndarray) -> float:
        told, numbers = np.concatenate([np.array(strong[actor]) for actor in chosen]).T
        return float(np.asarray(auc(told[:, None], numbers[:, None]))[0])

    print(f"  pairs with strong above normal {_interval(share, actors, draws)} of {count}")
    print(f"  AUC of strong against normal   {_interval(area, actors, draws)}")


def _interval(
    figure: Callable[[np.ndarray], float], units: Sequence[object] | np.ndarray, draws: int
) -> str:
    """Write a figure with its 95% bootstrap interval over units."""
    units = np.asarray(units)
    rng = np.random.default_rng(0)
    drawn = [figure(units[rng.integers(len(units), size=len(units))]) for _ in range(draws)]
    low, high = np.quantile(drawn, [0.025, 0.975]) if drawn else (np.nan, np.nan)
    return f"{figure(units):.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
