"""What faces do as a CSV table: a row per picture and face, with py-feat's and OpenFace's columns.

docs/face-actions.md describes the columns.
"""

from __future__ import annotations

import csv
import itertools
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from moodal.core.errors import UsageError
from moodal.core.face_action import (
    BLENDSHAPES,
    UNITS,
    FaceAction,
    FaceBox,
    Gaze,
    HeadPose,
    coefficients_of,
)
from moodal.core.files import replacing
from moodal.core.guard import cell
from moodal.core.table import rounded
from moodal.core.timeline import Timeline

PRESENCES = tuple(unit for unit in UNITS if unit not in ("AU16", "AU18", "AU22", "AU24", "AU43"))
"""The action units here whose presence OpenFace tells."""

INTENSITIES = tuple(unit for unit in PRESENCES if unit != "AU28")
"""Those whose intensity it tells, too."""

STRONGEST = 5.0
"""FACS's highest intensity, which stands for 1."""

PRESENT = 0.2
"""The intensity, 0 to 1, from which on an action unit is present: FACS's lowest, 1 of 5."""


class _FaceRow(NamedTuple):
    """A row: its second, and what a face does then; None without a face."""

    at: float
    action: FaceAction | None


def write_face_actions(timelines: Sequence[Timeline], path: Path | str) -> Path:
    """Write what faces do to a CSV file, atomically, and return its path.

    A row is a picture and a face in it or, of a timeline with slices, a slice. Where no face is
    seen, ``success`` is 0 and the other cells are empty. A column ``recording`` comes first if
    there are several timelines.

    Raises:
        UsageError: the path is a recording itself.
        OutputError: it cannot be written.
    """
    path = Path(path)
    several = [timelines] if isinstance(timelines, Timeline) else list(timelines)
    for timeline in several:
        require_other(path, timeline.path)
    with replacing(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        first = ["recording"] if len(several) > 1 else []
        writer.writerow([*first, "frame", "face_id", "timestamp", "success", *NUMBERS])
        for timeline in several:
            names = [cell(timeline.path)] if len(several) > 1 else []
            writer.writerows([*names, *row] for row in _written(timeline))
    return path


def require_other(path: Path, recording: str) -> None:
    """Check that a table does not overwrite a recording.

    Raises:
        UsageError: it would.
    """
    if recording not in ("", "-") and Path(recording).resolve() == path.resolve():
        raise UsageError(f"{path} is the recording itself; choose another name for the table.")


def openface_rotation(pose: HeadPose) -> tuple[float, float, float]:
    """Return OpenFace's pose_Rx, pose_Ry and pose_Rz of a head, in radians.

    OpenFace's axes are those of a camera (x to the right of the picture, y down, z away), and its
    rotation is R = Rx Ry Rz: looking down, to the left of the picture, and a tilt clockwise are
    positive. The angles of `HeadPose` are of the order yaw, pitch, roll.

    >>> [round(math.degrees(r)) for r in openface_rotation(HeadPose(20, 0, 0))]
    [0, -20, 0]
    """
    yaw, pitch, roll = (math.radians(angle) for angle in pose)
    x = math.atan2(-math.sin(pitch), math.cos(yaw) * math.cos(pitch))
    y = math.asin(max(-1.0, min(1.0, -math.sin(yaw) * math.cos(pitch))))
    across = math.sin(yaw) * math.sin(pitch)
    z = math.atan2(
        math.cos(yaw) * math.sin(roll) - across * math.cos(roll),
        math.cos(yaw) * math.cos(roll) + across * math.sin(roll),
    )
    return x, y, z


def openface_gaze(gaze: Gaze) -> tuple[float, float]:
    """Return OpenFace's gaze_angle_x and gaze_angle_y, in radians.

    Looking to the right of the picture, and down, are positive.
    """
    yaw, pitch = math.radians(gaze.yaw), math.radians(gaze.pitch)
    return yaw, -math.atan2(math.sin(pitch), math.cos(pitch) * math.cos(yaw))


def _written(timeline: Timeline) -> Iterator[list[str | int | float]]:
    """Yield the cells of each row."""
    frame, last = 0, -math.inf
    for row in _rows(timeline):
        frame += row.at != last
        last = row.at
        seconds, action = rounded(row.at, 3), row.action
        if action is None:
            yield [frame, "", seconds, 0, *[""] * len(NUMBERS)]
        else:
            yield [frame, action.track, seconds, 1, *_measures(action).values()]


def _rows(timeline: Timeline) -> list[_FaceRow]:
    """Return the rows in the order of time: each picture once, or each slice."""
    if timeline.step is not None:
        rows = [_FaceRow(a.at, a) for p in timeline.rows for a in p.face]
        rows += [_FaceRow(at, None) for at in sorted(_without_face(timeline))]
    else:
        actions = {(a.at, a.track): a for p in timeline for a in p.face}
        actions |= {(a.at, a.track): a for a in timeline.face_between}
        rows = [_FaceRow(at, action) for (at, _), action in actions.items()]
        rows += [_FaceRow(at, None) for at in timeline.faceless]
    return sorted(rows, key=lambda row: (row.at, row.action.track if row.action else -1))


def _without_face(timeline: Timeline) -> set[float]:
    """Return the starts of slices during which no face of any person is seen."""
    spans = [
        (p.start, p.end or p.start, bool(p.face)) for p in timeline.rows if p.start is not None
    ]
    seen = sorted((start, end) for start, end, face in spans if face)
    # the latest end of those that begin first
    ends = list(itertools.accumulate((end for _, end in seen), max))
    starts = [start for start, _ in seen]
    faceless = set()
    for start, end, face in spans:
        before = bisect_left(starts, end)
        if not face and not (before and start < ends[before - 1]):
            faceless.add(start)
    return faceless


def _measures(action: FaceAction) -> dict[str, float]:
    """Return the numbers of a row by the names of their columns, rounded."""
    units = action.action_units
    box, pose, score = action.box, action.pose, rounded(action.confidence, 4)
    rotation = (rounded(angle, 4) for angle in openface_rotation(pose))
    gaze = (rounded(angle, 4) for angle in openface_gaze(action.gaze))
    return {
        "confidence": score,
        "FaceRectX": rounded(box.left, 1),
        "FaceRectY": rounded(box.top, 1),
        "FaceRectWidth": rounded(box.width, 1),
        "FaceRectHeight": rounded(box.height, 1),
        "FaceScore": score,
        "Pitch": rounded(pose.pitch, 2),
        "Roll": rounded(pose.roll, 2),
        "Yaw": rounded(pose.yaw, 2),
        **dict(zip(("pose_Rx", "pose_Ry", "pose_Rz"), rotation, strict=True)),
        **dict(zip(("gaze_angle_x", "gaze_angle_y"), gaze, strict=True)),
        "gaze_yaw": rounded(action.gaze.yaw, 2),
        "gaze_pitch": rounded(action.gaze.pitch, 2),
        "gaze_in_head_yaw": rounded(action.gaze_in_head.yaw, 2),
        "gaze_in_head_pitch": rounded(action.gaze_in_head.pitch, 2),
        "blink": rounded(action.blink, 4),
        "mouth_opening": rounded(action.mouth_opening, 4),
        **{unit: rounded(number, 4) for unit, number in units.items()},
        **{f"{unit}_r": rounded(STRONGEST * units[unit], 2) for unit in INTENSITIES},
        **{f"{unit}_c": int(units[unit] >= PRESENT) for unit in PRESENCES},
        **{name: rounded(number, 4) for name, number in action.blendshapes.items()},
    }


_NOTHING = FaceAction(
    0.0,
    0,
    FaceBox(0.0, 0.0, 0.0, 0.0),
    0.0,
    HeadPose(0.0, 0.0, 0.0),
    Gaze(0.0, 0.0),
    Gaze(0.0, 0.0),
    0.0,
    coefficients_of(dict.fromkeys(BLENDSHAPES, 0.0)),
)
NUMBERS = tuple(_measures(_NOTHING))
"""The names of the columns of numbers, after those of the row itself."""
