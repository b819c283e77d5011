"""The tokeniser of XLM-R: pieces of words of about a hundred languages.

Conneau et al., "Unsupervised Cross-lingual Representation Learning at Scale", ACL 2020; a unigram
model of SentencePiece (Kudo, ACL 2018), whose characters are normalised first.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

AROUND = 2
"""The special pieces around a text."""
WORD_START = "\u2581"
"""The sign with which the first piece of a word begins."""


@dataclass(frozen=True)
class Encoded:
    """The pieces of a text, the two special ones included.

    Attributes:
        ids: the number of each piece.
        places: for each piece, the place in the text where it begins; -1 for special pieces.
        unknown: how many pieces stand for signs that the vocabulary lacks.
        cut: whether the text was longer than what was read.
        blank: how many pieces are the beginning of a word and nothing else.
    """

    ids: list[int]
    places: list[int]
    unknown: int
    cut: bool
    blank: int = 0

    @property
    def count(self) -> int:
        """The number of pieces that say something: neither special nor blank."""
        return len(self.ids) - AROUND - self.blank

    @property
    def has_words(self) -> bool:
        """Return whether any piece says something."""
        return self.count > 0


class XlmrTokenizer:
    """A tokeniser that normalises characters, then cuts words into the most probable pieces.

    Args:
        pieces: the pieces and their scores (log probabilities), by number.
        special: "bos", "eos", "pad" and "unk" -> number.
        normalised: character -> the text that stands for it.
        longest: the most pieces that are read, the two special ones included.
    """

    def __init__(
        self,
        pieces: Sequence[tuple[str, float]],
        special: Mapping[str, int],
        normalised: Mapping[str, str],
        longest: int = 512,
    ):
        from tokenizers import Tokenizer, pre_tokenizers
        from tokenizers.models import Unigram

        self._normalised = str.maketrans(dict(normalised))
        self._ends = special["bos"], special["eos"]
        self._unknown = special["unk"]
        self._longest = longest
        self._blank = next((i for i, (piece, _) in enumerate(pieces) if piece == WORD_START), -1)
        self._model: Any = Tokenizer(Unigram(list(pieces), unk_id=special["unk"]))
        self._model.pre_tokenizer = pre_tokenizers.Metaspace()

    def encode(self, text: str) -> Encoded:
        """Cut a text into pieces, and say where in it each begins."""
        return self.encode_many([text])[0]

    def encode_many(self, texts: Sequence[str]) -> list[Encoded]:
        """Cut several texts into pieces."""
        normal = [self._normal(text) for text in texts]
        encoded = self._model.encode_batch([text for text, _ in normal], add_special_tokens=False)
        return [self._encoded(e, origin) for e, (_, origin) in zip(encoded, normal, strict=True)]

    def _encoded(self, encoded: Any, origin: Sequence[int]) -> Encoded:
        most = self._longest - AROUND
        ids = encoded.ids[:most]
        places = [origin[start] if start < len(origin) else -1 for start, _ in encoded.offsets]
        first, last = self._ends
        unknown = ids.count(self._unknown)
        return Encoded(
            [first, *ids, last],
            [-1, *places[:most], -1],
            unknown,
            len(encoded.ids) > most,
            ids.count(self._blank),
        )

    def _normal(self, text: str) -> tuple[str, Sequence[int]]:
        """Return the normalised text without repeated spaces, and the origin of each character."""
        normal = text.translate(self._normalised)
        if normal == text and "  " not in text:
            return text, range(len(text))
        signs: list[str] = []
        origin: list[int] = []
        for place, sign in enumerate(text):
            for changed in sign.translate(self._normalised):
                if changed != " " or not signs or signs[-1] != " ":
                    signs.append(changed)
                    origin.append(place)
        return "".join(signs), origin

    def num_special_tokens_to_add(self) -> int:
        """Return the number of special tokens around a text."""
        return AROUND

    def __call__(
        self, texts: Sequence[str], truncation: bool = True, max_length: int = 512
    ) -> dict[str, list[list[int]]]:
        """Return the token numbers of each text as "input_ids", special ones included.

        The signature is that of the tokenisers of transformers.
        """
        plain = [self._normal(text)[0] for text in texts]
        first, last = self._ends
        most = max_length - AROUND if truncation else None
        encoded = self._model.encode_batch(plain, add_special_tokens=False)
        return {"input_ids": [[first, *e.ids[:most], last] for e in encoded]}


def word_pieces(pieces: Sequence[tuple[str, float]], count: int) -> list[str]:
    """Return the most frequent pieces that are whole words of several letters, in any language."""
    words = (
        piece[1:]
        for piece, _ in pieces
        if piece.startswith(WORD_START) and len(piece) > 2 and piece[1:].isalpha()
    )
    return list(itertools.islice(words, count))
