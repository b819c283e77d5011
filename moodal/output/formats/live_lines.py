"""The JSON lines of a live session: a line for each answer, and at last one for the timeline.

{"type": "provisional", "at": 3.5, "answer": {...}}, the same with "final", and
{"type": "timeline", "timeline": {...}}. An answer is an utterance of JSON, a timeline one of its
recordings.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from moodal.core.guard import escaped
from moodal.core.timeline import Prediction, Timeline
from moodal.output.formats.json_ import to_json


def answer_line(prediction: Prediction, provisional: bool, at: float, so_far: Timeline) -> str:
    """Write an answer as one line.

    Args:
        prediction: the answer.
        provisional: whether it is about an utterance that goes on.
        at: the second at which it was given.
        so_far: a timeline of the session, which tells its emotions and modalities.
    """
    [answer] = _recording(replace(so_far, predictions=(prediction,)))["utterances"]
    kind = "provisional" if provisional else "final"
    return _line({"type": kind, "at": round(at, 3), "answer": answer})


def timeline_line(timeline: Timeline) -> str:
    """Write the timeline of a session that has ended as one line."""
    return _line({"type": "timeline", "timeline": _recording(timeline)})


def _recording(timeline: Timeline) -> Any:
    return json.loads(to_json([timeline]))["recordings"][0]


def _line(document: Any) -> str:
    return escaped(json.dumps(document, ensure_ascii=False, allow_nan=False)) + "\n"
