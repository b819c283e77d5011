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

from moodal.core.emotions import Targets, Values
from moodal.core.errors import UsageError
from moodal.core.targets import JointTargets
from moodal.train.backbones.speech import SpeechBackbone
from moodal.train.data.batch import Batch, Stream, Streams
from moodal.train.layers.contrastive import between_views, supervised, supervised_published
from moodal.train.layers.pooling import masked_max
from moodal.train.systems.mmer_interaction import (
    CrossModalInteraction,
    EncodedUtterances,
    InteractionConfig,
    InteractionSizes,
    build_interaction,
)
from moodal.train.systems.system import Objective, require_all, require_space

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
        without = 'losses=["supervised", "augmentation"]'
        each, parts = self.ce_and_ctc(self.classifier(f), h, batch, self.weight, without)
        for name, term in self._contrastive(f, batch, space).items():
            each = each + self.weight * term
            parts[name] = term.detach().mean()
        return Objective(each, parts)

    def _contrastive(self, f: Tensor, batch: Batch, space: Targets) -> dict[str, Tensor]:
        """Compute the contrastive terms [B] that are asked for and that the batch allows."""
        terms: dict[str, Tensor] = {}
        views = batch.views if self.second_views else None
        if "supervised" not in self.losses and views is None:
            return terms
        z = self.project(f)
        if "supervised" in self.losses:
            contrast = supervised_published if self.faithful else supervised
            words = space.words if isinstance(space, JointTargets) else space
            emotions = batch.targets[:, : len(words)].argmax(1)
            terms["supervised"] = contrast(z, emotions, self.temperature)
        if views is not None:
            z_view = self.project_view(self.read({**batch.streams, **views}).f)
            unit = not self.faithful
            terms["augmentation"] = between_views(z, z_view, self.temperature, unit=unit)
        return terms


def build(config: Config, widths: Mapping[str, int], space: Targets) -> MMER:
    """Build an mmer for a corpus's text and speech (stream -> D) and the emotions of ``space``.

    Raises:
        MoodalError: as of `build_interaction`.
        UsageError: the supervised contrastive loss is asked for, and there are no emotions.
    """
    if isinstance(space, Values) and config.lambda_ and "supervised" in config.losses:
        raise UsageError(
            "mmer contrasts utterances of different emotions (system.losses has supervised), and "
            f"{', '.join(space.labels)} are values; leave that loss out of system.losses."
        )
    own = {
        "losses": config.losses,
        "weight": config.lambda_,
        "temperature": config.temperature,
    }
    return build_interaction(MMER, config, widths, space, **own)
