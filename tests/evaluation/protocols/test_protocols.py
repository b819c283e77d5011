"""Splits, zero-shot and few-shot: the rows of each training."""

import dataclasses
import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from moodal.core.acoustics import Acoustics
from moodal.core.emotions import EmotionSpace, Values
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest, Ratings
from moodal.core.recipe import Protocol
from moodal.core.records import Frames, Utterance
from moodal.evaluation.protocols import PROTOCOLS, few_shot, folds, zero_shot
from moodal.evaluation.protocols.experiment import Experiment

PARITY = Path(__file__).parents[2] / "parity" / "mosei_zsl_fsl.safetensors"
EMOTIONS = ("anger", "disgust", "fear", "happy", "sad", "surprise")


def manifest(labels, **columns):
    utterances = tuple(
        Utterance(f"u{i}", **{k: v[i] for k, v in columns.items()}) for i in range(len(labels))
    )
    space = EmotionSpace(EMOTIONS[: labels.shape[1]])
    return Manifest("made up", space, utterances, labels.astype(np.float32))


@pytest.fixture(scope="module")
def published():
    with safe_open(PARITY, "np") as file:
        labels, head = file.get_tensor("labels"), json.loads(file.metadata()["json"])
        return labels, head["rows"], file.get_tensor("pos_weight_fsl0")


@pytest.mark.parametrize("column", range(6))
def test_rows_are_those_of_the_published_code(published, column):
    labels, rows, _ = published
    everything = np.arange(len(labels))
    whole = Experiment("all", manifest(labels), everything, everything, everything[:0], EMOTIONS)
    held = zero_shot.hold_out(whole, [EMOTIONS[column]])
    assert held.train.tolist() == rows[f"zsl{column}"]
    assert held.valid.tolist() == rows[f"zsl{column}"]
    assert held.seen == tuple(e for e in EMOTIONS if e != EMOTIONS[column])
    shown = few_shot.keep(whole, [EMOTIONS[column]])
    assert sorted([*shown.train, *shown.shots]) == rows[f"fsl{column}"]
    assert shown.valid.tolist() == rows[f"zsl{column}"]


def test_validation_loses_the_rows_of_hidden_emotions_and_the_test_keeps_them():
    labels = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]] * 3)
    train, valid, test = np.split(np.arange(12), 3)
    whole = Experiment("all", manifest(labels), train, valid, test, EMOTIONS[:3])
    for hidden, kept in ((["anger"], [1, 3]), (["anger", "disgust"], [3])):
        held = zero_shot.hold_out(whole, hidden)
        assert held.train.tolist() == kept
        assert held.valid.tolist() == [4 + row for row in kept]
        assert held.test.tolist() == test.tolist()
    shown = few_shot.keep(whole, ["anger"], shots=1)
    assert (shown.train.tolist(), shown.shots.tolist()) == ([1, 3], [0])
    assert shown.valid.tolist() == [5, 7]


def test_positive_weight_of_the_published_few_shot_rows(published):
    labels, rows, weight = published
    kept = labels[rows["fsl0"]]
    np.testing.assert_allclose((kept == 0).sum(0) / kept.sum(0), weight, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 12), st.sampled_from([0, 3, 4, 5]), st.integers(0, 1000))
def test_folds_part_the_rows_and_keep_groups_whole(speakers, k, seed):
    rng = np.random.default_rng(seed)
    speaker = [f"s{i}" for i in rng.integers(0, speakers, 80)] + [f"s{i}" for i in range(speakers)]
    corpus = manifest(np.zeros((len(speaker), 2)), speaker=speaker)
    k = min(k, speakers)
    experiments = list(folds.grouped(corpus, "speaker", k, seed=seed))
    assert len(experiments) == (k or speakers)
    tested = np.sort(np.concatenate([e.test for e in experiments]))
    assert tested.tolist() == list(range(len(speaker)))
    column = np.array(speaker)
    for e in experiments:
        everything = np.sort(np.concatenate([e.train, e.valid, e.test]))
        assert everything.tolist() == list(range(len(speaker)))
        sides = [set(column[rows]) for rows in (e.train, e.valid, e.test)]
        assert all(sides)
        assert sum(map(len, sides)) == len(set.union(*sides))


def test_folds_need_groups():
    with pytest.raises(DataError, match="2 values of 'speaker'"):
        list(folds.grouped(manifest(np.zeros((4, 2)), speaker=list("abab")), "speaker"))
    with pytest.raises(DataError, match="4 of 4 utterances have no 'session'"):
        list(folds.grouped(manifest(np.zeros((4, 2))), "session"))


def test_published_folds(tmp_path):
    corpus = manifest(np.zeros((6, 2)), speaker=list("aabbcc"))
    path = tmp_path / "folds.json"
    path.write_text(json.dumps({"1": ["u0", "u1"], "2": ["u4", "u5"]}))
    first, second = folds.from_file(corpus, path, "speaker")
    assert (first.test.tolist(), second.test.tolist()) == ([0, 1], [4, 5])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"1": ["u0"], "2": ["nobody"]}, "fold '2': 1 ids are not in made up, the first 'nobody'"),
        ({"1": ["u0"], "2": ["u1", "u1"]}, "'u1' is already in fold '2'"),
        ({"1": ["u0"], "2": ["u2", "u0"]}, "'u0' is already in fold '1'"),
        ({"1": ["u0"], "2": []}, "fold '2': the fold has no ids"),
        ({"1": ["u0"], "../2": ["u2"]}, "fold '../2': a name may have letters"),
        ({"1": ["u0"], "": ["u2"]}, "fold '': a name may have letters"),
        ({"1": "u0"}, "must contain"),
        (["u0"], "must contain"),
    ],
)
def test_wrong_folds_are_refused_before_the_first_is_made(tmp_path, content, message):
    corpus = manifest(np.zeros((6, 2)), speaker=list("aabbcc"))
    path = tmp_path / "folds.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        next(folds.from_file(corpus, path, "speaker"))


