"""The command `inspect`: show what a file or folder contains, without running code in it."""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodal.cli.common import Arguments, default_artefact
from moodal.core.errors import DataError

if TYPE_CHECKING:
    from moodal.model.artefact import Artefact

ENTRIES = 60
"""The largest number of entries of a pickled dict that are shown."""


def inspect_arguments(parser: Arguments) -> None:
    """Add the arguments of `inspect`."""
    parser.add_argument(
        "path",
        type=Path,
        help='an artefact ("default": the one in the package), a prepared corpus, a run, a recipe '
        "or a checkpoint",
    )


def inspect(args: argparse.Namespace) -> Any:
    """Show the contents of the path and return them."""
    path = default_artefact(args.path)
    content = describe(path)
    if not args.json:
        _show_tree(brief(path) if content["kind"] == "artefact" else content)
    return content


def _show_tree(content: dict[str, Any]) -> None:
    from rich.pretty import pprint

    pprint(content, expand_all=len(content) > 20)


def describe(path: Path | str) -> dict[str, Any]:
    """Return the kind and the contents of ``path`` as JSON values.

    It may be an artefact, a prepared folder, a run, a recipe, a pickle or checkpoint of the
    authors, an HDF5 file or a safetensors file.

    Raises:
        DataError: the path does not exist, or moodal does not know its kind.
        UnsafeFileError: the file is a pickle that would run code.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"There is no file or folder {path}; check the name.")
    if path.is_dir():
        for name, read in _FOLDERS.items():
            if (path / name).exists():
                return read(path)
        raise DataError(
            f"{path} is not a folder of moodal: it contains none of {', '.join(_FOLDERS)}."
        )
    for endings, read in _FILES.items():
        if path.suffix.lower() in endings:
            return read(path)
    known = ", ".join(ending for endings in _FILES for ending in endings)
    raise DataError(f"{path} cannot be inspected; moodal knows files that end in {known}.")


def brief(folder: Path | str) -> dict[str, Any]:
    """Return a summary of an artefact that fits on a screen.

    Raises:
        DataError: the folder is no artefact, or the artefact is damaged.
    """
    from moodal.model.artefact import read

    artefact = read(folder)
    info = artefact.info
    thresholds = zip(info.labels, info.thresholds.values, strict=True)
    ranges = {value.name: f"{value.low:g} to {value.high:g}" for value in info.values}
    return {
        "kind": "artefact",
        "verified": True,
        "name": info.name,
        "scored by": info.kind,
        "labels": list(info.labels),
        "trained": list(info.trained),
        "task": info.task,
        "vectors": info.vectors,
        "widths": info.widths,
        "parameters": sum(math.prod(shape) for shape in _shapes(artefact).values()),
        "corpus": info.data.corpus,
        "protocol": info.protocol.name,
        "stamps": list(info.protocol.stamps),
        "licence": info.licence,
        **({"values": ranges} if ranges else {"thresholds": _rounded(thresholds)}),
        "test": {name: figure for name, m in info.metrics.items() if (figure := _figure(m))},
    }


def _rounded(thresholds: Iterable[tuple[str, float]]) -> dict[str, float]:
    return {label: round(value, 3) for label, value in thresholds}


def _figure(metric: dict[str, Any]) -> str:
    """Write out a metric with its interval; "" if it has none."""
    numbers = [metric.get(key) for key in ("value", "low", "high")]
    if not all(isinstance(number, int | float) for number in numbers):
        return ""
    value, low, high = numbers
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _artefact(path: Path) -> dict[str, Any]:
    from moodal.model.artefact import read

    artefact = read(path)
    content = artefact.info.model_dump(mode="json")
    return {"kind": "artefact", **content, "weights": _shapes(artefact), "verified": True}


def _shapes(artefact: Artefact) -> dict[str, list[int]]:
    return {name: list(values.shape) for name, values in artefact.weights().items()}


def _manifest(path: Path) -> dict[str, Any]:
    from moodal.core import manifest
    from moodal.core.emotions import Values

    corpus = manifest.read(path)
    header = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    if isinstance(corpus.space, Values):
        labels = {"means": [round(float(x), 4) for x in corpus.labels.mean(0)]}
    else:
        labels = {"positives": [int(x) for x in (corpus.labels > 0).sum(0)]}
    return {
        "kind": "prepared corpus",
        **header,
        "splits": {str(k): v for k, v in Counter(u.split for u in corpus.utterances).items()},
        "speakers": len({u.speaker for u in corpus.utterances} - {None}),
        **{k: dict(zip(corpus.space.labels, v, strict=True)) for k, v in labels.items()},
        "lengths": {
            stream: {
                "absent": int((frames.lengths == 0).sum()),
                "median": float(sorted(frames.lengths)[len(frames) // 2]) if len(frames) else 0.0,
                "longest": int(frames.lengths.max(initial=0)),
            }
            for stream, frames in corpus.features.items()
        },
    }


def _run(path: Path) -> dict[str, Any]:
    try:
        recipe = json.loads((path / "recipe.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}/recipe.json cannot be read: {error}.") from None
    curves = path / "epochs.csv"
    epochs = len(curves.read_text(encoding="utf-8").splitlines()) - 1 if curves.exists() else 0
    finished = (path / "report.json").exists()
    return {"kind": "run", "finished": finished, "epochs": epochs, "recipe": recipe}


def _recipe(path: Path) -> dict[str, Any]:
    from moodal.core import recipe as recipes

    recipe = recipes.read(path)
    fused = isinstance(recipe, recipes.FusionRecipe)
    kind = "recipe of a fused artefact" if fused else "recipe"
    return {"kind": kind, **recipe.model_dump(mode="json")}


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
    """Return names, types and shapes of a value's parts instead of their contents."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"array {list(value.shape)} {value.dtype}"
    if hasattr(value, "__dict__") and not isinstance(value, type):
        value = vars(value)
    if isinstance(value, dict) and depth:
        shown = {str(k): _outline(v, depth - 1) for k, v in list(value.items())[:ENTRIES]}
        more = {"...": f"{len(value)} entries in all"} if len(value) > ENTRIES else {}
        return shown | more
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
