"""Build models of transformers, from a folder with weights or from their sizes alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import nn

from moodal.core.errors import DataError, UsageError
from moodal.train.backbones.e5 import read_e5
from moodal.train.backbones.locate import E5_FILE, BackboneFiles
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
"""Keys of a config that are not sizes of the network."""

MAY_MISS = ("masked_spec_embed", "pooler.", "adapter.")
"""Parameters that a checkpoint may lack: none is needed, except by SpecAugment."""


def from_files(files: BackboneFiles) -> nn.Module:
    """Load the model with its weights, float32; of Whisper, the encoder alone.

    Raises:
        DataError: weights are missing, damaged or of other shapes, or would run code.
    """
    if files.weights[0].name.startswith("model.bin"):
        model = from_architecture(files.config)
        model.load_state_dict(packaged(*files.weights))
        return model
    if files.weights[0].name == E5_FILE:
        bert: Any = from_architecture(files.config)
        bert.pooler = None  # its package has none
        bert.load_state_dict(read_e5(files.weights[0]).weights)
        return cast(nn.Module, bert)
    from transformers import AutoModel

    try:
        with quiet():
            # Weights are read from safetensors, or from .bin files without running code in them.
            model, report = AutoModel.from_pretrained(
                files.folder,
                local_files_only=True,
                trust_remote_code=False,
                weights_only=True,
                dtype=torch.float32,
                attn_implementation=_attention(files.family),
                output_loading_info=True,
            )
    except Exception as error:  # whatever json, safetensors, pickle and transformers raise
        raise DataError(
            f"{files.folder} holds no {files.family} model that can be read "
            f"({_first_line(error)}); fetch it again."
        ) from None
    missing = [k for k in sorted(report["missing_keys"]) if not any(m in k for m in MAY_MISS)]
    if missing or report.get("mismatched_keys"):
        raise DataError(
            f"The weights in {files.folder} do not fit its config.json: "
            f"{(missing or [str(k) for k in report['mismatched_keys']])[0]} is missing or of "
            "another shape; fetch it again."
        )
    encoder: nn.Module = model.encoder if files.family == "whisper" else model
    return encoder


def from_architecture(sizes: Mapping[str, Any]) -> nn.Module:
    """Build a model of these sizes with random weights; of Whisper, the encoder alone.

    Raises:
        UsageError: no such architecture, or sizes that it does not take.
    """
    from transformers import AutoModel
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = config_of(sizes, "this architecture")
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
            f"No network of this architecture can be built: {_first_line(error)}."
        ) from None


def config_of(sizes: Mapping[str, Any], name: str) -> Any:
    """Build transformers' config object from the content of a config.json.

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
            f"{name} is not a network that transformers has: {_first_line(error)}."
        ) from None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200].rstrip(".")


def sizes_of(model: Any) -> dict[str, Any]:
    """Return the sizes from which `from_architecture` builds this model again, a JSON object."""
    values = model.config.to_diff_dict()
    kept = {k: v for k, v in values.items() if k not in NOISE}
    return {**kept, "model_type": model.config.model_type}


def _attention(family: str) -> str:
    """Name PyTorch's fused attention where transformers has it for that family."""
    return "eager" if family == "wavlm" else "sdpa"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' progress bars and advice; errors are still raised."""
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
