"""Artefacts and backbones of the hub: fetched once, verified, read offline, and only when named."""

import json

import pytest

import moodal
from moodal.core.errors import DataError, UnsafeFileError, UsageError
from moodal.core.offline import BY_MOODAL
from moodal.hub.address import HubAddress
from moodal.hub.fetch import cached_backbone, fetch_artefact, fetch_backbone, fetch_named_backbones
from moodal.output.formats.json_ import to_json


def test_load_by_tag_branch_and_commit(published, tiny_artefact):
    own = moodal.load(tiny_artefact).predict(text="I am so happy")
    for revision in ("", "@v1", f"@{published.first}"):
        model = moodal.load(f"hf://anna/tiny{revision}")
        assert model.artefact.folder.name == published.first
        again = model.predict(text="I am so happy")
        assert to_json([again]) == to_json([own])


def test_a_pinned_artefact_is_fetched_once(published):
    fetch_artefact(f"hf://anna/tiny@{published.first}")
    assert all(f"/anna/tiny/resolve/{published.first}/" in line for line in published.requests)
    published.requests.clear()
    moodal.load(f"hf://anna/tiny@{published.first}")
    assert published.requests == []


def test_nothing_but_the_files_that_artefact_json_lists_is_asked_for(published):
    published.commit("anna/tiny", {"setup.py": b"boom", "data.pkl": b"boom"})
    folder = fetch_artefact("hf://anna/tiny")
    listed = json.loads((folder / "artefact.json").read_text())["files"]
    assert {path.name for path in folder.iterdir()} == {"artefact.json", *listed}
    assert {line.rsplit("/", 1)[1] for line in published.requests} == {"artefact.json", *listed}


def test_a_branch_that_moved_is_looked_up_and_a_commit_is_not(published):
    fetch_artefact("hf://anna/tiny")
    second = published.commit("anna/tiny", {"other.txt": b"new"})
    assert fetch_artefact("hf://anna/tiny").name == second
    assert fetch_artefact(f"hf://anna/tiny@{published.first}").name == published.first


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("hf://anna/tiny@v9", r"anna/tiny has no revision v9; give a commit, a tag or a branch"),
        ("hf://anna/nothing", r"has no repository anna/nothing, or your token may not read it"),
        ("hf://anna/empty", r"hf://anna/empty@main lacks a file"),
    ],
)
def test_what_the_hub_lacks_is_one_sentence(published, address, message):
    published.commit("anna/empty", {"README.md": b""})
    with pytest.raises(DataError, match=message) as error:
        moodal.load(address)
    assert "\n" not in str(error.value)


def test_a_changed_file_is_not_trusted(published):
    published.commit("anna/tiny", {"vectors.safetensors": b"other"})
    with pytest.raises(DataError, match=r"vectors.safetensors has changed since it was written"):
        moodal.load("hf://anna/tiny")


@pytest.mark.parametrize("name", ["model.pkl", "weights.bin", "run.py"])
def test_files_of_other_kinds_are_refused_before_they_are_fetched(published, name):
    content = {"files": {name: "0" * 64}}
    published.commit("anna/evil", {"artefact.json": json.dumps(content).encode(), name: b"boom"})
    with pytest.raises(UnsafeFileError, match=rf"lists '{name}'; artefacts of the hub hold"):
        moodal.load("hf://anna/evil")
    assert not [line for line in published.requests if line.endswith(name)]


@pytest.mark.parametrize("name", ["../x.txt", "a/x.txt", "..\\x.txt", "/etc/x.txt"])
def test_files_elsewhere_are_refused(published, name):
    content = {"files": {name: "0" * 64}}
    published.commit("anna/evil", {"artefact.json": json.dumps(content).encode()})
    with pytest.raises(DataError, match="names a file elsewhere"):
        moodal.load("hf://anna/evil")


@pytest.mark.parametrize("text", [b"[]", b"{}", b"no json", b'{"files": 3}'])
def test_a_description_that_is_none_is_one_sentence(published, text):
    published.commit("anna/odd", {"artefact.json": text})
    with pytest.raises(DataError, match=r"its artefact.json cannot be read"):
        moodal.load("hf://anna/odd")


