"""The text baseline learns from training rows alone; on IEMOCAP's transcripts, where present."""

from __future__ import annotations

import csv
import dataclasses
import json
import re

import numpy as np
import pytest

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.records import Utterance
from moodal.evaluation.protocols import folds
from moodal.evaluation.protocols.experiment import Experiment
from moodal.evaluation.report.scores import Scored, ScoredRows, clusters_of, join
from moodal.train.experiment.text_baseline import (
    combine_entries,
    entry,
    require_texts,
    text_logits,
)

LABELS = ("happy", "angry", "neutral", "sad")


def _manifest(n=120, task="single"):
    """Make texts that show the emotion in every second row."""
    rng = np.random.default_rng(0)
    classes = rng.integers(3, size=n)
    utterances = tuple(
        Utterance(
            f"u{i}",
            speaker=f"s{i % 6}",
            extra={"style": "told" if i % 2 else "silent"},
            media={"text": f"well {('great', 'damn', 'alas')[k] if i % 2 else 'yes'} number {i}"},
        )
        for i, k in enumerate(classes)
    )
    space = EmotionSpace(("happy", "angry", "sad", "afraid"), task)
    return Manifest("made up", space, utterances, np.eye(4, dtype=np.float32)[classes])


def _scored(experiment, logits):
    manifest, rows = experiment.manifest, experiment.test
    utterances = [manifest.utterances[row] for row in rows]
    clusters, kind = clusters_of(utterances)
    return Scored.from_logits(
        logits,
        manifest.labels[rows],
        manifest.space,
        ScoredRows(
            [u.id for u in utterances],
            clusters,
            kind,
            {"style": [u.extra["style"] for u in utterances]},
        ),
    )


def _fold(manifest):
    return next(folds.grouped(manifest, "speaker", 3))


def test_the_baseline_reads_training_rows_alone():
    fold = _fold(_manifest())
    logits = text_logits(fold.manifest, fold, 0)
    np.testing.assert_allclose(np.exp(logits).sum(1), 1, atol=1e-6)
    telling = np.array([fold.manifest.utterances[r].extra["style"] == "told" for r in fold.test])
    right = logits.argmax(1) == fold.manifest.labels[fold.test].argmax(1)
    assert right[telling].all()
    assert right[~telling].mean() < 0.8
    assert (logits[:, 3] < logits[:, :3].min(1)).all()  # nobody is afraid in training
    other = fold.manifest.labels.copy()
    other[np.union1d(fold.test, fold.valid)] = [0, 0, 0, 1]
    changed = dataclasses.replace(fold.manifest, labels=other)
    np.testing.assert_array_equal(text_logits(changed, fold, 0), logits)


def test_an_entry_is_json_and_folds_are_pooled():
    experiments = list(folds.grouped(_manifest(), "speaker", 3))
    tests, entries = [], []
    for fold in experiments:
        logits = text_logits(fold.manifest, fold, 0)
        tests.append(_scored(fold, np.zeros_like(logits)))
        entries.append(entry(tests[-1], logits, 20))
        json.dumps(entries[-1], allow_nan=False)
    logits = np.concatenate([text_logits(f.manifest, f, 0) for f in experiments])
    both = combine_entries(entries, tests, 20)
    assert both == entry(join(tests), logits, 20)
    groups = both["groups"]["style"]
    assert groups["told"]["metrics"]["accuracy"]["value"] == 1
    assert groups["told"]["rows"] + groups["silent"]["rows"] == 120
    # the system of zeros says the first emotion always
    difference = groups["told"]["difference"]["balanced_accuracy"]["value"]
    assert difference == pytest.approx(1 / 3 - 1)


def test_no_words_or_many_emotions_are_refused():
    with pytest.raises(UsageError, match="needs one emotion a row; made up is multi"):
        require_texts(_manifest(task="multi"))
    manifest = _manifest()
    silent = tuple(dataclasses.replace(u, media={}) for u in manifest.utterances)
    with pytest.raises(DataError, match="needs transcripts; made up has none"):
        require_texts(dataclasses.replace(manifest, utterances=silent))
    rows = np.flatnonzero(manifest.labels[:, 0])
    one = Experiment("one", manifest, rows, rows, rows, manifest.space.labels)
    with pytest.raises(DataError, match="shows one emotion only"):
        text_logits(manifest, one, 0)


def test_scripted_lines_are_known_from_other_sessions(real):
    merged = {"hap": 0, "exc": 0, "ang": 1, "neu": 2, "sad": 3}
    with open(real("iemocap_text/iemocap.csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    utterances = tuple(
        Utterance(
            r["FileName"],
            session=r["FileName"][:5],
            media={"text": r["Sentences"]},
            extra={
                "style": "scripted"
                if re.match(r"Ses\d\d[FM]_script", r["FileName"])
                else "improvised"
            },
        )
        for r in rows
    )
    labels = np.eye(4, dtype=np.float32)[[merged[r["Label"]] for r in rows]]
    manifest = Manifest("iemocap", EmotionSpace(LABELS, "single"), utterances, labels)
    fold = next(folds.grouped(manifest, "session"))
    logits = text_logits(manifest, fold, 0)
    figures = entry(_scored(fold, logits), logits, 0)
    ua = {
        style: about["metrics"]["balanced_accuracy"]["value"]
        for style, about in figures["groups"]["style"].items()
    }
    assert ua["scripted"] > 0.65
    assert ua["improvised"] < 0.6
