"""The view of a timeline in a notebook: the page of a report in an iframe."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moodal.core.errors import DataError
from moodal.core.timeline import Timeline
from moodal.output.report.media import embedded
from moodal.output.report.page import ReportMedia, report_html


@dataclass(frozen=True)
class NotebookView:
    """A page that Jupyter shows in an iframe.

    Attributes:
        page: the HTML document.
        height: pixels of the iframe.
    """

    page: str
    height: int

    def _repr_html_(self) -> str:
        """Return the iframe; the page runs apart from the notebook and cannot reach it."""
        return (
            f'<iframe srcdoc="{html.escape(self.page)}" sandbox="allow-scripts" width="100%" '
            f'height="{self.height}" style="border: 0" title="Emotions over time"></iframe>'
        )


def notebook_view(
    timeline: Timeline,
    is_recording: Callable[[Path], bool],
    *,
    embed: bool = False,
    height: int = 900,
) -> NotebookView:
    """Return the view of a timeline, see `moodal.core.timeline.Timeline.show`.

    Args:
        timeline: the timeline.
        is_recording: says whether a file holds sound, a film or a picture; no other is embedded.
        embed: whether the recording becomes a part of the notebook.
        height: pixels of the iframe.

    Raises:
        DataError: the recording is to be embedded and cannot be read, is none, or is too large.
    """
    media = ReportMedia()
    if embed:
        path = Path(timeline.path)
        if path.is_file() and not is_recording(path):
            raise DataError(f"{path} holds no sound, film or picture, so it is not embedded.")
        media = ReportMedia(embedded=embedded({0: path}))
    return NotebookView(report_html([timeline], media), height)
