"""Encoders that need PyTorch and transformers: frames of speech and states of text backbones.

They have a separate table, since prediction with a fused artefact must not need PyTorch; it is
imported when the first of these encoders is built.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from moodal.core.errors import UsageError
from moodal.core.records import RATE
from moodal.modalities.encoder import Encoder, Item, specification
from moodal.modalities.speech.samples import check_samples, samples_of
from moodal.modalities.text.spelling import text_of
from moodal.train.backbones.locate import TOKENISERS
from moodal.train.encoder_networks import (
    ALL,
    backbone_files,
    backbone_sizes,
    speech_network,
    text_network,
    token_numbers,
)

if TYPE_CHECKING:
    from moodal.train.backbones.text import TextBackbone

LONGEST = 210_000
"""Samples that are read of a clip, as in MMER's paper: 13.1 s."""
TOGETHER = 16
"""Texts of equal length in one batch of a network."""
LARGEST = float(np.finfo(np.float16).max)
"""The largest value in half precision."""


@dataclass(frozen=True)
class SpeechEncoder(Encoder):
    """The base class of encoders by a pre-trained speech network; clips are never padded.

    Frames are in half precision.

    Attributes:
        path: "whisper-tiny", a folder of a wav2vec2, HuBERT, WavLM or Whisper model, or a name in
            the local hub cache.
        longest: samples that are read of a clip; the rest is cut off.
        stride: steps averaged into one (of transformer layers).
    """

    path: str = "whisper-tiny"
    _: KW_ONLY
    longest: int = LONGEST
    stride: int = 1
    stream: ClassVar[str] = "speech"
    uses_weights: ClassVar[bool] = True
    patterns: ClassVar[tuple[str, ...]] = ("preprocessor_config.json",)
    dtype: ClassVar[str] = "float16"

    def require(self, layer: int) -> None:
        """Check the parameters that speech encoders share.

        Raises:
            UsageError: one is out of its range, or the network reads no speech.
        """
        family, sizes = backbone_files(self.path).family, backbone_sizes(self.path)
        if family not in ("wav2vec2", "hubert", "wavlm", "whisper"):
            raise UsageError(
                f"Encoder {self.name}: {self.path} is a {family} model, which does not "
                "read speech; wav2vec2, hubert, wavlm and whisper do."
            )
        if not 0 <= layer <= sizes.num_hidden_layers:
            raise UsageError(
                f"Encoder {self.name}: {self.path} has layers 0 to {sizes.num_hidden_layers}; "
                f"got layer={layer}."
            )
        if self.stride < 1 or (self.stride > 1 and not layer):
            raise UsageError(
                f"Encoder {self.name}: stride is 1 or more, and 1 for layer=0; got {self.stride}."
            )
        most = 320 * sizes.max_source_positions if family == "whisper" else self.longest
        if not 1 <= self.longest <= most:
            limit = f", for {self.path} at most {most}" if family == "whisper" else ""
            raise UsageError(
                f"Encoder {self.name}: longest is in samples, 1 or more{limit}; got {self.longest}."
            )

    @property
    def rate(self) -> float:
        """Frames per second: 50 in every supported model, divided by ``stride``."""
        sizes = backbone_sizes(self.path)
        hop = 320 if sizes.model_type == "whisper" else int(np.prod(sizes.conv_stride))
        return RATE / hop / self.stride

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        return _spec(self)

    def check(self, item: Item) -> None:
        """Raise DataError if the clip is missing, unreadable, or shorter than its span."""
        check_samples(item)

    def network_frames(self, item: Item, layer: int) -> np.ndarray:
        """Compute the frames [T, D] float16 of a clip, or of samples [n]; T is at least 1.

        Args:
            layer: 0 for the convolutional front-end, `ALL` for all layers.

        Raises:
            DataError: the clip cannot be read, or the model's files are damaged.
        """
        import torch

        network, audio = speech_network(backbone_files(self.path), layer), samples_of(item)
        wave = torch.from_numpy(np.ascontiguousarray(audio[: self.longest], np.float32))
        lengths = torch.tensor([len(wave)])
        with torch.inference_mode():
            if layer:
                frames, _ = network(wave[None, :, None], lengths)
            else:
                frames, _ = network.front_end(wave[None], lengths)
        return _halved(_averaged(frames[0].numpy(), self.stride))


