"""Texts that are nearly equal, found by MinHash (Broder, "On the resemblance of documents", 1997).

The resemblance of two texts is the share of their five-letter sequences that both have. Sixty-four
minima of random permutations agree as often as that; texts that agree in one of sixteen bands of
four minima are compared exactly.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

NEAR = 0.8
"""The resemblance from which on texts are nearly equal."""

SHORTEST = 25
"""Letters of the shortest text that is compared: in shorter ones a word makes another sentence."""

GRAM, BANDS, ROWS = 5, 16, 4
PRIME = (1 << 31) - 1
TOGETHER = 500
"""Texts whose minima are computed at once."""


@functools.lru_cache(maxsize=1 << 17)
def normalised(text: str) -> str:
    """Normalise a text for comparison: lower case, letters and digits, single spaces.

    >>> normalised("  Well -- it's 10 O’clock! ")
    'well it s 10 o clock'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


@dataclass(frozen=True)
class ComparedTexts:
    """The texts of one side, ready to be compared with those of several others.

    Attributes:
        texts: normalised, see `normalised`.
        bands: position of a text that is long enough -> its bands of minima.
    """

    texts: Sequence[str]
    bands: Mapping[int, list[bytes]]

    @classmethod
    def of(cls, texts: Sequence[str]) -> ComparedTexts:
        """Compute the bands of normalised texts."""
        long = [i for i, text in enumerate(texts) if len(text) >= SHORTEST]
        bands = _bands([texts[i] for i in long])
        return cls(texts, dict(zip(long, bands, strict=True)))


def near_pairs(first: ComparedTexts, second: ComparedTexts) -> dict[int, int]:
    """Find texts of the second side that are nearly, and not exactly, a text of the first.

    Returns:
        Position in the second -> position in the first, of the most similar one.

    >>> sides = ["we would never do that to anyone"], ["we would never do that to anyones"]
    >>> near_pairs(*map(ComparedTexts.of, sides))
    {0: 0}
    """
    equal = set(first.texts)
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for i, bands in first.bands.items():
        for band in enumerate(bands):
            buckets[band].append(i)
    near: dict[int, int] = {}
    for j, bands in second.bands.items():
        if second.texts[j] in equal:
            continue
        own = _grams(second.texts[j])
        candidates = {i for band in enumerate(bands) for i in buckets.get(band, ())[:50]}
        likeness = {i: _resemblance(own, _grams(first.texts[i])) for i in sorted(candidates)}
        best = max(likeness, key=lambda i: likeness[i], default=None)
        if best is not None and likeness[best] >= NEAR:
            near[j] = best
    return near


def _bands(texts: Sequence[str]) -> Iterator[list[bytes]]:
    """Yield the bands of minima of each text, which has at least `GRAM` letters."""
    rng = np.random.default_rng(0)
    factors = rng.integers(1, PRIME, (BANDS * ROWS, 1), np.uint64)
    offsets = rng.integers(0, PRIME, (BANDS * ROWS, 1), np.uint64)
    for first in range(0, len(texts), TOGETHER):
        grams = [_codes(text) for text in texts[first : first + TOGETHER]]
        starts = np.cumsum([0, *map(len, grams[:-1])])
        permuted = (factors * np.concatenate(grams) + offsets) % np.uint64(PRIME)
        minima = np.minimum.reduceat(permuted, starts, axis=1)
        for own in np.ascontiguousarray(minima.T).reshape(-1, BANDS, ROWS):
            yield [band.tobytes() for band in own]


def _codes(text: str) -> np.ndarray:
    """Return a number below `PRIME` for each sequence of `GRAM` letters."""
    letters = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.uint64)
    codes = np.zeros(len(letters) - GRAM + 1, np.uint64)
    for k in range(GRAM):
        codes = (codes * np.uint64(131_071) + letters[k : k + len(codes)]) % np.uint64(PRIME)
    return codes


@functools.lru_cache(maxsize=1 << 15)
def _grams(text: str) -> frozenset[str]:
    return frozenset(text[i : i + GRAM] for i in range(len(text) - GRAM + 1))


def _resemblance(first: frozenset[str], second: frozenset[str]) -> float:
    """Return the share of all sequences that both have."""
    return len(first & second) / len(first | second)
