"""Examples of a word: the mean states of recordings, pictures, texts and tables."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from moodal.core.errors import DataError
from moodal.core.records import Clip, Utterance, ordered
from moodal.core.table_rows import ENDINGS
from moodal.corpora import table
from moodal.features.store import resolved
from moodal.media.probe import probe
from moodal.media.subtitles import read_subtitles
from moodal.modalities import MODALITIES
from moodal.modalities.text.treebank import read_text
from moodal.model.rows import RowEncoder
from moodal.model.scorer import ModelParts

Example = dict[str, str | Clip]
"""Modality -> the text or clip that its branch reads."""

log = logging.getLogger(__name__)


def mean_states(
    model: ModelParts, examples: Sequence[Example], failed: list[str]
) -> dict[str, np.ndarray]:
    """Compute the mean states [n, H] of the examples in each modality; collect the failures."""
    states: dict[str, list[np.ndarray]] = {}
    for example in examples:
        for modality, item in example.items():
            if modality in model.modalities and modality in model.encoders:
                frames = RowEncoder(modality, model.encoders[modality])
                encoder = model.scorer.row_encoder(frames)
                try:
                    states.setdefault(modality, []).append(encoder.encode(item))
                except DataError as error:
                    failed.append(str(error))
    joined = {m: np.concatenate(some) for m, some in states.items()}
    return {m: joined[m] for m in ordered(joined) if len(joined[m])}


def read_examples(
    paths: Sequence[Path | str], word: str, failed: list[str]
) -> tuple[list[Example], list[Example]]:
    """Read the examples in files, and those in tables whose label is another word."""
    examples: tuple[list[Example], list[Example]] = ([], [])
    for path in map(Path, paths):
        try:
            for known, new in zip(examples, _in_file(path, word), strict=True):
                known += new
        except DataError as error:
            failed.append(str(error))
    return examples


def read_negatives(paths: Sequence[Path | str], word: str, failed: list[str]) -> list[Example]:
    """Read negative examples: all of a file, or the rows of a table with another label."""
    unlabelled, _ = read_examples(paths, "", failed)
    _, others = read_examples(paths, word, [])
    return unlabelled + others


def _in_file(path: Path, word: str) -> tuple[list[Example], list[Example]]:
    if path.suffix.lower() in ENDINGS:
        shown, others = table.examples(path, word)
        root = str(path.parent)
        return [_of_row(u, root) for u in shown], [_of_row(u, root) for u in others]
    media = probe(path)
    if media.kind == "subtitles":
        cues = read_subtitles(path, on_damage=log.warning)
        return [_of("text", cue.text) for cue in cues], []
    if media.kind == "text":
        return [_of("text", line) for line in read_text(path).splitlines() if line.strip()], []
    example: Example = {}
    if media.has_audio:
        example |= _of("sound", Clip(str(path)))
    if media.has_video or media.kind == "image":
        example |= _of("pictures", Clip(str(path)))
    return [example], []


def _of(medium: str, item: str | Clip) -> Example:
    """Return an example for every modality that is read from a medium."""
    return {m: item for m, modality in MODALITIES.items() if modality.info.medium == medium}


def _of_row(u: Utterance, root: str) -> Example:
    return {
        modality: item if isinstance(item, str) else resolved(item, root)
        for modality, item in u.media.items()
        if item
    }
