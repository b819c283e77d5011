"""Tests of moodal.core.cache."""

import os

import numpy as np
import pytest

from moodal.core.cache import cache_folder, cached


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "model.xz"
    path.write_bytes(b"packed")
    return path


class Unpacking:
    """Counts how often something is unpacked."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1
        return {"a": np.arange(3), "b": np.array([0.5], np.float16)}


def same(arrays):
    return arrays["a"].tolist() == [0, 1, 2] and arrays["b"].tolist() == [0.5]


def test_something_is_unpacked_once(source):
    unpack = Unpacking()
    for _ in range(3):
        assert same(cached("model", source, unpack))
    assert unpack.count == 1
    [path] = cache_folder().iterdir()
    assert path.name.startswith("model-")


def test_another_source_replaces_what_is_kept(source):
    unpack = Unpacking()
    cached("model", source, unpack)
    cached("other", source, unpack)
    os.utime(source, ns=(1, 1))
    assert same(cached("model", source, unpack))
    assert unpack.count == 3
    names = sorted(path.name.partition("-")[0] for path in cache_folder().iterdir())
    assert names == ["model", "other"]


@pytest.mark.parametrize(
    "damaged",
    [
        lambda content: b"",
        lambda content: b"no arrays",
        lambda content: content[:-1],
        lambda content: content.replace(b"I64", b"B64"),
        lambda content: content.replace(b'"shape"', b'"shame"'),
        lambda content: (2).to_bytes(8, "little") + b"[]",
    ],
)
def test_what_is_damaged_is_written_anew(source, damaged):
    unpack = Unpacking()
    cached("model", source, unpack)
    [path] = cache_folder().iterdir()
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(damaged(content))
    assert same(cached("model", source, unpack))
    assert same(cached("model", source, unpack))
    assert unpack.count == 2


def test_what_is_kept_cannot_be_changed(source):
    cached("model", source, Unpacking())
    with pytest.raises(ValueError, match="read-only"):
        cached("model", source, Unpacking())["a"][0] = 1


def test_without_a_folder_it_is_unpacked_each_time(source, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    unpack = Unpacking()
    for _ in range(2):
        assert same(cached("model", source, unpack))
    assert unpack.count == 2
    monkeypatch.delenv("XDG_CACHE_HOME")

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("moodal.core.cache.Path.home", homeless)
    assert same(cached("model", source, unpack))
