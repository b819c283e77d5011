"""Drawing: what all figures of a report share, from the colours to the file.

The colours are those of Okabe and Ito, which colour-blind readers can distinguish; lines also have
different dashes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moodal.core.errors import UsageError
from moodal.core.files import replacing

BLUE, ORANGE, GREEN, PINK, SKY, RED, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#666666",
)
COLOURS = (BLUE, RED, GREEN, PINK, SKY, ORANGE)
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


def folded(stamps: Sequence[str], width: int) -> list[str]:
    """Wrap stamps to lines of at most ``width`` characters."""
    return [line for stamp in stamps for line in textwrap.wrap(stamp, width)]


def legend_below(figure: Any, axes: Any) -> None:
    """Place the legend of the axes below the figure."""
    handles, names = axes.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, names, loc="outside lower center", ncols=len(names), fontsize=8, frameon=False
        )


@contextmanager
def drawing(
    path: Path | str, width: float, height: float, columns: int = 1, rows: int = 1
) -> Iterator[tuple[Any, Any]]:
    """Open a figure and its axes, and write it to ``path`` atomically at the end."""
    path = Path(path)
    if path.suffix not in (".png", ".svg"):
        raise UsageError(f"A figure is written as .png or .svg; got {path.name}.")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style: Any = {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 9,
        "axes.titlesize": 10,
        "svg.hashsalt": "moodal",
        "svg.fonttype": "none",
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, figure.subplots(rows, columns)
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        with replacing(path) as part:
            figure.savefig(part, dpi=150, metadata=metadata)
