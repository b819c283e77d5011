"""mmer: MMER as published in 2023, cross-modal attention and three auxiliary tasks.

Sreyan Ghosh, Utkarsh Tyagi, S. Ramaneswaran, Harshvardhan Srivastava, Dinesh Manocha: "MMER:
Multimodal Multi-task Learning for Speech Emotion Recognition", Interspeech 2023, arXiv
2203.16794. Equations, tests and known deviations are listed in docs/papers/mmer.md.

Symbols: h [T, H] the speech backbone's last states of one utterance; P, R [L, d] speech seen from
the text and the text seen through speech, g the gate between them; f [H + d] the utterance; z, z'
[d] its projection and that of its second view; lambda the weight of the auxiliary losses, tau the
temperature of the contrastive ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from moodal.core.emotions import Targets
from moodal.train.backbones.speech import SpeechBackbone, build_speech
from moodal.train.data.batch import Batch, Stream, Streams
from moodal.train.layers.contrastive import between_views, supervised, supervised_published
from moodal.train.layers.ctc import ctc
from moodal.train.layers.losses import per_utterance
from moodal.train.layers.pooling import masked_max
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

Auxiliary = Literal["ctc", "supervised", "augmentation"]


class Config(InteractionConfig):
    """The paper's values; ``mode`` "faithful" computes what the published code computes."""

    model_config = ConfigDict(populate_by_name=True)

    lambda_: float = Field(0.1, ge=0, alias="lambda")
    """Weight of the auxiliary losses; 0 leaves them out."""
    losses: tuple[Auxiliary, ...] = Field(("ctc", "supervised", "augmentation"), strict=False)
    """Which auxiliary losses there are; the paper's ablations leave one out."""
    temperature: float = Field(0.07, gt=0)
    """tau of the contrastive losses."""


class MMER(CrossModalInteraction):
    """Text and speech, each seen through the other, and up to three auxiliary losses.

    Args:
        labels: the C emotions of the head.
        speech: the backbone, whose states are H wide.
        sizes: of the fusion.
        losses: any of "ctc", "supervised" and "augmentation".
        weight: lambda, of each of them.
        temperature: tau.
        faithful: compute as the published code does, see docs/papers/mmer.md.
    """

    name = "mmer"
    portable: Config

    def __init__(
        self,
        labels: tuple[str, ...],
        speech: SpeechBackbone,
        sizes: InteractionSizes,
        *,
        losses: Sequence[str] = ("ctc", "supervised", "augmentation"),
        weight: float = 0.1,
        temperature: float = 0.07,
        dropout: float = 0.1,
        faithful: bool = False,
    ):
        super().__init__(labels, speech, sizes, dropout=dropout, faithful=faithful)
        self.losses = frozenset(losses if weight > 0 else ())
        self.weight, self.temperature = weight, temperature
        # the projections of the contrastive tasks: z of the utterance, z' of its second view
        h, d = speech.width, sizes.d
        self.project, self.project_view = (
            nn.Sequential(nn.Linear(h + d, d), nn.GELU(), nn.Linear(d, d)) for _ in range(2)
        )

    @property
    def transcribes(self) -> bool:
        """True where its objective needs transcripts."""
        return "ctc" in self.losses

    @property
    def second_views(self) -> bool:
        """True where its objective makes use of second views."""
        return "augmentation" in self.losses

    def hear(self, stream: Stream) -> Stream:
        """Compute h [B, T', H], with the frames that belong to each clip.

        In faithful mode the backbone hears the padding too, which is masked only afterwards.
        """
        h = Stream(*self.speech(*stream))
        if not self.faithful:
            return h
        whole = torch.full_like(h.lengths, h.values.shape[1])
        return Stream(h.values, torch.minimum(self.speech.frames_of(stream.lengths), whole))

    def read(self, streams: Streams) -> EncodedUtterances:
        """Compute f: the maxima of h and of the fused tokens over their valid steps.

        Raises:
            MissingStreamError: text or speech is absent for some utterance.
        """
        require_all(self.name, self.streams, streams)
        text, h = streams["text"], self.hear(streams["speech"])
        fused = self.fuse(text, h.values, text.mask, h.mask)
        tokens = self.down(masked_max(fused, text.mask))
        return EncodedUtterances(torch.cat([masked_max(h.values, h.mask), tokens], 1), h)

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
        """Compute CE + lambda (CTC + supervised + augmentation) of each utterance [B].

        Without second views in the batch there is no augmentation loss.

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: text or speech is absent for some utterance.
            DataError: CTC is asked for and the corpus has no transcripts.
        """
        require_space(self.name, self.labels, space)
        f, h = self.read(batch.streams)
        each = per_utterance("ce", self.classifier(f), batch.targets)
        terms, counts = {"ce": each}, {}
        if self.transcribes:
            without = 'losses=["supervised", "augmentation"]'
            transcripts = require_transcripts(self.name, without, batch)
            ctc_loss = ctc(self.ctc(h.values), h.lengths, transcripts)
            # as published, a mean of CE is added to a sum of CTC
            each = each + self.weight * (len(f) if self.faithful else 1) * ctc_loss.each
            terms["ctc"], counts["ctc_infinite"] = ctc_loss.each, ctc_loss.infinite
        for name, term in self._contrastive(f, batch).items():
            each = each + self.weight * term
            terms[name] = term
        return Objective(each, {n: t.detach().mean() for n, t in terms.items()} | counts)

    def _contrastive(self, f: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Compute the contrastive terms [B] that are asked for and that the batch allows."""
        terms: dict[str, Tensor] = {}
        views = batch.views if self.second_views else None
        if "supervised" not in self.losses and views is None:
            return terms
        z = self.project(f)
        if "supervised" in self.losses:
            contrast = supervised_published if self.faithful else supervised
            terms["supervised"] = contrast(z, batch.targets.argmax(1), self.temperature)
        if views is not None:
            z_view = self.project_view(self.read({**batch.streams, **views}).f)
            unit = not self.faithful
            terms["augmentation"] = between_views(z, z_view, self.temperature, unit=unit)
        return terms


def build(config: Config, widths: Mapping[str, int], space: Targets) -> MMER:
    """Build an mmer for a corpus's text and speech (stream -> D) and the emotions of ``space``.

    Raises:
        MissingStreamError: the corpus lacks text or speech.
        SpaceError: an utterance may have several emotions, or a number.
        UsageError: the backbone is not installed, the text is token ids, or the heads do not
            divide the width.
    """
    require_widths("mmer", config.streams, widths)
    require_single("mmer", space)
    features = required_features("speech", config.speech, widths["speech"])
    sizes = interaction_sizes("mmer", config, widths)
    faithful = config.mode == "faithful"
    speech = build_speech(config.speech, widths["speech"], faithful=faithful)
    system = MMER(
        space.labels,
        speech,
        sizes,
        losses=config.losses,
        weight=config.lambda_,
        temperature=config.temperature,
        dropout=config.dropout,
        faithful=faithful,
    )
    system.features = features
    system.portable = config.model_copy(update={"speech": speech.settings})
    return system
