"""Tests of moodal.core.tensors."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from moodal.core.tensors import mapped_tensors

ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array([1, 2, 3], np.uint8),
    "c": np.array([[0.5]], np.float16),
    "d": np.array([-1, 2**40]),
    "e": np.zeros((0, 4), np.int32),
    "f": np.array([7], np.uint16),
    "g": np.array([1e300]),
    "h": np.array(9, np.uint32),
}


def test_tensors_are_those_that_were_written(tmp_path):
    save_file(ARRAYS, tmp_path / "t.safetensors", {"about": "a test"})
    mapped = mapped_tensors(tmp_path / "t.safetensors")
    assert mapped.keys() == ARRAYS.keys()
    for name, values in ARRAYS.items():
        assert mapped[name].dtype == values.dtype
        np.testing.assert_array_equal(mapped[name], values)


def test_what_is_cut_off_or_none_is_refused(tmp_path):
    path = tmp_path / "t.safetensors"
    save_file(ARRAYS, path)
    content = path.read_bytes()
    for damaged in (b"", content[:4], content[:40], content[:-3], b"\xff" * 64, bytes(64)):
        path.unlink()
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"."):
            mapped_tensors(path)
    with pytest.raises(FileNotFoundError):
        mapped_tensors(tmp_path / "none")
