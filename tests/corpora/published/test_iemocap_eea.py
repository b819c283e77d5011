"""IEMOCAP: four classes, aligned and not, and the nine-class extra."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from moodal.core.errors import DataError, UnsafeFileError
from moodal.corpora.published import iemocap_eea, iemocap_nine

SIZES = {"train": 6, "valid": 2, "test": 3}


def _data(steps: tuple[int, int, int] = (4, 4, 4)) -> dict[str, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    data = {}
    for phase, n in SIZES.items():
        yes = np.eye(4)[np.arange(n) % 4]
        data[phase] = {
            "text": rng.normal(size=(n, steps[0], 300)).astype(np.float32),
            "audio": rng.normal(size=(n, steps[1], 74)),
            "vision": rng.normal(size=(n, steps[2], 35)),
            "labels": np.stack([1 - yes, yes], axis=-1),
        }
    return data


def _put(root: Path, data: object, name: str = "iemocap_data.pkl") -> Path:
    (root / name).write_bytes(pickle.dumps(data, 4))
    return root


def test_reads_values_labels_and_splits(tmp_path):
    data = _data()
    manifest = iemocap_eea.read(_put(tmp_path, data))
    assert manifest.corpus == "iemocap"
    assert manifest.space.labels == ("neutral", "happy", "sad", "angry")
    assert manifest.space.task == "single"
    assert manifest.aligned
    assert {s: len(manifest.rows(s)) for s in SIZES} == SIZES
    assert manifest.labels.argmax(1).tolist() == [0, 1, 2, 3, 0, 1, 0, 1, 0, 1, 2]
    assert (manifest.labels.sum(1) == 1).all()
    assert np.array_equal(manifest.features["face"][7], np.float32(data["valid"]["vision"][1]))
    assert manifest.utterances[7].id == "valid-00001"


def test_unaligned_streams_differ_in_length(tmp_path):
    data = _data(steps=(4, 9, 7))
    manifest = iemocap_eea.read_noalign(_put(tmp_path, data, "iemocap_data_noalign.pkl"))
    assert not manifest.aligned
    assert [f.lengths[0] for f in manifest.features.values()] == [4, 9, 7]
    with pytest.raises(DataError, match="-noalign"):
        iemocap_eea.read(_put(tmp_path, data))


def test_names_tell_session_speaker_and_dialogue(tmp_path):
    data = _data()
    for phase, n in SIZES.items():
        data[phase]["id"] = np.array([f"Ses05F_script01_1b_M{i:03d}" for i in range(n)])
    u = iemocap_eea.read(_put(tmp_path, data)).utterances[0]
    assert u.id == "Ses05F_script01_1b_M000"
    assert (u.session, u.speaker, u.dialogue) == ("Ses05", "Ses05M", "Ses05F_script01_1b")


@pytest.mark.parametrize("ids", [np.arange(6), ["same"] * 6])
def test_ids_that_tell_nothing_are_replaced(tmp_path, ids):
    data = _data()
    data["train"]["id"] = ids
    assert iemocap_eea.read(_put(tmp_path, data)).utterances[5].id == "train-00005"


def _set(data, phase, key, value):
    data[phase][key] = value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("valid"), "has no 'valid'; it holds 'train', 'test'"),
        (lambda d: d["test"].pop("vision"), "['test'] has no 'vision' or 'video'"),
        (lambda d: _set(d, "test", "text", d["test"]["text"][:2]), "['text'] has 2 rows"),
        (lambda d: _set(d, "test", "text", [[1.0], [2.0, 3.0]]), "a list of uneven rows"),
        (lambda d: _set(d, "test", "text", "words"), "holds str, where an array"),
        (lambda d: _set(d, "test", "labels", np.zeros((3, 5, 2))), "shape (3, 5, 2)"),
        (lambda d: _set(d, "test", "labels", np.array([0, 4, 1])), "row 1 is 4"),
        (lambda d: _set(d, "test", "labels", np.zeros((3, 4, 2))), "row 0 has 0 classes"),
        (lambda d: _set(d, "test", "labels", np.ones((3, 4))), "row 0 has 4 classes"),
        (lambda d: _set(d, "test", "id", ["a", "b"]), "['id'] does not hold an id for each"),
        (lambda d: d["test"]["audio"].__setitem__((1, 0, 2), np.nan), "row 1, step 0, column 2"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, change, message):
    data = _data()
    change(data)
    with pytest.raises(DataError) as error:
        iemocap_eea.read(_put(tmp_path, data))
    assert message in str(error.value)
    assert "iemocap_data.pkl" in str(error.value)


def test_the_wrong_pickle_is_named(tmp_path):
    with pytest.raises(DataError, match="is a list, where a dict should be"):
        iemocap_eea.read(_put(tmp_path, [1, 2]))
    with pytest.raises(DataError, match=r"holds no iemocap_data_noalign.pkl"):
        iemocap_eea.read_noalign(tmp_path)


class _Evil:
    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    data = _data() | {"test": _Evil(tmp_path / "was-run")}
    with pytest.raises(UnsafeFileError, match=r"iemocap_data.pkl names \w+.system"):
        iemocap_eea.read(_put(tmp_path, data))
    assert not (tmp_path / "was-run").exists()


@pytest.fixture
def nine(tmp_path):
    rng = np.random.default_rng(0)
    widths = {"text": 300, "covarep": 74, "facet": 35}
    for phase, n in {"train": 11, "valid": 2, "test": 3}.items():
        for name, width in widths.items():
            values = rng.normal(size=(n, 21, width)).astype(np.float32)
            (tmp_path / f"{name}_{phase}.p").write_bytes(pickle.dumps(values, 2))
        (tmp_path / f"y_{phase}.p").write_bytes(pickle.dumps(np.eye(11)[:n], 2))
    return tmp_path


def test_nine_classes_drop_two_columns_and_the_last_step(nine):
    manifest = iemocap_nine.read(nine)
    assert manifest.space.labels == (
        *("angry", "excited", "fear", "sad", "surprised"),
        *("frustrated", "happy", "neutral", "disgust"),
    )
    # of eleven rows the first and the last are of the dropped columns
    assert manifest.labels[manifest.rows("train")].argmax(1).tolist() == list(range(9))
    assert [u.id for u in manifest.utterances][:2] == ["train-00001", "train-00002"]
    assert any(note.startswith("4 rows have none of the nine") for note in manifest.notes)
    expected = pickle.loads((nine / "covarep_train.p").read_bytes())
    assert np.array_equal(manifest.features["speech"][0], expected[1, :20])


def test_nine_classes_of_another_shape_are_named(nine):
    (nine / "y_test.p").write_bytes(pickle.dumps(np.eye(9)[:3], 2))
    with pytest.raises(DataError, match=r"y_test.p has shape \(3, 9\)"):
        iemocap_nine.read(nine)
    (nine / "y_test.p").write_bytes(pickle.dumps([1], 2)[:-1])
    with pytest.raises(DataError, match=r"y_test.p is damaged"):
        iemocap_nine.read(nine)
