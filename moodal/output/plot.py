"""Plot a timeline: emotions over time, faces, sound, words, and the share of each stream.

The path's ending decides between PNG and SVG; equal input gives equal bytes. A timeline without
times, such as that of a text, is drawn sentence by sentence (``moodal.output.plot_text``).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from moodal.core.dimensions import DIMENSIONS
from moodal.core.errors import UsageError
from moodal.core.files import replacing
from moodal.core.guard import plain
from moodal.core.timeline import Timeline
from moodal.output import plot_curves, plot_face, plot_panels, plot_text
from moodal.output.fonts import installed, missing_fonts
from moodal.output.footnotes import footnotes
from moodal.output.formats import timed
from moodal.output.lettering import wrapped
from moodal.output.panel_frames import LEFT, RIGHT, WIDTH, crowded, streams_with_shares
from moodal.output.plot_curves import SIDE, curve_notes, telling_words
from moodal.output.plot_face import face_notes, face_series
from moodal.output.plot_panels import FACE, place_faces, words_of
from moodal.output.style import clock
from moodal.output.time_axis import set_ticks, unit

DRAW: dict[str, Callable[..., None]] = {**plot_panels.DRAW, **plot_curves.DRAW, **plot_face.DRAW}
"""Name of a panel -> the function that draws it."""

_GAP = 0.12  # inches between two panels
_MOST_LANES = 4


class _Panel(NamedTuple):
    """A panel of the plot: its kind (a key of `DRAW`), its height in inches, and its content."""

    name: str
    height: float
    content: Any = None


class _View(NamedTuple):
    """A recording as it is drawn: its lanes, its length, and bars or curves.

    Attributes:
        lanes: the utterances.
        fine: the same in the finest time, with slices in place of their utterances.
        length: seconds of the recording.
        curves: draw curves in place of bars, which would be too narrow.
        right: the right margin in inches.
    """

    lanes: Sequence[timed.Lane]
    fine: Sequence[timed.Lane]
    length: float
    curves: bool
    right: float

    @property
    def inch(self) -> float:
        """The inches of a second."""
        return (WIDTH - LEFT - self.right) / self.length


def plot(timeline: Timeline, path: Path | str) -> Path:
    """Draw a timeline to ``path``, .png or .svg, and return the path.

    Raises:
        UsageError: the path has another ending.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"A plot must be a .png or .svg file; got {path.name}.")
    untimed = timeline.kind == "image" or any(p.start is None or p.end is None for p in timeline)
    with _figure(path) as figure:
        if untimed or timeline.kind == "text":
            foot = _lines(figure, [*footnotes(timeline), *_fonts(timeline)])
            plot_text.draw(figure, timeline, _title(timeline), foot, WIDTH)
        else:
            _over_time(figure, timeline)
    return path


def _fonts(t: Timeline) -> Iterator[str]:
    return missing_fonts(p.turn for p in t)


def _title(t: Timeline) -> str:
    name = PurePath(t.path).name if t.path not in ("", "-") else "recording"
    if t.duration is None:
        return plain(name)
    return plain(f"{name}, {f'{t.duration:.1f} s' if t.duration < 60 else clock(t.duration)}")


def _over_time(figure: Any, t: Timeline) -> None:
    annotations = timed.annotate(t, "a plot over time")
    length = timed.end_of(t, annotations) / 1000
    lanes = [lane for lane in timed.lanes(annotations) if lane.annotations]
    view = _view(lanes[:_MOST_LANES], length)
    panels = list(_panels(t, view))
    notes = [*_notes(t, view, panels), *footnotes(t), *_fonts(t)]
    if len(lanes) > _MOST_LANES:
        notes.append(f"The first {_MOST_LANES} of {len(lanes)} layers are drawn.")
    foot = _lines(figure, notes)
    title = wrapped(figure, _title(t), WIDTH - LEFT - RIGHT, 11, "bold")
    top, bottom = 0.25 + 0.2 * len(title), 0.5 + 0.16 * len(foot)
    height = top + bottom + sum(p.height + _GAP for p in panels)
    figure.set_size_inches(WIDTH, height)
    for i, line in enumerate(title):
        at = 1 - (0.27 + 0.2 * i) / height
        figure.text(LEFT / WIDTH, at, line, fontsize=11, fontweight="bold")
    top_edge, axis = height - top, None
    for panel in panels:
        top_edge -= panel.height
        size = (WIDTH - LEFT - view.right) / WIDTH, panel.height / height
        axis = figure.add_axes((LEFT / WIDTH, top_edge / height, *size))
        axis.set_xlim(0, length)
        set_ticks(axis, length)
        axis.tick_params(labelbottom=False, length=0)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        if view.curves:
            axis.grid(axis="x", color="#EEEEEE", lw=0.6)
        DRAW[panel.name](axis, t, panel.content, view.inch)
        top_edge -= _GAP
    if axis is not None:
        axis.spines["bottom"].set_visible(True)
        axis.tick_params(axis="x", labelbottom=True, length=3)
        axis.set_xlabel(unit(length))
    _foot(figure, foot, height)


