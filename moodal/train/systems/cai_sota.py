"""cai_sota: speech emotion recognition with transcription as an auxiliary task.

Xingyu Cai, Jiahong Yuan, Renjie Zheng, Liang Huang, Kenneth Church: "Speech Emotion Recognition
with Multi-Task Learning", Interspeech 2021, as MMER's authors built it again (arXiv 2203.16794).
Tests and known deviations are listed in docs/papers/mmer.md.

Symbols: h [T, H] the backbone's last states of one utterance; alpha the weight of CTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from moodal.core.emotions import Targets
from moodal.train.backbones.speech import SpeechBackbone
from moodal.train.data.batch import Batch, Stream, Streams
from moodal.train.data.characters import CHARACTERS
from moodal.train.layers.pooling import masked_mean
from moodal.train.systems.system import Objective, require_all, require_space
from moodal.train.systems.transcriber import Transcriber, TranscriberConfig, build_transcriber


class Config(TranscriberConfig):
    """The paper's values; ``mode`` "faithful" includes padding, as published."""

    streams: ClassVar[tuple[str, ...]] = ("speech",)
    alpha: float = Field(0.1, ge=0)
    """Weight of CTC; 0 leaves it out."""
    dropout: float = Field(0.1, ge=0, lt=1)


class CaiSota(Transcriber):
    """A backbone with two heads: emotions from the mean of h, characters from each h_t.

    Args:
        labels: the C emotions of the head.
        speech: the backbone, whose states are H wide.
        alpha: weight of CTC.
        faithful: padding is averaged in and may be spelled on; CTC is summed over the batch.
    """

    name = "cai_sota"
    streams = ("speech",)
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
        require_space(self.name, self.labels, space)
        require_all(self.name, self.streams, streams)
        return self.classify(self.hear(streams["speech"]))

    def objective(self, batch: Batch, space: Targets) -> Objective:
        """Compute CE + alpha CTC of each utterance [B].

        Raises:
            SpaceError: ``space`` is not the trained one.
            DataError: CTC is asked for and the corpus has no transcripts.
        """
        require_space(self.name, self.labels, space)
        require_all(self.name, self.streams, batch.streams)
        h = self.hear(batch.streams["speech"])
        return self.ce_and_ctc(self.classify(h), h, batch, self.alpha, without="alpha=0")


def build(config: Config, widths: Mapping[str, int], space: Targets) -> CaiSota:
    """Build a cai_sota for a corpus's speech (stream -> D) and the emotions of ``space``.

    Raises:
        MoodalError: as of `build_transcriber`.
    """

    def make(speech: SpeechBackbone) -> CaiSota:
        return CaiSota(
            space.labels,
            speech,
            alpha=config.alpha,
            dropout=config.dropout,
            faithful=config.mode == "faithful",
        )

    return build_transcriber(make, "cai_sota", config, widths, space)