@dataclass(frozen=True)
class SpeechFrames(SpeechEncoder):
    """The frames of one layer of a pre-trained speech network.

    Attributes:
        path, longest, stride: as in `SpeechEncoder`.
        layer: 0 for the frames of the convolutional front-end, which is never trained; a
            `moodal.train.backbones.speech.SpeechBackbone` computes the layers above. k for the
            states after k transformer layers (normalised where the network ends so).
    """

    layer: int = 0
    name: ClassVar[str] = "speech-backbone"

    def __post_init__(self) -> None:
        self.require(self.layer)

    @property
    def width(self) -> int:
        """Values per frame, of the front-end or of the transformer layers."""
        sizes = backbone_sizes(self.path)
        if self.layer or sizes.model_type == "whisper":
            return int(sizes.hidden_size)
        return int(sizes.conv_dim[-1])

    def encode(self, item: Item) -> np.ndarray:
        """Return frames [T, D] float16 of a clip, or of samples [n]; T is at least 1.

        Raises:
            DataError: the clip cannot be read, or the model's files are damaged.
        """
        return self.network_frames(item, self.layer)


@dataclass(frozen=True)
class SpeechLayers(SpeechEncoder):
    """The frames of all layers of a pre-trained speech network, side by side.

    They are what enters the first transformer layer, and the states after each (all normalised
    where the network ends so): K + 1 times H values. A system with ``stored_layers`` = K + 1 learns
    their weighted sum.

    Attributes:
        path, longest, stride: as in `SpeechEncoder`.
    """

    name: ClassVar[str] = "speech-layers"

    def __post_init__(self) -> None:
        self.require(1)

    @property
    def layers(self) -> int:
        """K + 1, the states that are stored of each frame."""
        return int(backbone_sizes(self.path).num_hidden_layers) + 1

    @property
    def width(self) -> int:
        """Values per frame, of all layers."""
        return self.layers * int(backbone_sizes(self.path).hidden_size)

    def encode(self, item: Item) -> np.ndarray:
        """Return frames [T, D] float16 of a clip, or of samples [n]; T is at least 1.

        Raises:
            DataError: the clip cannot be read, or the model's files are damaged.
        """
        return self.network_frames(item, ALL)


@dataclass(frozen=True)
class TextEncoder(Encoder):
    """The base class of encoders that read texts with a pre-trained tokeniser, many in one batch.

    Attributes:
        path: "minilm", a folder of a BERT-like model with its tokeniser, or a name in the local
            hub cache, e.g. "roberta-base".
    """

    path: str = "minilm"
    stream: ClassVar[str] = "text"
    rate: ClassVar[None] = None
    uses_weights: ClassVar[bool] = True
    patterns: ClassVar[tuple[str, ...]] = TOKENISERS

    def __post_init__(self) -> None:
        backbone_files(self.path)

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        return _spec(self)

    def encode(self, item: Item) -> np.ndarray:
        """Return the frames [L, D] float32 of a text; L is 0 for a text without a token."""
        return self.encode_many([item])[0]


@dataclass(frozen=True)
class TextStates(TextEncoder):
    """The hidden states of a pre-trained text network, one per token, special ones included.

    Only texts of equal length form a batch, unpadded, so that a text's states do not depend on
    the other texts. A text without a token has T = 0: it is absent.

    Attributes:
        path: as in `TextEncoder`.
        layer: -1 for the last layer, k for the states after k layers, 0 for the embeddings.
    """

    layer: int = -1
    name: ClassVar[str] = "text-backbone"

    def __post_init__(self) -> None:
        super().__post_init__()
        layers = backbone_sizes(self.path).num_hidden_layers
        if not -1 <= self.layer <= layers:
            raise UsageError(
                f"Encoder text-backbone: {self.path} has layers 0 to {layers}, and -1 for the "
                f"last; got layer={self.layer}."
            )

    @property
    def width(self) -> int:
        """Values per hidden state."""
        return int(backbone_sizes(self.path).hidden_size)

    def encode_many(self, items: Sequence[Item]) -> list[np.ndarray]:
        """Encode many texts in batches of equal length."""
        network = text_network(backbone_files(self.path), False)
        return _text_states(self, items, network, self.layer)


