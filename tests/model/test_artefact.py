"""Artefacts: written whole, read back equal, and refused when anything changed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from moodal.core.emotions import Value, Values
from moodal.core.errors import DataError, OutputError
from moodal.model import artefact
from moodal.model.info import (
    ArtefactInfo,
    DataInfo,
    ProtocolInfo,
    SystemBody,
    ThresholdInfo,
)
from moodal.model.value_info import ValueInfo

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


def test_a_run_in_place_of_an_artefact_is_told_where_its_artefacts_are(folder, tmp_path):
    run = tmp_path / "run"
    for fold in ("fold-1", "fold-2"):
        shutil.copytree(folder, run / fold / "artefact")
    for given in (run, run / "artefact"):
        with pytest.raises(DataError, match=r"per fold, such as .*fold-1/artefact \(2 in all\)"):
            artefact.read(given)
    shutil.copytree(folder, run / "artefact")
    with pytest.raises(DataError, match=r"artefact of this run is .*run/artefact"):
        artefact.read(run)
    with pytest.raises(DataError, match="RUN/fold-\\*/artefact"):
        artefact.read(tmp_path / "elsewhere")


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
    info = INFO.model_copy(update={"metrics": {"auc": {"value": float("nan")}}})
    with pytest.raises(ValueError, match="not JSON compliant"):
        artefact.write(tmp_path / "x", info, {}, {}, "")
    assert list(tmp_path.iterdir()) == []


FORMAT_1 = {
    "format": 1,
    "moodal": "0.1.0",
    "system": {"name": "eea", "config": {"hidden": 3}},
    "widths": {"text": 4, "face": 2304},
    "labels": ["a", "b"],
    "task": "multi",
    "vectors": "made up",
    "encoders": {"text": {"name": "minilm", "width": 4, "fingerprint": "f"}, "face": {}},
    "thresholds": {"values": [0.5, 0.5], "source": "fixed at 0.5"},
    "calibration": None,
    "protocol": {"name": "zero_shot", "unseen": ["a"], "experiment": "official", "stamps": ["s"]},
    "metrics": {"auc": {"value": 0.7, "low": None}},
    "data": {"corpus": "mosei", "trained": None, "scoring": {}, "rows": {"train": 3}},
    "licence": "CC0",
}
"""The description of a trained system as it was written until version 0.1.0."""


def as_format_1(folder, content):
    """Give a folder the artefact.json of format 1, and sign it."""
    files = json.loads((folder / "artefact.json").read_text())["files"]
    content = {**content, "files": files}
    content["digest"] = artefact._digest(content)
    (folder / "artefact.json").write_text(json.dumps(content))
    return artefact.read(folder).info


def test_a_system_of_format_1_is_read_into_the_same_objects(folder):
    info = as_format_1(folder, FORMAT_1)
    assert (info.format, info.kind, info.name) == (1, "system", "eea")
    assert info.body.config == {"hidden": 3}
    assert info.trained == ("a", "b")  # imports did not say: all of them
    assert info.activation == "sigmoid"
    assert info.encoders["text"].fingerprint == "f"
    assert "face" not in info.encoders
    assert info.protocol.settings == {"unseen": ["a"]}
    assert info.protocol.stamps == ("s",)
    assert info.data.trained is None
    assert info.data.scoring is None
    assert info.modalities["face"].medium == "pictures"


def test_a_fused_artefact_of_format_1_is_read_into_the_same_objects(tiny, tmp_path):
    folder = tiny.write_tiny(tmp_path / "a")
    current = json.loads((folder / "artefact.json").read_text())
    body = current["body"]
    figures = {
        "made_up": True,
        "rows": 9,
        "accuracy": 0.5,
        "ece": 0.1,
        "reliability": [[0.5, 0.4, 9]],
        "decided": 1.0,
        "decided_accuracy": None,
    }
    for weights in body["fusion"].values():
        del weights["measured"]
        weights |= figures
    as_given = {"name": "as-given", "fingerprint": "0", "width": 2304}
    new = ("body", "readers", "modalities", "trained", "words", "activation", "protocol", "digest")
    old = {key: value for key, value in current.items() if key not in new}
    old |= {
        "format": 1,
        "system": {"name": "fused", "config": {}},
        "fused": {key: value for key, value in body.items() if key != "kind"},
        "encoders": {**current["encoders"], "face": as_given},
        "protocol": {"name": "fused", "experiment": "", "stamps": []},
    }
    for encoder in old["encoders"].values():
        encoder.pop("columns", None)
    info = as_format_1(folder, old)
    written = tiny.body()
    assert info.body.branches == written.branches
    assert info.body.words == written.words
    assert info.body.fusion["speech"].weights == written.fusion["speech"].weights
    assert info.body.fusion["speech"].measured.reliability == ((0.5, 0.4, 9),)
    assert info.trained == info.labels
    assert info.readers["face"].name == "pixels"


def test_an_artefact_that_is_signed_again_has_the_present_format_and_the_same_files(folder):
    before = as_format_1(folder, FORMAT_1)
    content = {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "artefact.json"}
    artefact.sign_again(folder)
    after = artefact.read(folder).info
    assert after.format == 2
    changed = {"format", "digest"}
    assert after.model_dump(exclude=changed) == before.model_dump(exclude=changed)
    assert content == {
        p.name: p.read_bytes() for p in folder.iterdir() if p.name != "artefact.json"
    }


def test_the_artefact_in_the_package_has_the_present_format():
    content = json.loads(Path(artefact.DEFAULT, "artefact.json").read_text(encoding="utf-8"))
    assert content["format"] == 2
    info = artefact.read(artefact.DEFAULT).info
    assert info.encoders["face"].name == "pixels"
    assert set(info.readers) == {"speech"}
    assert set(info.modalities) == {"text", "speech", "face"}


def test_an_artefact_of_values_keeps_their_ranges(tmp_path):
    space = Values(["valence", Value("trust", 0, 4)], np.eye(2), "made up")
    changes = {"labels": space.labels, "task": "regression", "activation": "identity"}
    info = INFO.model_copy(update={**changes, "trained": space.labels})
    tensors = {"w": np.ones(1, np.float32)}, {"emotions": np.eye(2, dtype=np.float32)}
    whole = info.model_copy(update={"values": ValueInfo.of(space)})
    folder = artefact.write(tmp_path / "a", whole, *tensors, "# card\n")
    assert artefact.read(folder).space == space
    with pytest.raises(DataError, match="values must give the ranges of valence, trust"):
        artefact.read(artefact.write(tmp_path / "b", info, *tensors, "# card\n"))
    turned = [{"name": "valence", "low": 1.0, "high": -1.0}, {"name": "trust", "low": 0, "high": 4}]
    described(folder, values=turned)
    with pytest.raises(DataError, match=r"values\.valence goes from 1 to -1"):
        artefact.read(folder)


def test_an_artefact_of_emotions_has_no_ranges(folder):
    described(folder, values=[{"name": "a", "low": 0.0, "high": 1.0}])
    with pytest.raises(DataError, match="values must give the ranges of nothing"):
        artefact.read(folder)


def test_values_of_format_1_have_their_built_in_ranges(folder):
    means = {"rows": 3, "means": {"sentiment": 0.25}}
    content = FORMAT_1 | {"task": "regression", "data": {"corpus": "mosi", "trained": means}}
    content |= {"protocol": {"name": "supervised"}}
    info = as_format_1(folder, content | {"labels": ["sentiment", "valence"]})
    assert info.values == ValueInfo.of(Values(["sentiment", "valence"]))
    assert info.data.trained.means == {"sentiment": 0.25}
    with pytest.raises(DataError, match="values must give the ranges of sentiment, trust"):
        as_format_1(folder, content | {"labels": ["sentiment", "trust"]})
