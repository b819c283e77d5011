"""Pickles: what is meant is read, what would run is refused, what is broken is said."""

from __future__ import annotations

import builtins
import copyreg
import functools
import io
import os
import pickle
import struct
import sys
import types
import warnings
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moodal.corpora import pickles
from moodal.errors import DataError, MoodalError, UnsafeFileError

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


def same(found, wanted) -> bool:
    if isinstance(wanted, torch.Tensor):
        wanted = wanted.detach()
        wanted = (wanted.float() if wanted.dtype == torch.bfloat16 else wanted).numpy()
    if isinstance(wanted, np.ndarray):
        return (
            isinstance(found, np.ndarray)
            and found.dtype == wanted.dtype.newbyteorder("=")
            and np.array_equal(found, wanted)
        )
    return found == wanted


@pytest.fixture
def write(tmp_path):
    def write(data: bytes) -> Path:
        path = tmp_path / "given.pkl"
        path.write_bytes(data)
        return path

    return write


def saved(value, *, zipped: bool) -> bytes:
    out = io.BytesIO()
    torch.save(value, out, _use_new_zipfile_serialization=zipped)
    return out.getvalue()


# What is meant


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("values", [NUMPY, PLAIN, TENSORS], ids=["numpy", "plain", "tensors"])
def test_reads_every_protocol(write, values, protocol):
    found = pickles.load(write(pickle.dumps(values, protocol)))
    assert list(found) == list(values)
    wrong = [name for name in values if not same(found[name], values[name])]
    assert not wrong


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stream"])
def test_reads_what_torch_saves(write, zipped):
    found = pickles.load(write(saved(TENSORS, zipped=zipped)))
    wrong = [name for name in TENSORS if not same(found[name], TENSORS[name])]
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
        found = pickles.load(write(head + dtype + text + b"tb."))
        assert same(found, values)


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("kind", ["MOSEI", "IEMOCAP", "MOSI"])
def test_reads_the_authors_objects_without_their_code(write, monkeypatch, kind, protocol):
    module = types.ModuleType("src.dataset")
    made = type(kind, (), {"__module__": "src.dataset"})
    setattr(module, kind, made)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "src", types.ModuleType("src"))
        patch.setitem(sys.modules, "src.dataset", module)
        item = made()
        item.text, item.id = torch.ones(2, 3), [0, 1]
        data = pickle.dumps(item, protocol)
    found = pickles.load(write(data))
    assert isinstance(found, pickles.Record)
    assert found.kind == f"src.dataset.{kind}"
    assert same(found.attributes["text"], item.text)
    assert found.attributes["id"] == [0, 1]
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
    found = pickles.load_state(write(data))
    assert list(found) == list(state)
    assert all(same(found[name], state[name]) for name in state)


def test_what_is_shared_is_made_once(write):
    array = np.ones(3)
    found = pickles.load(write(pickle.dumps([array, {"again": array}])))
    assert found[0] is found[1]["again"]


# What would run


