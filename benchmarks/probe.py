"""What a linear model reads from kept speech features: UA with speakers held out.

    python benchmarks/probe.py PREPARED [--stream speech] [--folds 6]

Mean and deviation of each value over a clip's frames, standardised, logistic regression
(C = 0.01), the speakers of each fold held out; UA is the mean recall over emotions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moodal.cli.main import user_errors
from moodal.core import manifest as manifests
from moodal.core.errors import UsageError
from moodal.core.manifest import Manifest


def main() -> None:
    """Print UA over all folds together."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--stream", default="speech")
    parser.add_argument("--folds", type=int, default=6)
    args = parser.parse_args()
    with user_errors("probe.py"):
        manifest, rows = _readable(args.prepared, args.stream, args.folds)
    frames = manifest.features[args.stream]
    pooled = []
    for row in rows:
        values = np.asarray(frames[row], np.float32)
        pooled.append(np.concatenate([values.mean(0), values.std(0)]))
    x, y = np.stack(pooled), manifest.labels[rows].argmax(1)
    speakers = np.array(manifest.column("speaker"))[rows]
    said = np.zeros_like(y)
    for train, test in GroupKFold(args.folds).split(x, y, speakers):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
        said[test] = model.fit(x[train], y[train]).predict(x[test])
    print(f"{len(rows)} clips, {x.shape[1]} values: UA {balanced_accuracy_score(y, said):.3f}")


def _readable(folder: Path, stream: str, folds: int) -> tuple[Manifest, np.ndarray]:
    """Read the corpus and the rows that have the stream, and check that folds can be made."""
    manifest = manifests.read(folder)
    if stream not in manifest.features:
        known = ", ".join(manifest.features) or "none"
        raise UsageError(f"{folder} has no features of {stream}; it has {known}: use --stream.")
    rows = np.flatnonzero(manifest.features[stream].lengths)
    speakers = len({manifest.column("speaker")[row] for row in rows} - {None})
    if not 2 <= folds <= speakers:
        raise UsageError(
            f"{folder} has {speakers} speakers; --folds may be 2 to {speakers}, and is {folds}."
        )
    return manifest, rows


if __name__ == "__main__":
    main()
