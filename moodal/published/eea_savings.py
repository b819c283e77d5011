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
import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core import manifest as manifests
from moodal.core.errors import DataError
from moodal.core.files import replacing
from moodal.evaluation.metrics import METRICS, decide, mean_defined
from moodal.evaluation.protocols import zero_shot
from moodal.evaluation.report import scores
from moodal.features import prepare
from moodal.published import eea_weights
from moodal.published.command import best_epoch, write_pickle
from moodal.train.export import artefact

FIGURES = {
    "mosei_emo": ("weighted_accuracy", "weighted_f1", "auc"),
    "iemocap": ("binary_accuracy", "weighted_f1", "auc"),
}
"""--dataset -> the metrics of each emotion, in the authors' order; else they are of sentiment."""

MATCHES = {"mosei_emo": ("exact_match", "subset_match", "intersect_match_published")}
"""--dataset -> the metrics of whole rows that follow those of each emotion."""

NAMES = {
    "mosei_emo": ("wacc", "f1", "auc"),
    "iemocap": ("wacc", "f1"),
}
"""--dataset -> how file names call the first of `FIGURES`; the authors call accuracy wacc, too."""


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


def without(corpus: Path, unseen: str, folder: Path) -> Path:
    """Return the corpus without an emotion, and without its rows in training and validation."""
    out = folder / "prepared" / f"{corpus.name}-without-{unseen}"
    if not (out / "manifest.json").exists():
        manifest = manifests.read(corpus)
        tested = np.array([u.split == "test" for u in manifest.utterances])
        kept = tested | (manifest.labels[:, manifest.space.index(unseen)] == 0)
        others = [x for x in manifest.space.labels if x != unseen]
        manifest.select(np.flatnonzero(kept)).only(others).write(out)
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
    scored, epochs = scores.load(run), report["extras"]["epochs"]
    test = figures(args, scored.logits, scored.targets)
    best = int(best_epoch(report)["epoch"]) + 1
    name = _name(args, test, best)
    validated = [validation_figures(args, row, trained.info.trained) for row in epochs]
    stats = {
        "args": {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()},
        "train_stats": [row["train_loss"] for row in epochs],
        "valid_stats": validated,
        "test_stats": [test if i == best else None for i in range(1, len(epochs) + 1)],
        "best_valid_stats": best_of(args, validated),
        "best_epoch": best,
    }
    yield write_pickle(state, folder / "models" / f"{name}.pt")
    yield write_pickle(stats, folder / "stats" / f"{name}.pt")
    rows = "".join("".join(f"{x:.4f}," for x in row) for row in test)
    path = folder / "csv" / f"{name}.csv"
    with replacing(path) as part:
        part.write_text(f"{rows}\n{stats['args']}\n", encoding="utf-8")
    yield path


