"""A corpus that a cluster encodes is the corpus that one process prepares."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from moodal.cli.main import main
from moodal.core import manifest as manifests
from moodal.core.errors import MoodalError
from moodal.core.records import Clip
from moodal.features.encode import encode_items
from moodal.features.store import FeatureStore
from moodal.modalities.encoder import Encoder
from moodal.scale.cluster import connected
from moodal.scale.encode import ClusterWorkers
from moodal.scale.places import Place


@dataclass(frozen=True)
class Fragile(Encoder):
    """Encode the size of a file, twice; a file of 13 bytes ends the process."""

    @property
    def name(self):
        return "fragile"

    @property
    def stream(self):
        return "speech"

    @property
    def width(self):
        return 2

    @property
    def rate(self):
        return 1.0

    def spec(self):
        return {"name": "fragile", "fingerprint": "0" * 32}

    def encode(self, item):
        size = Path(item.path).stat().st_size
        if size == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.full((1, 2), size, np.float32)

    def check(self, item):
        pass


@pytest.fixture
def corpus(tmp_path, speech):
    """A table of four sounds and a damaged one."""
    for i in range(4):
        speech(f"c{i}.wav", seconds=0.5, seed=i)
    (tmp_path / "bad.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(90))
    rows = [f"u{i},c{i}.wav,{'joy' if i % 2 else 'anger'},train" for i in range(4)]
    rows.append("bad,bad.mp4,joy,test")
    (tmp_path / "table.csv").write_text("id,audio,label,split\n" + "\n".join(rows) + "\n")
    return tmp_path / "table.csv"


def test_the_fingerprint_is_that_of_one_process(corpus, engine, tmp_path, capsys):
    words = ["prepare", "table", str(corpus), "--encoder", "speech=spoken"]
    main([*words[:3], str(tmp_path / "one"), *words[3:], "--store", str(tmp_path / "s1")])
    on_ray = ["--engine", f"ray:{engine.address}", "--store", str(tmp_path / "s2")]
    main([*words[:3], str(tmp_path / "two"), *words[3:], *on_ray])
    one, two = (manifests.read(tmp_path / name) for name in ("one", "two"))
    assert one.fingerprint == two.fingerprint
    np.testing.assert_array_equal(one.features["speech"].values, two.features["speech"].values)
    assert any("left out as absent" in note for note in two.notes)
    # what is in the store is not computed again, and OUT may be a URL
    capsys.readouterr()
    main([*words[:3], "memory://prepared/table", *words[3:], "--store", str(tmp_path / "s2")])
    names = Place("memory://prepared/table").names()
    assert "manifest.json" in names
    assert "_lock.json" not in names


def test_an_item_that_ends_its_worker_is_unreadable(engine, tmp_path):
    import ray.cloudpickle

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    paths = []
    for i in range(20):
        paths.append(tmp_path / f"f{i}.bin")
        paths[-1].write_bytes(bytes(i))
    store = FeatureStore(tmp_path / "store")
    with connected(engine) as workers:
        frames, note = encode_items(
            Fragile(),
            [Clip(str(path)) for path in paths],
            store,
            ClusterWorkers(workers),
            skip_unreadable=True,
            names=[path.name for path in paths],
        )
    assert frames.lengths.tolist() == [int(i != 13) for i in range(20)]
    assert frames.values[:, 0].tolist() == [i for i in range(20) if i != 13]
    assert "f13.bin ended the process that read it, twice" in note
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


class Copies:
    """Files of the machine that gave the command."""

    def copy(self, path, target):
        target.write_bytes(b"12345")


def test_a_worker_takes_no_other_file_of_the_same_path(tmp_path, monkeypatch):
    from moodal.scale import encode

    def encode_pack(encoder, items, companion):
        [(key, clip)] = items
        return [(key, Path(clip.path).read_bytes())], {}

    monkeypatch.setattr(encode, "encode_pack", encode_pack)
    path = tmp_path / "a.wav"
    path.write_bytes(b"of this machine")
    for size, content in ((15, b"of this machine"), (5, b"12345"), (None, b"12345")):
        sizes = {} if size is None else {str(path): size}
        work = encode._Encoding(Fragile(), None, Copies(), sizes)()
        assert work([("key", Clip(str(path)))]) == ([("key", content)], {})
    monkeypatch.setattr(encode.tempfile, "TemporaryDirectory", None)  # nothing is copied
    encode._Encoding(Fragile(), None, Copies(), {str(path): 15})()([("key", Clip(str(path)))])


def test_another_moodal_on_a_machine_is_refused():
    from moodal.scale.encode import _Encoding

    with pytest.raises(MoodalError, match=r"install moodal 0\.0 on all of them"):
        _Encoding(Fragile(), None, Copies(), {}, version="0.0")()


@pytest.mark.parametrize(
    ("root", "out", "message"),
    [
        ("s3://b/x", "out", "must lie on this machine"),
        ("raw", "memory://b/x", "name a folder for features with --store"),
    ],
)
def test_urls_that_cannot_be_are_refused(root, out, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(["prepare", "table", root, out])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_a_copy_that_was_stopped_is_made_again(corpus, tmp_path, monkeypatch):
    from moodal.scale import places

    words = ["prepare", "table", str(corpus), "memory://stopped", "--encoder", "speech=spoken"]
    words += ["--store", str(tmp_path / "s")]
    Place("memory://stopped").put(places.COPYING, b"")
    Place("memory://stopped").put("labels.npy", b"half")
    main(words)
    names = Place("memory://stopped").names()
    assert "manifest.json" in names
    assert places.COPYING not in names


def test_a_place_of_something_else_is_refused(corpus, tmp_path, capsys):
    Place("memory://sales").put("sales.csv", b"1")
    with pytest.raises(SystemExit) as end:
        main(["prepare", "table", str(corpus), "memory://sales", "--store", str(tmp_path / "s")])
    assert end.value.code == 6
    assert "memory://sales holds sales.csv, and no manifest" in capsys.readouterr().err
