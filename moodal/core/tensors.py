"""Tensors: arrays of a .safetensors file, of which only what is used is read from the disk."""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import Any

import numpy as np

LARGEST_HEADER = 1 << 24
"""Bytes of the largest header that is read."""

_KINDS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "<u1",
}
"""Number type in the file -> that of NumPy."""


def mapped_tensors(path: Path) -> dict[str, np.ndarray]:
    """Map the tensors of a .safetensors file into memory: name -> an array that cannot be written.

    The package safetensors reads a file as a whole, or copies each tensor.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such file, or is cut off.
    """
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > LARGEST_HEADER:
            raise ValueError("it has no header of a .safetensors file")
        header = json.loads(file.read(size))
        whole = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    header.pop("__metadata__", None)
    return {name: _tensor(whole[8 + size :], about) for name, about in header.items()}


def _tensor(content: np.ndarray, about: Any) -> np.ndarray:
    """Return one tensor as a view of the content behind the header."""
    try:
        kind, shape = np.dtype(_KINDS[about["dtype"]]), about["shape"]
        begin, end = about["data_offsets"]
        if not 0 <= begin <= end <= len(content):
            raise ValueError("it ends too early")
        return content[begin:end].view(kind).reshape(shape)
    except (KeyError, TypeError) as error:
        raise ValueError(f"its header is damaged: {error}") from None
