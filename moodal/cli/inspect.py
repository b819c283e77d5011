"""The command `inspect`: what a file or folder holds, said without running anything in it."""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments, default_artefact
from moodal.core.errors import DataError


def inspect_arguments(parser: Arguments) -> None:
    parser.add_argument(
        "path",
        type=Path,
        help='artefact ("default": the one along), prepared folder, run, recipe, checkpoint',
    )


def inspect(args: argparse.Namespace) -> Any:
    found = describe(default_artefact(args.path))
    if not args.json:
        _show_tree(brief(found) if found["kind"] == "artefact" else found)
    return found


def _show_tree(found: dict[str, Any]) -> None:
    from rich.pretty import pprint

    pprint(found, expand_all=len(found) > 20)


def describe(path: Path | str) -> dict[str, Any]:
    """What ``path`` is and holds, as JSON values.

    Knows artefacts, prepared folders, runs, recipes, pickles and checkpoints of the
    authors, HDF5 and safetensors files.

    Raises:
        DataError: nothing is there, or it is nothing that moodal knows.
        UnsafeFileError: a pickle that would run code.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"There is nothing at {path}.")
    if path.is_dir():
        for name, read in _FOLDERS.items():
            if (path / name).exists():
                return read(path)
        raise DataError(
            f"{path} is not a folder that moodal knows: it has none of {', '.join(_FOLDERS)}."
        )
    for endings, read in _FILES.items():
        if path.suffix.lower() in endings:
            return read(path)
    known = ", ".join(e for endings in _FILES for e in endings)
    raise DataError(f"{path}: moodal can inspect folders of its own and files that end in {known}.")


def brief(artefact: dict[str, Any]) -> dict[str, Any]:
    """Of what `inspect` says of an artefact, as much as a screen holds."""
    sizes = artefact["weights"].values()
    values = artefact["thresholds"]["values"]
    keys = ("kind", "verified", "labels", "trained", "task", "vectors", "widths", "licence")
    return {
        **{key: artefact[key] for key in keys if key in artefact},
        "body": {key: artefact["body"][key] for key in ("kind", "name")},
        "parameters": sum(math.prod(size) for size in sizes),
        "corpus": artefact["data"].get("corpus"),
        "protocol": artefact["protocol"].get("name"),
        "stamps": artefact["protocol"].get("stamps", []),
        "thresholds": {k: round(v, 3) for k, v in zip(artefact["labels"], values, strict=True)},
        "test": {
            name: f"{m['value']:.3f} [{m['low']:.3f}, {m['high']:.3f}]"
            for name, m in artefact["metrics"].items()
            if m.get("low") is not None
        },
    }


def _artefact(path: Path) -> dict[str, Any]:
    from moodal.model import artefact

    found = artefact.read(path)
    sizes = {name: list(value.shape) for name, value in found.weights().items()}
    content = found.info.model_dump(mode="json")
    return {"kind": "artefact", **content, "weights": sizes, "verified": True}


def _manifest(path: Path) -> dict[str, Any]:
    from moodal.core import manifest

    found = manifest.read(path)
    head = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    positives = (found.labels > 0).sum(0)
    return {
        "kind": "prepared corpus",
        **head,
        "splits": {str(k): v for k, v in Counter(u.split for u in found.utterances).items()},
        "speakers": len({u.speaker for u in found.utterances} - {None}),
        "positives": dict(zip(found.space.labels, map(int, positives), strict=True)),
        "lengths": {
            stream: {
                "absent": int((frames.lengths == 0).sum()),
                "median": float(sorted(frames.lengths)[len(frames) // 2]) if len(frames) else 0.0,
                "longest": int(frames.lengths.max(initial=0)),
            }
            for stream, frames in found.features.items()
        },
    }


def _run(path: Path) -> dict[str, Any]:
    try:
        recipe = json.loads((path / "recipe.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}/recipe.json cannot be read: {error}.") from None
    curves = path / "epochs.csv"
    epochs = len(curves.read_text(encoding="utf-8").splitlines()) - 1 if curves.exists() else 0
    done = (path / "report.json").exists()
    return {"kind": "run", "finished": done, "epochs": epochs, "recipe": recipe}


def _recipe(path: Path) -> dict[str, Any]:
    from moodal.core import recipe as config

    return {"kind": "recipe", **config.load(path).model_dump(mode="json")}


def _pickle(path: Path) -> dict[str, Any]:
    from moodal.corpora.unpickle import load

    return {"kind": "pickle, read without running it", "holds": _outline(load.load(path))}


def _hdf5(path: Path) -> dict[str, Any]:
    import h5py

    sizes: dict[str, Any] = {}
    try:
        with h5py.File(path, "r") as file:
            file.visititems(
                lambda name, item: (
                    sizes.update({name: list(item.shape)})
                    if isinstance(item, h5py.Dataset)
                    else None
                )
            )
    except OSError as error:
        raise DataError(f"{path} is not an HDF5 file that can be read: {error}.") from None
    return {"kind": "HDF5", "datasets": sizes}


def _safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            sizes = {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is not a safetensors file that can be read: {error}.") from None
    return {"kind": "safetensors", "tensors": sizes}


def _outline(value: Any, depth: int = 4) -> Any:
    """Names, types and shapes, not contents."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"array {list(value.shape)} {value.dtype}"
    if hasattr(value, "__dict__") and not isinstance(value, type):
        value = vars(value)
    if isinstance(value, dict) and depth:
        shown = {str(k): _outline(v, depth - 1) for k, v in list(value.items())[:60]}
        return shown if len(value) <= 60 else {**shown, "...": f"{len(value)} entries in all"}
    if isinstance(value, list | tuple):
        return f"{type(value).__name__} of {len(value)}"
    return value if isinstance(value, str | int | float | bool | None) else type(value).__name__


_FOLDERS = {"artefact.json": _artefact, "manifest.json": _manifest, "recipe.json": _run}
_FILES = {
    (".toml",): _recipe,
    (".pt", ".pth", ".pkl", ".p", ".pickle", ".bin"): _pickle,
    (".h5", ".hdf5"): _hdf5,
    (".safetensors",): _safetensors,
}