def _notes(t: Timeline, view: _View, panels: Sequence[_Panel]) -> Iterator[str]:
    """Yield what a reader must know of the panels: how curves are made, and words without room."""
    names = {panel.name for panel in panels}
    yield from curve_notes(names, view.length)
    yield from face_notes(names)
    known = sum(bool(p.text) for p in t)
    drawn = sum(bool(text) for p in panels if p.name == "words" for _, text in p.content[1])
    if 2 * drawn < known and "telling" not in names:
        yield (
            f"There is room for the words of {drawn} of {len(t)} utterances; the formats csv and "
            "json have all."
        )


def _lines(figure: Any, notes: Iterable[str]) -> list[str]:
    """Break the notes at the foot into lines of the plot's width."""
    return [line for text in notes for line in wrapped(figure, plain(text), WIDTH - 0.3, 7)]


def _foot(figure: Any, lines: Sequence[str], height: float) -> None:
    for i, line in enumerate(reversed(lines)):
        figure.text(0.15 / WIDTH, (0.08 + 0.16 * i) / height, line, fontsize=7, color="#444444")


def _view(lanes: Sequence[timed.Lane], length: float) -> _View:
    """Choose between bars and curves, by the width that the bars of utterances would have."""
    fine = [timed.rows(lane) for lane in lanes]
    inch = (WIDTH - LEFT - RIGHT) / length
    if not crowded([c for lane in fine for c in lane.annotations], inch):
        return _View(lanes, fine, length, False, RIGHT)
    return _View(lanes, fine, length, True, SIDE)


def _panels(t: Timeline, view: _View) -> Iterator[_Panel]:
    yield from _answers(t, view)
    faces = place_faces(t, view.length, view.inch)
    if faces:
        yield _Panel("faces", FACE, faces)
    yield from _face_actions(t, view)
    if t.waveform is not None and len(t.waveform):
        yield _Panel("sound", 0.7)
    yield from _words(t, view)
    for lane in view.fine:
        if streams := streams_with_shares(t, lane):
            narrow = crowded(lane.annotations, view.inch, len(streams))
            yield _Panel("share curves" if narrow else "shares", 1.25, lane)
    if not view.lanes and t.waveform is None:
        yield _Panel("nothing", 0.5)


def _answers(t: Timeline, view: _View) -> Iterator[_Panel]:
    """Yield the panels of values, emotions and dimensions, as bars or as curves."""
    value, emotions = ("value curve", "emotion curves") if view.curves else ("value", "emotions")
    for lane, target in ((lane, target) for lane in view.fine for target in t.values):
        yield _Panel(value, 0.85 + 0.15 * bool(lane.name), (lane, target))
    for lane in view.fine if not t.values else ():
        rows = len(t.emotions) + view.curves
        yield _Panel(emotions, 0.34 * (rows + 0.5) + 0.2 * bool(lane.name), lane)
    for lane in view.fine if view.curves else view.lanes:
        yield from _dimensions(lane, view.curves)


def _dimensions(lane: timed.Lane, curves: bool) -> Iterator[_Panel]:
    """Yield the panels of dimensions and intensity: of bars one, of curves one for each."""
    dimensions = any(c.prediction.dimensions for c in lane.annotations)
    intensity = any(c.prediction.intensity for c in lane.annotations)
    if not curves and (dimensions or intensity):
        yield _Panel("dimensions", 1.2, lane)
    for name in DIMENSIONS if curves and dimensions else ():
        yield _Panel("dimension curve", 0.6, (lane, name))
    if curves and intensity:
        yield _Panel("intensity curve", 0.4, lane)


def _face_actions(t: Timeline, view: _View) -> Iterator[_Panel]:
    """Yield the panels of what each lane's face does, where that is known."""
    for lane, fine in zip(view.lanes, view.fine, strict=True):
        tracks = {a.track for c in lane.annotations for a in c.prediction.face}
        alone = [a for a in t.face_between if len(view.lanes) == 1 or a.track in tracks]
        series = face_series(lane, fine, alone, view.curves)
        if series.actions:
            yield _Panel("head and gaze", 0.95, series)
        if series.units:
            yield _Panel("action units", 0.15 * len(series.units), series)


def _words(t: Timeline, view: _View) -> Iterator[_Panel]:
    """Yield the words of each lane or, where there is no room, of the most telling utterances."""
    if crowded([c for lane in view.lanes for c in lane.annotations], view.inch):
        if moments := telling_words(t):
            yield _Panel("telling", 0.16 * len(moments), moments)
        return
    for lane in view.lanes:
        words = list(words_of(lane, view.length, view.inch))
        if any(text for _, text in words):
            height = 0.05 + 0.135 * max(s.count("\n") + 1 for _, s in words)
            yield _Panel("words", height, (lane.name, words))


@contextmanager
def _quiet_fonts() -> Iterator[None]:
    """Keep matplotlib from naming each font without a bold face: another one is used then."""
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _figure(path: Path) -> Iterator[Any]:
    """Give an empty figure and write it to ``path`` at the end, atomically; needs no display."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style: Any = {
        "font.size": 8,
        "font.family": list(installed()),
        "text.parse_math": False,
        "hatch.linewidth": 0.5,
        "svg.hashsalt": "moodal",
        "svg.fonttype": "none",
    }
    with matplotlib.rc_context(style), warnings.catch_warnings(), _quiet_fonts():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(dpi=150)
        FigureCanvasAgg(figure)
        yield figure
        kind = path.suffix.lower()[1:]
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        with replacing(path) as part:
            figure.savefig(part, format=kind, dpi=150, metadata=metadata)
