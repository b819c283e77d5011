"""Rows of a stream that are bitwise equal, found without hashing the whole stream.

Rows are compared in a few places first, and only rows that agree there are hashed completely. The
result equals that of hashing every row. Two gigabytes of frames take seconds, and the result is
cached for the folds of one corpus.
"""

from __future__ import annotations

import hashlib
import weakref
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from moodal.core.records import Frames

_PLACES = 16

_known: dict[int, tuple[weakref.ref[np.ndarray], np.ndarray, list[bytes | None]]] = {}


def digests(frames: Frames) -> Sequence[bytes | None]:
    """Return a digest for each row that equals another row, and None for unique rows.

    Rows without frames, or with one constant value, are None too: they contain no recording.
    """
    values = frames.values
    cached = _known.get(id(values))
    if cached is not None and cached[0]() is values and cached[1] is frames.lengths:
        return cached[2]
    computed = _digests(frames)
    key = id(values)
    forget = weakref.ref(values, lambda _: _known.pop(key, None))
    _known[key] = (forget, frames.lengths, computed)
    return computed


def _digests(frames: Frames) -> list[bytes | None]:
    """Hash the rows that agree in length and in some places with another row."""
    candidates: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    flat = np.asarray(frames.values).reshape(-1)
    starts, sizes = frames.offsets[:-1] * frames.width, frames.lengths * frames.width
    for row in np.flatnonzero(sizes).tolist():
        places = starts[row] + np.linspace(0, sizes[row] - 1, _PLACES).astype(np.int64)
        candidates[int(sizes[row]), flat[places].tobytes()].append(row)
    out: list[bytes | None] = [None] * len(frames)
    for rows in candidates.values():
        for row in rows if len(rows) > 1 else ():
            values = np.ascontiguousarray(frames[row])
            if (values != values.flat[0]).any():
                out[row] = hashlib.blake2b(values.data, digest_size=16).digest()
    return out
