"""fused: the recipe of a fused artefact, a TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import Field

from moodal.core import recipe as config
from moodal.core.errors import UsageError
from moodal.core.recipe import Strict
from moodal.modalities import MODALITIES


class Part(Strict):
    """One modality of a fused artefact."""

    recipe: str
    """Of its branch, relative to this recipe."""
    corpus: str
    """The reader of its corpus, see `moodal prepare`."""
    root: str
    """The corpus's folder, relative to ``data``."""
    encoder: str = ""
    """What encodes it ("": it came as features)."""
    bits: int = 32
    """8: the graph's large weights are kept in 8 bits."""
    prefix: str = ""
    """Words that begin so are another corpus's names for the same rows, tested beside."""
    base: str = ""
    """The pre-trained network that it is fine-tuned from, and its licence."""
    licence: str
    """The corpus's, as the card says it."""


class Fused(Strict):
    """A recipe of a fused artefact."""

    name: str
    about: str
    licence: str
    basics: list[str] = Field(min_length=2)
    """The emotions that every question compares with."""
    synonyms: dict[str, str] = Field(default_factory=dict)
    """Other name -> word: declared once, told in every answer."""
    sure: float = Field(default=0.5, gt=0, lt=1)
    """The calibrated probability from which on the most probable emotion is decided."""
    seed: int = 0
    limits: list[str] = Field(default_factory=list)
    """What the card says of its limits, beside what is measured."""
    parts: dict[str, Part]


def read(path: Path | str) -> Fused:
    """A recipe of a fused artefact.

    Raises:
        UsageError: there is none, or it holds a wrong key or value.
    """
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is no recipe of a fused artefact: {error}.") from None
    recipe = config.parse(Fused, values, str(path))
    unknown = [s for s in recipe.parts if s not in MODALITIES]
    if unknown or not recipe.parts:
        raise UsageError(f"{path}: parts are {', '.join(MODALITIES)}; got {', '.join(unknown)}.")
    if "neutral" not in recipe.basics:
        raise UsageError(f"{path}: basics must name neutral, which is weighed apart.")
    return recipe
