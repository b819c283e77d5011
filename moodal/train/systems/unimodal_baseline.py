"""unimodal_baseline: a fine-tuned backbone, its mean over time, and one linear layer.

The baseline of Harshvardhan Srivastava, Sreyan Ghosh, S. Umesh: "MMER: Multimodal Multi-task
learning for Emotion Recognition in Spoken Utterances", 2022, arXiv 2203.16794v1, after their
public code. Tests and known deviations are listed in docs/papers/mmer.md.

Symbols: h [T, H] the backbone's last states of one utterance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

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
    """The paper's values; ``mode`` "faithful" averages padding, too, as published."""

    # the paper's two baselines; `branch` reads one modality of any kind
    streams: OneStream = ("speech",)
    mode: Literal["corrected", "faithful"] = "corrected"
    speech: Backbone = Backbone()
    """The backbone of speech; without a path, the features are used as they are."""
    text: Backbone = Backbone()
    """The backbone of text; without a path, the features are used as they are."""
    dropout: float = Field(0.1, ge=0, lt=1)


class UnimodalBaseline(System):
    """A backbone and a linear head: logits = W dropout(mean over time of h) + b.

    Args:
        labels: the C emotions of the head.
        stream: "speech" or "text".
        backbone: of that stream, whose states are H wide.
        faithful: padding is averaged, too.
    """

    heavy = True
    portable: Config

    def __init__(
        self,
        labels: tuple[str, ...],
        stream: str,
        backbone: SpeechBackbone | TextBackbone,
        *,
        dropout: float = 0.1,
        faithful: bool = False,
    ):
        super().__init__()
        self.labels, self.streams, self.faithful = labels, (stream,), faithful
        self.dropout = dropout
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.width, len(labels))

    def scores(self, streams: Streams, space: Targets) -> Tensor:
        """Compute the logits [B, C] of the trained emotions.

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: the stream is absent for some utterance.
        """
        require_space("unimodal_baseline", self.labels, space)
        require_all("unimodal_baseline", self.streams, streams)
        values, lengths = streams[self.streams[0]]
        h = Stream(*self.backbone(values, lengths))
        pooled = masked_mean(h.values, None if self.faithful else h.mask)
        logits: Tensor = self.classifier(F.dropout(pooled, self.dropout, self.training))
        return logits

    def backbone_parameters(self) -> list[nn.Parameter]:
        """List the backbone's parameters that train."""
        return self.backbone.trained_parameters()


def build(config: Config, widths: Mapping[str, int], space: Targets) -> UnimodalBaseline:
    """Build a baseline for one stream of a corpus (stream -> D) and the emotions of ``space``.

    Raises:
        MissingStreamError: the corpus lacks the stream.
        UsageError: the backbone is not installed, or none is named for samples or token ids.
    """
    [stream] = config.streams
    faithful = config.mode == "faithful"
    settings = config.text if stream == "text" else config.speech
    features, backbone = build_reader(
        "unimodal_baseline", stream, settings, widths, faithful=faithful
    )
    system = UnimodalBaseline(
        space.labels,
        stream,
        backbone,
        dropout=config.dropout,
        faithful=faithful,
    )
    system.features = features
    system.portable = config.model_copy(update={stream: backbone.settings})
    return system
