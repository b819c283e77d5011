"""Places on disks and behind URLs: whole files or none, and one sentence where there is no way."""

from __future__ import annotations

import pytest

fsspec = pytest.importorskip("fsspec")

from fsspec.implementations.memory import MemoryFileSystem  # noqa: E402

from moodal.core.errors import (  # noqa: E402
    DataError,
    MissingDependencyError,
    OutputError,
    UsageError,
)
from moodal.scale import places  # noqa: E402
from moodal.scale.places import (  # noqa: E402
    COPYING,
    MANIFEST,
    Place,
    fetch,
    listed,
    put_folder,
)


class Forbidden(MemoryFileSystem):
    """A bucket that this user may list and read, and not write."""

    protocol = "forbidden"

    def _open(self, path, mode="rb", **more):
        if mode != "rb":
            raise PermissionError("Access Denied")
        return super()._open(path, mode, **more)

    def pipe_file(self, path, value, **more):
        raise PermissionError("Access Denied")


class Closed(MemoryFileSystem):
    """A bucket that nobody may see."""

    protocol = "closed"

    def ls(self, path, detail=True, **more):
        raise PermissionError("Forbidden")


@pytest.fixture(params=["disk", "memory", "file-url"])
def place(request, tmp_path):
    """A new folder of each kind."""
    paths = {
        "disk": tmp_path / "deep/answers",
        "memory": f"memory://{tmp_path.name}/answers",
        "file-url": f"file://{tmp_path}/url/answers",
    }
    return Place(paths[request.param])


def test_files_are_written_listed_read_and_deleted(place):
    assert place.names() == []
    assert place.read("a") is None
    place.put("b", b"12")
    place.put("a", b"1")
    place.put("a", b"345")
    assert place.names() == ["a", "b"]
    assert place.read("a") == b"345"
    with place.opened("a") as file:
        file.seek(1)
        assert file.read() == b"45"
    assert 0 <= place.age("a") < 60
    place.delete("a")
    place.delete("a")
    assert place.age("a") == float("inf")
    assert place.names() == ["b"]


def test_a_file_is_created_once(place):
    assert place.create("lock", b"first")
    assert not place.create("lock", b"second")
    assert place.read("lock") == b"first"


def test_a_bucket_without_rights_is_one_sentence(monkeypatch):
    monkeypatch.setattr(places, "PROTOCOLS", ("forbidden", "closed"))
    for kind in (Forbidden, Closed):
        fsspec.register_implementation(kind.protocol, kind, clobber=True)
    with pytest.raises(OutputError, match=r"^Cannot write forbidden://b/out/x: this user"):
        Place("forbidden://b/out").put("x", b"1")
    with pytest.raises(OutputError, match="may not write there"):
        Place("forbidden://b/out").create("x", b"1")
    with pytest.raises(DataError, match=r"^closed://b/out cannot be read: this user has no right"):
        Place("closed://b/out").names()


def test_what_cannot_be_reached_is_one_sentence(tmp_path):
    for url in ("nowhere://bucket", "https://example.org/calls", "simplecache::s3://bucket"):
        with pytest.raises(UsageError, match=r"no URL that moodal reads and writes"):
            Place(url)
    with pytest.raises(DataError, match="nothing at memory://none"):
        listed("memory://none/there")
    with pytest.raises(DataError, match="nothing at memory://none"):
        fetch("memory://none/there.wav", tmp_path / "there.wav")
    if "s3fs" not in fsspec.available_protocols():
        with pytest.raises((MissingDependencyError, DataError, OutputError)):
            Place("s3://moodal-no-such-bucket/out")


def test_a_url_is_listed_below_without_hidden_files(tmp_path):
    for name in ("b.wav", "deep/a.wav", ".hidden/c.wav", "deep/.d.wav"):
        Place(f"memory://listing/{name}".rpartition("/")[0]).put(name.rpartition("/")[2], b"12")
    assert [(f.path, f.bytes) for f in listed("memory://listing")] == [
        ("memory://listing/b.wav", 2),
        ("memory://listing/deep/a.wav", 2),
    ]
    Place(tmp_path / "calls").put("c.wav", b"345")
    [file] = listed(f"file://{tmp_path}/calls")
    assert (file.path, file.bytes) == (f"file://{tmp_path}/calls/c.wav", 3)
    fetch(file.path, tmp_path / "copy.wav")
    assert (tmp_path / "copy.wav").read_bytes() == b"345"
    fetch("memory://listing/deep/a.wav", tmp_path / "a.wav")
    assert (tmp_path / "a.wav").read_bytes() == b"12"


def test_a_folder_is_copied_with_its_manifest_last(tmp_path, monkeypatch):
    (tmp_path / "features").mkdir()
    for name in ("manifest.json", "labels.npy", "features/text.npy"):
        (tmp_path / name).write_bytes(name.encode())
    order = []
    real = Place.put
    monkeypatch.setattr(Place, "put", lambda s, n, c: (order.append(n), real(s, n, c))[1])
    put_folder(tmp_path, "memory://folder/copy")
    assert order[0] == COPYING
    assert order[-1] == MANIFEST
    assert COPYING not in Place("memory://folder/copy").names()
    assert Place("memory://folder/copy/features").read("text.npy") == b"features/text.npy"


def test_a_copy_that_was_stopped_has_no_manifest_and_says_so(tmp_path, monkeypatch):
    for name in ("manifest.json", "labels.npy"):
        (tmp_path / name).write_bytes(b"new")
    place = Place("memory://folder/stopped")
    place.put(MANIFEST, b"old")
    real = Place.put

    def put(self, name, content):
        if name == "labels.npy":
            raise OutputError("stopped")
        real(self, name, content)

    monkeypatch.setattr(Place, "put", put)
    with pytest.raises(OutputError, match="stopped"):
        put_folder(tmp_path, str(place))
    assert place.names() == [COPYING]
