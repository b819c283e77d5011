"""The table of encoders that need no PyTorch: a dataclass and a line each.

Those that do stand in `moodal.train.encoders.ENCODERS`.
"""

from moodal.modalities.encoder import Encoder
from moodal.modalities.face.pixels import Pixels
from moodal.modalities.speech.egemaps import Egemaps
from moodal.modalities.speech.samples import Wave
from moodal.modalities.speech.spoken import Spoken
from moodal.modalities.text.glove import Glove
from moodal.modalities.text.minilm import MiniLM
from moodal.modalities.text.tokens import Pieces

ENCODERS: dict[str, type[Encoder]] = {
    "glove-50": Glove,
    "minilm": MiniLM,
    "pieces": Pieces,
    "pixels": Pixels,
    "egemaps": Egemaps,
    "wave": Wave,
    "spoken": Spoken,
}
"""Name -> dataclass derived from `moodal.modalities.encoder.Encoder`."""
