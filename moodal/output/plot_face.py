"""Panels of a plot over time that show what a face does: head and gaze, and action units."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from typing import Any, NamedTuple

import numpy as np

from moodal.core.face_action import UNITS, FaceAction
from moodal.core.timeline import Timeline
from moodal.output.formats import timed
from moodal.output.moving_average import window
from moodal.output.panel_frames import name_panel

MOST = 8
"""The largest number of rows of action units."""

SEEN = 0.2
"""The strength that a unit must reach to have a row."""

_COLUMNS = 400  # spans of time in a panel, each with the mean of its pictures
_SHADES = "Blues"
_ANGLES: dict[str, tuple[Callable[[FaceAction], float], str, Any]] = {
    "head yaw": (lambda a: a.pose.yaw, "#0072B2", "-"),
    "head pitch": (lambda a: a.pose.pitch, "#D55E00", "-"),
    "head roll": (lambda a: a.pose.roll, "#009E73", "-"),
    "gaze yaw": (lambda a: a.gaze.yaw, "#0072B2", (0, (1, 0.8))),
    "gaze pitch": (lambda a: a.gaze.pitch, "#D55E00", (0, (1, 0.8))),
}
_NAMES = {
    "AU01": "inner brow up",
    "AU02": "outer brow up",
    "AU04": "brow down",
    "AU05": "eyes wide",
    "AU06": "cheek up",
    "AU07": "eyes narrow",
    "AU09": "nose wrinkled",
    "AU10": "upper lip up",
    "AU12": "smile",
    "AU14": "dimple",
    "AU15": "corners down",
    "AU16": "lower lip down",
    "AU17": "chin up",
    "AU18": "pucker",
    "AU20": "lips stretched",
    "AU22": "lips funnelled",
    "AU24": "lips pressed",
    "AU25": "lips part",
    "AU26": "jaw drop",
    "AU28": "lips sucked in",
    "AU45": "blink",
}


class FaceSeries(NamedTuple):
    """The actions of the face of a lane over time.

    Attributes:
        lane: the name of the lane.
        at: [N] seconds of the pictures or slices.
        lasting: [N] seconds that each is drawn.
        actions: N of them.
        units: the action units that have a row.
        average: whether lines are moving averages, as the curves of a long recording are.
    """

    lane: str
    at: np.ndarray
    lasting: np.ndarray
    actions: Sequence[FaceAction]
    units: Sequence[str]
    average: bool


def face_series(
    lane: timed.Lane, fine: timed.Lane, alone: Sequence[FaceAction], average: bool
) -> FaceSeries:
    """Return what the face of a lane does, in slices where there are any, else in pictures.

    Args:
        lane: the utterances.
        fine: the same with slices in place of their utterances.
        alone: what the face does between utterances.
        average: see `FaceSeries`.
    """
    sliced = any(c.prediction.slices for c in lane.annotations)
    ends = {}
    if sliced:
        for c in fine.annotations:
            ends.update({action.at: c.end / 1000 for action in c.prediction.face})
    actions = {(a.at, a.track): a for c in fine.annotations for a in c.prediction.face}
    actions |= {} if sliced else {(a.at, a.track): a for a in alone}
    ordered = [actions[key] for key in sorted(actions)]
    at = np.array([a.at for a in ordered])
    usual = float(np.median(np.diff(np.unique(at)))) if len(np.unique(at)) > 1 else 0.2
    lasting = np.array([ends.get(a.at, a.at + usual) - a.at for a in ordered])
    return FaceSeries(lane.name, at, lasting, ordered, _strongest(ordered), average)


def _strongest(actions: Sequence[FaceAction]) -> list[str]:
    """Return the units that get strongest, in the order of their numbers; AU43 is AU45."""
    if not actions:
        return []
    rows = [action.action_units for action in actions]
    peaks = {unit: max(row[unit] for row in rows) for unit in _NAMES}
    strong = sorted((u for u in peaks if peaks[u] >= SEEN), key=lambda u: -peaks[u])[:MOST]
    return [unit for unit in UNITS if unit in strong]


def _angles(axis: Any, _: Timeline, series: FaceSeries, inch: float) -> None:
    """Draw how the head is turned as lines, and where the eyes look as dotted ones, in degrees."""
    highest = 20.0
    for name, (angle, colour, dashes) in _ANGLES.items():
        numbers = np.array([angle(action) for action in series.actions])
        at, means = _spans(axis, series, numbers[None], series.average)
        highest = max(highest, float(np.nanmax(np.abs(means))))
        axis.plot(at, means[0], color=colour, ls=dashes, lw=1.1, label=name)
    end = float(np.ceil(highest / 10) * 10)
    axis.axhline(0, color="#BBBBBB", lw=0.7, zorder=0)
    axis.set_ylim(-end, end * 1.4)
    axis.set_yticks([-end, 0, end])
    axis.tick_params(axis="y", length=3, labelsize=7)
    axis.legend(loc="upper right", ncols=5, fontsize=7, frameon=False, borderaxespad=0)
    name_panel(axis, "head and gaze", "(degrees)", lane=series.lane, pad=0.45)


def _units(axis: Any, _: Timeline, series: FaceSeries, inch: float) -> None:
    """Draw a row for each action unit, the darker the stronger it is."""
    rows = np.array([[a.action_units[unit] for a in series.actions] for unit in series.units])
    at, means = _spans(axis, series, rows)
    width = axis.get_xlim()[1] / _COLUMNS
    edges = np.append(at - width / 2, at[-1] + width / 2)
    places = np.arange(len(series.units) + 1)
    axis.pcolormesh(edges, places, means, cmap=_SHADES, vmin=0, vmax=1, rasterized=True)
    axis.set_facecolor("#EEEEEE")
    axis.spines["left"].set_visible(False)
    axis.set_ylim(len(series.units), 0)
    names = [f"{unit} {_NAMES[unit]}" for unit in series.units]
    axis.set_yticks(places[:-1] + 0.5, names)
    axis.tick_params(axis="y", length=0, labelsize=7)
    for place in places[1:-1]:
        axis.axhline(place, color="white", lw=0.8)


def _spans(
    axis: Any, series: FaceSeries, rows: np.ndarray, average: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the middles [S] of equal spans of time, and the means [R, S] of rows [R, N] in each.

    A picture counts in every span that it touches; a span without pictures is NaN. With
    ``average``, the means are those of the `moodal.output.moving_average.window` around each.
    """
    length = axis.get_xlim()[1]
    width = length / _COLUMNS
    first = np.clip(np.floor(series.at / width).astype(int), 0, _COLUMNS - 1)
    last = np.ceil((series.at + series.lasting) / width).astype(int)
    last = np.clip(last, first + 1, _COLUMNS)
    steps = np.zeros((_COLUMNS + 1, len(rows) + 1))
    for places, sign in ((first, 1), (last, -1)):  # each picture as a step up and a step down
        np.add.at(steps, places, sign * np.vstack([rows, np.ones(len(places))]).T)
    *total, number = steps.cumsum(axis=0)[:-1].T
    if average:
        box = np.ones(max(1, round(window(length) / width)))
        *total, number = (np.convolve(sums, box, "same") for sums in (*total, number))
    means = np.where(number > 0.5, np.array(total) / np.maximum(number, 1), np.nan)
    return (np.arange(_COLUMNS) + 0.5) * width, means


DRAW: dict[str, Callable[..., None]] = {"head and gaze": _angles, "action units": _units}


def face_notes(names: Set[str]) -> Iterator[str]:
    """Yield a sentence for the foot of a plot: what the panels of the face show.

    Args:
        names: of the panels; others have no sentence.
    """
    if "action units" in names:
        yield (
            f"Action units are drawn that reach {SEEN:g}, at most {MOST}: white is 0, dark blue is "
            "1, grey is without the face."
        )
