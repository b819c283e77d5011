"""savings/: the files that the authors' command line wrote, for those who build on them.

savings/{dataset}/models/NAME.pt   state dict, a plain pickle of tensors under their names
savings/{dataset}/stats/NAME.pt    arguments and figures, a plain pickle of lists
savings/{dataset}/csv/NAME.csv     the test figures of the best epoch, and the arguments
savings/{dataset}/prepared, runs   moodal's own: features, and runs
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from moodal.core import manifest as manifests
from moodal.core.errors import DataError
from moodal.core.files import replacing
from moodal.evaluation.protocols import zero_shot
from moodal.features import prepare
from moodal.published import eea_weights
from moodal.published.command import best_epoch, write_pickle
from moodal.train.export import artefact

FIGURES = {
    "wacc": ("weighted_accuracy", "binary_accuracy_each"),
    "f1": ("weighted_f1", "weighted_f1_each"),
    "auc": ("auc",),
    "mae": ("mae",),
}
"""A figure's name in the authors' file names -> the metrics that it may be."""


def prepared(args: argparse.Namespace, name: str, out: Path) -> Path:
    """Prepare the command's corpus ``name`` in a folder named after ``out`` and its files.

    A folder of unchanged files is used again. ``processed_datasets/`` in the current folder takes
    precedence over --data-folder, as in the authors' code.
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


def with_extra(prepared: Mapping[str, Path], unseen: str | None, folder: Path) -> Path:
    """Return the corpus, with the rows of an appended emotion (IEMOCAP) where there is one."""
    first, *extra = prepared.values()
    if not extra or unseen is None:
        return first
    out = folder / "prepared" / f"{first.name}-with-{unseen}"
    if not (out / "manifest.json").exists():
        both = zero_shot.append(manifests.read(first), manifests.read(extra[0]), [unseen])
        both.write(out)
    return out


def stem(args: argparse.Namespace) -> str:
    """Name the run of these arguments, and of no others."""
    arguments = {k: str(v) for k, v in vars(args).items() if k != "verbose"}
    digest = hashlib.sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()[:8]
    return f"{args.model}_{args.modalities}_rand{args.seed}_{digest}"


def write(
    folder: Path, run: Path, args: argparse.Namespace, report: dict[str, Any]
) -> Iterator[Path]:
    """Write models, stats and csv as the authors' code did, and yield their paths."""
    system, trained, _ = artefact.load(run / "artefact")
    space = trained.space.select(trained.info.trained)
    widths = {**eea_weights.PUBLISHED_WIDTHS, **trained.info.widths}
    state = OrderedDict(eea_weights.to_authors(system, space, widths))
    test, epochs = figures(report), report["extras"]["epochs"]
    best = int(best_epoch(report)["epoch"]) + 1
    name = _name(args, test, best)
    stats = {
        "args": {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()},
        "train_stats": [row["train_loss"] for row in epochs],
        "valid_stats": [row["valid_loss"] for row in epochs],
        "test_stats": list(test.values()),  # of the best epoch only: test is scored once
        "best_epoch": best,
    }
    yield write_pickle(state, folder / "models" / f"{name}.pt")
    yield write_pickle(stats, folder / "stats" / f"{name}.pt")
    rows = "".join("".join(f"{x:.4f}," for x in row) for row in test.values())
    path = folder / "csv" / f"{name}.csv"
    with replacing(path) as part:
        part.write_text(f"{rows}\n{stats['args']}\n", encoding="utf-8")
    yield path


def figures(report: Mapping[str, Any]) -> dict[str, list[float]]:
    """Collect metric -> its values per emotion and their mean, in the authors' order.

    Undefined values are nan.
    """
    keys = ("weighted_accuracy", "binary_accuracy_each", "weighted_f1", "weighted_f1_each", "auc")
    metrics = {key: report["metrics"][key] for key in keys if key in report["metrics"]}
    entries = {
        key: [*(entry["emotions"][x] for x in report["labels"]), entry["mean"]]
        for key, entry in metrics.items()
        if "emotions" in entry
    }
    if not entries:  # sentiment
        entries = {k: [entry["mean"]] for k, entry in report["metrics"].items() if "mean" in entry}
    return {
        key: [float("nan") if e["value"] is None else e["value"] for e in row]
        for key, row in entries.items()
    }


def _name(args: argparse.Namespace, test: Mapping[str, list[float]], best: int) -> str:
    """Compose the authors' file name: model, figures, epoch, seed, widths, modalities, protocol."""
    parts = [args.model, *([args.fusion] if args.model == "rnn" else [])]
    for short, keys in FIGURES.items():
        key = next((key for key in keys if key in test), None)
        parts += [f"{short}_{test[key][-1]:.4f}"] if key else []
    parts += [f"ep{best}", f"rand{args.seed}", str(args.hidden_sizes), args.modalities]
    parts += ["gru"] * args.gru + ["bi"] * args.bidirectional
    parts += [f"zsl{args.zsl}"] * (args.zsl != -1) + [f"fsl{args.fsl}"] * (args.fsl != -1)
    return "_".join(parts)


def _stamp(root: Path) -> str:
    """Hash the names, sizes and times of a corpus's files."""
    files = sorted(p for p in (root.rglob("*") if root.is_dir() else root.parent.glob("*.pt")))
    stats = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files if p.is_file()]
    return hashlib.sha256(json.dumps(stats).encode()).hexdigest()[:8]
