"""Artefacts: written whole, read back equal, and refused when anything changed."""

import json

import numpy as np
import pytest

from moodal.core.errors import DataError, OutputError
from moodal.model import artefact
from moodal.model.info import ArtefactInfo, DataInfo, ProtocolInfo, SystemBody, ThresholdInfo

INFO = ArtefactInfo(
    body=SystemBody(name="eea", config={}),
    widths={"text": 4},
    labels=("a", "b"),
    task="multi",
    vectors="made up",
    trained=("a", "b"),
    encoders={},
    activation="sigmoid",
    thresholds=ThresholdInfo(values=(0.5, 0.5)),
    protocol=ProtocolInfo(),
    metrics={},
    data=DataInfo(),
    licence="CC0",
)


@pytest.fixture
def folder(tmp_path):
    weights = {"w": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    vectors = {"emotions": np.eye(2, dtype=np.float32)}
    return artefact.write(tmp_path / "a", INFO, weights, vectors, "# card\n")


def test_round_trip(folder):
    found = artefact.read(folder)
    np.testing.assert_array_equal(found.weights()["w"], np.arange(6).reshape(2, 3).T)
    assert found.space.labels == ("a", "b")
    np.testing.assert_array_equal(found.space.vectors, np.eye(2))
    assert not list(folder.parent.glob(".*"))


def test_the_same_content_gives_the_same_bytes(folder, tmp_path):
    again = artefact.write(
        tmp_path / "b",
        INFO,
        artefact.read(folder).weights(),
        artefact.read(folder).vectors(),
        "# card\n",
    )
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


def described(folder, **changes):
    """Change artefact.json and make its digest fit, as a careful forger would."""
    about = json.loads((folder / "artefact.json").read_text())
    for key, value in changes.items():
        about.pop(key) if value is ... else about.update({key: value})
    if "digest" not in changes:
        about["digest"] = artefact._digest(about)
    (folder / "artefact.json").write_text(json.dumps(about))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 99}, "format 99"),
        ({"labels": ...}, "lacks labels"),
        ({"labels": "ab"}, "labels is 'ab': input should be a valid array"),
        ({"labels": [1, 2]}, r"labels\.0 is 1: input should be a valid string"),
        ({"labels": ["a", "a"]}, "labels must be different words"),
        ({"labels": ["a"]}, "thresholds must hold 1 numbers"),
        ({"thresholds": {"values": ["x", 0.5]}}, r"thresholds\.values\.0 is 'x'"),
        ({"thresholds": {}}, r"lacks thresholds\.values"),
        ({"task": "guess"}, "task is 'guess'"),
        ({"task": ["multi"]}, "task is"),
        ({"widths": {"text": "4"}}, r"widths\.text is '4'"),
        ({"body": {"kind": "system", "name": "eea"}}, r"lacks body\.config"),
        ({"body": {"name": "eea"}}, "body"),
        ({"files": ["weights.safetensors"]}, "files is"),
        ({"files": {}}, "files does not list weights.safetensors"),
        ({"files": {"weights.safetensors": "0", "../../etc/passwd": "0"}}, "has changed"),
        ({"licence": "public domain", "digest": "0"}, "not what was written"),
    ],
)
def test_a_description_that_is_wrong_is_refused(folder, change, said):
    described(folder, **change)
    with pytest.raises(DataError, match=said):
        artefact.read(folder)


def test_a_file_outside_the_folder_is_never_opened(folder):
    files = json.loads((folder / "artefact.json").read_text())["files"]
    described(folder, files={**files, "../../etc/passwd": "0"})
    with pytest.raises(DataError, match="outside its folder"):
        artefact.read(folder)


def test_a_description_edited_by_hand_is_refused_and_a_new_layout_is_not(folder):
    path = folder / "artefact.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(about.items()))))
    assert artefact.read(folder).info.licence == "CC0"
    path.write_text(path.read_text().replace("CC0", "CC1"))
    with pytest.raises(DataError, match="not what was written"):
        artefact.read(folder)


def test_a_file_that_is_not_listed_is_not_read(folder):
    files = json.loads((folder / "artefact.json").read_text())["files"]
    described(folder, files={k: v for k, v in files.items() if k != "vectors.safetensors"})
    found = artefact.read(folder)
    assert (folder / "vectors.safetensors").exists()
    assert found.vectors() == {}
    assert found.space.vectors is None


def test_another_folder_is_never_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="not empty"):
        artefact.write(tmp_path, INFO, {}, {}, "")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_failed_write_leaves_nothing(tmp_path):
    info = INFO.model_copy(update={"metrics": {"accuracy": float("nan")}})
    with pytest.raises(ValueError, match="not JSON compliant"):
        artefact.write(tmp_path / "x", info, {}, {}, "")
    assert list(tmp_path.iterdir()) == []
