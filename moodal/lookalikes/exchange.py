"""Look-alikes of corpora in the formats of other toolkits: the look-alike of a table, converted."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from moodal.core.manifest import MARK, Manifest
from moodal.corpora import table
from moodal.corpora.exchange import audformat_writer, hf_writer
from moodal.lookalikes import recordings
from moodal.lookalikes.files import staged


def audformat(out: Path, utterances: int, seed: int) -> None:
    """Write a database of audformat: ``db.yaml``, a table for each split, and ``media/*.wav``."""
    _converted(out, utterances, seed, audformat_writer.write)


def datasets(out: Path, utterances: int, seed: int) -> None:
    """Write a DatasetDict as ``save_to_disk`` does, with the recordings in its Arrow files."""
    _converted(out, utterances, seed, hf_writer.write)


def _converted(
    out: Path, utterances: int, seed: int, write: Callable[[Manifest, Path], Path]
) -> None:
    """Write the look-alike of a table in another format."""
    with staged(out, utterances, seed) as folder, tempfile.TemporaryDirectory() as own:
        recordings.table(Path(own), utterances, seed)
        (Path(own) / MARK).unlink()
        write(table.read(own), folder)
