"""Tensors of torch as files describe them: views of storages, converted to numpy without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from moodal.corpora.unpickle.arrays import elements
from moodal.corpora.unpickle.inert import Budget

STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bf16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
    "ComplexFloatStorage": "<c8",
    "ComplexDoubleStorage": "<c16",
}
"""Storage class of torch -> numpy type of its values ("bf16" is converted to float32)."""

DTYPES = {
    **{"float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "bf16"},
    **{"int64": "<i8", "int32": "<i4", "int16": "<i2", "int8": "|i1", "bool": "|b1"},
    **{"uint64": "<u8", "uint32": "<u4", "uint16": "<u2", "uint8": "|u1"},
    **{"complex64": "<c8", "complex128": "<c16"},
}


class Storage:
    """The flat values of torch tensors, available after `fill`."""

    def __init__(self, code: str | None, count: int):
        if type(count) is not int or count < 0:
            raise ValueError("a tensor storage in it has no size")
        self.code, self.count = code, count  # code None: untyped, count in bytes
        self.raw: bytes | None = None
        self.views: dict[str, np.ndarray] = {}

    @property
    def nbytes(self) -> int:
        """Number of bytes that the storage must have."""
        return self.count * width(self.code or "|u1")

    def fill(self, raw: bytes, *, big_endian: bool = False) -> None:
        """Store the bytes.

        Raises:
            ValueError: their number or byte order is wrong.
        """
        if len(raw) != self.nbytes:
            raise ValueError(f"a tensor claims {self.nbytes} bytes and has {len(raw)}")
        if big_endian and self.code and width(self.code) > 1:
            raise ValueError("its tensors are of the other byte order")
        self.raw = raw

    def values(self, code: str, budget: Budget) -> np.ndarray:
        """Return the values as a flat numpy array.

        Raises:
            ValueError: there are no bytes, or they do not fit the type.
        """
        if self.raw is None or len(self.raw) % width(code):
            raise ValueError("a tensor in it has no values")
        if code not in self.views:
            if code == "bf16":  # the upper half of a float32
                budget.spend(2 * len(self.raw))
                wide = np.frombuffer(self.raw, "<u2").astype(np.uint32) << 16
                self.views[code] = wide.view(np.float32)
            elif code == "|b1":
                budget.spend(len(self.raw))
                self.views[code] = np.frombuffer(self.raw, np.uint8) != 0
            else:
                self.views[code] = np.frombuffer(self.raw, code)
        return self.views[code]


def width(code: str) -> int:
    """Return the bytes per value of a type of `STORAGES`."""
    return 2 if code == "bf16" else np.dtype(code).itemsize


@dataclass(eq=False)
class Tensor:
    """The description of a torch tensor: a view of a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    code: str

    def values(self, budget: Budget) -> np.ndarray:
        """Return the numpy view of the storage.

        Raises:
            ValueError: the view would lie outside the storage.
        """
        flat = self.storage.values(self.code, budget)
        count = elements(self.shape)
        elements(self.strides)
        if type(self.offset) is not int or self.offset < 0 or len(self.strides) != len(self.shape):
            raise ValueError("a tensor in it is damaged")
        reach = sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if count and (count > len(flat) or self.offset + reach >= len(flat)):
            raise ValueError(f"a tensor claims shape {self.shape} and has {len(flat)} values")
        if not count:
            return np.zeros(self.shape, flat.dtype)
        steps = tuple(step * flat.itemsize for step in self.strides)
        return np.lib.stride_tricks.as_strided(
            flat[self.offset :], self.shape, steps, writeable=False
        )


def rebuild(storage: Any, offset: Any, size: Any, stride: Any, code: str | None) -> Tensor:
    """Check the parts of a tensor that a pickle describes, and join them.

    Raises:
        ValueError: the parts do not fit together.
    """
    if not isinstance(storage, Storage) or code is None:
        raise ValueError("a tensor in it has no storage")
    return Tensor(storage, offset, size, stride, code)