def test_the_cache_serves_where_the_hub_cannot_be_reached(published, monkeypatch):
    fetch_artefact("hf://anna/tiny@v1")
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert moodal.load("hf://anna/tiny@v1").artefact.folder.name == published.first
    with pytest.raises(
        DataError, match=r"hf://anna/other@main is not in the local cache, and http"
    ):
        moodal.load("hf://anna/other")


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_who_asks_for_no_downloads_gets_none(published, monkeypatch, variable):
    fetch_artefact("hf://anna/tiny@v1")
    monkeypatch.setenv(variable, "1")
    monkeypatch.delenv(BY_MOODAL)
    published.requests.clear()
    assert moodal.load("hf://anna/tiny@v1").artefact.folder.name == published.first
    with pytest.raises(DataError, match=r"is not in the local cache.*HF_HUB_OFFLINE or TRANSF"):
        moodal.load("hf://anna/other")
    assert published.requests == []


def test_the_switches_are_as_before(published):
    from huggingface_hub import constants

    fetch_artefact("hf://anna/tiny")
    assert constants.HF_HUB_OFFLINE
    with pytest.raises(DataError):
        fetch_artefact("hf://anna/nothing")
    assert constants.HF_HUB_OFFLINE


BACKBONE = {
    "config.json": b'{"model_type": "bert"}',
    "model.safetensors": b"weights",
    "tokenizer.json": b"{}",
    "pytorch_model.bin": b"pickle",
    "modeling.py": b"boom",
    "onnx/model.onnx": b"graph",
}


def test_a_backbone_comes_without_code_and_pickles(hub):
    commit = hub.commit("anna/bert", BACKBONE)
    folder = fetch_backbone("hf://anna/bert")
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "model.safetensors", "tokenizer.json"}
    hub.requests.clear()
    assert fetch_backbone(f"hf://anna/bert@{commit}") == folder
    assert cached_backbone("hf://anna/bert") == folder
    assert hub.requests == []


def test_old_weights_are_taken_where_there_are_no_others(hub):
    files = {name: BACKBONE[name] for name in ("config.json", "pytorch_model.bin")}
    hub.commit("anna/old", files)
    assert (fetch_backbone("hf://anna/old") / "pytorch_model.bin").exists()


def test_a_half_fetched_backbone_is_completed(hub):
    commit = hub.commit("anna/bert", {"config.json": b"{}"})
    fetch_backbone(f"hf://anna/bert@{commit}")
    assert cached_backbone(f"hf://anna/bert@{commit}") is None


def test_weights_in_several_files_are_whole_with_the_last_of_them(hub):
    shards = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    index = json.dumps({"weight_map": {"a": shards[0], "b": shards[1]}}).encode()
    files = {"config.json": b"{}", "model.safetensors.index.json": index}
    files |= dict.fromkeys(shards, b"w")
    address = f"hf://anna/large@{hub.commit('anna/large', files)}"
    folder = fetch_backbone(address)
    assert cached_backbone(address) == folder
    (folder / shards[1]).unlink()  # as a command that was stopped leaves it
    assert cached_backbone(address) is None
    assert fetch_backbone(address) == folder
    assert cached_backbone(address) == folder


def test_an_address_that_the_hub_refuses_is_one_sentence(hub):
    with pytest.raises(UsageError, match="is no address of the hub"):
        fetch_artefact(HubAddress("anna/calls.git"))


def test_backbones_are_fetched_for_recipes_and_encoders(hub):
    hub.commit("anna/bert", BACKBONE)
    fetch_named_backbones({"text": {"path": "minilm"}, "layers": [1, 2.0, None]})
    assert hub.requests == []
    fetch_named_backbones("text-backbone:path=hf://anna/bert@main,layer=2")
    assert cached_backbone("hf://anna/bert")


def test_a_backbone_that_nobody_fetched_is_not_fetched_by_itself(hub):
    pytest.importorskip("torch")
    from moodal.train.backbones.locate import find

    hub.commit("anna/bert", BACKBONE)
    with pytest.raises(UsageError, match=r"hf://anna/bert is not in the local cache of the hub"):
        find("hf://anna/bert")
    assert hub.requests == []
    fetch_backbone("hf://anna/bert")
    assert find("hf://anna/bert").family == "bert"
