"""TextBackbone: a BERT-like network, trained with the system on a text's tokens.

Devlin et al., NAACL 2019; Liu et al., "RoBERTa", 2019; and all other bidirectional encoders
of transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from moodal.core.errors import DataError, UsageError
from moodal.modalities.text.xlmr import XlmrTokenizer
from moodal.train.backbones.e5 import read_e5
from moodal.train.backbones.layered import Layered
from moodal.train.backbones.locate import E5_FILE, BackboneFiles, find
from moodal.train.backbones.pretrained import (
    config_of,
    from_architecture,
    from_files,
    quiet,
    sizes_of,
)
from moodal.train.backbones.settings import Backbone

LONGEST = 512
"""Tokens of a text that are read, where the network takes that many; the rest is dropped."""

STACKS = ("encoder.layer", "transformer.layer", "encoder.layers", "layers")
"""Attribute paths of the layers, by family."""


def text_features(settings: Backbone, width: int) -> dict[str, dict[str, Any]]:
    """Determine the encoder that text must have been prepared with, see `System.features`.

    A network that trains reads token ids. Without a path, features of any kind are passed on.

    Args:
        width: values a step of the stream; 1: token ids.

    Raises:
        UsageError: the stream holds token ids, and no network is named.
    """
    if width == 1:
        settings.require("text", "token ids")
    if not settings.path:
        return {}
    return {"text": {"name": "tokens", "parameters": {"path": settings.path}}}


def build_text(settings: Backbone, width: int) -> TextBackbone:
    """Build the backbone of ``settings`` for a stream of ``width`` values a step.

    Args:
        settings: with an ``architecture`` it is built from that, with random weights (which a
            state dict then replaces); else from ``path``; with neither it passes its input on.
        width: 1: the stream holds token numbers, as the encoder ``tokens`` gives them.

    Raises:
        UsageError: there is no such backbone, it does not read text, or the stream holds no tokens.
        DataError: its files are damaged.
    """
    if settings.architecture:
        return TextBackbone(from_architecture(settings.architecture), settings, width)
    if not settings.path:
        return TextBackbone(None, settings, width)
    return TextBackbone(from_files(find(settings.path)), settings, width)


class TextBackbone(Layered):
    """A text network: token numbers -> states of the last layer used.

    With ``layer_sum`` they are the learned sum of the embeddings and all layers' states.

    Args:
        model: transformers' model, or None: the input is passed on.
        settings: layers, and what is frozen; its masks are for speech.
        width: of the stream.

    Attributes:
        width: H, of the states.
        settings: with the architecture filled in.
    """

    stream: ClassVar[str] = "text"
    above = ("final_norm", "final_layer_norm", "norm")

    def __init__(self, model: Any, settings: Backbone, width: int):
        super().__init__()
        self.model, self.settings, self.width = model, settings, width
        if model is None:
            self.read_stored(width)
            return
        name = settings.path or "this backbone"
        config = model.config
        if config.is_encoder_decoder or getattr(config, "is_decoder", False):
            raise UsageError(f"{name} is a {config.model_type} model, no bidirectional encoder.")
        if not hasattr(config, "vocab_size") or hasattr(config, "conv_dim"):
            raise UsageError(f"{name} is a {config.model_type} model, which reads no text.")
        if width != 1:
            raise UsageError(
                f"The text features are {width} wide, but {name} reads token numbers; prepare the "
                f"corpus with text=tokens:path={name}."
            )
        if settings.time_masks or settings.feature_masks:
            raise UsageError("time_masks and feature_masks are for speech; text has none.")
        self.width = int(config.hidden_size)
        if getattr(model, "pooler", None) is not None:
            model.pooler = None  # never used here, so it would only wait for gradients
        self._cut(name)
        self.settings = settings.model_copy(update={"architecture": sizes_of(model)})
        self.adjust(self.settings.freeze)

    def _cut(self, name: str) -> None:
        """Keep the layers used, and freeze layers from below."""
        count, used, config = self.settings.freeze, self.settings.layers, self.model.config
        place = next((p for p in STACKS if _submodule(self.model, p) is not None), None)
        if place is None and (used or count > 0):
            raise UsageError(
                f"The layers of a {config.model_type} model cannot be counted here; leave layers "
                "out, and let freeze be 0 or -1."
            )
        available = config.num_hidden_layers
        if used > available or count > (used or available):
            raise UsageError(
                f"{name} has {available} transformer layers; got layers = {used}, freeze = {count}."
            )
        if place is not None:
            parent, _, attribute = place.rpartition(".")
            stack = cast(nn.ModuleList, _submodule(self.model, place))
            setattr(self.model.get_submodule(parent), attribute, stack[: used or available])
            config.num_hidden_layers = used or available
            self.place = f"model.{place}"
        if count == -1:
            self.frozen = [""]
        elif count:
            self.frozen = ["embeddings"] + [f"{place}.{i}" for i in range(count)]
        for part in self.frozen:
            self.model.get_submodule(part).requires_grad_(False)
        self.train(self.training)

    @property
    def family(self) -> str:
        """The architecture of the network, e.g. "roberta"; "" where there is none."""
        return "" if self.model is None else str(self.model.config.model_type)

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute states [B, L, H], zero beyond [B], from token numbers plus one, [B, L, 1].

        A text of length 0 (absent) stays absent.

        Raises:
            DataError: a number is beyond the vocabulary, so the tokens are of another network.
        """
        if self.model is None:
            return self.stored(values), lengths
        valid = torch.arange(values.shape[1], device=values.device) < lengths[:, None]
        pad = self.model.config.pad_token_id or 0
        ids = torch.where(valid, values[..., 0].round().long() - 1, pad)
        if len(ids) and int(ids.max()) >= self.model.config.vocab_size:
            raise DataError(
                f"Token {int(ids.max())} is beyond the {self.model.config.vocab_size} that "
                f"{self.settings.path or 'this backbone'} has; prepare the corpus with its "
                "tokens."
            )
        # An absent text attends to one step: attention over nothing is not a number.
        seen = valid.clone()
        seen[:, 0] = True
        states = self._states(ids.clamp(min=0), seen.long())
        return states.masked_fill(~valid[..., None], 0.0), lengths

    def states(self, ids: Tensor, layer: int = -1) -> Tensor:
        """Compute token numbers [B, L], all of one length -> [B, L, H] after ``layer`` layers."""
        if layer < 0:
            return self._states(ids, torch.ones_like(ids))
        out = self.model(
            input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True
        )
        return cast(Tensor, out.hidden_states[layer])

    def _states(self, ids: Tensor, mask: Tensor) -> Tensor:
        with self.recorded() as states:
            out = self.model(input_ids=ids, attention_mask=mask)
        return self.summed(states, out.last_hidden_state)


