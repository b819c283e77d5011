"""MMER: multimodal multi-task learning for speech emotion recognition.

Sreyan Ghosh, Utkarsh Tyagi, S. Ramaneswaran, Harshvardhan Srivastava, Dinesh Manocha: "MMER:
Multimodal Multi-task Learning for Speech Emotion Recognition", Interspeech 2023, arXiv
2203.16794, and its first form, Srivastava, Ghosh, Umesh, 2022 (version 1 there). Equations,
tests and known deviations are listed in docs/papers/mmer.md.

Symbols: h [T, H] the speech backbone's last states; S [L, d] the transcript's states after one
self-attention layer; P, R [L, d] speech seen from the text and the text seen through speech;
Q [T, d] the text seen from speech; g the gate; f [H + d] the utterance; z, z' [d] its projection
and that of its second view; lambda the weight of the auxiliary losses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import UsageError
from moodal.core.recipe import Strict
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.speech import build_speech
from moodal.train.data.batch import Batch, Stream, Streams
from moodal.train.data.characters import CHARACTERS
from moodal.train.layers.bert import BertLayer
from moodal.train.layers.contrastive import between_views, supervised, supervised_published
from moodal.train.layers.ctc import ctc, greedy
from moodal.train.layers.losses import per_utterance
from moodal.train.layers.pooling import masked_max, masked_mean
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

Auxiliary = Literal["ctc", "supervised", "augmentation"]


class Config(Strict):
    """The paper's values; ``mode`` "faithful" computes what the published code computes."""

    model_config = ConfigDict(populate_by_name=True)

    streams: ClassVar[tuple[str, ...]] = ("text", "speech")
    mode: Literal["corrected", "faithful"] = "corrected"
    form: Literal["2022", "2023"] = "2023"
    """2022: mean pooling, CE + alpha CTC. 2023: max pooling, CE + lambda (the ``losses``)."""
    speech: Backbone = Backbone()
    """Without a path the features are used as they are."""
    width: int = Field(0, ge=0)
    """d of the fusion (0: the text's)."""
    heads: int = Field(0, ge=0)
    """Of its layers (0: one per 64 of the width, 12 of 768)."""
    inner: int = Field(0, ge=0)
    """Hidden width of their feed-forward (0: 4 d)."""
    dropout: float = Field(0.1, ge=0, lt=1)
    alpha: float = Field(0.1, ge=0)
    """Weight of CTC in the form of 2022."""
    lambda_: float = Field(0.1, ge=0, alias="lambda")
    """Weight of the auxiliary losses in the form of 2023."""
    losses: tuple[Auxiliary, ...] = Field(("ctc", "supervised", "augmentation"), strict=False)
    """Which auxiliary losses the form of 2023 has."""
    temperature: float = Field(0.07, gt=0)
    """Of the contrastive losses."""


class Read(NamedTuple):
    """One view of B utterances: f [B, H + d], and h with the frames that CTC may spell on."""

    f: Tensor
    h: Stream


