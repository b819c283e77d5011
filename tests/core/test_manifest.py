"""Manifest: written in one piece, read back the same, damaged ones refused."""

import dataclasses
import json

import numpy as np
import pytest

from moodal.core import manifest as manifests
from moodal.core.emotions import EmotionSpace, Value, Values
from moodal.core.errors import DataError, OutputError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Frames, Utterance


@pytest.fixture
def small():
    utterances = (
        Utterance("a", "train", "s1", media={"text": "Hé!", "speech": Clip("a.wav", 0.5, 1.0)}),
        Utterance("b", "test", extra={"script": "x"}),
    )
    frames = Frames.from_list([np.ones((2, 3)), np.zeros((0, 3))], rate=10.0)
    return Manifest(
        "made up",
        EmotionSpace(["joy", "fear"]),
        utterances,
        np.array([[1, 0], [0, 1]], np.float32),
        {"speech": frames},
        {"speech": {"name": "x", "fingerprint": "1"}},
        notes=("odd",),
    )


def test_round_trip(small, tmp_path):
    back = manifests.read(small.write(tmp_path / "p"))
    assert back.utterances == small.utterances
    assert back.space == small.space
    np.testing.assert_array_equal(back.labels, small.labels)
    assert back.features["speech"].rate == 10.0
    assert isinstance(back.features["speech"].values, np.memmap)
    assert (back.fingerprint, back.notes) == (small.fingerprint, small.notes)


def values_of(small, values):
    """The same utterances with numbers in place of emotions."""
    labels = np.array([[0.5, 3], [-0.25, 1]], np.float32)
    return dataclasses.replace(small, space=Values(values), labels=labels)


def test_values_keep_their_ranges(small, tmp_path):
    numbers = values_of(small, ["valence", Value("trust", 0, 4)])
    back = manifests.read(numbers.write(tmp_path / "p"))
    assert back.space == numbers.space
    np.testing.assert_array_equal(back.labels, numbers.labels)
    assert back.fingerprint == numbers.fingerprint
    assert back.only(["trust"]).space.values == (Value("trust", 0, 4),)
    assert back.only(["trust"]).labels.tolist() == [[3], [1]]
    other = values_of(small, ["valence", Value("trust", 0, 5)])
    assert other.fingerprint != numbers.fingerprint


def test_values_of_format_1_have_their_built_in_ranges(small, tmp_path):
    folder = values_of(small, ["sentiment", "valence"]).write(tmp_path / "p")
    fingerprint = manifests.read(folder).fingerprint
    rewrite_as_format_1(folder, without=("values",))
    back = manifests.read(folder)
    assert back.space == Values(["sentiment", "valence"])
    assert back.fingerprint == fingerprint
    head = json.loads((folder / "manifest.json").read_text())
    head["labels"] = ["sentiment", "trust"]
    (folder / "manifest.json").write_text(json.dumps(head))
    with pytest.raises(DataError, match=r"damaged.*range of trust is not known"):
        manifests.read(folder)


def test_the_fingerprint_sees_all_that_a_model_sees(small):
    prints = {small.fingerprint, small.select([1, 0]).fingerprint}
    labels = small.labels.copy()
    labels[0, 1] = 1
    prints.add(dataclasses.replace(small, labels=labels).fingerprint)
    frames = Frames(small.features["speech"].values * 2, small.features["speech"].lengths)
    prints.add(dataclasses.replace(small, features={"speech": frames}).fingerprint)
    assert len(prints) == 4


def test_an_older_manifest_is_replaced_and_other_folders_are_not(small, tmp_path):
    small.write(tmp_path / "p")
    small.select([0]).write(tmp_path / "p")
    assert len(manifests.read(tmp_path / "p")) == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x")
    with pytest.raises(OutputError, match="not empty"):
        small.write(tmp_path / "mine")


def damaged(folder, name, change):
    path = folder / name
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("labels.npy", lambda b: b[: len(b) // 2]),
        ("features/speech.npy", lambda b: b[:40]),
        ("features/speech.lengths.npy", lambda b: b""),
        ("utterances.jsonl", lambda b: b[:10]),
        ("utterances.jsonl", lambda b: b + b'{"id": "c", "colour": "blue"}\n'),
        ("manifest.json", lambda b: b.replace(b'"labels"', b'"lables"')),
        ("manifest.json", lambda b: b.replace(b'"format": 2', b'"format": 9')),
        ("manifest.json", lambda b: b"{"),
        ("manifest.json", lambda b: b"[" + b + b"]"),
        ("manifest.json", lambda b: b.replace(b'"streams": {', b'"streams": [], "x": {')),
    ],
)
def test_damage_is_one_sentence(small, tmp_path, name, change):
    folder = small.write(tmp_path / "p")
    damaged(folder, name, change)
    with pytest.raises(DataError) as caught:
        manifests.read(folder)
    assert str(folder) in str(caught.value)


