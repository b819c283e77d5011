"""Pushing: one commit with the hub's card, verified when it is loaded again."""

import hashlib
from pathlib import Path

import pytest

import moodal
from moodal.core.errors import DataError, UnsafeFileError, UsageError
from moodal.core.offline import BY_MOODAL
from moodal.hub.push import push
from moodal.model import artefact as artefacts


def test_what_was_pushed_is_loaded_again(hub, tiny_artefact):
    pushed = push(tiny_artefact, "anna/tiny", licence="cc-by-4.0")
    assert pushed.address.pinned
    model = moodal.load(str(pushed.address))
    info = model.artefact.info
    assert info.digest == pushed.digest
    assert info.licence == "cc-by-4.0"
    own = artefacts.read(tiny_artefact).info.files
    assert {n: h for n, h in info.files.items() if n != "README.md"} == {
        n: h for n, h in own.items() if n != "README.md"
    }


def test_the_artefact_here_stays_as_it_is(hub, tiny_artefact):
    before = {p.name: p.read_bytes() for p in Path(tiny_artefact).iterdir()}
    push(tiny_artefact, "hf://anna/tiny", licence="mit")
    assert {p.name: p.read_bytes() for p in Path(tiny_artefact).iterdir()} == before


def test_pushed_twice_is_the_same_commit_or_a_newer_one(hub, tiny_artefact):
    first = push(tiny_artefact, "anna/tiny", licence="mit")
    second = push(tiny_artefact, "anna/tiny", licence="mit")
    assert first.digest == second.digest
    assert moodal.load("hf://anna/tiny").artefact.info.digest == first.digest
    assert moodal.load(str(first.address)).artefact.info.digest == first.digest


def test_one_commit_holds_it_all(hub, tiny_artefact):
    pushed = push(tiny_artefact, "anna/tiny", licence="mit")
    assert len(hub.commits["anna/tiny"]) == 2  # that of the new repository, and ours
    _, files = hub.files("anna/tiny", pushed.address.revision)
    listed = artefacts.read(tiny_artefact).info.files
    assert set(files) == {".gitattributes", "artefact.json", *listed}
    graph = hashlib.sha256(files["text.onnx"]).hexdigest()
    assert graph == listed["text.onnx"]


@pytest.mark.parametrize("licence", ["", " ", "unknown"])
def test_without_a_licence_nothing_is_sent(hub, tiny, tmp_path, licence):
    folder = tiny.write_tiny(tmp_path / "artefact", licence=licence)
    with pytest.raises(DataError, match=r"states no licence, without which nobody may use"):
        push(folder, "anna/tiny")
    assert hub.requests == []


def test_a_damaged_artefact_is_not_sent(hub, tiny, tmp_path):
    folder = tiny.write_tiny(tmp_path / "artefact")
    (folder / "README.md").write_text("other")
    with pytest.raises(DataError, match=r"README.md has changed since it was written"):
        push(folder, "anna/tiny", licence="mit")
    assert hub.requests == []


def test_files_of_other_kinds_are_not_sent(hub, tiny, tmp_path, tiny_artefact):
    source = artefacts.read(tiny_artefact)
    folder = tmp_path / "artefact"
    files = {n: source.file(n).read_bytes() for n in source.info.files if n.endswith(".onnx")}
    files["notes.pkl"] = b"boom"
    artefacts.write(folder, source.info, source.weights(), source.vectors(), "# x\n", files)
    with pytest.raises(UnsafeFileError, match=r"lists 'notes.pkl'"):
        push(folder, "anna/tiny", licence="mit")
    assert hub.requests == []


def test_who_may_not_write_is_told_to_log_in(hub, tiny_artefact):
    hub.token = "another"
    with pytest.raises(DataError, match=r"log in with `hf auth login`"):
        push(tiny_artefact, "anna/tiny", licence="mit")
    assert hub.commits == {}


def test_where_the_hub_cannot_be_reached_nothing_is_sent(hub, tiny_artefact, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"127.0.0.1:9 cannot be reached, so nothing was sent to"):
        push(tiny_artefact, "anna/tiny", licence="mit")


def test_who_asks_for_no_network_pushes_nothing(hub, tiny_artefact, monkeypatch):
    monkeypatch.delenv(BY_MOODAL)
    with pytest.raises(UsageError, match=r"HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set"):
        push(tiny_artefact, "anna/tiny", licence="mit")
    assert hub.requests == []


def test_notes_come_before_anything_is_sent(hub, tiny_artefact, monkeypatch):
    monkeypatch.setattr("moodal.hub.push._notes", lambda info: ["Its text is read by /home/anna."])

    def stop(note):
        raise KeyboardInterrupt(note)

    with pytest.raises(KeyboardInterrupt, match="/home/anna"):
        push(tiny_artefact, "anna/tiny", licence="mit", before=stop)
    assert hub.requests == []


def test_a_revision_is_no_place_to_push_to(hub, tiny_artefact):
    with pytest.raises(UsageError, match=r"writes the main branch; leave @revision out"):
        push(tiny_artefact, "anna/tiny@v1", licence="mit")
