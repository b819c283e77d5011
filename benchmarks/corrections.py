"""What 40 corrections teach: ten actors of RAVDESS are corrected, the other fourteen tested.

    python benchmarks/corrections.py RAVDESS [--results runs/ravdess.jsonl] [--draws 20]

Each clip is judged by its voice alone. In each draw ten actors and 40 of their clips are drawn,
whose labels are the corrections; in a second run 20% of the corrections name another emotion. Then
`moodal adapt --corrections` makes an artefact, and the log loss and the unweighted accuracy (UA) of
the clips of the other fourteen actors are printed, before and after, as means over draws. The first
draw has 95% intervals (bootstrap of the fourteen actors). Calm clips are left out: the model has no
such basic emotion.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import moodal
from moodal.core.correction import Correction
from moodal.core.timeline import Timeline
from moodal.evaluation.report.intervals import interval
from moodal.model.adapt_corrections import adapt_corrections
from moodal.model.artefact import read
from moodal.model.corrected import Corrected, centred, log_probabilities
from moodal.output.formats import from_jsonl, write

EMOTIONS = {
    "01": "neutral",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
ACTORS, CORRECTIONS, WRONG = 10, 40, 0.2


def main() -> None:
    """Print a table of both runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--results", type=Path, default=Path("runs/ravdess.jsonl"))
    parser.add_argument("--draws", type=int, default=20)
    args = parser.parse_args()
    model = moodal.load(threads=1)
    timelines = _timelines(model, args.root, args.results)
    basics = model.info.labels
    labels = np.array([basics.index(_emotion(t)) for t in timelines])
    actors = np.array([int(Path(t.path).stem[-2:]) for t in timelines])
    odds = np.array([[t[0].probabilities[b] for b in basics] for t in timelines])
    likelihood = centred(np.log(np.maximum(odds, 5e-5)))
    print(f"{len(timelines)} clips; mean (standard deviation) over {args.draws} draws")
    print(f"{'':14s}{'loss before':>16s}{'after':>16s}{'UA before':>16s}{'after':>16s}   kept")
    for name, wrong in (("all right", 0.0), ("20% wrong", WRONG)):
        figures, kept = [], []
        for draw in range(args.draws):
            rng = np.random.default_rng(draw)
            corrected, outside = _corrected(rng, actors)
            info = _adapted(model, timelines, corrected, wrong, rng)
            kept.append(info.fitted)
            own = Corrected.read(info, basics) or Corrected.none(len(basics))
            logs = [
                log_probabilities(one, likelihood[outside], np.zeros(len(basics)))
                for one in (Corrected.none(len(basics)), own)
            ]
            figures.append([f(x, labels[outside]) for f in (_loss, _ua) for x in logs])
            if draw == 0:
                first = _intervals(logs, labels[outside], actors[outside])
        means, spread = np.mean(figures, 0), np.std(figures, 0)
        cells = "".join(f"{m:9.3f} ({s:.3f})" for m, s in zip(means, spread, strict=True))
        counts = ", ".join(f"{kind} {kept.count(kind)}" for kind in dict.fromkeys(kept))
        print(f"{name:14s}{cells}   {counts}")
        print(f"  first draw: {first}")


def _timelines(model, root: Path, results: Path) -> list[Timeline]:  # type: ignore[no-untyped-def]
    """Predict the clips by the voice alone, or read what was predicted before."""
    if not results.exists():
        clips = sorted(p for p in root.rglob("03-01-*") if p.stem.split("-")[2] in EMOTIONS)
        options = {"streams": "speech", "asr": False, "whole": True}
        results.parent.mkdir(parents=True, exist_ok=True)
        write([model.predict(clip, **options) for clip in clips], "jsonl", results)
    timelines = from_jsonl(results.read_text(encoding="utf-8"), str(results))
    return [timeline for timeline in timelines if len(timeline)]


def _emotion(timeline: Timeline) -> str:
    return EMOTIONS[Path(timeline.path).stem.split("-")[2]]


def _corrected(rng: np.random.Generator, actors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw the clips that are corrected, of ten actors, and list those of the other actors."""
    ten = rng.permutation(np.unique(actors))[:ACTORS]
    inside = np.isin(actors, ten)
    return rng.choice(np.flatnonzero(inside), CORRECTIONS, replace=False), np.flatnonzero(~inside)


def _adapted(model, timelines, corrected, wrong, rng):  # type: ignore[no-untyped-def]
    """Adapt the model to corrections, of which a part is wrong; return what was learned."""
    mistaken = set(rng.permutation(corrected)[: round(wrong * len(corrected))])
    rows = []
    for i in corrected:
        label = _emotion(timelines[i])
        if i in mistaken:
            label = str(rng.choice([e for e in model.info.labels if e != label]))
        rows.append(Correction.of(timelines[i], timelines[i][0], "emotion", label))
    with tempfile.TemporaryDirectory() as folder:
        out = adapt_corrections(model, rows, timelines, Path(folder) / "artefact")
        return read(out).fused.corrections


def _loss(logs: np.ndarray, labels: np.ndarray) -> float:
    return float(-logs[np.arange(len(labels)), labels].mean())


def _ua(logs: np.ndarray, labels: np.ndarray) -> float:
    right = logs.argmax(1) == labels
    return float(np.mean([right[labels == k].mean() for k in np.unique(labels)]))


def _intervals(logs, labels: np.ndarray, actors: np.ndarray) -> str:  # type: ignore[no-untyped-def]
    """Write the loss and UA before and after, and their differences, with 95% intervals."""
    losses = [-one[np.arange(len(labels)), labels] for one in logs]
    hits = [(one.argmax(1) == labels).astype(float) for one in logs]
    each = np.eye(labels.max() + 1)[labels]

    def loss(w: np.ndarray, values: np.ndarray) -> np.ndarray:
        return np.asarray(w @ values / w.sum(1))

    def ua(w: np.ndarray, values: np.ndarray) -> np.ndarray:
        return np.asarray(((w * values) @ each / (w @ each)).mean(1))

    parts = []
    for name, statistic, (before, after) in (("loss", loss, losses), ("UA", ua, hits)):
        for kind, own in (
            ("before", lambda w, s=statistic, v=before: s(w, v)),
            ("after", lambda w, s=statistic, v=after: s(w, v)),
            ("change", lambda w, s=statistic, a=before, b=after: s(w, b) - s(w, a)),
        ):
            low, high = interval(own, list(map(str, actors)))
            value = own(np.ones((1, len(labels))))[0]
            parts.append(f"{name} {kind} {value:.3f} [{low:.3f}, {high:.3f}]")
    return "; ".join(parts)


if __name__ == "__main__":
    main()
