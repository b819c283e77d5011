"""The tables of modalities, and of the encoders that need no PyTorch.

The encoders that do stand in `moodal.train.encoders.ENCODERS`.
"""

from moodal.modalities.encoder import Encoder
from moodal.modalities.face.observe import Face
from moodal.modalities.face.pixels import Pixels
from moodal.modalities.modality import Modality
from moodal.modalities.speech.egemaps import Egemaps
from moodal.modalities.speech.observe import Speech
from moodal.modalities.speech.samples import Wave
from moodal.modalities.speech.spoken import Spoken
from moodal.modalities.text.e5 import E5
from moodal.modalities.text.glove import Glove
from moodal.modalities.text.minilm import MiniLM
from moodal.modalities.text.observe import Text
from moodal.modalities.text.tokens import Pieces

ENCODERS: dict[str, type[Encoder]] = {
    "glove-50": Glove,
    "e5": E5,
    "minilm": MiniLM,
    "pieces": Pieces,
    "pixels": Pixels,
    "egemaps": Egemaps,
    "wave": Wave,
    "spoken": Spoken,
}
"""Name -> dataclass derived from `moodal.modalities.encoder.Encoder`."""

MODALITIES: dict[str, type[Modality]] = {
    "text": Text,
    "speech": Speech,
    "face": Face,
}
"""Name -> class derived from `moodal.modalities.modality.Modality`, in the order of tables."""
