import hashlib
import os
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from moodal.core.errors import DataError, OutputError
from moodal.core.records import Clip
from moodal.features.store import FeatureStore
from moodal.modalities.build import build
from moodal.modalities.encoder import Encoder


@dataclass(frozen=True)
class Letters(Encoder):
    """Each letter of a text as its code, twice."""

    offset: int = 0
    name: ClassVar[str] = "letters"
    stream: ClassVar[str] = "text"
    width: ClassVar[int] = 2
    rate: ClassVar[None] = None

    def spec(self):
        return {"name": self.name, "fingerprint": f"letters-{self.offset}", "width": 2}

    def encode(self, item):
        return np.array([[ord(c) + self.offset] * 2 for c in item], np.float32).reshape(-1, 2)


TEXTS = ["one", "two", "three", ""]


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


def kept(store, encoder=Letters(), texts=TEXTS):
    entries = {store.key(text): encoder.encode(text) for text in texts}
    store.write(encoder, entries)
    return entries


def same(stored, entries):
    assert stored.keys() == entries.keys()
    for key, value in entries.items():
        np.testing.assert_array_equal(stored[key], value)
        assert stored[key].dtype == np.float32


def test_a_text_has_the_key_of_its_words(store):
    sha256 = hashlib.sha256("text\nIt's 10:30, naïve café".encode()).hexdigest()
    assert store.key("It's 10:30, naïve café") == sha256
    assert store.key("good 👍🏽") == store.key("good thumbs up") != store.key("good")


def test_what_was_written_is_read(store):
    entries = kept(store)
    same(store.read(Letters(), entries), entries)
    same(FeatureStore(store.folder).read(Letters(), entries), entries)
    some = [store.key("two"), store.key("unknown")]
    assert store.read(Letters(), some).keys() == {store.key("two")}


def test_encoders_have_shelves_of_their_own(store):
    entries = kept(store)
    assert store.read(Letters(offset=1), entries) == {}


def test_an_empty_store_has_nothing_and_makes_no_folder(store):
    assert store.read(Letters(), [store.key("one")]) == {}
    store.write(Letters(), {})
    store.remember()
    assert not store.folder.exists()


def test_keys_are_of_content_not_of_place(store, tmp_path):
    for name, content in (("a.wav", b"sound"), ("b.wav", b"sound"), ("c.wav", b"noise")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (str(tmp_path / name) for name in ("a.wav", "b.wav", "c.wav"))
    assert store.key(Clip(a)) == store.key(Clip(b)) != store.key(Clip(c))
    assert len({store.key(x) for x in (Clip(a), Clip(a, 0.5), Clip(a, 0.5, 1.0), "sound")}) == 4
    with pytest.raises(DataError, match=r"gone\.wav"):
        store.key(Clip(str(tmp_path / "gone.wav")))


def test_a_file_is_hashed_once_until_it_changes(store, tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    path.write_bytes(b"first")
    before = store.key(Clip(str(path)))
    store.remember()
    hashed = []

    def counted(path):
        hashed.append(path)
        return "f" * 64

    monkeypatch.setattr("moodal.features.store.file_hash", counted)
    assert FeatureStore(store.folder).key(Clip(str(path))) == before
    assert hashed == []
    path.write_bytes(b"again")
    os.utime(path, ns=(1, 1))
    assert FeatureStore(store.folder).key(Clip(str(path))) != before
    assert len(hashed) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 3}', b"\xff\xfe"])
def test_damaged_hashes_are_forgotten(store, tmp_path, content):
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    key = store.key(Clip(str(path)))
    store.remember()
    (store.folder / "hashes.json").write_bytes(content)
    assert FeatureStore(store.folder).key(Clip(str(path))) == key


def test_no_damage_to_a_pack_is_ever_believed(store, caplog):
    entries = kept(store)
    (pack,) = store.folder.rglob("*.npz")
    whole = pack.read_bytes()
    dropped = 0
    for at in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[at] ^= 0x41
        pack.write_bytes(damaged)
        stored = store.read(Letters(), entries)
        for key, value in stored.items():  # some bytes of a zip mean nothing
            np.testing.assert_array_equal(value, entries[key])
        dropped += not pack.exists()
    assert dropped > len(whole) / 7 / 2
    assert "is damaged" in caplog.text


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_a_cut_pack_is_thrown_away_and_can_be_written_again(store, keep):
    entries = kept(store)
    (pack,) = store.folder.rglob("*.npz")
    pack.write_bytes(pack.read_bytes()[:keep])
    assert store.read(Letters(), entries) == {}
    assert not pack.exists()
    same(store.read(Letters(), kept(store)), entries)


def test_a_pack_of_another_width_is_not_believed(store):
    entries = kept(store)
    (pack,) = store.folder.rglob("*.npz")
    np.savez(
        pack,
        keys=np.array([bytes.fromhex(k) for k in entries], "V32"),
        lengths=np.array([1] * len(entries)),
        values=np.zeros((len(entries), 3), np.float32),
    )
    assert store.read(Letters(), entries) == {}


def test_a_write_that_fails_leaves_nothing(store, monkeypatch):
    def full(*args, **arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OutputError, match="the disk is full"):
        kept(store)
    assert [p for p in store.folder.rglob("*") if p.is_file()] == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="Cannot write"):
        kept(FeatureStore(tmp_path / "file"))


def test_real_features_survive(store):
    glove = build("glove-50")
    entries = {store.key("What a day!"): glove.encode("What a day!")}
    store.write(glove, entries)
    same(store.read(glove, entries), entries)


@dataclass(frozen=True)
class Halves(Letters):
    """The same in half precision."""

    dtype: ClassVar[str] = "float16"

    def spec(self):
        return {**super().spec(), "fingerprint": "halves"}


def test_half_precision_is_kept_as_it_is(store):
    entries = {store.key(text): Halves().encode(text).astype(np.float16) for text in TEXTS}
    store.write(Halves(), entries)
    stored = store.read(Halves(), entries)
    assert {value.dtype for value in stored.values()} == {np.dtype(np.float16)}
    for key, value in entries.items():
        np.testing.assert_array_equal(stored[key], value)
    kept(store)  # an encoder in single precision beside it
    assert store.read(Letters(), entries)[store.key("one")].dtype == np.float32


def test_lengths_are_read_without_the_values(store, monkeypatch):
    entries = kept(store)
    monkeypatch.setattr("moodal.features.store._read_pack", lambda *_: pytest.fail("read"))
    assert store.lengths(Letters(), [store.key("three"), store.key("four")]) == {
        store.key("three"): 5
    }
    assert store.lengths(Letters(), entries).keys() == entries.keys()
    assert store.lengths(Letters(), []) == {}


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_hashed_again(store, tmp_path):
    path, other = tmp_path / "a.wav", tmp_path / "b.wav"
    path.write_bytes(b"first")
    os.utime(path, ns=(1, 1))
    before = store.key(Clip(str(path)))
    store.remember()
    other.write_bytes(b"again")
    os.utime(other, ns=(1, 1))
    os.replace(other, path)
    assert FeatureStore(store.folder).key(Clip(str(path))) != before
    path.write_bytes(b"third")
    os.utime(path, ns=(1, 1))
    assert FeatureStore(store.folder).key(Clip(str(path))) not in (before, None)
