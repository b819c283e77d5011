"""SpeechBackbone: wav2vec 2.0, HuBERT, WavLM or Whisper's encoder, trained with the system.

Baevski et al., NeurIPS 2020; Hsu et al., TASLP 2021; Chen et al., JSTSP 2022; Radford et al.,
ICML 2023. The convolutional front-end never trains, so its frames can be computed once per clip
(`moodal.train.encoders`) and trained from there. A clip's frames never depend on its batch:
front-ends read one clip at a time, unpadded, and attention and positional convolution are masked.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from moodal.core.errors import DataError, UsageError
from moodal.train.backbones.layered import Layered
from moodal.train.backbones.locate import find
from moodal.train.backbones.pretrained import from_architecture, from_files, sizes_of
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.whisper import HOP, WINDOW, log_mel
from moodal.train.layers.convolution import compute_singly

CONVOLUTIONAL = ("wav2vec2", "hubert", "wavlm")
"""Families with a convolutional front-end on the samples themselves."""


def speech_features(settings: Backbone, width: int) -> dict[str, dict[str, Any]]:
    """Determine the encoder that speech must have been prepared with, see `System.features`.

    A network that trains reads samples, or the frames of its frozen front-end. Without a path,
    features of any kind are passed on.

    Args:
        width: values a step of the stream; 1: samples.

    Raises:
        UsageError: the stream holds samples, and no network is named.
    """
    if width == 1:
        settings.require("speech", "samples")
        return {"speech": {"name": "wave"}}
    if not settings.path:
        return {}
    parameters = {"path": settings.path, "layer": 0}
    return {"speech": {"name": "speech-backbone", "parameters": parameters}}


def build_speech(settings: Backbone, width: int, *, faithful: bool = False) -> SpeechBackbone:
    """Build the backbone of ``settings`` for a stream of ``width`` values a step.

    Args:
        settings: with an ``architecture`` it is built from that, with random weights (which a
            state dict then replaces); else from ``path``; with neither it passes its input on.
        width: 1 where the stream holds samples, else that of the front-end's frames.
        faithful: samples run through the whole network padded and without any mask, as the
            published code of MMER does.

    Raises:
        UsageError: there is no such backbone, it has fewer layers, or the stream has another width.
        DataError: its files are damaged.
    """
    if settings.architecture:
        # the scaling of samples is not a size of the network, but stored with its sizes
        sizes = dict(settings.architecture)
        normalise = bool(sizes.pop("do_normalize", False))
        model = from_architecture(sizes)
    elif settings.path:
        files = find(settings.path)
        _require_family(files.family, settings.path)
        model, normalise = from_files(files), files.normalise
    else:
        return SpeechBackbone(None, settings, width)
    _require_family(cast(Any, model).config.model_type, settings.path or "this architecture")
    return SpeechBackbone(model, settings, width, normalise=normalise, faithful=faithful)


def _require_family(family: str, name: str) -> None:
    if family not in (*CONVOLUTIONAL, "whisper"):
        raise UsageError(
            f"{name} is a {family} model; speech backbones are {', '.join(CONVOLUTIONAL)} and "
            "whisper."
        )


class SpeechBackbone(Layered):
    """A speech network: samples, or a front-end's frames -> frames of the last layer used.

    With ``layer_sum`` they are the learned sum of all layers' frames, each normalised where the
    network ends so.

    Args:
        model: transformers' model (of Whisper, its encoder), or None: the input is passed on.
        settings: layers, what is frozen, SpecAugment.
        width: of the stream; 1: samples.
        normalise: samples are scaled to mean 0, variance 1, clip by clip.
        faithful: see `build_speech`.

    Attributes:
        width: H, of the frames.
        settings: with the architecture filled in.
    """

    stream: ClassVar[str] = "speech"

    def __init__(
        self,
        model: Any,
        settings: Backbone,
        width: int,
        *,
        normalise: bool = False,
        faithful: bool = False,
    ):
        super().__init__()
        self.model, self.settings, self.width = model, settings, width
        self.samples, self.normalise, self.faithful = width == 1, normalise, faithful
        if model is None:
            self.read_stored(width)
            return
        self.whisper = model.config.model_type == "whisper"
        self.width = model.config.hidden_size
        name = settings.path or "this backbone"
        self.front = int(self.width if self.whisper else model.config.conv_dim[-1])
        if width not in (1, self.front):
            raise UsageError(
                f"The speech features are {width} wide, but the front-end of {name} gives "
                f"{self.front}; prepare the corpus with speech=speech-backbone:path={name}."
            )
        self._cut(settings, name)
        compute_singly(model)
        sizes = {**sizes_of(model), "do_normalize": normalise}
        self.settings = settings.model_copy(update={"architecture": sizes})
        self._freeze(settings.freeze)
        self.adjust(settings.freeze)

    def _cut(self, settings: Backbone, name: str) -> None:
        """Keep the layers used; switch off the network's own masking and layer drop."""
        self.place = "model.layers" if self.whisper else "model.encoder.layers"
        # of other families the same name is a normalisation below the layers
        self.above = ("layer_norm",) if self.whisper or _norm_last(self.model) else ()
        available = len(self.stack())
        used = settings.layers or available
        for asked, what in ((used, "layers"), (settings.freeze, "freeze")):
            if asked > (available if what == "layers" else used):
                raise UsageError(
                    f"{what} = {asked}: {name} has {available} transformer layers"
                    f"{f', of which {used} are used' * (used < available)}."
                )
        config = self.model.config
        config._attn_implementation = config._attn_implementation or "sdpa"
        kept = self.stack()[:used]
        if self.whisper:
            self.model.layers = kept
            config.encoder_layers = used
            if not self.faithful:
                config.encoder_layerdrop = 0.0
        else:
            self.model.encoder.layers = kept
            config.num_hidden_layers = used
            config.apply_spec_augment = config.add_adapter = False
            self.model.adapter = None
            if config.model_type == "wavlm":
                from moodal.train.backbones.wavlm import fuse

                fuse(self.model)
            if not self.faithful:
                # Processes of one run would drop different layers, and wait for each other.
                config.layerdrop = 0.0

    def _freeze(self, count: int) -> None:
        """Freeze the front-end; with ``count``, that many layers and all below them, too."""
        model, layers = self.model, self.stack()
        if self.whisper:
            parts = ["conv1", "conv2", "embed_positions"]
            below: list[str] = []
            names = "layers"
        else:
            # its own switch, without which it computes gradients of the samples
            model.feature_extractor._freeze_parameters()
            parts = ["feature_extractor"]
            below = ["feature_projection", "encoder.pos_conv_embed"]
            if not _norm_last(model):
                below.append("encoder.layer_norm")
            names = "encoder.layers"
            masked = getattr(model, "masked_spec_embed", None)
            if masked is not None and not (self.settings.time_masks and count == 0):
                masked.requires_grad_(False)
        if count:
            last = len(layers) if count == -1 else count
            parts += below + [f"{names}.{i}" for i in range(last)]
        if count == -1:
            parts = [""]
        for part in parts:
            model.get_submodule(part).requires_grad_(False)
        self.frozen = parts
        self.train(self.training)

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the frames [B, T', H] and their counts [B] from [B, T, D], right-padded, and [B].

        Frames beyond a clip's count are zero. A clip of length 0 (absent) stays absent. In
        faithful mode all counts are T'.
        """
        if self.model is None:
            return self.stored(values), lengths
        if self.samples and self.faithful:
            return self._faithful(values[..., 0], lengths)
        if self.samples:
            values, lengths = self.front_end(values[..., 0], lengths)
        valid = torch.arange(values.shape[1], device=values.device) < lengths[:, None]
        frames = self._context(values, lengths, valid)
        return frames.masked_fill(~valid[..., None], 0.0), lengths

    @torch.no_grad()
    def front_end(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the front-end's frames [B, T, D] and counts [B] of samples [B, S], clip by clip.

        They are computed in single precision even where the rest is not, like stored frames.
        """
        with torch.autocast(waves.device.type, enabled=False):
            frames = [
                self._front_alone(wave[:n].float()) if n else wave.new_zeros(0, self.front)
                for wave, n in zip(waves, lengths.tolist(), strict=True)
            ]
        counts = torch.tensor([len(f) for f in frames], device=lengths.device)
        padded = pad_sequence(frames, batch_first=True)
        return F.pad(padded, (0, 0, 0, int(padded.shape[1] == 0))), counts

    def _front_alone(self, wave: Tensor) -> Tensor:
        """Compute the frames of one clip, padded where it is short: [samples] -> [T, D]."""
        if self.normalise:
            wave = _normalised(wave)
        wave = F.pad(wave, (0, max(0, self.shortest - len(wave))))
        if self.whisper:
            mel = log_mel(wave, self.model.config.num_mel_bins)[None]
            frames = F.gelu(self.model.conv2(F.gelu(self.model.conv1(mel))))
        else:
            frames = self.model.feature_extractor(wave[None])
        return frames[0].T

    @property
    def family(self) -> str:
        """The architecture of the network, e.g. "wav2vec2"; "" where there is none."""
        return "" if self.model is None else str(self.model.config.model_type)

    def frames_of(self, lengths: Tensor) -> Tensor:
        """Count the frames [B] of clips of ``lengths`` [B] samples, at least one each.

        Lengths of frames are returned as they are, and so are samples that Whisper reads.
        """
        if not self.samples or self.model is None or self.whisper:
            return lengths
        counts: Tensor = self.model._get_feat_extract_output_lengths(lengths)
        return counts.clamp(min=1)

    @property
    def shortest(self) -> int:
        """The samples of one frame."""
        if self.whisper:
            return max(WINDOW, 2 * HOP)
        config, seen = self.model.config, 1
        sizes = zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True)
        for kernel, stride in sizes:
            seen = (seen - 1) * stride + kernel
        return int(seen)

    def _context(self, frames: Tensor, lengths: Tensor, valid: Tensor | None) -> Tensor:
        """Compute the last layer's frames [B, T, H] from [B, T, D]; valid None: all are."""
        # An absent clip attends to one step of zeros: attention over nothing is not a number.
        seen = None if valid is None else valid.clone()
        if seen is not None:
            seen[:, 0] = True
        if self.whisper:
            return self._whisper(frames, lengths, seen)
        projected = self.model.feature_projection(frames)
        hidden = projected[0] if isinstance(projected, tuple) else projected
        hidden = self._masked(hidden, lengths)
        with self.recorded() as states:
            out: Tensor = self.model.encoder(hidden, attention_mask=seen).last_hidden_state
        if _norm_last(self.model):
            states = [self.model.encoder.layer_norm(state) for state in states]
        return self.summed(states, out)

    def _whisper(self, frames: Tensor, lengths: Tensor, seen: Tensor | None) -> Tensor:
        model, steps = self.model, frames.shape[1]
        if steps > len(model.embed_positions.weight):
            raise DataError(
                f"A clip has {steps} frames, but {self.settings.path or 'Whisper'} has positions "
                f"for {len(model.embed_positions.weight)}; cut clips with data.max_steps."
            )
        hidden = self._masked(frames, lengths) + model.embed_positions.weight[:steps]
        hidden = F.dropout(hidden, model.dropout, self.training)
        keys = None if seen is None else seen[:, None, None, :].expand(-1, 1, steps, -1)
        return self.transformed(hidden, keys)

    def transformed(self, hidden: Tensor, keys: Tensor | None) -> Tensor:
        """Compute Whisper's layers: [B, T, H] with positions -> [B, T, H].

        Args:
            keys: [B, 1, T, T] bool, which steps are attended to; None: all.
        """
        drop = self.model.config.encoder_layerdrop if self.training else 0.0
        states = [hidden]
        for layer in self.model.layers:
            if not drop or torch.rand([]) >= drop:
                hidden = layer(hidden, keys)
            states.append(hidden)
        if self.layer_sum is None:
            return cast(Tensor, self.model.layer_norm(hidden))
        states = [self.model.layer_norm(state) for state in states]
        return self.summed(states, states[-1])

    def _masked(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """Apply SpecAugment to [B, T, D], in training only."""
        s, (_, steps, width) = self.settings, hidden.shape
        if self.training and s.time_masks:
            filler = getattr(self.model, "masked_spec_embed", None)
            value = hidden.new_zeros(width) if filler is None else filler.to(hidden.dtype)
            masked = spans(lengths, steps, s.time_masks, s.time_length)
            hidden = torch.where(masked[..., None], value, hidden)
        if self.training and s.feature_masks:
            every = torch.full_like(lengths, width)
            hidden = hidden.masked_fill(
                spans(every, width, s.feature_masks, s.feature_length)[:, None], 0.0
            )
        return hidden

    def _faithful(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute as published: normalisation, positions and attention read the padding, too."""
        if self.normalise:
            waves = torch.stack(
                [
                    F.pad(_normalised(wave[:n]), (0, len(wave) - n)) if n else wave
                    for wave, n in zip(waves, lengths.tolist(), strict=True)
                ]
            )
        waves = F.pad(waves, (0, max(0, self.shortest - waves.shape[1])))
        with torch.no_grad():
            if self.whisper:
                alone = [self._front_alone(wave) for wave in waves]
                frames = torch.stack(alone)
            else:
                frames = self.model.feature_extractor(waves).transpose(1, 2)
        every = torch.full_like(lengths, frames.shape[1])
        return self._context(frames, every, None), every


def spans(lengths: Tensor, steps: int, share: float, length: int) -> Tensor:
    """Draw SpecAugment's spans, which cover about ``share`` of each row, less their overlap.

    Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech
    Recognition", Interspeech 2019; as wav2vec 2.0 fine-tunes with it. They are drawn from
    torch's own random state on the CPU, so that a resumed run continues as it would have, on
    any device.

    Args:
        lengths: [B] valid steps; a row shorter than a span has none.
        steps: T.
        share: of the valid steps, from 0 to 1.
        length: of one span.

    Returns:
        [B, T] bool, True where masked.
    """
    valid = lengths.cpu()
    counts = (share * valid / length + torch.rand(len(valid))).long()
    counts = torch.where(valid >= length, counts, 0)
    most = int(counts.max()) if len(counts) else 0
    room = (valid - length + 1).clamp(min=1)
    starts = (torch.rand(len(valid), most) * room[:, None]).long()
    at = torch.arange(steps)
    inside = (at >= starts[..., None]) & (at < starts[..., None] + length)
    counted = torch.arange(most) < counts[:, None]
    return (inside & counted[..., None]).any(1).to(lengths.device)


def _normalised(wave: Tensor) -> Tensor:
    """Scale a clip to mean 0, variance 1, as Wav2Vec2FeatureExtractor does."""
    return (wave - wave.mean()) / torch.sqrt(wave.var(unbiased=False) + 1e-7)


def _norm_last(model: Any) -> bool:
    """Check whether the encoder's own normalisation follows its layers (pre-norm)."""
    return bool(model.config.do_stable_layer_norm)
