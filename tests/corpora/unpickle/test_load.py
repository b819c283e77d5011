"""Pickles: what is meant is read, of every form and protocol."""

from __future__ import annotations

import io
import pickle
import sys
import types
from collections import OrderedDict, defaultdict

import numpy as np
import pytest
import torch

from moodal.core.errors import DataError
from moodal.corpora.unpickle import load

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
NUMPY = {
    "float": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0, dtype=np.float32).reshape(2, 3)),
    "big-endian": np.arange(3, dtype=">i4"),
    "bool": np.array([True, False]),
    "half": np.array([1.5], np.float16),
    "bytes": np.array([b"ab", b""]),
    "text": np.array(["ab", "é"]),
    "none": np.zeros((0, 4)),
    "point": np.array(4),
    "scalar": np.float32(3),
    "objects": np.array([["a", None], [(1, 2), [3.0]]], object),
}
PLAIN = {
    "ordered": OrderedDict(a=1),
    "default": defaultdict(list, {"x": [1]}),
    "set": {1, "two"},
    "frozen": frozenset([1]),
    "tuple": (1, 2.5, "é", True, None, 10**30, b"", b"\xff"),
}
TENSORS = {
    "float": torch.arange(12.0).reshape(3, 4),
    "transposed": torch.arange(12.0).reshape(3, 4).T,
    "slice": torch.arange(12.0).reshape(3, 4)[1:, 2:],
    "double": torch.tensor([1.0], dtype=torch.float64),
    "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
    "bfloat16": torch.tensor([1.5, -3.25], dtype=torch.bfloat16),
    "long": torch.arange(4),
    "bool": torch.tensor([True, False]),
    "uint16": torch.tensor([1, 65535]).to(torch.uint16),
    "point": torch.tensor(2.0),
    "none": torch.zeros(0, 3),
    "parameter": torch.nn.Parameter(torch.ones(2)),
}


def same(loaded, wanted) -> bool:
    if isinstance(wanted, torch.Tensor):
        wanted = wanted.detach()
        wanted = (wanted.float() if wanted.dtype == torch.bfloat16 else wanted).numpy()
    if isinstance(wanted, np.ndarray):
        return (
            isinstance(loaded, np.ndarray)
            and loaded.dtype == wanted.dtype.newbyteorder("=")
            and np.array_equal(loaded, wanted)
        )
    return loaded == wanted


def saved(value, *, zipped: bool) -> bytes:
    out = io.BytesIO()
    torch.save(value, out, _use_new_zipfile_serialization=zipped)
    return out.getvalue()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("values", [NUMPY, PLAIN, TENSORS], ids=["numpy", "plain", "tensors"])
def test_reads_every_protocol(write, values, protocol):
    loaded = load.load(write(pickle.dumps(values, protocol)))
    assert list(loaded) == list(values)
    wrong = [name for name in values if not same(loaded[name], values[name])]
    assert not wrong


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stream"])
def test_reads_what_torch_saves(write, zipped):
    loaded = load.load(write(saved(TENSORS, zipped=zipped)))
    wrong = [name for name in TENSORS if not same(loaded[name], TENSORS[name])]
    assert not wrong


def test_reads_arrays_of_python_2(write):
    """Byte strings, protocol 2 and 0, as Python 2 wrote them (bytes past ASCII included)."""
    values = np.array([-1.5, 300.0])
    raw = values.tobytes()
    head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\nt"
    dtype = b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
    quoted = b"S'" + "".join(f"\\x{b:02x}" for b in raw).encode() + b"'\n"
    short = b"U" + bytes([len(raw)]) + raw
    for text in (quoted, short):
        loaded = load.load(write(head + dtype + text + b"tb."))
        assert same(loaded, values)


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("kind", ["MOSEI", "IEMOCAP", "MOSI"])
def test_reads_the_authors_objects_without_their_code(write, monkeypatch, kind, protocol):
    module = types.ModuleType("src.dataset")
    authors_class = type(kind, (), {"__module__": "src.dataset"})
    setattr(module, kind, authors_class)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "src", types.ModuleType("src"))
        patch.setitem(sys.modules, "src.dataset", module)
        item = authors_class()
        item.text, item.id = torch.ones(2, 3), [0, 1]
        data = pickle.dumps(item, protocol)
    loaded = load.load(write(data))
    assert isinstance(loaded, load.Record)
    assert loaded.kind == f"src.dataset.{kind}"
    assert same(loaded.attributes["text"], item.text)
    assert loaded.attributes["id"] == [0, 1]
    assert "src.dataset" not in sys.modules


@pytest.mark.parametrize("form", ["pickle", "stream", "zip", "nested"])
def test_a_state_dict_comes_back_in_each_form(write, form):
    state = torch.nn.LSTM(3, 4).state_dict()
    data = {
        "pickle": lambda: pickle.dumps(state),
        "stream": lambda: saved(state, zipped=False),
        "zip": lambda: saved(state, zipped=True),
        "nested": lambda: saved({"epoch": 3, "state_dict": state}, zipped=True),
    }[form]()
    loaded = load.load_state(write(data))
    assert list(loaded) == list(state)
    assert all(same(loaded[name], state[name]) for name in state)


def test_shared_objects_are_converted_once(write):
    array = np.ones(3)
    loaded = load.load(write(pickle.dumps([array, {"again": array}])))
    assert loaded[0] is loaded[1]["again"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "holds a list"),
        ({}, "empty dict"),
        ({"w": 3}, "holds a int under 'w'"),
        ({3: np.ones(2)}, "under '3'"),
    ],
)
def test_a_state_that_is_none_is_refused(write, value, message):
    with pytest.raises(DataError, match=message):
        load.load_state(write(pickle.dumps(value)))
