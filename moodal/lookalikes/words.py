"""The emotion words of the look-alikes, and a made-up vector for each.

Every word has four appraisals (pleasantness, arousal, control, novelty: the
dimensions of Fontaine et al., "The World of Emotions Is Not Two-Dimensional",
2007; the values here are rough). Its vector is a fixed linear image of them,
plus a part of its own, so a word that was never trained on still has a place
between the others: what zero-shot recognition needs, and no more than that.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from moodal.lookalikes.pickle import dump

WIDTH = 300
"""Values of a word vector, as in GloVe 840B."""

VECTORS_FILE = "glove.emotions.840B.300d.pt"
"""The name under which the authors of EEA published their emotion vectors."""

# words of one meaning: (pleasantness, arousal, control, novelty), each -1 to 1
APPRAISALS: dict[str, tuple[float, float, float, float]] = {
    "anger angry": (-0.7, 0.7, 0.6, 0.1),
    "disgust disgusted": (-0.8, -0.1, 0.5, 0.2),
    "fear fearful": (-0.6, 0.6, -0.8, 0.4),
    "happy happiness joy": (0.9, 0.3, 0.4, -0.2),
    "sad sadness": (-0.6, -0.7, -0.5, -0.3),
    "surprise surprised": (0.2, 0.6, -0.2, 0.9),
    "neutral": (0.1, -0.3, 0.1, -0.6),
    "excited excitement": (0.7, 0.8, 0.2, 0.3),
    "frustrated frustration": (-0.6, 0.4, -0.2, -0.3),
    "calm": (0.4, -0.8, 0.4, -0.4),
    "admiration": (0.7, 0.2, -0.2, 0.1),
    "amusement": (0.8, 0.4, 0.2, 0.4),
    "annoyance": (-0.5, 0.4, 0.3, -0.1),
    "approval": (0.6, -0.1, 0.4, -0.3),
    "caring": (0.6, -0.2, 0.2, -0.4),
    "confusion": (-0.3, 0.2, -0.6, 0.6),
    "curiosity": (0.3, 0.3, 0.1, 0.7),
    "desire": (0.5, 0.6, 0.0, 0.0),
    "disappointment": (-0.6, -0.4, -0.3, 0.2),
    "disapproval": (-0.6, 0.1, 0.5, -0.1),
    "embarrassment": (-0.5, 0.3, -0.7, 0.2),
    "gratitude": (0.8, 0.0, -0.2, -0.1),
    "grief": (-0.8, -0.4, -0.7, 0.1),
    "love": (0.9, 0.5, 0.0, -0.3),
    "nervousness": (-0.4, 0.6, -0.6, 0.2),
    "optimism": (0.7, 0.2, 0.4, 0.0),
    "pride": (0.7, 0.3, 0.7, -0.2),
    "realization": (0.1, 0.0, 0.2, 0.6),
    "relief": (0.6, -0.5, 0.2, 0.0),
    "remorse": (-0.6, -0.1, -0.5, -0.3),
    "positive": (0.9, 0.1, 0.3, 0.0),
    "negative": (-0.9, 0.1, -0.1, 0.1),
}

# lengths of a vector's parts, so that whole ones are about 5 long, as GloVe's are
_AFFECT, _SHARED, _MEANING, _WORD = 4.0, 2.0, 1.5, 0.7


def appraisals(word: str) -> tuple[float, float, float, float]:
    """Return pleasantness, arousal, control and novelty of an emotion word, each -1 to 1."""
    return next(values for words, values in APPRAISALS.items() if word in words.split())


def direction(name: str) -> np.ndarray:
    """Draw a unit vector [300] float64, always the same for the same name."""
    values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(WIDTH)
    return values / np.linalg.norm(values)


def word_vectors() -> dict[str, np.ndarray]:
    """Build a vector [300] float32 for every word, in lower case and capitalised.

    The two spellings of a word differ a little, as they do in GloVe.

    >>> vectors = word_vectors()
    >>> def near(a, b): return float(vectors[a] @ vectors[b])
    >>> near("anger", "angry") > near("anger", "fear") > near("anger", "happy")
    True
    """
    axes = np.stack([direction(f"appraisal {k}") for k in range(4)])
    shared = _SHARED * direction("an emotion word")
    vectors: dict[str, np.ndarray] = {}
    for words, appraisals in APPRAISALS.items():
        meaning = _AFFECT * np.array(appraisals) @ axes + shared + _MEANING * direction(words)
        for word in words.split():
            for spelling in (word, word.capitalize()):
                vectors[spelling] = (meaning + _WORD * direction(spelling)).astype(np.float32)
    return vectors


def write_vectors(folder: Path) -> Path:
    """Write the vectors as the authors' pickle, {word: 300 numbers}, and return its path."""
    path = folder / VECTORS_FILE
    dump({word: vector.tolist() for word, vector in word_vectors().items()}, path)
    return path
