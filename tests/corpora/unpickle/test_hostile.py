"""Pickles that would run code: refused by name, and nothing of them is run."""

from __future__ import annotations

import builtins
import copyreg
import functools
import io
import os
import pickle
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from moodal.core.errors import UnsafeFileError
from moodal.corpora.unpickle import load


def saved(value, *, zipped: bool) -> bytes:
    out = io.BytesIO()
    torch.save(value, out, _use_new_zipfile_serialization=zipped)
    return out.getvalue()


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
    for read in (load.load, load.load_state):
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
        load.load(write(HOSTILE["build-on-a-name"][0](Path())))
    assert before == {name: getattr(np.ndarray, name) for name in dir(np.ndarray)}
