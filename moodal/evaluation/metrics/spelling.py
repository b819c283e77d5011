"""Metrics of transcripts: edit distances and the character error rate.

S, D and I are the substitutions, deletions and insertions of the shortest edit from the reference
to the hypothesis (Levenshtein 1966). CER = (S + D + I) / characters of the references, summed over
all utterances; it can exceed 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from moodal.core.errors import DataError
from moodal.evaluation.metrics.rows import Array, ratio

_BLOCK = 256  # pairs of similar length that are compared in one step


def edit_distances(references: Sequence[str], hypotheses: Sequence[str]) -> Array:
    """Compute the edit distance S + D + I of each pair: [N] int64.

    >>> edit_distances(["KITTEN", "", "A B"], ["SITTING", "HI", "A B"]).tolist()
    [3, 2, 0]

    Raises:
        DataError: the numbers of references and hypotheses differ.
    """
    if len(references) != len(hypotheses):
        raise DataError(
            f"Every reference needs one hypothesis; got {len(references)} references and "
            f"{len(hypotheses)} hypotheses."
        )
    out = np.zeros(len(references), np.int64)
    order = sorted(range(len(references)), key=lambda i: (len(references[i]), len(hypotheses[i])))
    for start in range(0, len(order), _BLOCK):
        rows = order[start : start + _BLOCK]
        out[rows] = _block([references[i] for i in rows], [hypotheses[i] for i in rows])
    return out


def character_error_rate(
    references: Sequence[str], hypotheses: Sequence[str], weights: Array | None = None
) -> tuple[Array, Array, Array]:
    """Compute the errors and characters of each utterance, and the rate over all of them.

    Args:
        references: N texts as they were spoken.
        hypotheses: N texts as they were recognised.
        weights: [N] or [R, N], of the utterances; they give one rate or R rates.

    Returns:
        Errors [N], characters of the references [N], and the rate; NaN without any character.

    >>> errors, characters, rate = character_error_rate(["OH NO", "YES"], ["OH", "YES"])
    >>> errors.tolist(), characters.tolist(), rate.item()
    ([3, 0], [5, 3], 0.375)
    """
    errors = edit_distances(references, hypotheses)
    characters = np.array([len(text) for text in references], np.int64)
    w = np.ones(len(errors)) if weights is None else np.asarray(weights, np.float64)
    return errors, characters, ratio(w @ errors, w @ characters)


def _block(references: Sequence[str], hypotheses: Sequence[str]) -> Array:
    """Compute the distances of some pairs, row by row of Levenshtein's table for all pairs.

    A step to the right costs 1, so the minimum over all paths from the left is a running minimum
    of (cell - column), and a whole row is computed at once.
    """
    spoken, written = _codes(references, -1), _codes(hypotheses, -2)
    lengths = np.array([len(text) for text in references])
    ends = np.array([len(text) for text in hypotheses])
    columns = np.arange(written.shape[1] + 1, dtype=np.int32)
    row = np.tile(columns, (len(references), 1))
    numbers = np.arange(len(references))
    out = np.where(lengths == 0, ends, 0).astype(np.int64)
    for step in range(spoken.shape[1]):
        best = row + 1
        np.minimum(best[:, 1:], row[:, :-1] + (written != spoken[:, step : step + 1]), best[:, 1:])
        row = np.minimum.accumulate(best - columns, axis=1) + columns
        done = numbers[lengths == step + 1]
        out[done] = row[done, ends[done]]
    return out


def _codes(texts: Sequence[str], beyond: int) -> Array:
    """Return the code points of each text, padded with ``beyond``: [N, longest] int32."""
    out = np.full((len(texts), max(map(len, texts), default=0)), beyond, np.int32)
    for row, text in enumerate(texts):
        out[row, : len(text)] = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.int32)
    return out
