"""transformers' models: from a folder with its weights, or from their sizes alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from moodal.core.errors import DataError, UsageError
from moodal.train.backbones.locate import Found
from moodal.train.backbones.whisper import packaged

NOISE = (
    "_name_or_path",
    "transformers_version",
    "architectures",
    "dtype",
    "torch_dtype",
    "attn_implementation",
    "_attn_implementation",
)
"""What a config holds beside a network's sizes."""

MAY_MISS = ("masked_spec_embed", "pooler.", "adapter.")
"""Parameters that a checkpoint may lack: they are not needed, or only by SpecAugment."""


def from_found(found: Found) -> nn.Module:
    """The model in ``found`` with its weights, float32; of Whisper, the encoder alone.

    Raises:
        DataError: weights are missing, damaged, of other shapes, or would run code.
    """
    if found.weights[0].name == "model.bin":
        model = from_architecture(found.config)
        model.load_state_dict(packaged(found.weights[0]))
        return model
    from transformers import AutoModel

    try:
        with quiet():
            # Weights are read from safetensors, or from .bin files without running code in them.
            model, report = AutoModel.from_pretrained(
                found.folder,
                local_files_only=True,
                trust_remote_code=False,
                weights_only=True,
                dtype=torch.float32,
                attn_implementation=_attention(found.family),
                output_loading_info=True,
            )
    except Exception as error:  # whatever json, safetensors, pickle and transformers raise
        raise DataError(
            f"{found.folder} holds no {found.family} model that can be read "
            f"({_first_line(error)}); fetch it anew."
        ) from None
    missing = [k for k in sorted(report["missing_keys"]) if not any(m in k for m in MAY_MISS)]
    if missing or report.get("mismatched_keys"):
        raise DataError(
            f"The weights in {found.folder} do not fit its config.json: "
            f"{(missing or [str(k) for k in report['mismatched_keys']])[0]} is missing or of "
            "another shape; fetch it anew."
        )
    encoder: nn.Module = model.encoder if found.family == "whisper" else model
    return encoder


def from_architecture(sizes: Mapping[str, Any]) -> nn.Module:
    """A model of these sizes with random weights; of Whisper, the encoder alone.

    Raises:
        UsageError: no such architecture, or sizes that it does not take.
    """
    from transformers import AutoModel
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = config_of(sizes, "the architecture given")
    config._attn_implementation = _attention(config.model_type)
    try:
        with quiet():
            if config.model_type == "whisper":
                return WhisperEncoder(config)
            model: nn.Module = AutoModel.from_config(
                config, attn_implementation=config._attn_implementation
            )
            return model
    except Exception as error:  # whatever transformers' modules raise
        raise UsageError(
            f"No network can be built of the architecture given: {_first_line(error)}."
        ) from None


def config_of(sizes: Mapping[str, Any], name: str) -> Any:
    """transformers' config object of what a config.json holds, with its defaults.

    Raises:
        UsageError: no such architecture, or sizes that it does not take.
    """
    from transformers import AutoConfig

    values = {k: v for k, v in sizes.items() if k not in NOISE and k != "model_type"}
    try:
        with quiet():
            return AutoConfig.for_model(str(sizes.get("model_type")), **values)
    except Exception as error:  # whatever transformers' configs raise
        raise UsageError(
            f"{name} is no network that transformers knows: {_first_line(error)}."
        ) from None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200].rstrip(".")


def sizes_of(model: Any) -> dict[str, Any]:
    """What `from_architecture` builds this model from again: a JSON object."""
    values = model.config.to_diff_dict()
    kept = {k: v for k, v in values.items() if k not in NOISE}
    return {**kept, "model_type": model.config.model_type}


def _attention(family: str) -> str:
    """PyTorch's fused attention where transformers has it for that family."""
    return "eager" if family == "wavlm" else "sdpa"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """transformers without its progress bars and advice; errors are raised all the same."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
