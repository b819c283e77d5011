"""Helpers to write look-alikes: random generators, and atomic writing of their files."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from moodal.core.errors import OutputError, UsageError, writing
from moodal.core.manifest import MARK

FEWEST = 12
"""Utterances of the smallest look-alike."""


MARKED = (
    "The data in this folder were made up by `moodal synthesise`; nobody said or felt them. "
    "These files are meant:\n"
)


def generator(seed: int, *names: str) -> np.random.Generator:
    """Return a random generator for a part of a corpus, determined by the seed and the names.

    Raises:
        UsageError: the seed is negative.
    """
    if seed < 0:
        raise UsageError(f"A seed is 0 or more; got {seed}.")
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


@contextlib.contextmanager
def staged(out: Path | str, utterances: int, seed: int) -> Iterator[Path]:
    """Give a temporary folder, whose files move to ``out`` once all of them are written.

    Made-up files that ``out`` already holds under the same names are replaced, others stay,
    so one folder can hold several corpora, as the authors' data folders do. `MARK` lists what
    was made; a file that it does not list is never replaced.

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
            new_files = sorted(p.relative_to(part) for p in part.rglob("*") if p.is_file())
            old_files = listed(out)
            real = [p for p in new_files if (out / p).exists() and p.as_posix() not in old_files]
            if real:
                raise OutputError(
                    f"{out / real[0]} exists and was not written by `moodal synthesise`; choose "
                    "an empty folder, so that no real data is lost."
                )
            names = sorted(old_files | {p.as_posix() for p in new_files})
            (out / MARK).write_text(MARKED + "".join(f"{n}\n" for n in names), encoding="utf-8")
            for file in new_files:
                (out / file).parent.mkdir(parents=True, exist_ok=True)
                (part / file).replace(out / file)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def listed(folder: Path) -> set[str]:
    """Read the paths of a folder's synthetic files, relative to it, as its `MARK` lists them."""
    try:
        return set((folder / MARK).read_text(encoding="utf-8").splitlines()[1:])
    except (FileNotFoundError, UnicodeDecodeError):
        return set()
