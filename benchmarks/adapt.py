"""What `moodal adapt` makes of a few clips: AUC for words that the voice never learned.

    python benchmarks/adapt.py RAVDESS [--clips 5] [--draws 5]

The clips are of actors 1 to 8, drawn at random; the test is every sixth clip of actors 9 to 24. The
emotions are RAVDESS's calm and surprised, the latter under a name that the artefact does not know.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import moodal
from moodal.core.records import Clip
from moodal.evaluation.metrics import auc
from moodal.model.adapt import adapt
from moodal.model.rows import RowEncoder
from moodal.model.states import States

WORDS = {"calm": "02", "startled": "08"}
"""Word -> RAVDESS's code of the emotion."""


def main() -> None:
    """Print a line for each word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--clips", type=int, default=5)
    parser.add_argument("--draws", type=int, default=5)
    args = parser.parse_args()
    model = moodal.load(threads=1)
    # 03-01-EMOTION-LEVEL-SENTENCE-TAKE-ACTOR.ogg
    files = sorted((args.root / "audio").glob("*.ogg"))
    actors = {f: int(f.stem.split("-")[6]) for f in files}
    emotions = {f: f.stem.split("-")[2] for f in files}
    tested = [f for f in files if actors[f] > 8][::6]
    frames = RowEncoder("speech", model.encoders["speech"])
    encoder = States.of(model.artefact, model.scorer.branches["speech"], frames)
    states = np.concatenate([encoder.encode(Clip(str(f))) for f in tested])
    for word, code in WORDS.items():
        shown = [f for f in files if actors[f] <= 8 and emotions[f] == code]
        truth = np.array([[emotions[f] == code] for f in tested], np.float32)
        aucs = []
        for seed in range(args.draws):
            drawn = np.random.default_rng(seed).permutation(len(shown))[: args.clips]
            with tempfile.TemporaryDirectory() as folder:
                made = adapt(model, word, [shown[i] for i in drawn], Path(folder) / "made")
                other = moodal.load(made, threads=1)
                asked = other.ask([word])
                branch = other.scorer.branches["speech"]
                keys, constants = branch.keys(asked.words, asked.vectors)
            scores = states @ keys[:, -1:] + constants[-1]
            aucs.append(float(np.atleast_1d(auc(truth, scores))[0]))
        each = ", ".join(f"{x:.3f}" for x in aucs)
        print(f"{word}: mean AUC {np.mean(aucs):.3f} of {args.draws} draws ({each})")


if __name__ == "__main__":
    main()
