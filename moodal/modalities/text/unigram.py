"""Unigram: the most probable division of a word into the pieces of a vocabulary.

Kudo, "Subword Regularization", ACL 2018; the same pieces as those of the package tokenizers, of
which this was a class: it builds a tree of all pieces before the first text, which took a third of
a cold start, and comes with fourteen packages that download models.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

UNKNOWN_PENALTY = 10.0
"""What the score of an unknown sign is below that of the least probable piece."""


class Unigram:
    """A vocabulary of pieces with their log probabilities.

    Args:
        pieces: the pieces, by number.
        scores: the log probability of each.
        unknown: the number of what stands for signs that no piece holds.
    """

    def __init__(self, pieces: Sequence[str], scores: Sequence[float], unknown: int):
        self._numbers = dict(zip(pieces, range(len(pieces)), strict=True))
        self._scores = scores
        self._unknown = unknown
        self._unknown_score = float(np.min(scores)) - UNKNOWN_PENALTY
        self._longest = max(map(len, pieces))

    def divide(self, word: str) -> list[tuple[int, int]]:
        """Divide a word into the pieces whose probabilities have the largest product.

        Signs in a row that are unknown are one piece.

        Returns:
            For each piece its number, and the place in the word where it begins.
        """
        numbers, starts = self._best_ends(word)
        pieces: list[tuple[int, int]] = []
        end = len(word)
        while end:
            number, start = numbers[end], starts[end]
            if pieces and number == self._unknown == pieces[-1][0]:
                pieces[-1] = number, start
            else:
                pieces.append((number, start))
            end = start
        return pieces[::-1]

    def _best_ends(self, word: str) -> tuple[list[int], list[int]]:
        """Return the last piece of the best division up to each place, and where it begins."""
        count = len(word)
        best = [0.0] + [-float("inf")] * count
        numbers, starts = [self._unknown] * (count + 1), [0] * (count + 1)
        number_of, scores = self._numbers.get, self._scores
        for start in range(count):
            score_here = best[start]
            for end in range(start + 1, min(start + self._longest, count) + 1):
                number = number_of(word[start:end])
                if number is not None:
                    score = scores[number] + score_here
                elif end == start + 1:
                    number, score = self._unknown, self._unknown_score + score_here
                else:
                    continue
                if score > best[end]:
                    best[end], numbers[end], starts[end] = score, number, start
        return numbers, starts