class MMER(System):
    """Text and speech, each seen through the other, and up to three auxiliary losses.

    Args:
        labels: the C emotions of the head.
        speech: (values [B, T, D], lengths [B]) -> (h [B, T', H], lengths [B]).
        h: H.
        text: width of the transcript's states.
        d: width of the fusion; ``heads`` must divide it.
        inner: hidden width of the layers' feed-forward.
        form: "2022" or "2023".
        weights: "ctc", "supervised", "augmentation" -> weight in the loss; absent: left out.
        faithful: as the published code computes.
    """

    streams = ("text", "speech")
    multitask = True
    heavy = True
    portable: Config

    def __init__(
        self,
        labels: tuple[str, ...],
        speech: nn.Module,
        h: int,
        text: int,
        d: int,
        heads: int,
        inner: int,
        *,
        form: str = "2023",
        weights: Mapping[str, float],
        temperature: float = 0.07,
        dropout: float = 0.1,
        faithful: bool = False,
    ):
        super().__init__()
        self.labels, self.form, self.faithful = labels, form, faithful
        self.weights, self.temperature = dict(weights), temperature
        self.speech = speech
        # not in the paper, where the text is as wide as the fusion
        self.narrow = nn.Identity() if text == d else nn.Linear(text, d)
        # cross-modal interaction
        layers = (BertLayer(d, heads, inner, dropout) for _ in range(4))
        self.itself, self.speech_from_text, self.text_from_speech, self.text_through_speech = layers
        self.v1, self.v2 = nn.Linear(h, d), nn.Linear(h, d)
        self.gate = nn.Linear(2 * d, d)
        self.down = nn.Linear(2 * d, d)
        self.classifier = nn.Linear(h + d, len(labels))
        # auxiliary tasks
        self.ctc = nn.Linear(h, len(CHARACTERS))
        if form == "2023":
            self.project, self.project_view = (
                nn.Sequential(nn.Linear(h + d, d), nn.GELU(), nn.Linear(d, d)) for _ in range(2)
            )

    @property
    def transcribes(self) -> bool:
        """Whether its objective wants transcripts."""
        return "ctc" in self.weights

    @property
    def second_views(self) -> bool:
        """Whether its objective has a use for second views."""
        return "augmentation" in self.weights

    def hear(self, stream: Stream) -> Stream:
        """h [B, T', H], with the frames that are each clip's own.

        The published code of 2022 takes padding for speech; that of 2023 lets the backbone hear
        it, and knows afterwards.
        """
        h = Stream(*self.speech(*stream))
        if not self.faithful:
            return h
        whole = torch.full_like(h.lengths, h.values.shape[1])
        return Stream(h.values, whole if self.form == "2022" else self._own(stream, whole))

    def _own(self, stream: Stream, whole: Tensor) -> Tensor:
        """Frames of each clip's own samples, where a backbone that sees no mask made them."""
        lengths: Any = stream.lengths
        model: Any = getattr(self.speech, "model", None)
        if stream.values.shape[2] == 1 and hasattr(model, "_get_feat_extract_output_lengths"):
            lengths = model._get_feat_extract_output_lengths(lengths).clamp(min=1)
        return torch.minimum(lengths.to(whole), whole)

    def fuse(self, text: Stream, h: Stream) -> Tensor:
        """[R ; g P] of each token: [B, L, 2 d]."""
        see: Tensor = text.mask
        hear: Tensor | None = h.mask
        if self.faithful and self.form == "2022":
            see, hear = see.float(), None  # added to the scores as 0 and 1; no mask on speech
        states = self.narrow(text.values)
        s = self.itself(states, states, see)
        p = self.speech_from_text(s, self.v1(h.values), hear)
        q = self.text_from_speech(self.v2(h.values), s, see)
        r = self.text_through_speech(s, q, hear)
        g = torch.sigmoid(self.gate(torch.cat([r, p], 2)))
        return torch.cat([r, g * p], 2)

    def read(self, streams: Streams) -> Read:
        """f: h and the fused tokens, each pooled over its valid steps.

        Raises:
            MissingStreamError: text or speech is absent for some utterance.
        """
        require_all("mmer", self.streams, streams)
        text, h = streams["text"], self.hear(streams["speech"])
        fused = self.fuse(text, h)
        pool = masked_mean if self.form == "2022" else masked_max
        published = self.faithful and self.form == "2022"  # padding averaged in
        tokens = self.down(pool(fused, None if published else text.mask))
        return Read(torch.cat([pool(h.values, h.mask), tokens], 1), h)

    def scores(self, streams: Streams, space: EmotionSpace) -> Tensor:
        """Logits [B, C] of the trained emotions.

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: text or speech is absent for some utterance.
        """
        require_space("mmer", self.labels, space)
        logits: Tensor = self.classifier(self.read(streams).f)
        return logits

    def objective(self, batch: Batch, space: EmotionSpace) -> Objective:
        """CE and the auxiliary losses, weighted, of each utterance [B].

        Without second views in the batch there is no augmentation loss.

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: text or speech is absent for some utterance.
            DataError: CTC is asked for and the corpus has no transcripts.
        """
        require_space("mmer", self.labels, space)
        f, h = self.read(batch.streams)
        each = per_utterance("ce", self.classifier(f), batch.targets)
        terms, counts = {"ce": each}, {}
        if self.transcribes:
            off = "alpha=0" if self.form == "2022" else 'losses=["supervised", "augmentation"]'
            spelled = ctc(self.ctc(h.values), h.lengths, require_transcripts("mmer", off, batch))
            # as published, a mean of CE is added to a sum of CTC
            each = each + self.weights["ctc"] * (len(f) if self.faithful else 1) * spelled.each
            terms["ctc"], counts["ctc_infinite"] = spelled.each, spelled.infinite
        for name, term in self._contrast(f, batch).items():
            each = each + self.weights[name] * term
            terms[name] = term
        return Objective(each, {n: t.detach().mean() for n, t in terms.items()} | counts)

    def _contrast(self, f: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The contrastive terms [B] that are asked for and that the batch allows."""
        terms: dict[str, Tensor] = {}
        views = batch.views if "augmentation" in self.weights else None
        if "supervised" not in self.weights and views is None:
            return terms
        z = self.project(f)
        if "supervised" in self.weights:
            contrast = supervised_published if self.faithful else supervised
            terms["supervised"] = contrast(z, batch.targets.argmax(1), self.temperature)
        if views is not None:
            other = self.project_view(self.read({**batch.streams, **views}).f)
            unit = not self.faithful
            terms["augmentation"] = between_views(z, other, self.temperature, unit=unit)
        return terms

    def transcribe(self, streams: Streams) -> list[str]:
        """What the CTC head reads in each utterance: B texts."""
        require_all("mmer", ("speech",), streams)
        h = self.hear(streams["speech"])
        return greedy(self.ctc(h.values), h.lengths)

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The backbone's parameters that train."""
        return [p for p in self.speech.parameters() if p.requires_grad]


def build(config: Config, widths: Mapping[str, int], space: EmotionSpace) -> MMER:
    """An MMER for a corpus's text and speech (stream -> D) and the emotions of ``space``.

    Raises:
        MissingStreamError: the corpus lacks text or speech.
        SpaceError: an utterance may have several emotions, or a number.
        UsageError: the backbone is not here, the text is token ids, or the heads do not divide
            the width.
    """
    require_widths("mmer", config.streams, widths)
    require_single("mmer", space)
    features = required_features("speech", config.speech, widths["speech"])
    if widths["text"] == 1:
        raise UsageError("mmer reads a text's states, not its token ids: use text=text-backbone.")
    d = config.width or widths["text"]
    faithful = config.mode == "faithful"
    speech = build_speech(config.speech, widths["speech"], faithful=faithful)
    built = MMER(
        space.labels,
        speech,
        speech.width,
        widths["text"],
        d,
        _heads(config.heads, d),
        config.inner or 4 * d,
        form=config.form,
        weights=_weights(config.form, config.alpha, config.lambda_, config.losses),
        temperature=config.temperature,
        dropout=config.dropout,
        faithful=faithful,
    )
    built.features = features
    built.portable = config.model_copy(update={"speech": speech.settings})
    return built


def _heads(heads: int, d: int) -> int:
    """As asked for, or one per 64 of ``d``, or the next fewer that divide it."""
    if heads and d % heads:
        raise UsageError(f"mmer: system.heads={heads} must divide the fusion's width, {d}.")
    return heads or next(n for n in range(max(d // 64, 1), 0, -1) if d % n == 0)


def _weights(form: str, alpha: float, weight: float, losses: Sequence[str]) -> dict[str, float]:
    """Auxiliary loss -> its weight; those of weight 0 are not computed."""
    named = {"ctc": alpha} if form == "2022" else dict.fromkeys(losses, weight)
    return {name: value for name, value in named.items() if value > 0}
