"""Emotions under several names, and classes that may stand for a missing label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from moodal.core.emotions import EmotionSpace, Values
from moodal.core.manifest import Manifest
from moodal.core.records import Utterance
from moodal.corpora import fer2013, goemotions, meld, ravdess
from moodal.corpora.checks.check import check
from moodal.corpora.checks.spellings import same_emotion, same_names, spelling_findings


def corpus(*names: str) -> Manifest:
    """Make a corpus with one row for each name."""
    labels = list(dict.fromkeys(names))
    rows = np.eye(len(labels), dtype=np.float32)[[labels.index(name) for name in names]]
    utterances = tuple(Utterance(str(i), media={"text": str(i)}) for i in range(len(names)))
    return Manifest("table", EmotionSpace(labels, "single"), utterances, rows)


def test_one_emotion_under_several_names_is_named_with_the_merges() -> None:
    names = ("happy", "happy", "happiness", "joy", "sad", "sadness", "angray", "angry", "calm")
    (finding,) = spelling_findings(corpus(*names))
    assert finding.level == "warning"
    assert "happy (2), happiness (1), joy (1); sad (1), sadness (1); angry (1), angray (1)." in (
        finding.detail
    )
    merges = finding.detail.partition("data.merges = ")[2].rstrip(".")
    assert merges == ('{happiness = "happy", joy = "happy", sadness = "sad", angray = "angry"}')
    assert finding in check(corpus(*names))


def test_the_merges_can_be_given_as_they_are(tmp_path: Path) -> None:
    import tomllib

    (finding,) = spelling_findings(corpus("very proud", "very  proud"))
    text = "merges = " + finding.detail.partition("data.merges = ")[2].rstrip(".")
    merged = corpus("very proud", "very  proud").merged(tomllib.loads(text)["merges"])
    assert merged.space.labels == ("very proud",)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("superise", "surprise"),
        ("Fear", "afraid"),
        ("excited", "excitement"),
        ("exited", "excited"),
    ],
)
def test_other_names_of_an_emotion(one: str, other: str) -> None:
    assert same_emotion(one, other)
    assert same_emotion(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("sad", "mad"), ("curious", "furious"), ("happy", "excited"), ("content", "contempt")],
)
def test_other_emotions(one: str, other: str) -> None:
    assert not same_emotion(one, other)


@pytest.mark.parametrize(
    "labels",
    [
        goemotions.LABELS,
        ravdess.EMOTIONS,
        meld.EMOTIONS,
        (*fer2013.VOTES, *(f"FER2013 {name}" for name in fer2013.EMOTIONS)),
    ],
)
def test_published_emotions_are_all_different(labels: tuple[str, ...]) -> None:
    assert same_names(dict.fromkeys(labels, 1)) == []


def test_a_class_that_may_stand_for_a_gap_is_named() -> None:
    (finding,) = spelling_findings(corpus("none", "sad"))
    assert (finding.level, finding.what) == ("warning", "labels")
    assert "A class is called none: if it stands for a missing label" in finding.detail


def test_values_have_no_spellings() -> None:
    manifest = Manifest("t", Values(["valence"]), (Utterance("a"),), np.zeros((1, 1), np.float32))
    assert list(spelling_findings(manifest)) == []