def recorded(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the metrics that `validation_figures` reads, for the recipe's ``train.record``."""
    if args.dataset in FIGURES:
        return (*FIGURES[args.dataset], *MATCHES.get(args.dataset, ()))
    zeros = "_nonzero" if args.exclude_zero else ""
    return ("mae", f"acc2{zeros}", "acc5", "acc7", f"sign_f1{zeros}", "pearson")


def validation_figures(
    args: argparse.Namespace, row: Mapping[str, float], labels: Sequence[str]
) -> list[list[float]]:
    """Return the validation figures of an epoch in the layout of `figures`, decided at 0.5.

    Args:
        args: the command's arguments.
        row: of the learning curves, see `moodal.train.engine.selection.recorded`.
        labels: the trained emotions.
    """
    if args.dataset not in FIGURES:
        return [[row.get(f"valid/{key}/{labels[0]}", math.nan) for key in recorded(args)]]
    rows = []
    for metric in FIGURES[args.dataset]:
        values = np.array([row.get(f"valid/{metric}/{label}", math.nan) for label in labels])
        rows.append(_with_mean(values))
    if matches := MATCHES.get(args.dataset):
        rows.append([row.get(f"valid/{key}", math.nan) for key in matches])
    return rows


def best_of(args: argparse.Namespace, epochs: Sequence[list[list[float]]]) -> list[list[float]]:
    """Return the best of each figure over all epochs: the highest, of MAE the lowest."""
    rows = [np.array(row) for row in zip(*epochs, strict=True)]
    best = [np.fmax.reduce(row, axis=0) for row in rows]
    if args.dataset not in FIGURES:
        best[0][0] = np.fmin.reduce(rows[0][:, 0])
    return [[float(value) for value in row] for row in best]


def figures(args: argparse.Namespace, logits: np.ndarray, targets: np.ndarray) -> list[list[float]]:
    """Compute the figures of some rows as the authors' code did, in its order.

    Each emotion is decided by itself, where its sigmoid exceeds --threshold. Undefined values are
    nan, and a mean is over the defined ones.

    Args:
        args: the command's arguments.
        logits, targets: [N, C].

    Returns:
        Of MOSEI's emotions the weighted accuracy, weighted F1 and AUC, each of every emotion and
        their mean, and [exact, subset, intersect]; of IEMOCAP the accuracy, weighted F1 and AUC;
        of sentiment the one row [MAE, Acc2, Acc5, Acc7, F1, correlation], Acc2 and F1 without
        zeros if --exclude-zero is given.
    """
    if args.dataset not in FIGURES:
        zeros = "_nonzero" if args.exclude_zero else ""
        keys = ("mae", f"acc2{zeros}", "acc5", "acc7", "pearson")
        values = [float(METRICS[key].measure(targets, scores=logits)[0]) for key in keys]
        return [[*values[:-1], _sign_f1(args, logits, targets), values[-1]]]
    decisions = decide(scores.sigmoid(logits), args.threshold)
    rows = []
    for metric in FIGURES[args.dataset]:
        rows.append(
            _with_mean(METRICS[metric].measure(targets, scores=logits, decisions=decisions))
        )
    if matches := MATCHES.get(args.dataset):
        rows.append([float(METRICS[key].measure(targets, decisions=decisions)) for key in matches])
    return rows


def _with_mean(values: np.ndarray) -> list[float]:
    """Return values [C] and their mean over the defined ones."""
    return [*map(float, values), float(mean_defined(values))]


def _sign_f1(args: argparse.Namespace, values: np.ndarray, targets: np.ndarray) -> float:
    """Compute the weighted F1 of signs as published: weighted by the predicted signs' counts."""
    rows = (targets[:, 0] != 0) | (not args.exclude_zero)
    predicted, true = ((x[rows, :1] > 0).astype(np.float64) for x in (values, targets))
    return float(METRICS["weighted_f1"].measure(predicted, decisions=true)[0])


def _name(args: argparse.Namespace, test: Sequence[Sequence[float]], best: int) -> str:
    """Compose the authors' file name: model, figures, epoch, seed, widths, modalities, protocol."""
    parts = [args.model, *([args.fusion] if args.model == "rnn" else [])]
    if args.dataset in NAMES:
        parts += [f"{short}_{test[i][-1]:.4f}" for i, short in enumerate(NAMES[args.dataset])]
    else:
        parts += [f"mae_{test[0][0]:.4f}"]
    parts += [f"ep{best}", f"rand{args.seed}", str(args.hidden_sizes), args.modalities]
    parts += ["gru"] * args.gru + ["bi"] * args.bidirectional
    parts += [f"zsl{args.zsl}"] * (args.zsl != -1) + [f"fsl{args.fsl}"] * (args.fsl != -1)
    return "_".join(parts)


def _stamp(root: Path) -> str:
    """Hash the names, sizes and times of a corpus's files."""
    files = sorted(p for p in (root.rglob("*") if root.is_dir() else root.parent.glob("*.pt")))
    stats = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files if p.is_file()]
    return hashlib.sha256(json.dumps(stats).encode()).hexdigest()[:8]
