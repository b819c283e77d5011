"""Corpora that are joined stay apart in every name, and only fitting ones are joined."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from moodal.core.concatenation import concatenate, name_in, origins
from moodal.core.emotions import EmotionSpace, Value, Values
from moodal.core.errors import DataError
from moodal.core.manifest import MADE_UP, Manifest, Ratings
from moodal.core.records import Clip, Frames, Utterance
from moodal.evaluation.protocols.folds import official


def corpus(name, labels, rows, *, task="single", fingerprint="f", root=None):
    """A corpus whose row i has the label i modulo their number."""
    return Manifest(
        name,
        EmotionSpace(labels, task),
        tuple(
            Utterance(f"u{i}", speaker="01", media={"speech": Clip(f"audio/{i}.wav")})
            for i in range(rows)
        ),
        np.eye(len(labels), dtype=np.float32)[[i % len(labels) for i in range(rows)]],
        {"speech": Frames.from_list([np.full((i + 1, 2), i) for i in range(rows)])},
        {"speech": {"name": "spoken", "fingerprint": fingerprint}},
        licence=f"licence of {name}",
        root=root,
    )


def test_rows_keep_their_labels_features_and_origin(tmp_path):
    a = corpus("first", ["anger", "fear"], 3, root=str(tmp_path / "a"))
    b = corpus("second", ["fear", "calm"], 2, root=str(tmp_path / "b/c"))
    both = concatenate([a, b])
    assert both.corpus == "first+second"
    assert both.space.labels == ("anger", "fear", "calm")
    assert both.labels.argmax(1).tolist() == [0, 1, 0, 1, 2]
    assert [f[0, 0] for f in both.features["speech"]] == [0, 1, 2, 0, 1]
    assert both.utterances[3].id == "second:u0"
    assert {u.speaker for u in both.utterances} == {"first:01", "second:01"}
    assert both.root == str(tmp_path)
    assert both.utterances[4].media["speech"] == Clip("b/c/audio/1.wav")
    assert both.column("corpus") == ["first"] * 3 + ["second"] * 2
    assert both.licence == "licence of first; licence of second"
    assert origins(both, [2, 3]) == [("first", "u2"), ("second", "u0")]
    assert origins(a, [2]) == [("first", "u2")]


def test_a_row_with_a_colon_in_its_name_keeps_it():
    a = corpus("first", ["anger", "fear"], 2)
    named = [dataclasses.replace(u, id=f"x:{u.id}") for u in a.utterances]
    both = concatenate(
        [dataclasses.replace(a, utterances=tuple(named)), corpus("second", ["fear"], 1)]
    )
    assert origins(both)[0] == ("first", "x:u0")


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"name": "first"}, "first and first have the same utterances"),
        ({"task": "multi"}, "first is single and second multi"),
        ({"fingerprint": "g"}, "is of different encoders"),
    ],
)
def test_what_does_not_fit_is_refused(others, words):
    own = {"name": "second", "labels": ["anger", "fear"], "rows": 2, **others}
    with pytest.raises(DataError, match=words):
        concatenate([corpus("first", ["anger", "fear"], 2), corpus(**own)])


def test_a_row_says_nothing_of_emotions_that_its_corpus_does_not_have():
    a = corpus("first", ["anger", "fear"], 2, task="multi")
    both = concatenate([a, corpus("second", ["anger", "joy"], 2, task="multi")])
    assert both.space.labels == ("anger", "fear", "joy")
    assert np.isnan(both.labels).tolist() == [[False, False, True]] * 2 + [[False, True, False]] * 2
    same = concatenate([a, corpus("second", ["fear", "anger"], 2, task="multi")])
    assert not np.isnan(same.labels).any()


def test_streams_that_one_lacks_are_left_out():
    a = corpus("first", ["anger"], 2)
    b = dataclasses.replace(
        corpus("second", ["anger"], 2), features={"face": Frames.from_list([np.ones((1, 3))] * 2)}
    )
    with pytest.raises(DataError, match="no stream of features in common"):
        concatenate([a, b])
    more = {**b.features, "speech": corpus("second", ["anger"], 2).features["speech"]}
    assert set(concatenate([a, dataclasses.replace(b, features=more)]).features) == {"speech"}


def test_what_is_made_up_stays_a_note_of_the_whole():
    a = dataclasses.replace(corpus("first", ["anger"], 2), notes=(MADE_UP, "own"))
    both = concatenate([a, corpus("second", ["anger"], 2)])
    assert both.notes == (MADE_UP, "first: own")


@pytest.mark.parametrize(
    ("whole", "own", "expected"),
    [
        ("ravdess", "ravdess", "01"),
        ("crema-d+ravdess", "ravdess", "ravdess:01"),
        ("crema-d+ravdess", "meld", None),
        ("iemocap-release", "mmer", "01"),
        ("iemocap-release+crema-d", "mmer", "iemocap-release:01"),
        ("iemocap-votes", "mmer", "01"),
        ("meld+crema-d", "crema-d-panels", "crema-d:01"),
        ("fer2013", "ferplus", "01"),
    ],
)
def test_a_row_is_known_under_its_name_in_another_corpus(whole, own, expected):
    assert name_in(whole, own, "01") == expected


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("iemocap-release", "mmer"), "iemocap-release and mmer have the same utterances"),
        (("ferplus", "fer2013"), "ferplus and fer2013 have the same utterances"),
        (("crema-d", "crema-d-votes"), "crema-d and crema-d-votes have the same utterances"),
        (("crema-d-voice-votes", "crema-d-face-votes"), "have the same utterances"),
        (("iemocap-votes", "mmer"), "iemocap-votes and mmer have the same utterances"),
        (("table", "table"), "put their rows into one table"),
    ],
)
def test_the_same_utterances_under_two_names_are_refused(names, words):
    with pytest.raises(DataError, match=words):
        concatenate([corpus(name, ["anger"], 2) for name in names])


def test_media_of_a_corpus_stay_where_they_are_if_another_has_none(tmp_path):
    a = corpus("first", ["anger"], 1, root=str(tmp_path / "a"))
    both = concatenate([a, corpus("second", ["anger"], 1)])
    assert both.root is None
    assert both.utterances[0].media["speech"] == Clip((tmp_path / "a/audio/0.wav").as_posix())


def test_a_corpus_without_an_official_split_is_not_left_out_in_silence():
    a, b = (corpus(name, ["anger", "fear"], 3) for name in ("first", "second"))
    splits = ("train", "valid", "test")
    with_split = [
        dataclasses.replace(u, split=s) for u, s in zip(a.utterances, splits, strict=True)
    ]
    a = dataclasses.replace(a, utterances=tuple(with_split))
    assert len(official(a).train) == 1
    with pytest.raises(DataError, match="second has no official split, and would be left out"):
        official(concatenate([a, b]))


def test_values_next_to_emotions_stay_where_all_corpora_have_the_same():
    def rated(name, high=5):
        numbers = np.full((3, 1), high, np.float32)
        ratings = Ratings(Values([Value("valence", 1, high)]), numbers)
        return dataclasses.replace(corpus(name, ["sad"], 3), ratings=ratings)

    both = concatenate([rated("a"), rated("b")])
    assert both.ratings.numbers.tolist() == [[5]] * 6
    assert both.select([4]).ratings.numbers.tolist() == [[5]]
    for other in (rated("b", 7), corpus("b", ["sad"], 3)):
        whole = concatenate([rated("a"), other])
        assert whole.ratings is None
        assert "next to emotions were left out: not all corpora have the same" in whole.notes[-1]
