"""The tokeniser of XLM-R: pieces of words of about a hundred languages.

Conneau et al., "Unsupervised Cross-lingual Representation Learning at Scale", ACL 2020; a unigram
model of SentencePiece (Kudo, ACL 2018), whose characters are normalised first.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moodal.modalities.text.unigram import Unigram

AROUND = 2
"""The special pieces around a text."""
WORD_START = "\u2581"
"""The sign with which the first piece of a word begins."""
_WORD = re.compile(f"{WORD_START}[^{WORD_START}]*")


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
        pieces: the pieces, by number.
        scores: the log probability of each.
        special: "bos", "eos", "pad" and "unk" -> number.
        normalised: character -> the text that stands for it.
        longest: the most pieces that are read, the two special ones included.
    """

    def __init__(
        self,
        pieces: Sequence[str],
        scores: Sequence[float],
        special: Mapping[str, int],
        normalised: Mapping[str, str],
        longest: int = 512,
    ):
        self._normalised = str.maketrans(dict(normalised))
        self._ends = special["bos"], special["eos"]
        self._unknown = special["unk"]
        self._longest = longest
        self._model = Unigram(pieces, scores, special["unk"])
        [(self._blank, _)] = self._model.divide(WORD_START)

    def encode(self, text: str) -> Encoded:
        """Cut a text into pieces, and say where in it each begins."""
        most = self._longest - AROUND
        normal, origin = self._normal(text)
        # the sign before the first word has no place of its own
        pieces = [(number, max(0, place)) for number, place in self._pieces(normal, most + 1)]
        ids = [number for number, _ in pieces[:most]]
        places = [origin[place] if place < len(origin) else -1 for _, place in pieces[:most]]
        first, last = self._ends
        return Encoded(
            [first, *ids, last],
            [-1, *places, -1],
            ids.count(self._unknown),
            len(pieces) > most,
            ids.count(self._blank) if self._blank != self._unknown else 0,
        )

    def encode_many(self, texts: Sequence[str]) -> list[Encoded]:
        """Cut several texts into pieces."""
        return [self.encode(text) for text in texts]

    def _pieces(self, normal: str, most: int | None) -> list[tuple[int, int]]:
        """Cut a normalised text into pieces: number and place of each.

        Args:
            most: the words after the one that reaches so many pieces are not read.
        """
        words = normal.replace(" ", WORD_START)
        added = 0 if not words or words.startswith(WORD_START) else 1
        pieces: list[tuple[int, int]] = []
        begin = -added
        for word in _WORD.findall(WORD_START * added + words):
            pieces += [(number, begin + place) for number, place in self._model.divide(word)]
            begin += len(word)
            if most is not None and len(pieces) >= most:
                break
        return pieces

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
        first, last = self._ends
        most = max_length - AROUND if truncation else None
        cut = [self._pieces(self._normal(text)[0], most)[:most] for text in texts]
        return {"input_ids": [[first, *(number for number, _ in one), last] for one in cut]}


def word_pieces(pieces: Sequence[str], count: int) -> list[str]:
    """Return the most frequent pieces that are whole words of several letters, in any language."""
    words = (
        piece[1:]
        for piece in pieces
        if piece.startswith(WORD_START) and len(piece) > 2 and piece[1:].isalpha()
    )
    return list(itertools.islice(words, count))