class Calls:
    """Pickles as a call of ``function`` with ``arguments``."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def _command(marker: Path) -> str:
    return f"touch {marker}"


def _unicode(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


def _short(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


def _line(text: str) -> bytes:
    return b"S" + repr(text).encode() + b"\n"


def _in_storage(inner: bytes) -> bytes:
    """A tensor inside a plain pickle, whose bytes are ``inner``."""
    return (
        b"\x80\x04ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\n"
        + b"B"
        + struct.pack("<I", len(inner))
        + inner
        + b"\x85RK\x00K\x02\x85K\x01\x85\x89}tR."
    )


def _legacy(pickled: bytes) -> bytes:
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    return b"".join(pickle.dumps(x, 2) for x in head) + pickled + pickle.dumps([], 2)


def _zipped(pickled: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    return out.getvalue()


def _system(marker: Path, protocol: int = 2) -> bytes:
    return pickle.dumps(Calls(os.system, _command(marker)), protocol)


# name -> (how to make it, what the refusal must name); those in FREE do run when read freely.
HOSTILE = {
    "reduce-0": (lambda m: _system(m, 0), "system"),
    "reduce-2": (lambda m: _system(m, 2), "system"),
    "reduce-5": (lambda m: _system(m, 5), "system"),
    "eval": (
        lambda m: pickle.dumps(Calls(builtins.eval, f"open({str(m)!r}, 'w').close()"), 2),
        "__builtin__.eval",
    ),
    "exec": (
        lambda m: pickle.dumps(Calls(builtins.exec, f"open({str(m)!r}, 'w').close()"), 4),
        "builtins.exec",
    ),
    "open": (lambda m: pickle.dumps(Calls(open, str(m), "w"), 4), "open"),
    "touch": (lambda m: pickle.dumps(Calls(Path.touch, m), 4), "Path.touch"),
    "partial": (
        lambda m: pickle.dumps(functools.partial(os.system, _command(m)), 4),
        "functools.partial",
    ),
    "inst": (lambda m: b"(" + _line(_command(m)) + b"ios\nsystem\n.", "os.system"),
    "obj": (lambda m: b"(cos\nsystem\n" + _line(_command(m)) + b"o.", "os.system"),
    "newobj": (
        lambda m: b"\x80\x02cbuiltins\nopen\n" + _unicode(str(m)) + b"\x85\x81.",
        "builtins.open",
    ),
    "newobj-ex": (
        lambda m: b"\x80\x04cnumpy\nndarray\n)}" + _short("shape") + b"K\x05s\x92.",
        "numpy.ndarray with keywords",
    ),
    "stack-global": (
        lambda m: (
            b"\x80\x04"
            + _short("os")
            + _short("system")
            + b"\x93"
            + _short(_command(m))
            + b"\x85R."
        ),
        "os.system",
    ),
    "dotted": (
        lambda m: (
            b"\x80\x04"
            + _short("zipfile")
            + _short("os.system")
            + b"\x93"
            + _short(_command(m))
            + b"\x85R."
        ),
        "zipfile.os.system",
    ),
    "getattr-chain": (
        lambda m: (
            b"\x80\x04"
            + _short("builtins")
            + _short("getattr")
            + b"\x93"
            + _short("os")
            + _short("system")
            + b"\x93"
            + _short("__call__")
            + b"\x86R"
            + _short(_command(m))
            + b"\x85R."
        ),
        "builtins.getattr",
    ),
    "build-state": (
        lambda m: (
            b"\x80\x02csrc.dataset\nMOSEI\n)\x81}(" + _unicode("text") + _system(m)[2:-1] + b"ub."
        ),
        "system",
    ),
    "build-on-a-name": (
        lambda m: (
            b"\x80\x02cnumpy\nndarray\nN}" + _unicode("__setstate__") + b"c_codecs\nencode\ns\x86b."
        ),
        "inner state of a numpy.ndarray",
    ),
    "build-on-a-list": (lambda m: b"\x80\x02]}b.", "inner state of a list"),
    "call-of-a-result": (lambda m: b"\x80\x02ccollections\nOrderedDict\n)R)R.", "calls dict"),
    "call-of-a-class": (lambda m: b"\x80\x02cnumpy\nndarray\n)R.", "calls numpy.ndarray"),
    "dict-value": (lambda m: pickle.dumps({"w": Calls(os.system, _command(m))}), "system"),
    "object-array": (
        lambda m: pickle.dumps(np.array([Calls(os.system, _command(m))], object), 2),
        "system",
    ),
    "reconstructor": (
        lambda m: b"ccopy_reg\n_reconstructor\n(csubprocess\nPopen\nc__builtin__\nobject\nNtR.",
        "subprocess.Popen",
    ),
    "numpy-load": (
        lambda m: b"cnumpy\nload\n(" + _line(str(m)) + b"tR.",
        "numpy.load",
    ),
    "torch-load": (lambda m: b"ctorch\nload\n(" + _line(str(m)) + b"tR.", "torch.load"),
    "storage-plain": (lambda m: _in_storage(_system(m)), "system"),
    "storage-legacy": (lambda m: _in_storage(_legacy(_system(m))), "system"),
    "storage-zip": (lambda m: _in_storage(_zipped(_system(m))), "system"),
    "storage-in-storage": (lambda m: _in_storage(_in_storage(_system(m))), "system"),
    "torch-zip": (lambda m: saved({"w": Calls(os.system, _command(m))}, zipped=True), "system"),
    "torch-legacy": (lambda m: saved({"w": Calls(os.system, _command(m))}, zipped=False), "system"),
    "torch-module": (lambda m: saved(torch.nn.Linear(1, 1), zipped=True), "torch.nn.modules"),
    "legacy-key-list": (
        lambda m: _legacy(pickle.dumps({}, 2))[: -len(pickle.dumps([], 2))] + _system(m),
        "system",
    ),
    "extension": (lambda m: b"\x80\x02\x82\xf1" + _unicode(_command(m)) + b"\x85R.", "extension"),
    "persistent-id": (lambda m: b"Psystem\n.", "persistent id system"),
    "persistent-tuple": (lambda m: b"\x80\x02K\x01\x85Q.", "persistent id"),
    "out-of-band": (lambda m: b"\x80\x05\x97.", "outside"),
    "control-characters": (
        lambda m: b"\x80\x04" + _short("os\x1b[2J") + _short("x") + b"\x93.",
        r"os\x1b[2J.x",
    ),
}
FREE = [
    *("reduce-0", "reduce-2", "reduce-5", "eval", "exec", "open", "touch", "inst", "obj"),
    *("stack-global", "dotted", "getattr-chain", "dict-value", "object-array", "extension"),
    *("storage-plain", "torch-zip", "torch-legacy"),
]


@pytest.fixture
def extension():
    copyreg.add_extension("os", "system", 0xF1)
    yield
    copyreg.remove_extension("os", "system", 0xF1)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_name(tmp_path, write, extension, name):
    marker = tmp_path / "was-run"
    make, named = HOSTILE[name]
    path = write(make(marker))
    for read in (pickles.load, pickles.load_state):
        with pytest.raises(UnsafeFileError) as refusal:
            read(path)
        assert not marker.exists()
        assert str(path) in str(refusal.value)
        assert named in str(refusal.value)
        assert "nothing in it was run" in str(refusal.value)
        assert str(refusal.value).isprintable()


@pytest.mark.parametrize("name", FREE)
def test_the_hostile_files_are_hostile(tmp_path, write, extension, name):
    """Read freely, they do make the marker: else the test above would show nothing."""
    marker = tmp_path / "was-run"
    path = write(HOSTILE[name][0](marker))
    try:
        if name.startswith("torch"):
            torch.load(path, weights_only=False)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pickle.loads(path.read_bytes())
    except Exception:
        pass  # what they return need not make sense
    assert marker.exists()


def test_no_attribute_of_the_program_was_touched(write):
    before = {name: getattr(np.ndarray, name) for name in dir(np.ndarray)}
    with pytest.raises(UnsafeFileError):
        pickles.load(write(HOSTILE["build-on-a-name"][0](Path())))
    assert before == {name: getattr(np.ndarray, name) for name in dir(np.ndarray)}


# What is broken, or asks for too much


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
    head = saved(torch.arange(4.0).untyped_storage(), zipped=False)
    assert head
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
    "deep": b"(" * 1 + b"]" + b"\x85" * 20000 + b".",
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
    "array never filled": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR.",
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
        pickles.load(path)
    assert not isinstance(error.value, UnsafeFileError)
    assert str(path) in str(error.value)


def test_a_missing_file_and_a_folder_are_said(tmp_path):
    with pytest.raises(DataError, match="missing"):
        pickles.load(tmp_path / "none.pkl")
    with pytest.raises(DataError, match="cannot be read"):
        pickles.load(tmp_path)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1, 2], "holds a list"),
        ({}, "empty dict"),
        ({"w": 3}, "holds a int under 'w'"),
        ({3: np.ones(2)}, "under '3'"),
    ],
)
def test_a_state_that_is_none_is_said(write, value, said):
    with pytest.raises(DataError, match=said):
        pickles.load_state(write(pickle.dumps(value)))


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
def test_any_damage_is_said_in_words(write, data, flips, kept):
    damaged = bytearray(data)
    for where, value in flips:
        damaged[int(where * len(damaged))] = value
    path = write(bytes(damaged[: int(kept * len(damaged)) or 1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            pickles.load(path)
        except MoodalError as error:
            assert str(path) in str(error)
