"""emobox: the probe of EmoBox and SUPERB on a frozen network, and on the learned sum of its layers.

Ziyang Ma, Mingjie Chen, Hezhao Zhang, Zhisheng Zheng, Wenxi Chen, Xiquan Li, Jiaxin Ye, Xie Chen,
Thomas Hain: "EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and Benchmark",
Interspeech 2024, arXiv 2406.07162. Its head is that of SUPERB's emotion recognition (Yang et al.,
Interspeech 2021, arXiv 2105.01051), which reads a learned sum of all layers instead of the last,
and has no ReLU.

Symbols: x_t [H] the network's state of frame t; logits = V mean_t relu(W x_t + b) + c.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from moodal.core.emotions import Targets
from moodal.core.strict import Strict
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.speech import SpeechBackbone
from moodal.train.backbones.text import TextBackbone
from moodal.train.data.batch import Stream, Streams
from moodal.train.layers.pooling import masked_mean
from moodal.train.systems.reader import OneStream, build_reader
from moodal.train.systems.system import System, require_all, require_space


class Config(Strict):
    """The values of EmoBox's code."""

    streams: OneStream = ("speech",)
    speech: Backbone = Backbone()
    """The network of speech; without a path, the features are used as they are."""
    text: Backbone = Backbone()
    """The network of text; without a path, the features are used as they are."""
    hidden: int = Field(256, ge=1)
    """The width of W x."""
    relu: bool = True
    """EmoBox's ReLU; SUPERB has none."""


class Emobox(System):
    """A frame-wise layer, a mean over frames, and a linear layer.

    Args:
        labels: the C emotions or values of the head.
        backbone: of one stream, whose states are H wide.
        hidden: the width of W x.
    """

    heavy = True
    portable: Config

    def __init__(
        self,
        labels: tuple[str, ...],
        backbone: SpeechBackbone | TextBackbone,
        hidden: int = 256,
        *,
        relu: bool = True,
    ):
        super().__init__()
        self.labels, self.streams, self.relu = labels, (backbone.stream,), relu
        self.backbone = backbone
        self.pre_net = nn.Linear(backbone.width, hidden)
        self.post_net = nn.Linear(hidden, len(labels))

    def scores(self, streams: Streams, space: Targets) -> Tensor:
        """Compute the logits [B, C] of the trained emotions.

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: the stream is absent for some utterance.
        """
        require_space("emobox", self.labels, space)
        require_all("emobox", self.streams, streams)
        x = Stream(*self.backbone(*streams[self.streams[0]]))
        frames = self.pre_net(x.values)
        frames = torch.relu(frames) if self.relu else frames
        logits: Tensor = self.post_net(masked_mean(frames, x.mask))
        return logits

    def backbone_parameters(self) -> list[nn.Parameter]:
        """List the backbone's parameters that train."""
        return self.backbone.trained_parameters()


def build(config: Config, widths: Mapping[str, int], space: Targets) -> Emobox:
    """Build the probe of one stream of a corpus (stream -> D) for the emotions of ``space``.

    Raises:
        MissingStreamError: the corpus lacks the stream.
        UsageError: the network is not installed, or none is named for samples or token ids.
    """
    [stream] = config.streams
    settings = config.text if stream == "text" else config.speech
    features, backbone = build_reader("emobox", stream, settings, widths)
    system = Emobox(space.labels, backbone, config.hidden, relu=config.relu)
    system.features = features
    system.portable = config.model_copy(update={stream: backbone.settings})
    return system
