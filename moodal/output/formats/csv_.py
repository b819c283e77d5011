"""Timelines as CSV tables: a row per utterance or slice of one, or a row per recording.

`moodal.core.table` has the columns, which DataFrames share.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from moodal.core.guard import cell
from moodal.core.table import Cell, TimelineTable, rounded, summary_table, utterance_table
from moodal.core.timeline import Timeline


def to_csv(timelines: Sequence[Timeline]) -> str:
    """Write a header and a row per utterance, or per slice of it, comma-separated, UTF-8.

    After the columns of docs/output.md come ``p_EMOTION``, ``share_STREAM_EMOTION`` and
    ``bias_EMOTION`` of every emotion and stream of all recordings, and ``value_NAME`` of every
    value; they are empty for a recording without that emotion, stream or value. Where a recording
    has dimensions, ``valence``, ``arousal`` and ``dominance`` of the headline, ``dimensions`` (how
    they are known, and from what), the same three of each stream, and ``intensity_STREAM`` follow.
    ``speaker`` is there if any utterance has one. A recording in which there is nothing to judge
    keeps a row without an id, which says why. A text that a spreadsheet would take for a formula
    begins with an apostrophe.
    """
    return _written(utterance_table(timelines))


def to_summary_csv(timelines: Sequence[Timeline]) -> str:
    """Write a header and a row per recording, and one per tracked face where there are several.

    After the columns of docs/output.md come ``p_EMOTION``, ``decided_EMOTION`` and
    ``first_EMOTION`` of every emotion of all recordings, ``value_NAME_END`` of every value, and
    means of the dimensions and intensity of each stream, such as ``valence_text``; they are empty
    for a recording without that emotion, value or stream.
    """
    return _written(summary_table(timelines))


def _written(table: TimelineTable) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.names)
    for row in table.rows:
        writer.writerow(
            _text(value, digits) for value, digits in zip(row, table.digits, strict=True)
        )
    return out.getvalue()


def _text(value: Cell, digits: int) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return cell(value)
    return str(value if isinstance(value, int) else rounded(value, digits))
