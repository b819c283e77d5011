"""The acoustic probe finds classes that were recorded in other ways, and nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from moodal.core.acoustics import BANDS, MEASURES, PARTS, Acoustics
from moodal.core.emotions import EmotionSpace
from moodal.core.manifest import Manifest
from moodal.core.records import Utterance
from moodal.evaluation.protocols import folds
from moodal.evaluation.report.scores import Scored, ScoredRows, clusters_of
from moodal.evaluation.report.sections import probe_line
from moodal.train.experiment.acoustic_probe import probe_entry

N = 240


def experiment(level, *, task="single"):
    """A fold of a corpus whose class 1 is louder by ``level`` dB."""
    rng = np.random.default_rng(0)
    classes = rng.integers(2, size=N)
    measures = np.abs(rng.normal(1, 0.2, (N, len(MEASURES))))
    measures[:, MEASURES.index("level")] = rng.normal(-20, 2, N) + level * classes
    measures[::17] = np.nan  # some have no sound
    manifest = Manifest(
        "made up",
        EmotionSpace(("calm", "angry"), task),
        tuple(Utterance(f"u{i}", speaker=f"s{i % 12}") for i in range(N)),
        np.eye(2, dtype=np.float32)[classes],
        acoustics=Acoustics(measures.astype(np.float32), np.zeros((N, BANDS * PARTS), np.float16)),
    )
    return next(folds.grouped(manifest, "speaker", 3))


def test_of(fold):
    """The predictions of a system that calls every row calm."""
    utterances = [fold.manifest.utterances[row] for row in fold.test]
    clusters, kind = clusters_of(utterances)
    rows = ScoredRows([u.id for u in utterances], clusters, kind)
    logits = np.tile([1.0, 0.0], (len(utterances), 1))
    return Scored.from_logits(logits, fold.manifest.labels[fold.test], fold.manifest.space, rows)


test_of.__test__ = False


@pytest.mark.parametrize(("level", "low", "high"), [(0.0, 0.35, 0.65), (12.0, 0.9, 1.0)])
def test_it_reaches_what_the_level_tells(level, low, high):
    fold = experiment(level)
    entry = probe_entry(fold, test_of(fold), draws=100)
    ua = entry["metrics"]["balanced_accuracy"]
    assert low <= ua["value"] <= high
    assert ua["low"] <= ua["value"] <= ua["high"]
    assert len(entry["decided"].split()) == len(fold.test)
    gain = entry["difference"]["balanced_accuracy"]["value"]
    assert gain == pytest.approx(0.5 - ua["value"])
    line = probe_line({"extras": {"acoustics": entry}, "labels": ["calm", "angry"]})
    assert "chance UA 0.500" in line
    assert f"{ua['value']:.3f}" in line


def test_it_learns_from_training_rows_alone():
    fold = experiment(12.0)
    swapped = fold.manifest.labels.copy()
    swapped[fold.test] = swapped[fold.test][:, ::-1]
    other = dataclasses.replace(fold, manifest=dataclasses.replace(fold.manifest, labels=swapped))
    own, turned = (probe_entry(f, test_of(f), draws=0)["decided"] for f in (fold, other))
    assert own == turned


def test_it_says_nothing_without_measures_or_with_several_emotions():
    fold = experiment(12.0)
    bare = dataclasses.replace(fold.manifest, acoustics=None)
    assert probe_entry(dataclasses.replace(fold, manifest=bare), test_of(fold)) is None
    several = experiment(12.0, task="multi")
    assert probe_entry(several, test_of(several)) is None
    few = dataclasses.replace(fold, train=fold.train[:10])
    assert probe_entry(few, test_of(fold)) is None
    assert probe_line({"extras": {}, "labels": ["calm"]}) == ""
