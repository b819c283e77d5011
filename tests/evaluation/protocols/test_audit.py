"""The audit finds, counts and describes what the sides of a split share."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.emotions import EmotionSpace, Values
from moodal.core.manifest import Manifest
from moodal.core.records import Frames, Utterance, media_of
from moodal.evaluation.protocols import audit as audits
from moodal.evaluation.protocols.audit import audit
from moodal.evaluation.protocols.near_texts import normalised

TRAIN, VALID, TEST = [0, 1, 2, 3], [4, 5], [6, 7, 8, 9]


def _manifest(notes=(), streams=("text", "speech"), **columns):
    """Ten utterances that share nothing but what ``columns`` (name -> ten values) says."""
    rng = np.random.default_rng(0)
    utterances = []
    for i in range(10):
        row = {
            "id": f"u{i}",
            "speaker": f"s{i}",
            "session": f"e{i}",
            "dialogue": f"d{i}",
            "text": f"sentence {i}",
        }
        script = columns.get("script")
        given = {k: v[i] for k, v in columns.items() if k in row}
        row |= given
        media = media_of(text=row.pop("text"))
        extra = {"script": script[i]} if script else {}
        utterances.append(Utterance(**row, media=media, extra=extra))
    frames = {
        stream: [rng.normal(size=(3, 2)).astype(np.float32) for _ in range(10)]
        for stream in streams
    }
    return Manifest(
        corpus="made up",
        space=EmotionSpace(["joy"]),
        utterances=tuple(utterances),
        labels=np.ones((10, 1), np.float32),
        notes=tuple(notes),
        features={s: Frames.from_list(f) for s, f in frames.items()},
    )


def _findings(manifest, between="train and test"):
    findings = audit(manifest, TRAIN, VALID, TEST)
    return {f.what: f for f in findings if f.between == between}


def test_sides_that_share_nothing_have_no_findings():
    assert audit(_manifest(), TRAIN, VALID, TEST) == []


@pytest.mark.parametrize(
    ("column", "what", "level"),
    [
        ("id", "ids", "error"),
        ("speaker", "speakers", "warning"),
        ("session", "sessions", "warning"),
        ("dialogue", "dialogues", "warning"),
        ("script", "scripts", "warning"),
    ],
)
def test_a_shared_column_is_counted(column, what, level):
    values = ["a", "b", "c", "d", "e", "f", "a", "a", "b", "g"]
    findings = _findings(_manifest(**{column: values}))
    assert list(findings) == [what]
    finding = findings[what]
    assert (finding.level, finding.count, finding.share) == (level, 2, 0.75)
    assert finding.examples == ("a", "b")
    assert f"train and test share 2 {what}, 75.0% of the test rows" in finding.detail


def test_texts_are_compared_without_case_and_punctuation():
    texts = [f"line {i}" for i in range(10)]
    texts[1], texts[7] = "Oh, no!", "oh no"
    finding = _findings(_manifest(text=texts))["texts"]
    assert (finding.count, finding.share, finding.level) == (1, 0.25, "warning")
    assert finding.examples == ("oh no",)
    assert "share 1 text," in finding.detail
    # for a model that reads no words it is only as well to know
    assert _findings(_manifest(text=texts, streams=("speech",)))["texts"].level == "note"


def test_empty_and_missing_values_are_not_shared():
    nothing = [None] * 5 + [""] * 5
    findings = audit(
        _manifest(text=["?!"] * 10, speaker=nothing, session=nothing), TRAIN, VALID, TEST
    )
    assert [f.what for f in findings] == ["unknown speakers"]
    assert findings[0].share == 1.0


def test_identical_features_are_found_stream_by_stream():
    manifest = _manifest()
    frames = list(manifest.features["speech"])
    frames[8] = frames[2]
    frames[9] = frames[3] + np.float32(1e-6)
    silent = np.zeros((3, 2), np.float32)
    frames[0] = frames[6] = silent  # a blank is no recording
    features = {**manifest.features, "speech": Frames.from_list(frames)}
    findings = _findings(dataclasses.replace(manifest, features=features))
    assert list(findings) == ["speech features"]
    assert (findings["speech features"].count, findings["speech features"].share) == (1, 0.25)
    assert findings["speech features"].examples == ("u8",)


def test_all_three_pairs_and_errors_first():
    ids = [f"u{i}" for i in range(10)]
    ids[6] = "u4"
    speakers = ["x"] * 10
    findings = audit(
        _manifest(id=ids, speaker=speakers, notes=["Labels leak."]), TRAIN, VALID, TEST
    )
    assert [(f.level, f.what, f.between) for f in findings] == [
        ("error", "ids", "valid and test"),
        ("warning", "speakers", "train and test"),
        ("warning", "speakers", "valid and test"),
        ("warning", "speakers", "train and valid"),
        ("note", "notes", "all rows"),
    ]
    assert findings[-1].detail == "Labels leak."
    json.dumps([dataclasses.asdict(f) for f in findings])


def test_a_side_without_rows_is_passed_over():
    findings = audit(_manifest(speaker=["x"] * 10), TRAIN, [], TEST)
    assert [f.between for f in findings] == ["train and test"]
    assert audit(_manifest(speaker=["x"] * 10), TRAIN, [], []) == []


def test_normalised():
    assert normalised("ＡＢＣ, straße…") == "abc strasse"


def _plain(frames):
    """Every row hashed whole: what the short way must agree with."""
    keys = [
        None if not x.size or (x == x.flat[0]).all() else hashlib.sha256(x.tobytes()).digest()
        for x in frames
    ]
    return {
        (i, j)
        for i, a in enumerate(keys)
        for j, b in enumerate(keys)
        if i < j and a is not None and (len(frames[i]), a) == (len(frames[j]), b)
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=2, max_size=12), st.integers(0, 99), st.booleans())
def test_it_finds_what_hashing_every_row_finds(lengths, seed, half):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 2, (40, 3)).astype(np.float16 if half else np.float32)
    rows = [base[:n].copy() for n in lengths]  # of one length: the same
    for row in rows[::3]:
        if len(row):
            row[rng.integers(len(row)), 0] += 1  # one value differs somewhere
    frames = Frames.from_list(rows)
    row_digests = audits.digests(frames)
    pairs = {
        (i, j)
        for i, a in enumerate(row_digests)
        for j, b in enumerate(row_digests)
        if i < j and a is not None and a == b
    }
    assert pairs == _plain(frames)


def test_rows_are_looked_at_once_for_all_folds(monkeypatch):
    calls = []
    real = audits._digests
    monkeypatch.setattr(audits, "_digests", lambda frames: calls.append(1) or real(frames))
    frames = Frames.from_list([np.ones((3, 2)), np.arange(6).reshape(3, 2)] * 2)
    first = audits.digests(frames)
    assert audits.digests(frames) is first
    assert (len(calls), first[0], first[1] == first[3] is not None) == (1, None, True)
    known = len(audits._cached)
    del frames, first
    gc.collect()
    assert len(audits._cached) == known - 1  # and forgotten with the corpus


@pytest.mark.parametrize("rows", [2000])
def test_long_rows_cost_a_look(rows, monkeypatch):
    values = np.random.default_rng(0).normal(size=(rows * 50, 8)).astype(np.float32)
    monkeypatch.setattr(audits.hashlib, "blake2b", None)  # nothing is hashed where none agree
    assert set(audits.digests(Frames(values, np.full(rows, 50)))) == {None}


def _labelled(*labels: str, task: str = "single") -> Manifest:
    """Give each of the ten utterances the emotions of its letters."""
    space = EmotionSpace(["anger", "fear", "joy"], task)
    rows = [[float(name[0] in row) for name in space.labels] for row in labels]
    return dataclasses.replace(_manifest(), space=space, labels=np.array(rows, np.float32))


def test_an_emotion_that_only_the_test_rows_have_is_a_warning():
    manifest = _labelled(*"ajaj", *"aj", *"jffj")
    (finding,) = [f for f in audit(manifest, TRAIN, VALID, TEST) if f.what == "emotions"][:1]
    assert (finding.level, finding.between, finding.count) == ("warning", "train and test", 1)
    assert (finding.examples, finding.share) == (("fear",), 0.5)
    assert finding.detail == (
        "The train rows have no fear (2 test rows have it): figures of it, and the means over all "
        "emotions, are of an emotion that was never learned."
    )
    chosen = audit(manifest, TRAIN, VALID, TEST, unseen=("fear",))
    assert [f.level for f in chosen if f.what == "emotions"] == ["note"]


def test_an_emotion_that_only_the_training_rows_have_is_a_note():
    manifest = _labelled("af", "j", "j", "j", "j", "j", *"jjjj", task="multi")
    (finding,) = [f for f in audit(manifest, TRAIN, VALID, TEST) if f.what == "emotions"]
    assert (finding.level, finding.count, finding.share) == ("note", 2, 0.0)
    assert finding.detail == (
        "The test rows have no anger and fear (1 train row has them): they have no figures, and "
        "the means are over the others."
    )


def test_equal_emotions_on_both_sides_are_no_finding():
    manifest = _labelled(*"afjj", *"jj", *"afjj")
    assert not [f for f in audit(manifest, TRAIN, VALID, TEST) if f.what == "emotions"]
    values = dataclasses.replace(_manifest(), space=Values(["valence"]))
    assert not [f for f in audit(values, TRAIN, VALID, TEST) if f.what == "emotions"]
