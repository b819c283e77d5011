"""Tests of moodal.core.acoustics, and of its place in a manifest."""

import dataclasses

import numpy as np
import pytest

from moodal.core import manifest as manifests
from moodal.core.acoustics import BANDS, MEASURES, PARTS, Acoustics
from moodal.core.concatenation import concatenate
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Utterance

WIDTH = len(MEASURES) + BANDS * PARTS


def measured(*rows):
    return Acoustics.of([np.full((1, WIDTH), row) if row else np.zeros((0, WIDTH)) for row in rows])


def corpus(name, *rows):
    return Manifest(
        corpus=name,
        space=EmotionSpace(("joy", "anger"), "single"),
        utterances=tuple(Utterance(f"{name}{i}", media={"text": "so"}) for i in range(len(rows))),
        labels=np.eye(2, dtype=np.float32)[np.arange(len(rows)) % 2],
        acoustics=measured(*rows),
    )


def test_rows_without_a_sound_are_nan():
    own = measured(0.5, None)
    assert own.measures[0].tolist() == [0.5] * len(MEASURES)
    assert np.isnan(own.measures[1]).all()
    assert not own.prints[1].any()


def test_another_width_is_refused():
    with pytest.raises(DataError, match="prints"):
        Acoustics(np.zeros((2, len(MEASURES))), np.zeros((2, 3)))


def test_they_are_written_read_and_selected_with_their_rows(tmp_path):
    whole = corpus("a", 1.0, None, 3.0)
    read = manifests.read(whole.write(tmp_path / "a"))
    assert np.array_equal(read.acoustics.measures, whole.acoustics.measures, equal_nan=True)
    assert read.select([2, 0]).acoustics.measures[:, 0].tolist() == [3.0, 1.0]
    assert read.fingerprint == dataclasses.replace(whole, acoustics=None).fingerprint


def test_a_folder_without_them_is_read_and_one_of_another_length_refused(tmp_path):
    whole = corpus("a", 1.0, 2.0)
    folder = whole.write(tmp_path / "a")
    np.save(folder / "acoustics.npy", whole.acoustics.measures[:1])
    np.save(folder / "prints.npy", whole.acoustics.prints[:1])
    with pytest.raises(DataError, match="1 rows for 2 utterances"):
        manifests.read(folder)
    (folder / "acoustics.npy").unlink()
    assert manifests.read(folder).acoustics is None


def test_corpora_together_have_those_of_all_or_none():
    both = concatenate([corpus("a", 1.0), corpus("b", 2.0, 3.0)])
    assert both.acoustics.measures[:, 0].tolist() == [1.0, 2.0, 3.0]
    bare = dataclasses.replace(corpus("b", 2.0), acoustics=None)
    assert concatenate([corpus("a", 1.0), bare]).acoustics is None
