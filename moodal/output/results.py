"""Results: the timelines that `moodal predict` wrote, and the recordings that they are of."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Sequence
from pathlib import Path

from moodal.core.errors import DataError
from moodal.core.files import load_text
from moodal.core.timeline import Timeline
from moodal.output.formats import from_json, from_jsonl
from moodal.output.formats.json_ import NAME

PLAYED = ("audio", "video", "image")
"""The kinds of timelines whose recordings can be shown."""

LARGEST = 1 << 30
"""Bytes of the largest file of results that is read."""


def read_results(path: Path | str, left_out: list[Path] | None = None) -> list[Timeline]:
    """Read the timelines of a JSON or JSON lines file, or of all such files in a folder.

    Other JSON files of a folder are passed over. A recording that occurs in several files is
    taken from the last one that was written.

    Args:
        path: the file or the folder; subfolders are not read.
        left_out: gets the JSON files that hold no timelines.

    Raises:
        DataError: there is no such file, nothing in the folder is a timeline, or a file of
            timelines is damaged.
    """
    path = Path(path)
    if not path.is_dir():
        return _timelines(path)
    files = [p for p in path.iterdir() if p.suffix in (".json", ".jsonl") and p.is_file()]
    files.sort(key=lambda p: (p.stat().st_mtime_ns, p.name))
    by_path: dict[str, Timeline] = {}
    for file in files:
        if not _is_timeline(file):
            if left_out is not None:
                left_out.append(file)
            continue
        by_path.update({timeline.path: timeline for timeline in _timelines(file)})
    if not by_path:
        raise DataError(
            f"{path} has no results; write some with moodal predict RECORDING --format json --out "
            f"{path}/."
        )
    return sorted(by_path.values(), key=lambda timeline: timeline.path)


def _timelines(path: Path) -> list[Timeline]:
    try:
        text = load_text(path, LARGEST)
    except FileNotFoundError:
        raise DataError(f"There is no file or folder {path} with results.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read {path}: {error}.") from None
    read = from_jsonl if path.suffix == ".jsonl" else from_json
    return list(read(text, str(path)))


def _is_timeline(path: Path) -> bool:
    """Return whether a JSON file names the schema of timelines near its beginning."""
    try:
        with open(path, "rb") as file:
            return json.dumps(NAME).encode() in file.read(4096)
    except OSError:
        return True  # reading it says what is wrong


def recording_of(
    timeline: Timeline, folders: Sequence[Path], name: str | None = None
) -> Path | None:
    """Find the recording of a timeline: where its path says, else beside its results.

    Whoever wrote the results chose the path, so it may be any file: before its content is shown,
    `moodal.media.probe.is_recording` has to say that it is a recording.

    Args:
        timeline: that of a text has none.
        folders: folders to which its path may be relative, and that are searched for a file with
            the recording's name.
        name: the path, where the timeline has a pseudonym.
    """
    name = timeline.path if name is None else name
    if name in ("", "-") or timeline.kind not in PLAYED:
        return None
    path = Path(name)
    places = [path, *(folder / path for folder in folders), *(f / path.name for f in folders)]
    return next((place.absolute() for place in places if place.is_file()), None)


def media_type(name: str) -> str:
    """Return the type of a recording by its name; nothing that a browser would run.

    >>> media_type("a.mp4"), media_type("a.wav"), media_type("a.html"), media_type("a.svg")
    ('video/mp4', 'audio/x-wav', 'application/octet-stream', 'application/octet-stream')
    """
    known = mimetypes.guess_type(name)[0] or ""
    is_media = known.startswith(("audio/", "video/", "image/")) and "xml" not in known
    return known if is_media else "application/octet-stream"
