"""Arrays of numpy as pickles describe them: shells that check their state.

Shape, type and bytes are compared before any memory is allocated.
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import numpy as np

from moodal.corpora.unpickle.inert import Budget, Inert


class DType(Inert):
    """A numpy type: a kind and a width, e.g. "f8"; its state holds the byte order."""

    def __init__(self, code: str, *_: Any):
        if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?[biufcSUO]\d{1,9}", code):
            raise ValueError(f"its arrays are of type {str(code)[:20]!r}, not numbers or text")
        self.order = code[0] if code[0] in "<>" else "<"
        self.code = code.lstrip("<>|=")

    def set_state(self, state: Any) -> None:
        if type(state) is not tuple or len(state) < 4 or state[1] not in ("<", ">", "|", "="):
            raise ValueError("the byte order of an array in it is damaged")
        if any(part is not None for part in state[2:5]):
            raise ValueError("its arrays have fields; only plain numbers and text are read")
        self.order = state[1]

    def read(self, data: Any, shape: Any, budget: Budget, *, fortran: bool = False) -> np.ndarray:
        """Convert bytes to an array of ``shape``, a read-only view of them if possible."""
        count, dtype = elements(shape), np.dtype(self.order.replace("=", "<") + self.code)
        if isinstance(data, str):  # bytes of Python 2
            budget.spend(len(data))
            data = data.encode("latin-1")
        if not isinstance(data, bytes | bytearray) or dtype.hasobject:
            raise ValueError("the values of an array in it are no bytes")
        if dtype.itemsize == 0 or len(data) != count * dtype.itemsize:
            raise ValueError(
                f"an array in it claims shape {shape} of {dtype} and holds {len(data)} bytes"
            )
        if dtype.kind == "b":
            budget.spend(len(data))
            array = np.frombuffer(data, np.uint8) != 0
        elif dtype.kind == "U":
            budget.spend(len(data))
            array = _text(np.frombuffer(data, dtype))
        else:
            array = np.frombuffer(data, dtype)
        if not array.dtype.isnative:
            budget.spend(len(data))
            array = array.astype(dtype.newbyteorder("="))
        return array.reshape(shape, order="F" if fortran else "C")


def _text(array: np.ndarray) -> np.ndarray:
    """Refuse invalid code points, on which numpy itself would fail later."""
    points = array.view(array.dtype.str[0] + "u4")
    if points.size and int(points.max()) > 0x10FFFF:
        raise ValueError("a text array in it is damaged")
    return array.astype(array.dtype.newbyteorder("="))


def elements(shape: Any) -> int:
    """Return the number of elements of an array of ``shape``.

    Raises:
        ValueError: ``shape`` is no tuple of counts.
    """
    if type(shape) is not tuple or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("the shape of an array in it is no tuple of counts")
    if len(shape) > 32:
        raise ValueError("an array in it has more than 32 dimensions")
    return math.prod(shape)


class Array(Inert):
    """The description of a numpy array; `set_state` sets shape, type and bytes."""

    def __init__(self, budget: Budget):
        self.budget = budget
        self.values: np.ndarray | None = None
        self.objects: list[Any] = []
        self.order: Literal["C", "F"] = "C"
        self.shape: tuple[int, ...] = ()

    def set_state(self, state: Any) -> None:
        if type(state) is not tuple or len(state) not in (4, 5):
            raise ValueError("an array in it is damaged")
        shape, dtype, fortran, data = state[-4:]
        if not isinstance(dtype, DType):
            raise ValueError("an array in it has no type")
        if dtype.code.startswith("O"):
            if type(data) is not list or len(data) != elements(shape):
                raise ValueError(f"an array in it claims shape {shape} and lists other objects")
            self.objects, self.shape = data, shape
            self.values = np.empty(0, object)
            self.order = "F" if fortran else "C"
        else:
            self.values = dtype.read(data, shape, self.budget, fortran=bool(fortran))
