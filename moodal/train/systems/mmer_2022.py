"""mmer_2022: the first version of MMER, cross-modal attention and CTC.

Harshvardhan Srivastava, Sreyan Ghosh, S. Umesh: "MMER: Multimodal Multi-task learning for Emotion
Recognition in Spoken Utterances", 2022, arXiv 2203.16794v1. Equations, tests and known
deviations are listed in docs/papers/mmer.md.

Symbols: h [T, H] the speech backbone's last states of one utterance; P, R [L, d] speech seen from
the text and the text seen through speech, g the gate between them; f [H + d] the utterance; alpha
the weight of CTC.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field

from moodal.core.emotions import Targets
from moodal.train.backbones.speech import SpeechBackbone
from moodal.train.data.batch import Batch, Streams
from moodal.train.layers.pooling import masked_mean
from moodal.train.systems.mmer_interaction import (
    CrossModalInteraction,
    EncodedUtterances,
    InteractionConfig,
    InteractionSizes,
    build_interaction,
)
from moodal.train.systems.system import Objective, require_all, require_space


class Config(InteractionConfig):
    """The paper's values; ``mode`` "faithful" computes what the published code computes."""

    alpha: float = Field(0.1, ge=0)
    """Weight of CTC; 0 leaves it out."""


class MMER2022(CrossModalInteraction):
    """Text and speech, each seen through the other, and CTC as the auxiliary task.

    Args:
        labels: the C emotions of the head.
        speech: the backbone, whose states are H wide.
        sizes: of the fusion.
        alpha: weight of CTC.
        faithful: padding counts as speech and as text; CTC is summed over the batch.
    """

    name = "mmer_2022"
    portable: Config

    def __init__(
        self,
        labels: tuple[str, ...],
        speech: SpeechBackbone,
        sizes: InteractionSizes,
        *,
        alpha: float = 0.1,
        dropout: float = 0.1,
        faithful: bool = False,
    ):
        super().__init__(labels, speech, sizes, dropout=dropout, faithful=faithful)
        self.alpha = alpha

    @property
    def transcribes(self) -> bool:
        """True where its objective needs transcripts."""
        return self.alpha > 0

    def read(self, streams: Streams) -> EncodedUtterances:
        """Compute f: the means of h and of the fused tokens over their valid steps.

        Raises:
            MissingStreamError: text or speech is absent for some utterance.
        """
        require_all(self.name, self.streams, streams)
        text, h = streams["text"], self.hear(streams["speech"])
        if self.faithful:
            # as published: 1 is added to the scores of valid tokens, speech has no mask, and
            # padding is averaged in
            fused = masked_mean(self.fuse(text, h.values, text.mask.float(), None), None)
        else:
            fused = masked_mean(self.fuse(text, h.values, text.mask, h.mask), text.mask)
        tokens = self.down(fused)
        return EncodedUtterances(torch.cat([masked_mean(h.values, h.mask), tokens], 1), h)

    def objective(self, batch: Batch, space: Targets) -> Objective:
        """Compute CE + alpha CTC of each utterance [B].

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: text or speech is absent for some utterance.
            DataError: CTC is asked for and the corpus has no transcripts.
        """
        require_space(self.name, self.labels, space)
        f, h = self.read(batch.streams)
        return self.ce_and_ctc(self.classifier(f), h, batch, self.alpha, without="alpha=0")


def build(config: Config, widths: Mapping[str, int], space: Targets) -> MMER2022:
    """Build an mmer_2022 for a corpus's text and speech (stream -> D) and its emotions.

    Raises:
        MoodalError: as of `build_interaction`.
    """
    return build_interaction(MMER2022, config, widths, space, alpha=config.alpha)
