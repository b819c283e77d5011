"""The recordings of a report: linked from the page, or made a part of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from moodal.core.errors import DataError
from moodal.output.report.page import EmbeddedMedia
from moodal.output.results import media_type

LARGEST = 256 << 20
"""Bytes of all embedded recordings, at most: browsers refuse pages that are much larger."""


def linked(recordings: Mapping[int, Path], page: Path) -> dict[int, str]:
    """Return the address of each recording, relative to the page where that can be."""
    addresses = {}
    for number, path in recordings.items():
        try:
            relative = os.path.relpath(path.resolve(), page.resolve().parent)
        except ValueError:  # on another drive of Windows
            addresses[number] = path.resolve().as_uri()
        else:
            addresses[number] = quote(Path(relative).as_posix())
    return addresses


def embedded(recordings: Mapping[int, Path]) -> dict[int, EmbeddedMedia]:
    """Read recordings that become a part of the page.

    Args:
        recordings: number of the timeline -> a file that was found to be a recording; a path in
            a timeline alone may name any file.

    Raises:
        DataError: one cannot be read, or all of them are larger than `LARGEST`.
    """
    media, total = {}, 0
    for number, path in recordings.items():
        try:
            total += path.stat().st_size
            if total > LARGEST:
                raise DataError(
                    f"The recordings are larger than {LARGEST >> 20} MiB, too much for one page; "
                    "leave embedding out to link them."
                )
            content = path.read_bytes()
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"{path} cannot be embedded: {reason}; check the file.") from None
        media[number] = EmbeddedMedia(media_type(path.name), content)
    return media
