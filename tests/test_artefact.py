"""Artefacts: written whole, read back equal, and refused when anything changed."""

import json

import numpy as np
import pytest

from moodal import artefact
from moodal.errors import DataError, OutputError

ABOUT = {
    "system": {"name": "eea", "config": {}}, "widths": {"text": 4}, "labels": ["a", "b"],
    "task": "multi", "vectors": "made up", "encoders": {}, "thresholds": {"values": [0.5, 0.5]},
    "calibration": None, "protocol": {}, "metrics": {}, "data": {}, "licence": "CC0",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    weights = {"w": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    vectors = {"emotions": np.eye(2, dtype=np.float32)}
    return artefact.write(tmp_path / "a", ABOUT, weights, vectors, "# card\n")


def test_round_trip(folder):
    found = artefact.read(folder)
    np.testing.assert_array_equal(found.weights()["w"], np.arange(6).reshape(2, 3).T)
    assert found.space.labels == ("a", "b")
    np.testing.assert_array_equal(found.space.vectors, np.eye(2))
    assert not list(folder.parent.glob(".*"))


def test_the_same_content_gives_the_same_bytes(folder, tmp_path):
    again = artefact.write(
        tmp_path / "b", ABOUT, artefact.read(folder).weights(), artefact.read(folder).vectors(),
        "# card\n",
    )  # fmt: skip
    for name in ("artefact.json", "weights.safetensors"):
        assert (folder / name).read_bytes() == (again / name).read_bytes()


def test_a_changed_byte_is_refused(folder):
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="has changed"):
        artefact.read(folder)


def test_a_missing_file_is_named(folder):
    (folder / "vectors.safetensors").unlink()
    with pytest.raises(DataError, match=r"vectors\.safetensors is missing"):
        artefact.read(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 99}, "format 99"),
        ({"labels": ...}, "lacks labels"),
        ({"files": {"../../etc/passwd": "0"}}, "outside its folder"),
    ],
)
def test_a_description_that_is_wrong_is_refused(folder, change, said):
    about = json.loads((folder / "artefact.json").read_text())
    for key, value in change.items():
        about.pop(key) if value is ... else about.update({key: value})
    (folder / "artefact.json").write_text(json.dumps(about))
    with pytest.raises(DataError, match=said):
        artefact.read(folder)


def test_another_folder_is_never_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="not empty"):
        artefact.write(tmp_path, ABOUT, {}, {}, "")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        artefact.write(tmp_path / "x", {**ABOUT, "metrics": float("nan")}, {}, {}, "")
    assert list(tmp_path.iterdir()) == []
