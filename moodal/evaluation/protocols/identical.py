"""Which rows of a stream are the same to the last bit, found without hashing all of it.

A row is looked at in a few places first; only rows that agree there are hashed whole. The answer
is the same as that of hashing every row, and two gigabytes of frames take seconds, once: folds
of one corpus ask again and are answered from memory.
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
    """A digest for each row that another row equals; None for rows that are alone.

    Also None where there are no frames, or nothing but one value: a blank is no recording.
    """
    values = frames.values
    found = _known.get(id(values))
    if found is not None and found[0]() is values and found[1] is frames.lengths:
        return found[2]
    made = _digests(frames)
    key = id(values)
    forget = weakref.ref(values, lambda _: _known.pop(key, None))
    _known[key] = (forget, frames.lengths, made)
    return made


def _digests(frames: Frames) -> list[bytes | None]:
    alike: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    flat = np.asarray(frames.values).reshape(-1)
    starts, sizes = frames.offsets[:-1] * frames.width, frames.lengths * frames.width
    for row in np.flatnonzero(sizes).tolist():
        places = starts[row] + np.linspace(0, sizes[row] - 1, _PLACES).astype(np.int64)
        alike[int(sizes[row]), flat[places].tobytes()].append(row)
    out: list[bytes | None] = [None] * len(frames)
    for rows in alike.values():
        for row in rows if len(rows) > 1 else ():
            values = np.ascontiguousarray(frames[row])
            if (values != values.flat[0]).any():
                out[row] = hashlib.blake2b(values.data, digest_size=16).digest()
    return out
