"""Reading of a text encoder's last hidden states, one ``.npy`` file per utterance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from moodal.core.errors import DataError
from moodal.core.records import Frames
from moodal.corpora.find import shortened

WIDTHS = (768, 1024)
"""Widths of RoBERTa-base and RoBERTa-large."""


def read(paths: Sequence[Path | None]) -> Frames:
    """Read arrays [1, L, D] or [L, D], with D in `WIDTHS`, as float32.

    All headers are checked before any array is read. None becomes an empty sequence.

    Raises:
        DataError: files are damaged, hold pickled objects, another shape or width, no step, NaN or
            infinity; the message names three files of every kind and counts the others.
    """
    problems: dict[str, list[str]] = defaultdict(list)
    shapes = [(0, 0) if path is None else _shape(path, problems) for path in paths]
    widths = [width for _, width in shapes if width]
    common = max(set(widths), key=lambda w: (widths.count(w), w), default=WIDTHS[0])
    for path, (_, width) in zip(paths, shapes, strict=True):
        if path is not None and width not in (0, common):
            problems[f"are not {common} wide as the others"].append(f"{path.name} ({width})")
    _refuse(paths, problems)
    lengths = np.array([steps for steps, _ in shapes], np.int64)
    ends = np.cumsum(lengths)
    values = np.empty((int(lengths.sum()), common), np.float32)
    for path, steps, end in zip(paths, lengths, ends, strict=True):
        if path is not None:
            part = np.load(path, allow_pickle=False).reshape(steps, common)
            values[end - steps : end] = part
            if not np.isfinite(values[end - steps : end]).all():
                problems["hold NaN or infinity"].append(path.name)
    _refuse(paths, problems)
    return Frames(values, lengths)


def _shape(path: Path, problems: dict[str, list[str]]) -> tuple[int, int]:
    """Read steps and width from a file's header; (0, 0) and an entry in ``problems`` if bad."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        pickled = "pickle" in str(error).lower() or "object" in str(error).lower()
        kind = (
            "hold pickled objects, which are not read: save plain arrays, "
            "np.save(path, states.numpy())"
            if pickled and path.stat().st_size
            else "cannot be read as .npy"
        )
        problems[kind].append(path.name)
        return 0, 0
    shape = array.shape
    if array.dtype.kind not in "fiu":
        problems["hold no numbers"].append(f"{path.name} ({array.dtype})")
    elif not (len(shape) == 2 or (len(shape) == 3 and shape[0] == 1)) or not all(shape):
        problems["are not [1, L, D]"].append(f"{path.name} {list(shape)}")
    elif shape[-1] not in WIDTHS:
        widths = " or ".join(map(str, WIDTHS))
        problems[f"are not {widths} wide"].append(f"{path.name} {list(shape)}")
    else:
        return int(shape[-2]), int(shape[-1])
    return 0, 0


def _refuse(paths: Sequence[Path | None], problems: dict[str, list[str]]) -> None:
    if problems:
        place = next(path.parent for path in paths if path is not None)
        faults = "; ".join(f"{len(bad)} {kind}: {shortened(bad)}" for kind, bad in problems.items())
        raise DataError(f"{place}: of {len(paths)} arrays, {faults}.")