@dataclass(frozen=True)
class AllTextStates(TextEncoder):
    """The hidden states of all layers of a pre-trained text network, side by side.

    They are the embeddings and the states after each layer: K + 1 times H values. A system with
    ``stored_layers`` = K + 1 learns their weighted sum. Otherwise as `TextStates`.

    Attributes:
        path: as in `TextEncoder`.
    """

    name: ClassVar[str] = "text-layers"
    dtype: ClassVar[str] = "float16"

    @property
    def layers(self) -> int:
        """K + 1, the states that are stored of each token."""
        return int(backbone_sizes(self.path).num_hidden_layers) + 1

    @property
    def width(self) -> int:
        """Values per token, of all layers."""
        return self.layers * int(backbone_sizes(self.path).hidden_size)

    def encode_many(self, items: Sequence[Item]) -> list[np.ndarray]:
        """Encode many texts in batches of equal length."""
        network = text_network(backbone_files(self.path), True)
        return [_halved(states) for states in _text_states(self, items, network, -1)]


@dataclass(frozen=True)
class Tokens(TextEncoder):
    """The token numbers of a text [L, 1], for a text network that trains with the system.

    One is added to each number: a step of zeros is padding everywhere in moodal, and some
    vocabularies (RoBERTa's) begin every text with token 0.

    Attributes:
        path: as in `TextEncoder`; only its tokeniser is used.
    """

    name: ClassVar[str] = "tokens"
    uses_weights: ClassVar[bool] = False
    width: ClassVar[int] = 1

    def encode_many(self, items: Sequence[Item]) -> list[np.ndarray]:
        """Return [L, 1] of each text, special tokens included."""
        tokens = token_numbers(self.path, [text_of(item) for item in items])
        return [np.array(ids, np.float32).reshape(-1, 1) + 1 for ids in tokens]


ENCODERS: dict[str, type[Encoder]] = {
    "speech-backbone": SpeechFrames,
    "speech-layers": SpeechLayers,
    "text-backbone": TextStates,
    "text-layers": AllTextStates,
    "tokens": Tokens,
}
"""Name -> dataclass derived from `moodal.modalities.encoder.Encoder`."""


def _spec(encoder: SpeechEncoder | TextEncoder) -> dict[str, Any]:
    """Return the specification of an encoder; the bytes of its files decide.

    They are its weights, if it uses them, and the files beside them of its ``patterns``.
    """
    backbone = backbone_files(encoder.path)
    files = list(backbone.weights) if encoder.uses_weights else []
    files += sorted(path for name in encoder.patterns for path in backbone.folder.glob(name))
    files += sorted(backbone.folder.glob("config.json"))
    return specification(encoder, packages=[], weights=files, places=("path",))


def _text_states(
    encoder: TextEncoder, items: Sequence[Item], network: TextBackbone, layer: int
) -> list[np.ndarray]:
    """Compute the states [L, D] float32 of each text, in batches of equal length."""
    import torch

    tokens = token_numbers(encoder.path, [text_of(item) for item in items])
    rows_by_length: dict[int, list[int]] = defaultdict(list)
    for row, ids in enumerate(tokens):
        rows_by_length[len(ids)].append(row)
    states = [np.zeros((0, encoder.width), np.float32)] * len(items)
    for length, rows in rows_by_length.items():
        for i in range(0, len(rows) if length else 0, TOGETHER):
            batch = rows[i : i + TOGETHER]
            numbers = torch.tensor([tokens[row] for row in batch])
            with torch.inference_mode():
                out = network.states(numbers, layer)
            for row, state in zip(batch, out.float().numpy(), strict=True):
                states[row] = state.copy()
    return states


def _averaged(values: np.ndarray, stride: int) -> np.ndarray:
    """Average each ``stride`` steps of [T, D] into one; the last may have fewer."""
    if stride == 1:
        return values
    starts = np.arange(0, len(values), stride)
    sums = np.add.reduceat(values, starts, axis=0)
    means: np.ndarray = sums / np.diff(starts, append=len(values))[:, None]
    return means


def _halved(values: np.ndarray) -> np.ndarray:
    """Return values in half precision, within its range."""
    return np.clip(values, -LARGEST, LARGEST).astype(np.float16)
