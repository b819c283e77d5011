"""branch: one modality mapped into the space of the emotion words, as in EEA.

After Wenliang Dai, Zihan Liu, Tiezheng Yu, Pascale Fung: "Modality-Transferable Emotion
Embeddings for Low-Resource Multimodal Emotion Recognition", AACL-IJCNLP 2020, arXiv 2009.09629,
with a fine-tuned network in place of the LSTM and a mean over steps, so that a logit is a sum
over steps. Branches that were trained separately, on unimodal corpora of different labels, are
fused by `moodal.train.fuse.build`: EEA's sum over modalities.

Symbols: h_t [H] the network's state of step t; v_c [d] the vector of emotion word c; P, W the
projections of states and of words into a common space [J]. Logit_c = (P mean_t h_t + p) . W v_c.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn
from torch.nn import functional as F

from moodal.core.emotions import Targets
from moodal.core.errors import SpaceError, UsageError
from moodal.core.strict import Strict
from moodal.train.backbones.face import SIDE, FaceNetwork
from moodal.train.backbones.frames import FrameNetwork
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.text import TextBackbone, build_text, text_features
from moodal.train.backbones.text_layers import NAME, TextLayers
from moodal.train.backbones.whisper_layers import WhisperLayers
from moodal.train.data.batch import Stream, Streams
from moodal.train.layers.pooling import masked_mean
from moodal.train.systems.system import (
    KeyedScoring,
    StreamNames,
    System,
    require_all,
    require_widths,
)


def _one(streams: tuple[str, ...]) -> tuple[str, ...]:
    if len(streams) != 1:
        raise ValueError("name one stream, such as text, speech or face")
    return streams


class Config(Strict):
    """The network that reads the modality, and its projection into the common space."""

    streams: Annotated[StreamNames, AfterValidator(_one)]
    """The one modality."""
    backbone: Backbone = Backbone()
    """The network of text ("minilm", "e5-small") or speech ("whisper-tiny", "whisper-base"); other
    modalities are trained from scratch."""
    width: int = Field(48, ge=4)
    """Channels of the face network; H of the network that reads other features."""
    joint: int = Field(128, ge=1)
    """J, the width of the common space."""
    identity: bool = False
    """Start from the identity, where states and words come from one network (text: H = J = d);
    an unseen word then starts with its cosine to the text."""
    dropout: float = Field(0.1, ge=0, lt=1)


class BranchSystem(System):
    """A network of one modality whose logits, for any words, are sums over steps.

    Args:
        stream: the modality.
        body: (values [B, T, D], lengths [B]) -> (h [B, T', H], lengths [B]).
        h: H; v: d, the width of the words' vectors; joint: J.
    """

    open_set = True
    heavy = True
    portable: Config

    def __init__(
        self,
        stream: str,
        body: nn.Module,
        h: int,
        v: int,
        joint: int,
        *,
        identity: bool = False,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.streams, self.body, self.dropout = (stream,), body, dropout
        self.states = nn.Linear(h, joint)
        self.words = nn.Linear(v, joint, bias=False)
        if identity:
            nn.init.eye_(self.states.weight)
            nn.init.zeros_(self.states.bias)
            nn.init.eye_(self.words.weight)

    def scores(self, streams: Streams, space: Targets) -> Tensor:
        """Compute the logits [B, C] of the words of ``space``.

        Raises:
            SpaceError: ``space`` has no vectors, or of another width.
            MissingStreamError: the stream is absent for some utterance.
        """
        if space.vectors is None or space.vectors.shape[1] != self.words.in_features:
            raise SpaceError(
                f"branch knows emotions by vectors of {self.words.in_features} values; name their "
                "source in space.vectors."
            )
        require_all("branch", self.streams, streams)
        h = Stream(*self.body(*streams[self.streams[0]]))
        pooled = F.dropout(masked_mean(h.values, h.mask), self.dropout, self.training)
        vectors = torch.from_numpy(space.vectors).to(pooled.device, self.words.weight.dtype)
        logits: Tensor = self.states(pooled.to(self.states.weight.dtype)) @ self.words(vectors).T
        return logits

    def keyed(self) -> KeyedScoring:
        """Return the network of the states and the maps of the words."""
        to_space, offset = self.carried()
        bias = offset.new_zeros(len(to_space))
        return KeyedScoring(self.streams[0], self.body, self.body, to_space, bias, offset)

    def carried(self) -> tuple[Tensor, Tensor]:
        """Return M [H, d] and o [d] of the sum: logit_c = mean_t h_t . M v_c + o . v_c."""
        with torch.no_grad():
            return self.states.weight.T @ self.words.weight, self.states.bias @ self.words.weight

    def backbone_parameters(self) -> list[nn.Parameter]:
        """List the parameters of a pre-trained body; other networks have none."""
        if not isinstance(self.body, WhisperLayers | TextBackbone | TextLayers):
            return []
        return self.body.trained_parameters()


class Body(NamedTuple):
    """The network that reads a modality.

    Attributes:
        network: (values [B, T, D], lengths [B]) -> (h [B, T', H], lengths [B]).
        width: H.
        settings: of its backbone, with the architecture filled in.
        features: the encoder that it needs, see `System.features`.
    """

    network: nn.Module
    width: int
    settings: Backbone
    features: Mapping[str, Mapping[str, Any]] = {}


def _text(config: Config, width: int) -> Body:
    if width > 1 and config.backbone.path == NAME:
        upper = TextLayers(config.backbone, width)
        lower = {"name": "e5", "parameters": {"layers": config.backbone.freeze}}
        return Body(upper, upper.width, upper.settings, {"text": lower})
    body = build_text(config.backbone, width)
    if body.model is None:
        return Body(body, body.width, body.settings)
    own = config.backbone.path in ("", "minilm")  # prediction has MiniLM's tokens without PyTorch
    features = {"text": {"name": "pieces"}} if own else text_features(config.backbone, width)
    return Body(body, body.width, body.settings, features)


def _speech(config: Config, width: int) -> Body:
    if width > 1:  # features, not samples
        return _frames(config, width)
    body = WhisperLayers(config.backbone)
    return Body(body, body.width, body.settings, {"speech": {"name": "spoken"}})


def _face(config: Config, width: int) -> Body:
    if width != SIDE * SIDE:  # features, not pixels
        return _frames(config, width)
    body = FaceNetwork(config.width)
    return Body(body, body.width, config.backbone)


def _frames(config: Config, width: int) -> Body:
    if config.backbone != Backbone():
        raise UsageError(
            "branch reads words or samples with a backbone, and other features without; leave "
            "system.backbone out."
        )
    body = FrameNetwork(width, config.width)
    return Body(body, body.width, config.backbone)


BODIES: dict[str, Callable[[Config, int], Body]] = {
    "text": _text,
    "speech": _speech,
    "face": _face,
}
"""Modality -> the function that builds its network for D values a step (else `_frames`)."""


def build(config: Config, widths: Mapping[str, int], space: Targets) -> BranchSystem:
    """Build a branch for one stream of a corpus (stream -> D) and words as wide as ``space``'s.

    Raises:
        MissingStreamError: the corpus lacks the stream.
        SpaceError: the emotions have no vectors.
        UsageError: a backbone is named for a modality that has none.
    """
    require_widths("branch", config.streams, widths)
    [stream] = config.streams
    if space.vectors is None:
        raise SpaceError("branch knows emotions by their words' vectors; set space.vectors.")
    body = BODIES.get(stream, _frames)(config, widths[stream])
    system = BranchSystem(
        stream,
        body.network,
        body.width,
        space.vectors.shape[1],
        config.joint,
        identity=config.identity,
        dropout=config.dropout,
    )
    system.features = body.features
    system.portable = config.model_copy(update={"backbone": body.settings})
    return system
