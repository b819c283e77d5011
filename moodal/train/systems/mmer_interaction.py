"""The cross-modal interaction of speech and text that the MMER papers of 2022 and 2023 share.

Symbols: h [T, H] the speech backbone's last states; S [L, d] the transcript's states after one
self-attention layer; V1, V2 [T, d] projections of h; P, R [L, d] speech seen from the text and
the text seen through speech; Q [T, d] the text seen from speech; g the gate; f [H + d] the
utterance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn

from moodal.core.emotions import Targets
from moodal.core.errors import UsageError
from moodal.train.backbones.speech import SpeechBackbone
from moodal.train.data.batch import Stream, Streams
from moodal.train.data.characters import CHARACTERS
from moodal.train.layers.bert import BertLayer
from moodal.train.systems.system import require_space, require_widths
from moodal.train.systems.transcriber import Transcriber, TranscriberConfig, build_transcriber


class InteractionConfig(TranscriberConfig):
    """The settings that both papers share; ``mode`` "faithful" computes as the published code."""

    streams: ClassVar[tuple[str, ...]] = ("text", "speech")
    width: int = Field(0, ge=0)
    """d of the fusion (0: the text's)."""
    heads: int = Field(0, ge=0)
    """Heads of its layers (0: one per 64 of the width, 12 of 768)."""
    inner: int = Field(0, ge=0)
    """Hidden width of their feed-forward (0: 4 d)."""
    dropout: float = Field(0.1, ge=0, lt=1)


class InteractionSizes(NamedTuple):
    """The sizes of the fusion: width of the text, d, heads and hidden width of its layers."""

    text: int
    d: int
    heads: int
    inner: int


class EncodedUtterances(NamedTuple):
    """B utterances after the interaction: f [B, H + d], and h with the frames CTC may spell on."""

    f: Tensor
    h: Stream


class CrossModalInteraction(Transcriber):
    """The layers between text and speech, the classifier and the CTC head.

    A subclass, one for each paper, has `read`, with its pooling, and what training lowers.

    Args:
        labels: the C emotions of the head.
        speech: the backbone, whose states are H wide.
        sizes: of the fusion; the heads must divide d.
        dropout: of the layers.
        faithful: compute as the published code does.
    """

    streams = ("text", "speech")

    def __init__(
        self,
        labels: tuple[str, ...],
        speech: SpeechBackbone,
        sizes: InteractionSizes,
        *,
        dropout: float = 0.1,
        faithful: bool = False,
    ):
        super().__init__()
        self.labels, self.faithful = labels, faithful
        h, d = speech.width, sizes.d
        # feature encoders; where the text is not as wide as the fusion, unlike in the papers, it
        # is projected
        self.speech = speech
        self.narrow = nn.Identity() if sizes.text == d else nn.Linear(sizes.text, d)
        # cross-modal interaction
        layers = (BertLayer(d, sizes.heads, sizes.inner, dropout) for _ in range(4))
        self.itself, self.speech_from_text, self.text_from_speech, self.text_through_speech = layers
        self.v1, self.v2 = nn.Linear(h, d), nn.Linear(h, d)
        self.gate = nn.Linear(2 * d, d)
        # prediction
        self.down = nn.Linear(2 * d, d)
        self.classifier = nn.Linear(h + d, len(labels))
        # the auxiliary task of transcription
        self.ctc = nn.Linear(h, len(CHARACTERS))

    def read(self, streams: Streams) -> EncodedUtterances:
        """Compute f of each utterance.

        Raises:
            MissingStreamError: text or speech is absent for some utterance.
        """
        raise NotImplementedError

    def scores(self, streams: Streams, space: Targets) -> Tensor:
        """Compute the logits [B, C] of the trained emotions.

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: text or speech is absent for some utterance.
        """
        require_space(self.name, self.labels, space)
        logits: Tensor = self.classifier(self.read(streams).f)
        return logits

    def fuse(self, text: Stream, h: Tensor, see: Tensor, hear: Tensor | None) -> Tensor:
        """Compute [R ; g P] of each token: [B, L, 2 d].

        Args:
            see: mask [B, L] of attention over the text.
            hear: mask [B, T'] of attention over speech; None: all frames.
        """
        states = self.narrow(text.values)
        s = self.itself(states, states, see)
        p = self.speech_from_text(s, self.v1(h), hear)
        q = self.text_from_speech(self.v2(h), s, see)
        r = self.text_through_speech(s, q, hear)
        g = torch.sigmoid(self.gate(torch.cat([r, p], 2)))
        return torch.cat([r, g * p], 2)


Paper = TypeVar("Paper", bound=CrossModalInteraction)


def build_interaction(
    paper: type[Paper],
    config: InteractionConfig,
    widths: Mapping[str, int],
    space: Targets,
    **own: Any,
) -> Paper:
    """Build the system of one paper for a corpus's text and speech (stream -> D).

    Args:
        own: the arguments that only this paper's system takes.

    Raises:
        MissingStreamError: the corpus lacks text or speech.
        SpaceError: an utterance may have several emotions.
        UsageError: the backbone is not installed, the text is token ids, or the heads do not
            divide the width.
    """
    require_widths(paper.name, config.streams, widths)
    sizes = interaction_sizes(paper.name, config, widths)
    common: dict[str, Any] = {"dropout": config.dropout, "faithful": config.mode == "faithful"}

    def make(speech: SpeechBackbone) -> Paper:
        return paper(space.labels, speech, sizes, **common, **own)

    return build_transcriber(make, paper.name, config, widths, space)


def interaction_sizes(
    name: str, config: InteractionConfig, widths: Mapping[str, int]
) -> InteractionSizes:
    """Determine the sizes of the fusion for a corpus's text and speech (stream -> D).

    Raises:
        UsageError: the text is token ids, or the heads do not divide the width.
    """
    text = widths["text"]
    if text == 1:
        raise UsageError(
            f"{name} reads a text's states, not its token ids: use text=text-backbone."
        )
    d = config.width or text
    if config.heads and d % config.heads:
        raise UsageError(
            f"{name}: system.heads={config.heads} must divide the fusion's width, {d}."
        )
    # one head per 64 of d, or the largest smaller number that divides d
    heads = config.heads or next(n for n in range(max(d // 64, 1), 0, -1) if d % n == 0)
    return InteractionSizes(text, d, heads, config.inner or 4 * d)
