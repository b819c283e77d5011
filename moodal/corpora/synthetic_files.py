"""What all look-alikes share when they are written: seeds, and whole files or none."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from moodal.errors import OutputError, UsageError, writing

FEWEST = 12
"""Utterances of the smallest look-alike."""

MARK = "LOOK-ALIKE.txt"
"""The file that says that a folder's data are made up."""

MARKED = "The data in this folder were made up by `moodal synthesise`; nobody said or felt them.\n"


def generator(seed: int, *names: str) -> np.random.Generator:
    """Random numbers of one part of one corpus: the same for the same seed and names."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


@contextlib.contextmanager
def staged(out: Path | str, utterances: int, seed: int) -> Iterator[Path]:
    """A folder to write into; its files move to ``out`` when all of them are there.

    Files that ``out`` already holds under the same names are replaced, others stay,
    so one folder can hold several corpora, as the authors' data folders do.

    Raises:
        UsageError: too few utterances, or a negative seed.
        OutputError: ``out`` cannot be written.
    """
    if utterances < FEWEST:
        raise UsageError(f"A look-alike needs at least {FEWEST} utterances; got {utterances}.")
    if seed < 0:
        raise UsageError(f"A seed is 0 or more; got {seed}.")
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; choose a folder to write the look-alike into.")
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=out))
        try:
            yield part
            made = sorted(p for p in part.rglob("*") if p.is_file())
            taken = [
                out / p.relative_to(part) for p in made if (out / p.relative_to(part)).exists()
            ]
            if taken and not (out / MARK).exists():
                raise OutputError(
                    f"{taken[0]} is there already and no look-alike of moodal's; choose an empty "
                    "folder, so that no real data is lost."
                )
            (out / MARK).write_text(MARKED, encoding="utf-8")
            for file in made:
                place = out / file.relative_to(part)
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)
        finally:
            shutil.rmtree(part, ignore_errors=True)
