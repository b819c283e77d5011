"""cai_sota: speech emotion recognition with transcription as an auxiliary task.

Xingyu Cai, Jiahong Yuan, Renjie Zheng, Liang Huang, Kenneth Church: "Speech Emotion Recognition
with Multi-Task Learning", Interspeech 2021, as MMER's authors built it again (arXiv 2203.16794).
Tests and known deviations are listed in docs/papers/mmer.md.

Symbols: h [T, H] the backbone's last states of one utterance; alpha the weight of CTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from moodal.core.emotions import Targets
from moodal.core.recipe import Strict
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.speech import SpeechBackbone, build_speech
from moodal.train.data.batch import Batch, Stream, Streams
from moodal.train.data.characters import CHARACTERS
from moodal.train.layers.ctc import ctc, greedy
from moodal.train.layers.losses import per_utterance
from moodal.train.layers.pooling import masked_mean
from moodal.train.systems.system import (
    Objective,
    System,
    require_all,
    require_single,
    require_space,
    require_transcripts,
    require_widths,
    required_features,
)


class Config(Strict):
    """The paper's values; ``mode`` "faithful" includes padding, as published."""

    streams: ClassVar[tuple[str, ...]] = ("speech",)
    mode: Literal["corrected", "faithful"] = "corrected"
    speech: Backbone = Backbone()
    """Without a path the features are used as they are."""
    alpha: float = Field(0.1, ge=0)
    """Weight of CTC; 0 leaves it out."""
    dropout: float = Field(0.1, ge=0, lt=1)


class CaiSota(System):
    """A backbone with two heads: emotions from the mean of h, characters from each h_t.

    Args:
        labels: the C emotions of the head.
        speech: the backbone, whose states are H wide.
        alpha: weight of CTC.
        faithful: padding is averaged in and may be spelled on; CTC is summed over the batch.
    """

    streams = ("speech",)
    multitask = True
    heavy = True
    portable: Config

    def __init__(
        self,
        labels: tuple[str, ...],
        speech: SpeechBackbone,
        *,
        alpha: float = 0.1,
        dropout: float = 0.1,
        faithful: bool = False,
    ):
        super().__init__()
        self.labels, self.alpha, self.dropout, self.faithful = labels, alpha, dropout, faithful
        self.speech = speech
        self.classifier = nn.Linear(speech.width, len(labels))
        self.ctc = nn.Linear(speech.width, len(CHARACTERS))

    @property
    def transcribes(self) -> bool:
        """True where its objective needs transcripts."""
        return self.alpha > 0

    def hear(self, streams: Streams) -> Stream:
        """Compute h [B, T', H]; in faithful mode every clip is as long as the longest."""
        require_all("cai_sota", self.streams, streams)
        h = Stream(*self.speech(*streams["speech"]))
        if self.faithful:
            return Stream(h.values, torch.full_like(h.lengths, h.values.shape[1]))
        return h

    def classify(self, h: Stream) -> Tensor:
        """Compute the logits [B, C] of the mean of h over time."""
        pooled = masked_mean(h.values, h.mask)
        logits: Tensor = self.classifier(F.dropout(pooled, self.dropout, self.training))
        return logits

    def scores(self, streams: Streams, space: Targets) -> Tensor:
        """Compute the logits [B, C] of the trained emotions.

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: speech is absent for some utterance.
        """
        require_space("cai_sota", self.labels, space)
        return self.classify(self.hear(streams))

    def objective(self, batch: Batch, space: Targets) -> Objective:
        """Compute CE + alpha CTC of each utterance [B].

        Raises:
            SpaceError: ``space`` is not the trained one.
            DataError: CTC is asked for and the corpus has no transcripts.
        """
        require_space("cai_sota", self.labels, space)
        h = self.hear(batch.streams)
        each = per_utterance("ce", self.classify(h), batch.targets)
        parts = {"ce": each.detach().mean()}
        if self.transcribes:
            transcripts = require_transcripts("cai_sota", "alpha=0", batch)
            ctc_loss = ctc(self.ctc(h.values), h.lengths, transcripts)
            # as published, a mean of CE is added to a sum of CTC
            count = len(each) if self.faithful else 1
            each = each + self.alpha * count * ctc_loss.each
            parts |= {"ctc": ctc_loss.each.detach().mean(), "ctc_infinite": ctc_loss.infinite}
        return Objective(each, parts)

    def transcribe(self, streams: Streams) -> list[str]:
        """Read the words of each utterance with the CTC head: B texts."""
        h = self.hear(streams)
        return greedy(self.ctc(h.values), h.lengths)

    def backbone_parameters(self) -> list[nn.Parameter]:
        """List the backbone's parameters that train."""
        return self.speech.trained_parameters()


def build(config: Config, widths: Mapping[str, int], space: Targets) -> CaiSota:
    """Build a cai_sota for a corpus's speech (stream -> D) and the emotions of ``space``.

    Raises:
        MissingStreamError: the corpus has no speech.
        SpaceError: an utterance may have several emotions, or a number.
        UsageError: the backbone is not installed, or none is named for a stream of samples.
    """
    require_widths("cai_sota", config.streams, widths)
    require_single("cai_sota", space)
    features = required_features("speech", config.speech, widths["speech"])
    faithful = config.mode == "faithful"
    speech = build_speech(config.speech, widths["speech"], faithful=faithful)
    system = CaiSota(
        space.labels,
        speech,
        alpha=config.alpha,
        dropout=config.dropout,
        faithful=faithful,
    )
    system.features = features
    system.portable = config.model_copy(update={"speech": speech.settings})
    return system
