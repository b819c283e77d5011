"""The fold lists of EmoBox: which clips its published results were tested on.

Ma et al., "EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and Benchmark",
Interspeech 2024; github.com/emo-box/EmoBox, folder ``data``. Each corpus has a folder with
``fold_1/NAME_test_fold_1.jsonl`` and so on, a line per clip with its path in ``wav``. A summary of
the lists in one JSON file is read as well: corpus -> ``test_actors`` {fold: [numbers]} or
``test_clips`` [names].
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from moodal.core.errors import DataError
from moodal.core.files import load_json, load_text
from moodal.core.manifest import Manifest
from moodal.core.records import Clip

NAMES = {
    "crema-d": "cremad",
    "crema-d-votes": "cremad",
    "crema-d-voice-votes": "cremad",
    "crema-d-face-votes": "cremad",
    "crema-d-panels": "cremad",
    "iemocap-release": "iemocap",
    "iemocap-votes": "iemocap",
    "mmer": "iemocap",
}
"""Our name of a corpus -> EmoBox's, where they differ."""

_TEST = re.compile(r"(?P<corpus>.+)_test_fold_(?P<fold>\w+)\.jsonl")

Folds = dict[str, list[str]]
"""Fold -> the ids of its test utterances."""


def is_lists(path: Path) -> bool:
    """Return whether a path is EmoBox's: a folder, or a summary of its lists."""
    if path.is_dir():
        return True
    try:
        content = load_json(path)
    except (OSError, ValueError):
        return False
    entries = content.values() if isinstance(content, dict) else ()
    return any(isinstance(e, dict) and e.keys() & {"test_actors", "test_clips"} for e in entries)


def read(path: Path, manifest: Manifest) -> tuple[Folds, str]:
    """Read the folds of a corpus, and a note on clips that the corpus lacks ("" if none).

    Args:
        path: EmoBox's folder ``data``, that of one corpus in it, or a summary of the lists.
        manifest: the corpus. A clip is recognised by the name of its recording, or by its id.

    Raises:
        DataError: there are no lists of this corpus, they are damaged, or name none of its clips.
    """
    name = NAMES.get(manifest.corpus, manifest.corpus)
    lists = _from_folder(path, name) if path.is_dir() else _from_summary(path, name, manifest)
    rows = _rows(manifest)
    folds = {fold: [rows[clip] for clip in clips if clip in rows] for fold, clips in lists.items()}
    lacking = [c for clips in lists.values() for c in clips if c not in rows]
    empty = [fold for fold, ids in folds.items() if not ids]
    if empty:
        raise DataError(
            f"{path}, fold {empty[0]} of {name} names no clip of {manifest.corpus}; the first it "
            f"names is {next(iter(lists[empty[0]]), 'none')!r}."
        )
    if not lacking:
        return folds, ""
    total = sum(map(len, lists.values()))
    return folds, (
        f"{len(lacking)} of the {total} clips that EmoBox tests are not in this corpus, such as "
        f"{lacking[0]}: its figures are of other rows."
    )


def _rows(manifest: Manifest) -> dict[str, str]:
    """Return the id of each clip by the name of its recording, if that has one utterance."""
    recordings: dict[str, list[str]] = defaultdict(list)
    for utterance in manifest.utterances:
        medium = utterance.media.get("speech")
        if isinstance(medium, Clip):
            recordings[_stem(medium.path)].append(utterance.id)
    single = {stem: ids[0] for stem, ids in recordings.items() if len(ids) == 1}
    return single | {u.id: u.id for u in manifest.utterances}


def _from_folder(path: Path, name: str) -> Folds:
    """Read the test lists of a corpus in EmoBox's folder."""
    place = path / name if (path / name).is_dir() else path
    files = {
        match["fold"]: file
        for file in sorted(place.glob("fold_*/*.jsonl"))
        if (match := _TEST.fullmatch(file.name)) and match["corpus"] == name
    }
    if not files:
        raise DataError(
            f"{path} has no {name}/fold_1/{name}_test_fold_1.jsonl; give the folder data of "
            "EmoBox's repository."
        )
    return {fold: _clips(file) for fold, file in files.items()}


def _clips(path: Path) -> list[str]:
    """Read the names of the recordings in a list."""
    try:
        lines = [line for line in load_text(path).splitlines() if line.strip()]
        return [_stem(json.loads(line)["wav"]) for line in lines]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path} is not a list of EmoBox ({error}); each line is an object with the key wav."
        ) from None


def _from_summary(path: Path, name: str, manifest: Manifest) -> Folds:
    """Read the folds of a corpus in a summary of the lists."""
    content: Mapping[str, Any] = load_json(path)
    entry = content.get(name)
    if not isinstance(entry, dict):
        present = ", ".join(k for k, v in content.items() if isinstance(v, dict))
        raise DataError(f"{path} has no folds of {name}; it has {present}.")
    if "test_clips" in entry:
        return {"1": [str(clip) for clip in entry["test_clips"]]}
    try:
        actors = {str(k): {int(a) for a in v} for k, v in entry["test_actors"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: the actors of {name} cannot be read ({error}).") from None
    return {
        fold: [
            u.id
            for u in manifest.utterances
            if (u.speaker or "").isdigit() and int(u.speaker or 0) in own
        ]
        for fold, own in actors.items()
    }


def _stem(path: str) -> str:
    return PurePosixPath(path.replace("\\", "/")).stem
