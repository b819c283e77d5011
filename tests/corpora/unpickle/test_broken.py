"""Pickles that are damaged, or ask for too much: said in words, whatever the damage."""

from __future__ import annotations

import contextlib
import io
import pickle
import warnings
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moodal.core.errors import DataError, MoodalError, UnsafeFileError
from moodal.corpora.unpickle import load

TENSORS = {
    "slice": torch.arange(12.0).reshape(3, 4)[1:, 2:],
    "transposed": torch.arange(12.0).reshape(3, 4).T,
    "bfloat16": torch.tensor([1.5, -3.25], dtype=torch.bfloat16),
    "uint16": torch.tensor([1, 65535]).to(torch.uint16),
}
NUMPY = [
    np.asfortranarray(np.ones((2, 3))),
    np.arange(3, dtype=">i4"),
    np.array(["a", "é"]),
    np.array([b"ab"]),
    np.float32(3),
    np.array([["a", None], [(1, 2), [3.0]]], object),
]
PLAIN = [OrderedDict(a=1), {1, "two"}, (1, 2.5, "é", True, None, 10**30, b"")]


def saved(value, *, zipped: bool) -> bytes:
    out = io.BytesIO()
    torch.save(value, out, _use_new_zipfile_serialization=zipped)
    return out.getvalue()


def _zipped(pickled: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    return out.getvalue()


def _array(shape: bytes, dtype: bytes = b"f8", data: bytes = b"S'abcdefgh'\n") -> bytes:
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n("
        + shape
        + b"tcnumpy\ndtype\n(S'"
        + dtype
        + b"'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
        + data
        + b"tb."
    )


def _tensor(offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    inner = pickle.dumps(torch.arange(4.0), 2)
    start, stop = inner.index(b"ctorch.storage"), inner.rindex(b"K\x00K\x04\x85")
    stored = inner[start:stop]
    parts = b"".join(pickle.dumps(x, 2)[2:-1] for x in (offset, size, stride))
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + stored + parts + b"\x89NtR."


BROKEN = {
    "empty": b"",
    "text": b"<!DOCTYPE html><html>not found</html>",
    "no end": pickle.dumps([1, 2])[:-1],
    "cut short": pickle.dumps(np.arange(100.0))[:200],
    "stack underflow": b"0.",
    "marks": b"(.",
    "memo": b"h\x05.",
    "protocol": b"\x80\x63N.",
    "huge memo index": b"Nr\xff\xff\xff\x7f0K\x01\x85\x85R.",
    "huge string": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fab.",
    "huge bytearray": b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7fab.",
    "deep": b"]" + b"\x85" * 20000 + b".",
    "deep key": b"}" + b")" + b"\x85" * 20000 + b"N" + b"s.",
    "itself": b"]q\x00h\x00a.",
    "billions": b"]q\x00"
    + b"".join(b"](" + b"h" + bytes([i]) + b"2" * 9 + b"eq" + bytes([i + 1]) for i in range(12))
    + b".",
    "many copies": b"c_codecs\nencode\nq\x00(X\x00\x00\x01\x00"
    + b"a" * 65536
    + b"X\x06\x00\x00\x00latin1tq\x01"
    + b"h\x00h\x01R" * 20000
    + b".",
    "array of too many": _array(b"I9\n"),
    "array without end": _array(b"L1099511627776L\nI0\n", data=b"S''\n")[:-40] + b".",
    "array of terabytes": _array(b"L1099511627776L\n"),
    "array of negatives": _array(b"I-1\n"),
    "array of nothing wide": _array(b"L1099511627776L\n", b"S0", b"S''\n"),
    "array of records": _array(b"I1\n", b"V8"),
    "array of pointers": _array(b"I1\n", b"O8"),
    "array never filled": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR."
    ),
    "objects in a number": (
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O8'\nI0\nI1\ntRS'abc'\ntR."
    ),
    "tensor past its end": _tensor(1, (4,), (1,)),
    "tensor of strides": _tensor(0, (2, 2), (1, 1000)),
    "tensor of terabytes": _tensor(0, (2**40,), (0,)),
    "tensor before its start": _tensor(0, (2,), (-1,)),
    "tensor with missing storage": _zipped(
        b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00"
        b"0X\x03\x00\x00\x00cpuK\x04NtQ."
    ),
    "zip of something": _zipped(b"")[:10],
    "stream cut short": saved(TENSORS, zipped=False)[:-8],
    "zip cut short": saved(TENSORS, zipped=True)[:-400],
    "list as items": b"}N]a.",
    "odd dict": b"(NNNd.",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_a_data_error(write, name):
    path = write(BROKEN[name])
    with pytest.raises(DataError) as error:
        load.load(path)
    assert not isinstance(error.value, UnsafeFileError)
    assert str(path) in str(error.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="missing"):
        load.load(tmp_path / "none.pkl")
    with pytest.raises(DataError, match="cannot be read"):
        load.load(tmp_path)


VALID = [
    *(pickle.dumps(NUMPY, p) for p in (0, 2, 4, 5)),
    pickle.dumps(PLAIN, 4),
    pickle.dumps({"w": TENSORS["slice"], "b": TENSORS["bfloat16"]}, 2),
    saved({"w": TENSORS["slice"], "b": TENSORS["uint16"]}, zipped=True),
    saved(OrderedDict(w=TENSORS["transposed"]), zipped=False),
]


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.sampled_from(VALID),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    kept=st.floats(0.3, 1),
)
def test_any_damage_is_reported_in_words(write, data, flips, kept):
    damaged = bytearray(data)
    for where, value in flips:
        damaged[int(where * len(damaged))] = value
    path = write(bytes(damaged[: int(kept * len(damaged)) or 1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(MoodalError):
            load.load(path)
