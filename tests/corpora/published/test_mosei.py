"""MOSEI's h5 folder, and the folders of the same form."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.corpora.published import features, mosei

SIZES = {"train": 5, "valid": 2, "test": 3}


def _put(path: Path, values: np.ndarray, key: str = "d1") -> None:
    with h5py.File(path, "w") as file:
        file[key] = values


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for phase, n in SIZES.items():
        _put(tmp_path / f"text_{phase}_emb.h5", rng.normal(size=(n, 4, 300)))
        _put(tmp_path / f"audio_{phase}.h5", rng.normal(size=(n, 4, 74)))
        _put(tmp_path / f"video_{phase}.h5", rng.normal(size=(n, 4, 35)))
        _put(tmp_path / f"ey_{phase}.h5", rng.choice([0, 1 / 3, 3], size=(n, 6)))
    return tmp_path


def _change(path: Path, where, value) -> None:
    with h5py.File(path, "r+") as file:
        file["d1"][where] = value


def test_reads_values_labels_and_splits(folder):
    manifest = mosei.read(folder)
    assert manifest.corpus == "mosei"
    assert manifest.space.labels == ("anger", "disgust", "fear", "happy", "sad", "surprise")
    assert manifest.space.task == "multi"
    assert manifest.aligned
    assert {s: len(manifest.rows(s)) for s in SIZES} == SIZES
    assert manifest.utterances[6].id == "valid-00001"
    with h5py.File(folder / "ey_valid.h5") as ey, h5py.File(folder / "audio_valid.h5") as audio:
        assert np.array_equal(manifest.labels[6], np.float32(ey["d1"][1] > 0))
        assert np.array_equal(manifest.features["speech"][6], np.float32(audio["d1"][1]))
    assert {s: f.width for s, f in manifest.features.items()} == {
        "text": 300,
        "speech": 74,
        "face": 35,
    }
    assert set(manifest.features["text"].lengths) == {4}
    assert manifest.encoders["text"]["name"] == "as-given"
    assert manifest.fingerprint == mosei.read(folder).fingerprint


def test_the_vendors_emotions_are_noted(folder):
    assert any("FACET" in note and "label-bearing" in note for note in mosei.read(folder).notes)


def test_minus_infinity_in_speech_becomes_zero_and_is_counted(folder):
    _change(folder / "audio_test.h5", (1, 2, slice(3, 5)), -np.inf)
    manifest = mosei.read(folder)
    assert manifest.features["speech"][8][2, 3:5].tolist() == [0, 0]
    assert "2 values of -inf in speech were set to 0." in manifest.notes


def test_a_file_stands_for_its_folder_and_subfolders_are_found(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("outer")
    (other / "seq_length_20").mkdir()
    (other / "seq_length_20" / "data").symlink_to(folder)
    wanted = mosei.read(folder).fingerprint
    assert mosei.read(other).fingerprint == wanted
    assert mosei.read(folder / "ey_train.h5").fingerprint == wanted


@pytest.mark.parametrize(
    ("name", "where", "value", "message"),
    [
        ("text_valid_emb.h5", (1, 2, 3), np.nan, "row 1, step 2, column 3 is nan"),
        ("text_valid_emb.h5", (1, 2, 3), 1e300, "row 1, step 2, column 3 is inf"),
        ("audio_valid.h5", (1, 2, 3), np.inf, "row 1, step 2, column 3 is inf"),
        ("video_test.h5", (1, 2, 3), -np.inf, "face of test holds -inf"),
        ("ey_test.h5", (1, 2), -1, "row 1 is -1.0"),
        ("ey_test.h5", (1, 2), 4, "row 1 is 4.0"),
        ("ey_test.h5", (2, 2), np.nan, "row 2 is not a finite number"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(folder, name, where, value, message):
    _change(folder / name, where, value)
    with pytest.raises(DataError) as error:
        mosei.read(folder)
    assert message in str(error.value)
    assert name in str(error.value) or "-inf" in message


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("text_train_emb.h5", np.zeros((4, 4, 300)), "has 4 rows and the labels have 5"),
        ("text_train_emb.h5", np.zeros((5, 1200)), "shape (5, 1200)"),
        ("text_train_emb.h5", np.zeros((5, 0, 300)), "it is empty"),
        ("text_train_emb.h5", np.zeros((5, 7, 300)), "aligned streams share their steps"),
        ("text_train_emb.h5", np.zeros((5, 4, 50)), "text has 50 and 300 columns"),
        ("text_train_emb.h5", np.array([b"a"] * 5), "where numbers should be"),
        ("ey_train.h5", np.zeros((5, 7)), "labels are [utterances, 6]"),
    ],
)
def test_a_wrong_shape_is_named_with_its_file(folder, name, values, message):
    _put(folder / name, values)
    with pytest.raises(DataError) as error:
        mosei.read(folder)
    assert message in str(error.value)


def test_a_wrong_key_is_named(folder):
    _put(folder / "audio_train.h5", np.zeros((5, 4, 74)), key="data")
    with pytest.raises(DataError, match=r"audio_train.h5 has no data set 'd1'; it holds 'data'"):
        mosei.read(folder)


def test_a_file_cut_short_is_named(folder):
    path = folder / "video_train.h5"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"video_train.h5 is damaged, cut short or no HDF5"):
        mosei.read(folder)


def test_a_small_file_that_claims_terabytes_is_refused(folder):
    with h5py.File(folder / "text_train_emb.h5", "w") as file:
        file.create_dataset("d1", shape=(2**20, 2**10, 300), dtype="f8", chunks=(1, 1, 300))
    with pytest.raises(DataError, match="claims"):
        mosei.read(folder)


def test_what_is_missing_is_named(folder, tmp_path_factory):
    (folder / "ey_valid.h5").unlink()
    with pytest.raises(DataError, match=r"ey_valid.h5 is missing"):
        mosei.read(folder)
    with pytest.raises(DataError, match=r"holds no ey_train.h5 or y_train.h5"):
        mosei.read(tmp_path_factory.mktemp("empty"))
    with pytest.raises(DataError, match="is no folder"):
        mosei.read(folder / "nowhere")


def test_a_stream_that_one_phase_lacks_is_empty_and_noted(folder):
    (folder / "text_train_emb.h5").unlink()
    manifest = mosei.read(folder)
    lengths = manifest.features["text"].lengths
    assert set(lengths[manifest.rows("train")]) == {0}
    assert set(lengths[manifest.rows("test")]) == {4}
    assert "The train split has no text: its sequences are empty." in manifest.notes


def test_sentiment_from_the_same_folder(folder):
    for phase, n in SIZES.items():
        _put(folder / f"y_{phase}.h5", np.linspace(-3, 3, n).reshape(n, 1))
    manifest = mosei.read_sentiment(folder)
    assert (manifest.corpus, manifest.space.task) == ("mosei-sentiment", "regression")
    assert manifest.labels[:5, 0].tolist() == [-3, -1.5, 0, 1.5, 3]
    _change(folder / "y_test.h5", (1, 0), 3.5)
    with pytest.raises(DataError, match=r"y_test.h5 row 1 is 3.5"):
        mosei.read_sentiment(folder)


@pytest.mark.parametrize(
    ("name", "total", "task", "labels"),
    [
        ("mmmo", 340, "regression", ("sentiment",)),
        ("youtube", 269, "single", ("class-0", "class-1", "class-2")),
    ],
)
def test_real_folders_of_the_same_form(name, total, task, labels, real):
    folder = real(name)
    manifest = mosei.read(folder)
    assert (manifest.corpus, len(manifest)) == (name, total)
    assert (manifest.space.task, manifest.space.labels) == (task, labels)
    assert {s: f.width for s, f in manifest.features.items()} == {
        "text": 300,
        "speech": 74,
        "face": 36,
    }
    assert set(manifest.features["text"].lengths[manifest.rows("train")]) == {0}
    assert set(manifest.features["text"].lengths[manifest.rows("test")]) == {20}
    with h5py.File(folder / "video_test.h5") as file:
        last = manifest.features["face"][total - 1]
        assert np.array_equal(last, np.float32(file["d1"][-1]))


def test_as_given_fingerprints_depend_on_the_kind_of_feature_not_the_values():
    a = features.as_given("iemocap", "text", 300)
    assert a == features.as_given("iemocap-noalign", "text", 300)
    others = [("mosei", "text", 300), ("iemocap", "face", 300), ("iemocap", "text", 50)]
    assert all(a["fingerprint"] != features.as_given(*o)["fingerprint"] for o in others)
