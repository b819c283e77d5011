"""A data set is read from its own file alone."""

import contextlib
import sys

import h5py
import numpy as np
import pytest

from moodal.core.errors import DataError, MissingReaderError, UnsafeFileError
from moodal.corpora.published import h5


@pytest.fixture
def other(tmp_path):
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(6.0)
    (tmp_path / "secret.bin").write_bytes(np.arange(6.0).tobytes())
    return path


def external_link(file, other):
    file["x"] = h5py.ExternalLink(str(other), "x")


def link_to_a_link(file, other):
    file["y"] = h5py.ExternalLink(str(other), "x")
    file["x"] = h5py.SoftLink("/y")


def external_storage(file, other):
    path = str(other.with_suffix(".bin"))
    file.create_dataset("x", (6,), "f8", external=[(path, 0, h5py.h5f.UNLIMITED)])


def virtual(file, other):
    layout = h5py.VirtualLayout((6,), "f8")
    layout[:] = h5py.VirtualSource(str(other), "x", (6,))
    file.create_virtual_dataset("x", layout)


@pytest.mark.parametrize("make", [external_link, link_to_a_link, external_storage, virtual])
def test_other_files_are_never_read(tmp_path, other, make):
    path = tmp_path / "features.h5"
    with h5py.File(path, "w") as file:
        make(file, other)
    with pytest.raises(UnsafeFileError, match=r"features\.h5 \['x'\]"):
        h5.read(path, "x")


def test_links_within_a_file_are_read(tmp_path):
    path = tmp_path / "features.h5"
    with h5py.File(path, "w") as file:
        file["y"] = np.arange(3.0)
        file["x"] = h5py.SoftLink("/y")
    np.testing.assert_array_equal(h5.read(path, "x"), np.arange(3.0))


def test_damaged_files_are_one_sentence(tmp_path):
    path = tmp_path / "features.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(200.0)
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(content)
        for place in rng.integers(0, len(damaged), rng.integers(1, 8)):
            damaged[place] = rng.integers(256)
        path.write_bytes(bytes(damaged[: rng.integers(1, len(damaged) + 1)]))
        with contextlib.suppress(DataError):
            h5.read(path, "x")


def test_without_h5py_it_says_what_brings_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingReaderError, match=r"features\.h5 .* needs the package h5py; .*\[fe"):
        h5.read(tmp_path / "features.h5", "x")
