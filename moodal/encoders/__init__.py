"""The table of encoders: a dataclass and a line each."""

from typing import Any

from moodal.encoders.egemaps import Egemaps
from moodal.encoders.glove import Glove
from moodal.encoders.minilm import MiniLM

ENCODERS: dict[str, type[Any]] = {
    "glove-50": Glove,
    "minilm": MiniLM,
    "egemaps": Egemaps,
}
"""Name -> dataclass that meets `moodal.encoders.encoder.Encoder`."""
