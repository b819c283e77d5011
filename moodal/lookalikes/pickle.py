"""Write pickles like the published ones without importing the packages that they name.

The published files are pickles of numpy arrays (some by Python 2), of torch tensors, and of
objects of the authors' classes. They are written with equal bytes on every machine and without
PyTorch: a class is only named in the file, never imported.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from moodal.core.errors import writing


class GlobalReference:
    """A class or function that the pickle refers to by name alone."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name

    def __call__(self, *_: Any) -> None:
        raise TypeError(f"{self.module}.{self.name} is only written, never called.")


class TorchStorage:
    """A torch storage: float32 values, flat."""

    def __init__(self, values: np.ndarray):
        self.values = np.ascontiguousarray(values, np.float32).ravel()


class TorchTensor:
    """A torch float32 tensor of these values."""

    def __init__(self, values: np.ndarray):
        self.values = np.ascontiguousarray(values, np.float32)


class Instance:
    """An object of a class of the authors, with these attributes."""

    def __init__(self, module: str, name: str, attributes: dict[str, Any]):
        self.kind, self.attributes = GlobalReference(module, name), attributes


class _Dtype:
    """The type of an array's values, as numpy pickles it."""

    def __init__(self, code: str, state: tuple[Any, ...]):
        self.code, self.state = code, state


_RECONSTRUCT = GlobalReference("numpy.core.multiarray", "_reconstruct")
_NDARRAY = GlobalReference("numpy", "ndarray")
_DTYPE = GlobalReference("numpy", "dtype")
_REBUILD = GlobalReference("torch._utils", "_rebuild_tensor_v2")
_LOAD = GlobalReference("torch.storage", "_load_from_bytes")
_FLOATS = GlobalReference("torch", "FloatStorage")


# the standard library's pickler in Python: the one that can be taught new kinds
_Standard: Any = pickle._Pickler


class _Pickler(_Standard):
    """A pickler that writes the classes above, and arrays, like the packages they imitate."""

    def __init__(
        self,
        file: io.BytesIO,
        protocol: int,
        *,
        python2: bool = False,
        storages: Sequence[TorchStorage] | None = None,
    ):
        super().__init__(file, protocol)
        self.python2 = python2
        self.storages = storages

    def persistent_id(self, obj: Any) -> Any:
        """Refer to the bytes of a storage further on in the file, as torch's own format does."""
        if self.storages is not None and isinstance(obj, TorchStorage):
            return ("storage", _FLOATS, "0", "cpu", len(obj.values), None)
        return None

    def _named(self, obj: GlobalReference) -> None:
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        self.memoize(obj)

    def _array(self, obj: np.ndarray) -> None:
        array = np.ascontiguousarray(obj)
        code = array.dtype.str  # such as "<f4"
        texts = {"S": (array.dtype.itemsize, 1), "U": (array.dtype.itemsize, 4)}
        kind = texts.get(array.dtype.kind, (-1, -1))
        state = (3, code[0], None, None, None, *kind, 0)
        self.save_reduce(_RECONSTRUCT, (_NDARRAY, (0,), b"b"), obj=obj)
        self.save((1, array.shape, _Dtype(code[1:], state), False, array.tobytes()))
        self.write(pickle.BUILD)

    def _dtype(self, obj: _Dtype) -> None:
        self.save_reduce(_DTYPE, (obj.code, 0, 1), obj.state)

    def _bytes(self, obj: bytes) -> None:
        if not self.python2:
            super().save_bytes(obj)
            return
        if len(obj) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(obj)]) + obj)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(obj)) + obj)
        self.memoize(obj)

    def _tensor(self, obj: TorchTensor) -> None:
        shape = obj.values.shape
        strides = tuple(s // 4 for s in obj.values.strides)
        parts: tuple[Any, ...] = (TorchStorage(obj.values), 0, shape, strides, False, OrderedDict())
        self.save_reduce(_REBUILD, parts, obj=obj)

    def _stored(self, obj: TorchStorage) -> None:
        self.save_reduce(_LOAD, (torch_file(obj),), obj=obj)

    def _instance(self, obj: Instance) -> None:
        self.save(obj.kind)
        self.write(pickle.EMPTY_TUPLE + pickle.NEWOBJ)
        self.memoize(obj)
        self.save(obj.attributes)
        self.write(pickle.BUILD)

    dispatch: ClassVar[dict[type, Any]] = {
        **_Standard.dispatch,
        GlobalReference: _named,
        np.ndarray: _array,
        _Dtype: _dtype,
        bytes: _bytes,
        TorchTensor: _tensor,
        TorchStorage: _stored,
        Instance: _instance,
    }


def torch_file(stored: TorchStorage) -> bytes:
    """Serialise one storage in torch's format of before the zip files.

    It has magic number, version, system, reference and keys, then count and values.
    """
    out = io.BytesIO()
    little = {"protocol_version": 1001, "little_endian": True}
    sizes = {"type_sizes": {"short": 2, "int": 4, "long": 4}}
    for part in (0x1950A86A20F9469CFC6C, 1001, {**little, **sizes}, stored, ["0"]):
        _Pickler(out, 2, storages=[stored]).dump(part)
    out.write(struct.pack("<q", len(stored.values)))
    out.write(stored.values.astype("<f4").tobytes())
    return out.getvalue()


def dumps(value: Any, protocol: int = 2, *, python2: bool = False) -> bytes:
    """Pickle ``value``: containers, numbers, text, numpy arrays, `TorchTensor`, `Instance`.

    ``python2``: byte strings as Python 2 wrote them, to be read with latin1.
    """
    out = io.BytesIO()
    _Pickler(out, protocol, python2=python2).dump(value)
    return out.getvalue()


def dump(value: Any, path: Path, *, python2: bool = False) -> None:
    """Write `dumps` of ``value`` to ``path``.

    Raises:
        OutputError: the place cannot be written.
    """
    with writing(path):
        path.write_bytes(dumps(value, python2=python2))