def test_a_missing_file_is_named(small, tmp_path):
    folder = small.write(tmp_path / "p")
    (folder / "labels.npy").unlink()
    with pytest.raises(DataError, match=r"labels\.npy is missing"):
        manifests.read(folder)
    assert json.loads((folder / "manifest.json").read_text())["utterances"] == 2


def test_a_file_and_a_folder_that_may_not_be_read(small, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is a file; name the folder"):
        manifests.read(tmp_path / "file")
    folder = small.write(tmp_path / "p")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(DataError, match=r"cannot be read: Permission denied\."):
        manifests.read(folder)


def test_sizes_must_agree(small):
    with pytest.raises(DataError, match="need labels"):
        dataclasses.replace(small, labels=small.labels[:1])
    with pytest.raises(DataError, match="1 sequences"):
        dataclasses.replace(small, features={"text": Frames.from_list(np.zeros((1, 1, 1)))})


def rewrite_as_format_1(folder, without=()):
    """Rewrite a prepared folder as the first format stored it: a key for each kind of medium."""
    head = json.loads((folder / "manifest.json").read_text())
    head = {key: value for key, value in head.items() if key not in without}
    (folder / "manifest.json").write_text(json.dumps({**head, "format": 1}))
    lines = []
    for line in (folder / "utterances.jsonl").read_text().splitlines():
        row = json.loads(line)
        media, views = row.pop("media", {}), row.pop("views", {})
        row |= {{"speech": "audio", "face": "video"}.get(k, k): v for k, v in media.items()}
        row |= {
            {"speech": "augmented_audio", "text": "augmented_text"}[k]: v for k, v in views.items()
        }
        lines.append(json.dumps(row))
    (folder / "utterances.jsonl").write_text("\n".join(lines))


def test_format_1_is_read_into_the_same_utterances(small, tmp_path):
    film = Clip("film.mp4", 0.0, 2.5)
    utterances = (
        Utterance("a", media={"text": "", "speech": film, "face": film}),
        Utterance("b", media={"face": film}, views={"text": ("so", "oh"), "speech": (film,)}),
    )
    small = dataclasses.replace(small, utterances=utterances)
    folder = small.write(tmp_path / "p")
    rewrite_as_format_1(folder)
    assert '"video": {' in (folder / "utterances.jsonl").read_text()
    back = manifests.read(folder)
    assert back.utterances == utterances
    assert back.fingerprint == small.fingerprint


def test_a_fingerprint_is_the_one_of_the_first_format(small):
    """Runs and artefacts hold these numbers; they were computed by commit 14fc59d."""
    clip = Clip("a.wav", 0.5, 1.0)
    u = Utterance(
        "a",
        media={"text": "Hé!", "speech": clip, "face": clip},
        views={"text": ("Oh",), "speech": (clip,)},
        extra={"script": "x"},
    )
    assert small.fingerprint == "5dbe7e2b0d9d440944ac830a701c225d"
    small = dataclasses.replace(small, utterances=(u, small.utterances[1]))
    assert small.fingerprint == "5037b2af8e34eaceb03b7446c599ae5d"


def test_another_modality_is_stored_and_part_of_the_fingerprint(small, tmp_path):
    pulse = Clip("a.csv", 0.5, 1.0)
    media = {**small.utterances[0].media, "pulse": pulse}
    first = dataclasses.replace(small.utterances[0], media=media, views={"pulse": (pulse,)})
    more = dataclasses.replace(small, utterances=(first, small.utterances[1]))
    assert more.fingerprint != small.fingerprint
    without_view = dataclasses.replace(first, views={})
    fewer = dataclasses.replace(small, utterances=(without_view, small.utterances[1]))
    assert fewer.fingerprint not in (more.fingerprint, small.fingerprint)
    back = manifests.read(more.write(tmp_path / "p"))
    assert back.utterances == more.utterances
    assert back.fingerprint == more.fingerprint


def test_columns_are_fields_texts_and_what_the_corpus_adds(small):
    assert small.column("speaker") == ["s1", None]
    assert small.column("text") == ["Hé!", None]
    assert small.column("script") == [None, "x"]
