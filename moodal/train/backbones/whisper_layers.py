"""WhisperLayers: Whisper's front-end and lower layers, independent of level and high bands.

Radford et al., ICML 2023. Two things differ from Whisper's own front-end, so that a voice has
the same frames on any recording: a clip's loudest band is set to one level, whatever its gain;
and bands above 5.3 kHz are set to the floor, since corpora differ in what they recorded there.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from moodal.core.errors import UsageError
from moodal.train.backbones.locate import find
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.speech import build_speech
from moodal.train.backbones.whisper import DECADES, HOP, WINDOW, filters
from moodal.train.data.augment import augmented

LOUDEST = 1.5
"""The logarithm (base 10) of power to which a clip's loudest band is set, as in clear speech."""
HIGHEST = 5300.0
"""Hz; bands above are set to the floor."""
BANDS = 80


class LogMel(nn.Module):
    """A log-mel front-end by one convolution: samples [B, S] at 16 kHz -> [B, 80, S // 160].

    The Fourier transform of a window is a convolution with fixed sines and cosines, which every
    runtime supports. The frames are Whisper's, but for level and high bands (see above).
    """

    waves: Tensor
    filters: Tensor
    heard: Tensor

    def __init__(self) -> None:
        super().__init__()
        n = torch.arange(WINDOW, dtype=torch.float64)
        k = torch.arange(1 + WINDOW // 2, dtype=torch.float64)[:, None]
        angle = 2 * math.pi * k * n / WINDOW
        window = torch.hann_window(WINDOW, dtype=torch.float64)
        waves = torch.cat([angle.cos() * window, angle.sin() * window])[:, None]
        self.register_buffer("waves", waves.float(), persistent=False)
        self.register_buffer("filters", filters(BANDS).clone(), persistent=False)
        top = (filters(BANDS) > 0).float() * torch.arange(1 + WINDOW // 2) * 16000 / WINDOW
        self.register_buffer("heard", (top.amax(1) <= HIGHEST)[:, None], persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Compute the frames; S is at least 400."""
        padded = F.pad(samples[:, None], (WINDOW // 2, WINDOW // 2), mode="reflect")
        spectrum = F.conv1d(padded, self.waves, stride=HOP)[:, :, :-1]
        real, imaginary = spectrum.chunk(2, 1)
        power = self.filters @ (real.square() + imaginary.square())
        loudness = power.clamp(min=1e-10).log10()
        loudness = torch.where(self.heard, loudness, -10.0)
        loudness = loudness - loudness.amax((1, 2), keepdim=True) + LOUDEST
        return (loudness.clamp(min=LOUDEST - DECADES) + 4) / 4


class WhisperLayers(nn.Module):
    """Whisper's lower layers: samples -> frames, 50 a second.

    Args:
        settings: of the backbone; its layers train, the convolutions below them do not.

    Attributes:
        front: the width of the convolutions' frames.
        width: H, of the frames.
        settings: with the architecture filled in.
    """

    def __init__(self, settings: Backbone):
        super().__init__()
        self.mel = LogMel()
        self.front = _front(settings)
        self.upper = build_speech(settings, self.front)
        self.width, self.settings = self.upper.width, self.upper.settings

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the frames [B, T, H] and counts [B] of samples [B, S, 1], right-padded, and [B].

        A clip's frames never depend on its batch. In training clips are augmented, see
        `moodal.train.data.augment`.
        """
        with torch.no_grad(), torch.autocast(values.device.type, enabled=False):
            frames = [
                self.frames(augmented(wave[:n, 0].float()) if self.training else wave[:n, 0])
                if n
                else values.new_zeros((0, self.front), dtype=torch.float32)
                for wave, n in zip(values, lengths.tolist(), strict=True)
            ]
        counts = torch.tensor([len(f) for f in frames], device=lengths.device)
        padded = pad_sequence(frames, batch_first=True)
        padded = F.pad(padded, (0, 0, 0, int(padded.shape[1] == 0)))
        return cast(tuple[Tensor, Tensor], self.upper(padded, counts))

    def frames(self, samples: Tensor) -> Tensor:
        """Compute the convolutions' frames of one clip, [S] -> [T, H]; short clips are padded."""
        samples = F.pad(samples.float(), (0, max(0, 2 * WINDOW - len(samples))))
        model = self.upper.model
        mel = self.mel(samples[None])
        frames: Tensor = F.gelu(model.conv2(F.gelu(model.conv1(mel))))[0].T
        return frames

    def trained_parameters(self) -> list[nn.Parameter]:
        """List the parameters that train."""
        return self.upper.trained_parameters()


def _front(settings: Backbone) -> int:
    """Return the width of the convolutions' frames of a Whisper encoder.

    Raises:
        UsageError: the backbone is of another kind.
    """
    sizes = settings.architecture or find(settings.path).config
    if sizes.get("model_type") != "whisper":
        raise UsageError(
            f"A branch of speech reads Whisper's layers; {settings.path or 'this backbone'} is a "
            f"{sizes.get('model_type')} model. Name whisper-tiny, whisper-base, or a folder of one."
        )
    return int(sizes["d_model"])
