"""savings/: what the authors' command line left behind, for those who build on it.

savings/{dataset}/models/NAME.pt   state dict, a plain pickle of tensors, their names
savings/{dataset}/stats/NAME.pt    arguments and figures, a plain pickle of lists
savings/{dataset}/csv/NAME.csv     the test figures of the best epoch, and the arguments
savings/{dataset}/prepared, runs   moodal's own: features, and runs that go on
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moodal.core import manifest as manifests
from moodal.core.errors import DataError
from moodal.core.files import replacing
from moodal.evaluation.protocols import zero_shot
from moodal.features import prepare
from moodal.published import eea_weights
from moodal.train.engine.selection import merit
from moodal.train.export import artefact


def prepared(args: argparse.Namespace, name: str, out: Path) -> Path:
    """Read the command's corpus ``name`` into ``out``, or find it there, unchanged.

    ``processed_datasets/`` in the current folder goes before --data-folder, as theirs did.
    """
    suffix = "" if args.aligned else "_noalign"
    ready = Path("processed_datasets") / f"{args.dataset}_{args.data_seq_len}_train{suffix}.pt"
    nested = args.data_folder / f"seq_length_{args.data_seq_len}" / "data"
    if ready.exists() and name != "iemocap9":
        corpus, root = "processed", ready
    else:
        corpus, root = name, nested if nested.is_dir() else args.data_folder
    if not root.exists():
        raise DataError(
            f"--data-folder {args.data_folder} is not there; put the corpus's files in it, or the "
            f"ready-made sets in processed_datasets/."
        )
    out = out.with_name(f"{out.name}-{_stamp(root)}")
    if not (out / "manifest.json").exists():
        prepare.prepare(corpus, root, out)
    return out


def with_extra(prepared: dict[str, Path], emotion: str | None, folder: Path) -> Path:
    """The corpus, with the rows of an appended emotion (IEMOCAP) where the command has one."""
    first, *extra = prepared.values()
    if not extra or emotion is None:
        return first
    out = folder / "prepared" / f"{first.name}-with-{emotion}"
    if not (out / "manifest.json").exists():
        both = zero_shot.append(manifests.read(first), manifests.read(extra[0]), [emotion])
        both.write(out)
    return out


def stem(args: argparse.Namespace) -> str:
    """A name for the run of these arguments, and of no others."""
    told = {k: str(v) for k, v in vars(args).items() if k != "verbose"}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]
    return f"{args.model}_{args.modalities}_rand{args.seed}_{digest}"


def write_recipe(recipe: dict[str, Any], path: Path) -> Path:
    """The recipe as a TOML file, for `moodal train`."""
    lines = [f"{k} = {json.dumps(v)}" for k, v in recipe.items() if not isinstance(v, dict)]
    for section, values in recipe.items():
        if isinstance(values, dict):
            lines += ["", f"[{section}]", *(f"{k} = {_toml(v)}" for k, v in values.items())]
    with replacing(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write(
    folder: Path, run: Path, args: argparse.Namespace, report: dict[str, Any]
) -> Iterator[Path]:
    """Write models, stats and csv as theirs; give the paths."""
    system, found, _ = artefact.load(run / "artefact")
    space = found.space.select(found.info.trained)
    widths = {**eea_weights.PUBLISHED_WIDTHS, **found.info.widths}
    state = OrderedDict(eea_weights.to_authors(system, space, widths))
    test = _figures(report)
    epochs = report["extras"]["epochs"]
    select = report["extras"]["recipe"]["train"]["select"]
    best = max(epochs, key=lambda row: merit(select, row))["epoch"] + 1
    name = _name(args, test, int(best))
    stats = {
        "args": {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()},
        "train_stats": [row["train_loss"] for row in epochs],
        "valid_stats": [row["valid_loss"] for row in epochs],
        "test_stats": list(test.values()),  # of the best epoch only: test is scored once
        "best_epoch": int(best),
    }
    yield _dump(state, folder / "models" / f"{name}.pt")
    yield _dump(stats, folder / "stats" / f"{name}.pt")
    rows = "".join("".join(f"{x:.4f}," for x in row) for row in test.values())
    path = folder / "csv" / f"{name}.csv"
    with replacing(path) as part:
        part.write_text(f"{rows}\n{stats['args']}\n", encoding="utf-8")
    yield path


def _figures(report: dict[str, Any]) -> dict[str, list[float]]:
    """Metric -> its values per emotion and their mean, in the authors' order."""
    keys = ("weighted_accuracy", "binary_accuracy_each", "weighted_f1", "weighted_f1_each", "auc")
    found = {}
    for key in keys:
        entry = report["metrics"].get(key)
        if entry and "emotions" in entry:
            entries = (*(entry["emotions"][x] for x in report["labels"]), entry["mean"])
            found[key] = [_number(e["value"]) for e in entries]
    if not found:  # sentiment
        found = {
            key: [_number(entry["mean"]["value"])]
            for key, entry in report["metrics"].items()
            if "mean" in entry
        }
    return found


def _number(value: float | None) -> float:
    """A report's figure; nan where it is undefined."""
    return float("nan") if value is None else value


def _name(args: argparse.Namespace, test: dict[str, list[float]], best: int) -> str:
    """The authors' file name: model, figures, epoch, seed, widths, modalities, protocol."""
    parts = [args.model, *([args.fusion] if args.model == "rnn" else [])]
    for short, keys in {
        "wacc": ("weighted_accuracy", "binary_accuracy_each"),
        "f1": ("weighted_f1", "weighted_f1_each"),
        "auc": ("auc",),
        "mae": ("mae",),
    }.items():
        for key in keys:
            if key in test:
                parts.append(f"{short}_{test[key][-1]:.4f}")
                break
    parts += [f"ep{best}", f"rand{args.seed}", str(args.hidden_sizes), args.modalities]
    parts += ["gru"] * args.gru + ["bi"] * args.bidirectional
    parts += [f"zsl{args.zsl}"] * (args.zsl != -1) + [f"fsl{args.fsl}"] * (args.fsl != -1)
    return "_".join(parts)


def _dump(value: Any, path: Path) -> Path:
    with replacing(path) as part, open(part, "wb") as file:
        pickle.dump(value, file)
    return path


def _stamp(root: Path) -> str:
    """Changes when a file of the corpus does."""
    files = sorted(p for p in (root.rglob("*") if root.is_dir() else root.parent.glob("*.pt")))
    told = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files if p.is_file()]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)
