"""Datasets of Hugging Face's library come in and go out, from the disk alone."""

from __future__ import annotations

import dataclasses
import json
import re
import socket
from pathlib import Path

import datasets
import numpy as np
import pytest

from moodal.cli.main import main
from moodal.core.errors import DataError, UnsafeFileError
from moodal.corpora.exchange import hf_datasets, hf_writer


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError(f"a connection was opened: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("kind", ["single", "multi", "values", "rated", "rated multi"])
def test_what_is_written_is_read_again(tmp_path: Path, corpus, same, kind: str) -> None:
    manifest = corpus(kind)
    hf_writer.write(manifest, tmp_path / "set")
    again = hf_datasets.read(tmp_path / "set")
    same(manifest, again)
    rows = {u.id: i for i, u in enumerate(again.utterances)}
    for i, frames in enumerate(manifest.features["face"]):
        np.testing.assert_array_equal(again.features["face"][rows[f"u{i}"]], frames)


def test_the_library_itself_reads_what_is_written(tmp_path: Path, corpus, sounds: Path) -> None:
    hf_writer.write(corpus(), tmp_path / "set")
    loaded = datasets.load_from_disk(str(tmp_path / "set"))
    assert {split: len(part) for split, part in loaded.items()} == {
        "train": 2,
        "validation": 1,
        "test": 1,
    }
    assert loaded["train"].features["label"].names == ["happy", "sad"]
    assert loaded["train"]["label"][:] == [0, 1]
    audio = loaded["train"][0]["audio"]
    assert audio["bytes"] == (sounds / "wav/a.wav").read_bytes()


def test_a_corpus_without_splits_is_one_dataset(tmp_path: Path, corpus) -> None:
    manifest = corpus()
    utterances = tuple(dataclasses.replace(u, split=None) for u in manifest.utterances)
    manifest = dataclasses.replace(manifest, utterances=utterances)
    hf_writer.write(manifest, tmp_path / "set")
    assert len(datasets.load_from_disk(str(tmp_path / "set"))) == 4
    assert {u.split for u in hf_datasets.read(tmp_path / "set").utterances} == {None}


def test_the_command_line_takes_both_ways(tmp_path: Path, capsys) -> None:
    main(["synthesise", "datasets", str(tmp_path / "set"), "--utterances", "20"])
    options = ["--encoder", "text=glove-50", "--encoder", "speech=egemaps:rate=2", "--json"]
    main(["prepare", "datasets", str(tmp_path / "set"), str(tmp_path / "first"), *options])
    main(["export", str(tmp_path / "first"), str(tmp_path / "out"), "--to", "datasets"])
    capsys.readouterr()
    # the features come along, so nothing is encoded
    main(["prepare", "datasets", str(tmp_path / "out"), str(tmp_path / "second"), "--json"])
    about = json.loads(capsys.readouterr().out)
    assert {s["stream"]: s["encoder"] for s in about["streams"]} == {
        "text": "as-given",
        "speech": "as-given",
    }
    first, second = (np.load(tmp_path / p / "features/speech.npy") for p in ("first", "second"))
    assert first.shape == second.shape


def test_lists_of_classes_are_several_emotions(tmp_path: Path) -> None:
    """The form of GoEmotions on the hub."""
    names = datasets.List(datasets.ClassLabel(names=["Joy", "anger", "neutral"]))
    about = datasets.Features(
        {"text": datasets.Value("string"), "labels": names, "id": datasets.Value("string")}
    )
    rows = {"text": ["So good", "No", "Hm"], "labels": [[0, 1], [1], []], "id": ["x", "y", "z"]}
    datasets.Dataset.from_dict(rows, about).save_to_disk(str(tmp_path / "set"))
    manifest = hf_datasets.read(tmp_path / "set")
    assert manifest.space.labels == ("joy", "anger", "neutral")
    assert manifest.labels.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert [u.id for u in manifest.utterances] == ["x", "y", "z"]


def test_common_names_of_columns_are_understood(tmp_path: Path) -> None:
    about = datasets.Features(
        {
            "transcription": datasets.Value("string"),
            "major_emotion": datasets.ClassLabel(names=["happy", "sad"]),
            "speaker_id": datasets.Value("int64"),
            "pitch": datasets.Value("float32"),
        }
    )
    rows = {
        "transcription": ["a", "b", "c"],
        "major_emotion": [1, -1, 0],
        "speaker_id": [4, 5, 6],
        "pitch": [1.0, 2.0, 3.0],
    }
    part = datasets.Dataset.from_dict(rows, about)
    datasets.DatasetDict({"train": part, "extra": part}).save_to_disk(str(tmp_path / "set"))
    manifest = hf_datasets.read(tmp_path / "set")
    first = manifest.utterances[0]
    assert (first.id, first.text, first.speaker) == ("train-000000", "a", "4")
    assert (first.split, manifest.utterances[-1].split) == ("train", None)
    assert first.extra == {"pitch": "1.0"}
    assert manifest.labels.tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]
    assert "2 rows without a label were left out." in manifest.notes


