"""moodal: recognise emotion from text, voice and face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moodal.core import viewer
from moodal.core.offline import stay_offline
from moodal.core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from moodal.core.timeline import Timeline
    from moodal.model.model import Model

__all__ = ["__version__", "load", "show", "to_frame"]

stay_offline()  # before any dependency is imported


def load(artefact: Path | str | None = None, *, threads: int | None = None) -> Model:
    """Load the model of an artefact: the one in the package, a folder, or hf://owner/name@revision.

    See `moodal.loading.load`; nothing heavy is imported before it is called.
    """
    from moodal.loading import load

    return load(artefact, threads=threads)


def to_frame(timelines: Timeline | Iterable[Timeline], *, summary: bool = False) -> Any:
    """Return a pandas DataFrame of one or several timelines, with the columns of CSV.

    See `moodal.core.table.to_frame`.
    """
    from moodal.core.table import to_frame

    return to_frame(timelines, summary=summary)


def show(timeline: Timeline, *, embed: bool = False, height: int = 900) -> Any:
    """Return the view of a timeline for a notebook; ``timeline.show()`` is the same.

    See `moodal.core.timeline.Timeline.show`.
    """
    from moodal.media.probe import is_recording
    from moodal.output.report.notebook import notebook_view

    return notebook_view(timeline, is_recording, embed=embed, height=height)


viewer.provide("notebook", show)
