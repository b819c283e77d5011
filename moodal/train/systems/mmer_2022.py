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
from torch import Tensor

from moodal.core.emotions import Targets
from moodal.train.backbones.speech import SpeechBackbone, build_speech
from moodal.train.data.batch import Batch, Stream, Streams
from moodal.train.layers.ctc import ctc
from moodal.train.layers.losses import per_utterance
from moodal.train.layers.pooling import masked_mean
from moodal.train.systems.mmer_interaction import (
    CrossModalInteraction,
    EncodedUtterances,
    InteractionConfig,
    InteractionSizes,
    interaction_sizes,
)
from moodal.train.systems.system import (
    Objective,
    require_all,
    require_single,
    require_space,
    require_transcripts,
    require_widths,
    required_features,
)


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

    def hear(self, stream: Stream) -> Stream:
        """Compute h [B, T', H]; in faithful mode every clip is as long as the longest."""
        h = Stream(*self.speech(*stream))
        if self.faithful:
            return Stream(h.values, torch.full_like(h.lengths, h.values.shape[1]))
        return h

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

    def scores(self, streams: Streams, space: Targets) -> Tensor:
        """Compute the logits [B, C] of the trained emotions.

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: text or speech is absent for some utterance.
        """
        require_space(self.name, self.labels, space)
        logits: Tensor = self.classifier(self.read(streams).f)
        return logits

    def objective(self, batch: Batch, space: Targets) -> Objective:
        """Compute CE + alpha CTC of each utterance [B].

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: text or speech is absent for some utterance.
            DataError: CTC is asked for and the corpus has no transcripts.
        """
        require_space(self.name, self.labels, space)
        f, h = self.read(batch.streams)
        each = per_utterance("ce", self.classifier(f), batch.targets)
        parts = {"ce": each.detach().mean()}
        if self.transcribes:
            transcripts = require_transcripts(self.name, "alpha=0", batch)
            ctc_loss = ctc(self.ctc(h.values), h.lengths, transcripts)
            # as published, a mean of CE is added to a sum of CTC
            each = each + self.alpha * (len(f) if self.faithful else 1) * ctc_loss.each
            parts |= {"ctc": ctc_loss.each.detach().mean(), "ctc_infinite": ctc_loss.infinite}
        return Objective(each, parts)


def build(config: Config, widths: Mapping[str, int], space: Targets) -> MMER2022:
    """Build an mmer_2022 for a corpus's text and speech (stream -> D) and its emotions.

    Raises:
        MissingStreamError: the corpus lacks text or speech.
        SpaceError: an utterance may have several emotions, or a number.
        UsageError: the backbone is not installed, the text is token ids, or the heads do not
            divide the width.
    """
    require_widths("mmer_2022", config.streams, widths)
    require_single("mmer_2022", space)
    features = required_features("speech", config.speech, widths["speech"])
    sizes = interaction_sizes("mmer_2022", config, widths)
    faithful = config.mode == "faithful"
    speech = build_speech(config.speech, widths["speech"], faithful=faithful)
    system = MMER2022(
        space.labels,
        speech,
        sizes,
        alpha=config.alpha,
        dropout=config.dropout,
        faithful=faithful,
    )
    system.features = features
    system.portable = config.model_copy(update={"speech": speech.settings})
    return system
