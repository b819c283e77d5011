"""moodal: recognise emotion from text, voice and face."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from moodal.use.predictor import Predictor

__version__ = "0.1.0"


def load(artefact: Path | str | None = None, *, threads: int | None = None) -> Predictor:
    """A predictor: of the artefact that comes along, or of the fused artefact in a folder.

    See `moodal.use.predictor.load`; nothing heavy is imported before it is called.
    """
    from moodal.use.predictor import load

    return load(artefact, threads=threads)
