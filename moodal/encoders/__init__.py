"""The table of encoders that need no PyTorch: a dataclass and a line each.

Those that do stand in `moodal.learn.encoders.ENCODERS`.
"""

from typing import Any

from moodal.encoders.egemaps import Egemaps
from moodal.encoders.glove import Glove
from moodal.encoders.minilm import MiniLM
from moodal.encoders.pieces import Pieces
from moodal.encoders.pixels import Pixels
from moodal.encoders.spoken import Spoken
from moodal.encoders.wave import Wave

ENCODERS: dict[str, type[Any]] = {
    "glove-50": Glove,
    "minilm": MiniLM,
    "pieces": Pieces,
    "pixels": Pixels,
    "egemaps": Egemaps,
    "wave": Wave,
    "spoken": Spoken,
}
"""Name -> dataclass that meets `moodal.encoders.encoder.Encoder`."""