def test_official_split_must_be_there():
    with pytest.raises(DataError, match="no official valid or test"):
        folds.official(manifest(np.zeros((2, 2)), split=["train", "train"]))


def test_appended_classes_are_new_columns_and_the_old_rows_stay():
    frames = Frames.from_list(np.ones((3, 2, 4)))
    utterances = tuple(Utterance(f"a{i}", split="test") for i in range(3))
    four = Manifest(
        "four",
        EmotionSpace(["sad", "happy"], "single"),
        utterances,
        np.eye(2, dtype=np.float32)[[0, 1, 0]],
        {"text": frames, "face": frames},
    )
    nine = Manifest(
        "nine",
        EmotionSpace(["happy", "excited"], "single"),
        utterances,
        np.eye(2, dtype=np.float32)[[1, 0, 1]],
        {"text": frames},
    )
    both = zero_shot.append(four, nine, ["excited"])
    assert both.space.labels == ("sad", "happy", "excited")
    assert both.labels.argmax(1).tolist() == [0, 1, 0, 2, 2]
    assert set(both.features) == {"text"}
    assert len({u.id for u in both.utterances}) == 5
    with pytest.raises(DataError, match="already has happy"):
        zero_shot.append(four, nine, ["happy"])


@pytest.mark.parametrize("both_measured", [True, False])
def test_appended_rows_bring_their_sounds_and_values_if_both_corpora_have_them(both_measured):
    def corpus(name, word, whole):
        return Manifest(
            name,
            EmotionSpace(["sad", word], "single"),
            tuple(Utterance(f"a{i}", split="test") for i in range(3)),
            np.eye(2, dtype=np.float32)[[1, 0, 1]],
            acoustics=Acoustics.of([np.ones((1, 391))] * 3) if whole else None,
            ratings=Ratings(Values(["valence"]), np.full((3, 1), 0.5)) if whole else None,
        )

    four, nine = corpus("four", "happy", True), corpus("nine", "excited", both_measured)
    both = zero_shot.append(four, nine, ["excited"])
    if both_measured:
        assert len(both.acoustics) == len(both.ratings.numbers) == len(both) == 5
        assert not both.notes
    else:
        assert both.acoustics is both.ratings is None
        assert "The values of four next to emotions were left out" in both.notes[0]
    assert len(both.select([4])) == 1


def test_measures_of_other_sounds_are_refused():
    with pytest.raises(DataError, match="3 utterances need measures of 3 sounds; got 2"):
        dataclasses.replace(manifest(np.eye(3)), acoustics=Acoustics.of([np.ones((1, 391))] * 2))


def test_more_shots_than_rows_are_refused():
    labels = np.zeros((10, 2))
    labels[0, 0] = 1
    rows = np.arange(10)
    whole = Experiment("all", manifest(labels), rows, rows, rows, EMOTIONS[:2])
    with pytest.raises(DataError, match="1 training rows have 'anger', but 5 are requested"):
        few_shot.keep(whole, ["anger"], shots=5)


def test_shots_of_shares_are_rows_of_which_the_emotion_has_the_most_votes():
    shares = np.array([[0.9, 0.1], [0.5, 0.5], [0.4, 0.6], [1, 0], [0, 1], [1, 0]], np.float32)
    people = tuple(Utterance(f"u{i}") for i in range(len(shares)))
    votes = Manifest("votes", EmotionSpace(EMOTIONS[:2], "single"), people, shares)
    rows = np.arange(len(shares))
    whole = Experiment("all", votes, rows, rows, rows, EMOTIONS[:2])
    kept = few_shot.keep(whole, ["disgust"], shots=2)
    assert kept.shots.tolist() == [2, 4]
    assert kept.train.tolist() == [3, 5]
    stamp = "few-shot: training was shown 2 rows of disgust, which has the most votes there"
    assert kept.stamps[-1] == stamp
    with pytest.raises(DataError, match="2 training rows have 'disgust', which has the most votes"):
        few_shot.keep(whole, ["disgust"], shots=3)


def test_recipes_name_the_protocols_of_the_table():
    assert get_args(Protocol.model_fields["name"].annotation) == tuple(PROTOCOLS)


def test_few_shot_from_scratch_trains_on_the_shots_with_all_emotions():
    whole = folds.official(
        manifest(np.eye(2)[[0, 1, 0, 0, 1]], split=["train"] * 3 + ["valid", "test"])
    )
    settings = Protocol(name="few_shot", unseen=["disgust"], shots=1)
    scratch = PROTOCOLS["few_shot"].apply(whole, settings)
    assert scratch.train.tolist() == [0, 1, 2]
    assert scratch.seen == ("anger", "disgust")
    later = PROTOCOLS["few_shot"].apply(whole, settings.model_copy(update={"method": "finetune"}))
    assert (later.train.tolist(), later.shots.tolist()) == ([0, 2], [1])
    assert later.seen == ("anger",)
