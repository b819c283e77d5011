"""The command `inspect`: show what a file or folder contains, without running code in it."""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodal.cli.common import Arguments, artefact_path, default_artefact
from moodal.core.errors import DataError
from moodal.core.files import load_json
from moodal.core.guard import line

if TYPE_CHECKING:
    from moodal.model.artefact import Artefact

ENTRIES = 60
"""The largest number of entries of a pickled dict that are shown."""


def inspect_arguments(parser: Arguments) -> None:
    """Add the arguments of `inspect`."""
    parser.add_argument(
        "path",
        type=artefact_path,
        help='an artefact ("default": the one in the package; hf://owner/name@revision: of the '
        "hub), a prepared corpus, a run, a recipe or a checkpoint",
    )


def inspect(args: argparse.Namespace) -> Any:
    """Show the contents of the path and return them."""
    path = default_artefact(args.path)
    content = describe(path)
    if args.json:
        return content
    if content["kind"] == "artefact":
        _show_summary(brief(path))
    else:
        _show_tree(content)
    return content


def _show_tree(content: dict[str, Any]) -> None:
    from rich.pretty import pprint

    pprint(content, expand_all=len(content) > 20)


def _show_summary(content: dict[str, Any]) -> None:
    """Print a row for each fact; a fact of several parts has a line for each part."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in content.items():
        if value not in ("", None, [], {}):
            table.add_row(Text(line(name)), Text(line(_in_words(value))))
    Console().print(table)


def _in_words(value: Any) -> str:
    """Write a fact as text: lists with commas, parts by name on lines of their own."""
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_in_words(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


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
    if info.kind == "fused":
        return _brief_fused(artefact)
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


def _brief_fused(artefact: Artefact) -> dict[str, Any]:
    """Return a summary of a fused artefact: its branches, their figures, and their sums."""
    from moodal.model.adapted_notes import correction_note
    from moodal.model.card import figures_of, head_figures, measured_sets
    from moodal.model.graph import graph_parameters
    from moodal.model.levelled import level_note

    info, body = artefact.info, artefact.fused
    branches = body.branches
    adapted = {m: list(b.adapted) for m, b in branches.items() if b.adapted}
    sets = {
        name: f"accuracy {figures.accuracy:.3f}, ECE {figures.ece:.3f}, decided "
        f"{figures.decided:.0%} of {figures.rows:,} rows"
        f"{', made up of several corpora' if figures.made_up else ''}"
        for name, figures in measured_sets(body).items()
    }
    return {
        "kind": "artefact",
        "verified": True,
        "name": info.name,
        "scored by": info.kind,
        "labels": list(info.labels),
        "learned": {m: list(b.learned) for m, b in branches.items()},
        "adapted": adapted,
        **({"level": level_note(body.level)} if body.level else {}),
        **({"corrections": correction_note(body.corrections)} if body.corrections else {}),
        "task": info.task,
        "vectors": info.vectors,
        "parameters": {m: graph_parameters(artefact.file(b.graph)) for m, b in branches.items()},
        "corpus": {m: b.corpus for m, b in branches.items()},
        "stamps": list(info.protocol.stamps),
        "licence": {"weights": info.licence, **{m: b.licence for m, b in branches.items()}},
        "decides": {name: f"from {least:.0%}" for name, least in body.decides.items()},
        "thresholds": {
            m: ", ".join(f"{word} {value:.2f}" for word, value in b.thresholds.items())
            for m, b in branches.items()
            if b.thresholds
        },
        "test": {m: "; ".join(figures_of(b.test)) for m, b in branches.items() if b.test},
        "fused": sets,
        "heads": {
            f"{kind} of {m}": f"{head.corpus}, {head.licence} ({head.file}); r on test rows: "
            + ", ".join(head_figures(head.test))
            for kind, m, head in body.heads
        },
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
    header = load_json(path / "manifest.json")
    labels: dict[str, dict[str, float]] = {}
    if not isinstance(corpus.space, Values):
        positives = (corpus.labels > 0).sum(0)
        labels["positives"] = dict(zip(corpus.space.labels, positives.tolist(), strict=True))
    if isinstance(corpus.space, Values) or corpus.ratings is not None:
        means = (round(float(x), 4) for x in corpus.rated.labels.mean(0))
        labels["means"] = dict(zip(corpus.rated.space.labels, means, strict=True))
    return {
        "kind": "prepared corpus",
        **header,
        "splits": {str(k): v for k, v in Counter(u.split for u in corpus.utterances).items()},
        "speakers": len({u.speaker for u in corpus.utterances} - {None}),
        **labels,
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
        recipe = load_json(path / "recipe.json")
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
    except (OSError, RuntimeError, ValueError, LookupError) as error:
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
