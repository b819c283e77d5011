"""Metrics of transcripts: characters that were written against those that were spoken.

S, D and I are the least substitutions, deletions and insertions that turn what was spoken into
what was written (Levenshtein 1966); CER = (S + D + I) / characters spoken, over all utterances
together. It passes 1 where more is inserted than was ever said.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from moodal.core.errors import DataError
from moodal.evaluation.metrics.rows import Array, ratio

_BLOCK = 256  # pairs of about one length, compared at once


def edit_distances(references: Sequence[str], hypotheses: Sequence[str]) -> Array:
    """[N] int64: the least S + D + I of each pair.

    >>> edit_distances(["KITTEN", "", "A B"], ["SITTING", "HI", "A B"]).tolist()
    [3, 2, 0]

    Raises:
        DataError: there are not as many of the one as of the other.
    """
    if len(references) != len(hypotheses):
        raise DataError(
            f"Every transcript needs what was written for it; got {len(references)} and "
            f"{len(hypotheses)}."
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
    """Errors [N] and characters [N] of each utterance, and the rate of all of them together.

    ``weights`` [N] or [R, N] weigh the utterances and give one rate or R; NaN where nothing was
    spoken.

    >>> errors, characters, rate = character_error_rate(["OH NO", "YES"], ["OH", "YES"])
    >>> errors.tolist(), characters.tolist(), rate.item()
    ([3, 0], [5, 3], 0.375)
    """
    errors = edit_distances(references, hypotheses)
    characters = np.array([len(text) for text in references], np.int64)
    w = np.ones(len(errors)) if weights is None else np.asarray(weights, np.float64)
    return errors, characters, ratio(w @ errors, w @ characters)


def _block(references: Sequence[str], hypotheses: Sequence[str]) -> Array:
    """Distances of a few pairs, all rows of Levenshtein's table in step.

    A cell may be reached from the left, cell by cell; as each step costs 1, the least over all
    such ways is a running minimum of (cell - column), and a row is done at once.
    """
    said, written = _codes(references, -1), _codes(hypotheses, -2)
    lengths = np.array([len(text) for text in references])
    ends = np.array([len(text) for text in hypotheses])
    columns = np.arange(written.shape[1] + 1, dtype=np.int32)
    row = np.tile(columns, (len(references), 1))
    every = np.arange(len(references))
    out = np.where(lengths == 0, ends, 0).astype(np.int64)
    for step in range(said.shape[1]):
        best = row + 1
        np.minimum(best[:, 1:], row[:, :-1] + (written != said[:, step : step + 1]), best[:, 1:])
        row = np.minimum.accumulate(best - columns, axis=1) + columns
        done = every[lengths == step + 1]
        out[done] = row[done, ends[done]]
    return out


def _codes(texts: Sequence[str], beyond: int) -> Array:
    """[N, longest] int32 code points, ``beyond`` after the end."""
    out = np.full((len(texts), max(map(len, texts), default=0)), beyond, np.int32)
    for row, text in enumerate(texts):
        out[row, : len(text)] = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.int32)
    return out