def tokenise(files: BackboneFiles, texts: Sequence[str]) -> list[list[int]]:
    """Return the token numbers of each text, special ones included; none where it has no other.

    Raises:
        DataError: the folder holds no tokeniser that can be read.
    """
    tokenizer, longest = _tokenizer(files)
    bare = tokenizer.num_special_tokens_to_add()
    encoded = tokenizer(list(texts), truncation=True, max_length=longest) if texts else {}
    return [ids if len(ids) > bare else [] for ids in encoded.get("input_ids", [])]


@lru_cache(maxsize=4)
def _tokenizer(files: BackboneFiles) -> tuple[Any, int]:
    """Load the tokeniser, and the number of tokens that its network takes."""
    from transformers import AutoTokenizer

    if files.weights[0].name == E5_FILE:
        file = read_e5(files.weights[0], weights=False)
        return XlmrTokenizer(file.pieces, file.scores, file.special, file.normalised), LONGEST
    folder, name = files.folder, files.name
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # whatever transformers' tokenisers raise
        raise DataError(
            f"{folder} holds no tokeniser that can be read "
            f"({(str(error).splitlines() or ['damaged'])[0][:200]}); fetch {name} whole."
        ) from None
    config = config_of(files.config, name)
    positions = int(getattr(config, "max_position_embeddings", LONGEST))
    if config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer"):
        positions -= 2  # positions are counted from the padding's number
    return tokenizer, min(LONGEST, positions if positions > 0 else LONGEST)


def _submodule(model: nn.Module, place: str) -> nn.ModuleList | None:
    try:
        stack = model.get_submodule(place)
    except AttributeError:
        return None
    return stack if isinstance(stack, nn.ModuleList) else None
