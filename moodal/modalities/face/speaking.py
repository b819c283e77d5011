"""Which of several faces speaks: the one whose mouth opens and closes while speech is heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from moodal.modalities.face.mouth import mouth_opening
from moodal.modalities.face.track import Sighting

SWING = 0.05
"""The least movement of a mouth that counts: less is the noise of landmarks, or trembling."""

LEAST = 0.8
"""Seconds of pictures below which nothing can be said of a mouth."""

RAREST = 4.0
"""Pictures a second below which nothing can be said of a mouth: syllables are missed."""

ACTIVE = 0.25
"""The `mouth_activity` from which on a mouth counts as speaking. In three videos, at 5 and 25
pictures a second, a speaker has 0.42 to 0.48, and faces that weep, frown or begin to smile 0 to
0.1."""


def mouth_activity(times: Sequence[float], openings: Sequence[float]) -> float | None:
    """Measure how much a mouth opens and closes, in openings per second.

    It is the path that the opening covers between its turning points, where swings below `SWING`
    do not count, less the distance between its first and last value: a smile that begins is one
    movement, and counts for nothing.

    Args:
        times: seconds of the pictures, ascending.
        openings: see `moodal.modalities.face.mouth.mouth_opening`.

    Returns:
        0 or more; None where there are too few pictures, see `LEAST` and `RAREST`.
    """
    if len(times) < 2:
        return None
    between = (times[-1] - times[0]) / (len(times) - 1)
    seconds = times[-1] - times[0] + between
    if seconds < LEAST - 1e-6 or len(times) < RAREST * seconds - 1e-6:
        return None
    turns = _turning_points(openings)
    path = float(np.abs(np.diff(turns)).sum())
    return (path - abs(turns[-1] - turns[0])) / seconds


def _turning_points(openings: Sequence[float]) -> list[float]:
    """Return the first opening, those from which it goes back by `SWING` or more, and the last."""
    turns, extreme, direction = [openings[0]], openings[0], 0
    for opening in openings[1:]:
        step = opening - extreme
        if direction * step > 0 or (not direction and abs(step) >= SWING):
            direction, extreme = (1 if step > 0 else -1), opening
        elif direction and abs(step) >= SWING:
            turns.append(extreme)
            direction, extreme = -direction, opening
    return [*turns, extreme]


def activity_of(sightings: Sequence[Sighting]) -> float | None:
    """Return the `mouth_activity` of the sightings of one face."""
    openings = [mouth_opening(s.landmarks, s.pose) for s in sightings]
    return mouth_activity([s.at for s in sightings], openings)


def speaking_face(activities: Mapping[int, float | None]) -> int | None:
    """Return the number of the face that speaks; None where no mouth moves enough.

    Args:
        activities: number of the face -> its activity.
    """
    moving = {n: a for n, a in activities.items() if a is not None and a >= ACTIVE}
    return max(moving, key=lambda n: (moving[n], -n), default=None)
