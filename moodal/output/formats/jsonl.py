"""Timelines as JSON lines: one recording a line, written as each recording ends.

A line is the object that JSON's ``recordings`` holds, with ``schema`` before it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from moodal.core.errors import DataError
from moodal.core.timeline import Timeline
from moodal.output.formats.json_ import from_json, json_line


def to_jsonl(timelines: Sequence[Timeline]) -> str:
    """Write a line per recording.

    Raises:
        DataError: a time, probability, share or value is not finite.
    """
    several = [timelines] if isinstance(timelines, Timeline) else timelines
    return "".join(part for timeline in several for part in json_line(timeline))


def from_jsonl(text: str, name: str = "The file") -> list[Timeline]:
    """Read the timelines of JSON lines; a last line that was cut off is left out.

    Args:
        text: the lines.
        name: the file's name, for messages.

    Raises:
        DataError: a line is no recording, as in `moodal.output.formats.json_.from_json`.
    """
    *lines, cut = text.split("\n")
    del cut  # what stands after the last line end was not finished
    return [_read(line, f"{name}, line {number}") for number, line in enumerate(lines, 1)]


def _read(line: str, place: str) -> Timeline:
    try:
        recording = json.loads(line)
        schema = recording.pop("schema")
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError) as error:
        raise DataError(f"{place} is no recording of `moodal predict` ({error}).") from None
    document = {
        "schema": schema,
        "units": {"time": "seconds", "shares": "nats"},
        "recordings": [recording],
    }
    [timeline] = from_json(json.dumps(document), place)
    return timeline
