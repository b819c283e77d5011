"""Plot a timeline: emotions over time, faces, sound, words, and the share of each stream.

The path's ending decides between PNG and SVG; equal input gives equal bytes. A timeline without
times, such as that of a text, is drawn sentence by sentence (``moodal.output.plot_text``).
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from moodal.core.errors import UsageError
from moodal.core.files import replacing
from moodal.core.guard import plain
from moodal.core.timeline import Timeline
from moodal.output import plot_text
from moodal.output.footnotes import footnotes
from moodal.output.formats import timed
from moodal.output.plot_panels import DRAW, FACE, LEFT, RIGHT, WIDTH, place_faces, words_of
from moodal.output.style import clock

_GAP = 0.12  # inches between two panels
_MOST_LANES = 4
# for scripts that DejaVu lacks, where they are installed
_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "WenQuanYi Zen Hei",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Sans Devanagari",
    "Arial Unicode MS",
)


class _Panel(NamedTuple):
    """A panel of the plot: its kind (a key of `DRAW`), its height in inches, and its content."""

    name: str
    height: float
    content: Any = None


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
    foot = [line for text in footnotes(timeline) for line in textwrap.wrap(plain(text), 118)]
    if untimed or timeline.kind == "text":
        with _figure(path) as figure:
            plot_text.draw(figure, timeline, _title(timeline), foot, WIDTH)
    else:
        with _figure(path) as figure:
            _over_time(figure, timeline, foot)
    return path


def _title(t: Timeline) -> str:
    name = PurePath(t.path).name if t.path not in ("", "-") else "recording"
    if t.duration is None:
        return plain(name)
    return plain(f"{name}, {f'{t.duration:.1f} s' if t.duration < 60 else clock(t.duration)}")


def _over_time(figure: Any, t: Timeline, foot: Sequence[str]) -> None:
    annotations = timed.annotate(t, "a plot over time")
    length = timed.end_of(t, annotations) / 1000
    lanes = [lane for lane in timed.lanes(annotations) if lane.annotations]
    if len(lanes) > _MOST_LANES:
        foot = [*foot, f"The first {_MOST_LANES} of {len(lanes)} layers are drawn."]
    panels = list(_panels(t, lanes[:_MOST_LANES], length))
    top, bottom = 0.45, 0.5 + 0.16 * len(foot)
    height = top + bottom + sum(p.height + _GAP for p in panels)
    figure.set_size_inches(WIDTH, height)
    figure.text(LEFT / WIDTH, 1 - 0.27 / height, _title(t), fontsize=11, fontweight="bold")
    top_edge, axis = height - top, None
    for panel in panels:
        top_edge -= panel.height
        bounds = (LEFT / WIDTH, top_edge / height, (WIDTH - LEFT - RIGHT) / WIDTH)
        axis = figure.add_axes((*bounds, panel.height / height))
        axis.set_xlim(0, length)
        axis.tick_params(labelbottom=False, length=0)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        DRAW[panel.name](axis, t, panel.content, (WIDTH - LEFT - RIGHT) / length)
        top_edge -= _GAP
    if axis is not None:
        axis.spines["bottom"].set_visible(True)
        axis.tick_params(axis="x", labelbottom=True, length=3)
        axis.set_xlabel("seconds" if length < 90 else "time (minutes and seconds)")
        if length >= 90:
            axis.xaxis.set_major_formatter(lambda x, _: clock(x))
    _foot(figure, foot, height)


def _foot(figure: Any, lines: Sequence[str], height: float) -> None:
    for i, line in enumerate(reversed(lines)):
        figure.text(0.15 / WIDTH, (0.08 + 0.16 * i) / height, line, fontsize=7, color="#444444")


def _panels(t: Timeline, lanes: Sequence[timed.Lane], length: float) -> Iterator[_Panel]:
    fine = [timed.rows(lane) for lane in lanes]
    for lane, value in ((lane, value) for lane in fine for value in t.values):
        yield _Panel("value", 0.85 + 0.15 * bool(lane.name), (lane, value))
    for lane in fine if not t.values else ():
        yield _Panel("emotions", 0.34 * (len(t.emotions) + 0.5) + 0.2 * bool(lane.name), lane)
    for lane in lanes:
        if any(c.prediction.dimensions or c.prediction.intensity for c in lane.annotations):
            yield _Panel("dimensions", 1.2, lane)
    faces = place_faces(t, (WIDTH - LEFT - RIGHT) / length)
    if faces:
        yield _Panel("faces", FACE, faces)
    if t.waveform is not None and len(t.waveform):
        yield _Panel("sound", 0.7)
    for lane in lanes:
        words = list(words_of(lane, length))
        if any(text for _, text in words):
            height = 0.05 + 0.135 * max(s.count("\n") + 1 for _, s in words)
            yield _Panel("words", height, (lane.name, words))
    for lane in fine:
        if any(c.prediction.shares for c in lane.annotations):
            yield _Panel("shares", 1.25, lane)
    if not lanes and t.waveform is None:
        yield _Panel("nothing", 0.5)


@contextmanager
def _figure(path: Path) -> Iterator[Any]:
    """Give an empty figure and write it to ``path`` at the end, atomically; needs no display."""
    import matplotlib
    from matplotlib import font_manager
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    installed = {f.name for f in font_manager.fontManager.ttflist}
    fonts = ["DejaVu Sans", *(f for f in _FONTS if f in installed)]
    style: Any = {
        "font.size": 8,
        "font.family": fonts,
        "text.parse_math": False,
        "hatch.linewidth": 0.5,
        "svg.hashsalt": "moodal",
        "svg.fonttype": "none",
    }
    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(dpi=150)
        FigureCanvasAgg(figure)
        yield figure
        kind = path.suffix.lower()[1:]
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        with replacing(path) as part:
            figure.savefig(part, format=kind, dpi=150, metadata=metadata)
