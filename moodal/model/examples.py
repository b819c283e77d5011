"""Examples of a word: recordings, pictures, texts and tables -> what each branch makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from moodal.core.errors import DataError
from moodal.core.records import STREAMS, Clip, Utterance
from moodal.corpora import table
from moodal.corpora.table_rows import ENDINGS
from moodal.features.store import resolved
from moodal.media.probe import probe
from moodal.media.subtitles import read_subtitles
from moodal.modalities.text.treebank import read_text
from moodal.model.predictor import Predictor
from moodal.model.states import States

Example = dict[str, str | Clip]
"""Modality -> what its branch reads."""


def mean_states(
    predictor: Predictor, examples: Sequence[Example], failed: list[str]
) -> dict[str, np.ndarray]:
    """Modality -> the mean states [n, H] of the examples that have it; what fails is noted."""
    found: dict[str, list[np.ndarray]] = {}
    for example in examples:
        for stream, item in example.items():
            if stream in predictor.branches:
                encoder = States.of(predictor.found, predictor.branches[stream])
                try:
                    found.setdefault(stream, []).append(encoder.encode(item))
                except DataError as error:
                    failed.append(str(error))
    states = {s: np.concatenate(x) for s, x in found.items() if x}
    return {s: states[s] for s in STREAMS if s in states and len(states[s])}


def read_examples(
    paths: Sequence[Path | str], word: str, failed: list[str]
) -> tuple[list[Example], list[Example]]:
    """The examples in files, and those in tables whose label is another word."""
    found: tuple[list[Example], list[Example]] = ([], [])
    for path in map(Path, paths):
        try:
            for some, more in zip(found, _in_file(path, word), strict=True):
                some += more
        except DataError as error:
            failed.append(str(error))
    return found


def read_negatives(paths: Sequence[Path | str], word: str, failed: list[str]) -> list[Example]:
    """The examples in files that do not show the word; of tables all rows but the word's own."""
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
        return [{"text": cue.text} for cue in read_subtitles(path)], []
    if media.kind == "text":
        return [{"text": line} for line in read_text(path).splitlines() if line.strip()], []
    example: Example = {}
    if media.has_audio:
        example["speech"] = Clip(str(path))
    if media.has_video or media.kind == "image":
        example["face"] = Clip(str(path))
    return [example], []


def _of_row(u: Utterance, root: str) -> Example:
    example: Example = {} if not u.text else {"text": u.text}
    if clip := u.audio or u.video:
        example["speech"] = resolved(clip, root)
    if u.video:
        example["face"] = resolved(u.video, root)
    return example
