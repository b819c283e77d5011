"""MOSI, aligned in h5 or pickle, and unaligned; MOSEI sentiment's pickles."""

from __future__ import annotations

import pickle

import h5py
import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.corpora.published import mosei, mosi

SIZES = {"train": 4, "valid": 2, "test": 3}


def _h5(root, columns: int = 325, labels=lambda n: np.linspace(-3, 3, n)) -> dict:
    rng, data = np.random.default_rng(0), {}
    for phase, n in SIZES.items():
        data[phase] = rng.normal(size=(n, 20, columns))
        for name, values in (("X", data[phase]), ("y", labels(n))):
            with h5py.File(root / f"{name}_{phase}.h5", "w") as file:
                file["data"] = values
    return data


def _pickle(path, steps=(4, 4, 4)) -> dict:
    rng, data = np.random.default_rng(0), {}
    for phase, n in SIZES.items():
        ids = [[f"video{i}".encode(), b"0.5", b"2.25"] for i in range(n)]
        data[phase] = {
            "text": rng.normal(size=(n, steps[0], 300)),
            "audio": rng.normal(size=(n, steps[1], 5)),
            "vision": rng.normal(size=(n, steps[2], 20)),
            "labels": np.linspace(-3, 3, n).reshape(n, 1, 1),
            "id": np.array(ids, object if phase == "test" else None),
        }
    path.write_bytes(pickle.dumps(data, 2))
    return data


def test_h5_columns_are_text_speech_and_face(tmp_path):
    data = _h5(tmp_path)
    manifest = mosi.read(tmp_path)
    assert (manifest.corpus, manifest.space.labels) == ("mosi", ("sentiment",))
    assert manifest.space.task == "regression"
    assert {s: f.width for s, f in manifest.features.items()} == {
        "text": 300,
        "speech": 5,
        "face": 20,
    }
    row = np.float32(data["valid"][1])
    assert np.array_equal(manifest.features["speech"][5], row[:, 300:305])
    assert np.array_equal(manifest.features["face"][5], row[:, 305:])
    assert manifest.labels[:4, 0].tolist() == [-3, -1, 1, 3]


def test_the_pickle_where_there_is_no_h5(tmp_path):
    data = _pickle(tmp_path / "mosi_data.pkl")
    manifest = mosi.read(tmp_path)
    u = manifest.utterances[4]
    assert (u.id, u.dialogue, u.split) == ("video0_0.5_2.25", "video0", "valid")
    assert u.extra == {"start": "0.5", "end": "2.25"}
    assert manifest.utterances[8].dialogue == "video2"
    assert np.array_equal(manifest.features["text"][8], np.float32(data["test"]["text"][2]))


def test_unaligned_and_mosei_sentiment(tmp_path):
    _pickle(tmp_path / "mosi_data_noalign.pkl", (4, 9, 6))
    manifest = mosi.read_noalign(tmp_path)
    assert (manifest.corpus, manifest.aligned) == ("mosi-noalign", False)
    assert manifest.features["speech"].lengths[0] == 9
    _pickle(tmp_path / "mosei_senti_data_noalign.pkl", (4, 9, 6))
    assert not mosei.read_sentiment(tmp_path).aligned
    _pickle(tmp_path / "mosei_senti_data.pkl")
    manifest = mosei.read_sentiment(tmp_path)
    assert (manifest.corpus, manifest.aligned) == ("mosei-sentiment", True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": 305}, "X_train.h5 has 305 columns"),
        ({"labels": lambda n: np.full(n, 3.5)}, "y_train.h5 row 0 is 3.5"),
        ({"labels": lambda n: np.zeros((n, 2))}, "sentiment is one value per utterance"),
        ({"labels": lambda n: np.zeros(n + 1)}, "has 4 rows and the labels have 5"),
        ({"labels": lambda n: np.float64(1)}, "sentiment is one value per utterance"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, arguments, message):
    _h5(tmp_path, **arguments)
    with pytest.raises(DataError) as error:
        mosi.read(tmp_path)
    assert message in str(error.value)


def test_what_is_missing_is_named(tmp_path):
    for read in (mosi.read, mosi.read_noalign, mosei.read_sentiment):
        with pytest.raises(DataError, match=r"holds no .*give the folder"):
            read(tmp_path)