def save(folder: Path, **columns: list) -> Path:
    datasets.Dataset.from_dict(columns).save_to_disk(str(folder / "set"))
    return folder / "set"


def test_features_of_any_encoder_are_streams(tmp_path: Path) -> None:
    vectors = [[1.0, 2.0], None, [3.0, 4.0]]
    root = save(tmp_path, label=["a", "b", "a"], text=["x", "y", "z"], speech_features=vectors)
    manifest = hf_datasets.read(root)
    assert manifest.features["speech"].lengths.tolist() == [1, 0, 1]
    assert manifest.features["speech"].values.tolist() == [[1, 2], [3, 4]]


def message(root: Path, kind: type[Exception] = DataError) -> str:
    with pytest.raises(kind) as caught:
        hf_datasets.read(root)
    return str(caught.value)


def test_features_that_do_not_fit_name_their_row(tmp_path: Path) -> None:
    root = save(tmp_path, label=["a", "b"], speech_features=[[1.0, 2.0], [1.0]])
    assert "row 2 (row-000001) has 1 values a step, where the rows before have 2" in message(root)
    root = save(tmp_path / "b", label=["a", "b"], speech_features=[[[1.0, 2.0]], [[1.0], [2.0, 3]]])
    assert "row 2: the vectors are not equally long" in message(root)


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    assert "has neither dataset_dict.json nor state.json" in message(tmp_path)
    root = save(tmp_path, text=["x", "y"], other=[1, 2])
    assert "has no label (it has split, text, other, id)" in message(root)
    (root / "state.json").write_text("{}")
    assert "is damaged ('_data_files'); write the dataset again" in message(root)


def test_damaged_files_are_one_sentence(tmp_path: Path) -> None:
    root = save(tmp_path, text=["x", "y"], label=["a", "b"])
    (arrow,) = root.glob("*.arrow")
    content, rng = arrow.read_bytes(), np.random.default_rng(0)
    for _ in range(20):
        arrow.write_bytes(content[: rng.integers(0, len(content) - 8)])
        assert re.search("cannot be read as a dataset|holds no rows", message(root))


def test_files_outside_of_the_dataset_are_refused(tmp_path: Path) -> None:
    root = save(tmp_path, text=["x", "y"], label=["a", "b"])
    state = json.loads((root / "state.json").read_text())
    state["_data_files"][0]["filename"] = "../other.arrow"
    (root / "state.json").write_text(json.dumps(state))
    assert "names '../other.arrow', which may lie outside" in message(root, UnsafeFileError)
    (root / "dataset_dict.json").write_text(json.dumps({"splits": ["../other"]}))
    assert "names '../other', which may lie outside" in message(root, UnsafeFileError)


def test_an_address_of_the_hub_is_not_there(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["prepare", "datasets", "owner/name", str(tmp_path / "out")])
    assert caught.value.code == 3
    assert "owner/name does not exist" in capsys.readouterr().err
