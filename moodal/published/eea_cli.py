"""The published EEA command line (`python main.py`), word for word, over moodal.

Takes the flags and defaults of the authors' README, trains, validates and tests,
loads their checkpoints, writes under savings/ what theirs wrote, and prints the
moodal command that does the same. Paddings are read as published; nothing is
unpickled freely.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moodal.core.errors import UsageError
from moodal.core.records import STREAMS
from moodal.model import artefact as artefacts
from moodal.published import eea_savings
from moodal.published.import_checkpoint import import_checkpoint, streams_of

ZERO_SHOT = {
    "mosei_emo": dict(enumerate(("anger", "disgust", "fear", "happy", "sad", "surprise"))),
    "iemocap": {1: "excited", 4: "surprised", 5: "frustrated"},
}
"""The emotion that --zsl and --fsl mean by a number."""

CORPORA = {
    ("mosei_emo", True): "mosei",
    ("iemocap", True): "iemocap",
    ("iemocap", False): "iemocap-noalign",
    ("mosi", True): "mosi",
    ("mosi", False): "mosi-noalign",
    ("mosei_senti", True): "mosei-sentiment",
}
"""(--dataset, --aligned) -> moodal's reader."""


def parser() -> argparse.ArgumentParser:
    """The authors' flags, with their defaults."""
    top = argparse.ArgumentParser(
        prog="main.py", description="Multimodal emotion recognition, as published (EEA, 2020)."
    )
    add = top.add_argument
    add("-bs", "--batch-size", type=int, required=True, help="batch size")
    add("-lr", "--learning-rate", type=float, required=True, help="learning rate")
    add("-wd", "--weight-decay", type=float, default=0.0, help="weight decay")
    add("-ep", "--epochs", type=int, required=True, help="number of epochs")
    add("-es", "--early-stop", type=int, default=4, help="epochs without a better validation")
    add("-cu", "--cuda", default="0", help="GPU number; without such a GPU the CPU is used")
    add("-mo", "--model", default="rnn", choices=("eea", "rnn", "mult", "transformer"))
    add("-fu", "--fusion", default="ef", choices=("ef", "lf", "eflf", "ts"), help="of rnn")
    add("-cl", "--clip", type=float, default=-1.0, help="largest gradient norm (below 0: none)")
    add("-sc", "--scheduler", action="store_true", help="lower the rate on a plateau (always on)")
    add("-se", "--seed", type=int, default=0, help="random seed")
    add("-pa", "--patience", type=int, default=6, help="epochs of a plateau")
    add("-ez", "--exclude-zero", action="store_true", help="sentiment: both are always reported")
    add("--loss", default="l1", choices=("l1", "mse", "ce", "bce"), help="loss function")
    add("--optim", default="adam", choices=("adam", "sgd"), help="optimiser")
    add("--threshold", type=float, default=0.5, help="probability from which an emotion counts")
    add("--verbose", action="store_true", help="accepted; the report is always printed")
    add("-mod", "--modalities", default="tav", help="letters of t, a, v")
    add("--valid", action="store_true", help="only score the validation rows of --ckpt")
    add("--test", action="store_true", help="only score the test rows of --ckpt")
    add("--dataset", default="mosei_senti", choices=sorted({name for name, _ in CORPORA}))
    add("--aligned", action="store_true", help="aligned streams")
    add("--data-seq-len", type=int, default=50, help="sequence length of the data")
    add("--data-folder", type=Path, default=Path("data"), help="folder of the corpus")
    add("--glove-emo-path", default="data/glove.emotions.840B.300d.pt", help="emotion vectors")
    add("--cap", action="store_true", help="look emotion words up capitalised")
    add("--iemocap4", action="store_true", help="IEMOCAP's four emotions (the default)")
    add("--iemocap9", action="store_true", help="IEMOCAP's nine emotions")
    add("--zsl", type=int, default=-1, help="number of the emotion that training never sees")
    add("--zsl-test", type=int, default=-1, help="with --test: the emotion that was unseen")
    add("--fsl", type=int, default=-1, help="number of the emotion of which training sees 1%%")
    add("--ckpt", default="", help="checkpoint to start from, or to score")
    add("-dr", "--dropout", type=float, default=0.1, help="dropout")
    add("-nl", "--num-layers", type=int, default=1, help="layers of each RNN")
    add("-hs", "--hidden-size", type=int, default=300, help="width of the early-fusion RNN")
    add(
        "-hss",
        "--hidden-sizes",
        type=int,
        nargs="+",
        default=[256, 64, 32],
        help="text, audio, visual",
    )
    add("-bi", "--bidirectional", action="store_true", help="two directions")
    add("--gru", action="store_true", help="GRU instead of LSTM")
    add("--hidden-dim", type=int, default=40, help="width of the Transformers")
    return top


def main(argv: Sequence[str] | None = None) -> None:
    """Run the authors' command.

    Raises:
        MoodalError: a user's mistake; main.py makes one sentence and an exit code of it.
    """
    from moodal.core import recipe as config
    from moodal.train.experiment.train import train_recipe

    args = parser().parse_args(argv)
    if args.seed < 0:
        raise UsageError(f"--seed must be 0 or more; got {args.seed}.")
    folder = Path("savings") / args.dataset
    prepared = _prepare(args, folder)
    if args.valid or args.test:
        _score(args, folder, prepared)
        return
    recipe = _recipe(args, prepared, folder)
    run = folder / "runs" / eea_savings.stem(args)
    path = eea_savings.write_recipe(recipe, run.with_suffix(".toml"))
    parsed = config.parse(config.Recipe, recipe, str(path))
    initial = None
    if args.ckpt:
        artefact = _import(args, folder, prepared, None)
        from moodal.train.export import artefact as export

        initial = export.load(artefact)[0].state_dict()
    report = train_recipe(parsed, run, initial)
    if report is None:
        return
    _show(report)
    for written in eea_savings.write(folder, run, args, report):
        print(f"Written: {written}")
    if args.ckpt:
        print(f"moodal train does not start from a checkpoint; without {args.ckpt} it would be:")
    _same("train", path, "--out", run)


def _prepare(args: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """The corpora that the command needs, prepared under savings/: name -> folder.

    The authors' ready-made processed_datasets/ are taken where they lie, as theirs were.
    """
    corpus = "iemocap9" if args.iemocap9 else CORPORA.get((args.dataset, args.aligned))
    if corpus is None:
        raise UsageError(f"{args.dataset} has no unaligned version; add --aligned.")
    extra = args.dataset == "iemocap" and max(args.zsl, args.fsl, args.zsl_test) >= 0
    return {
        name: eea_savings.prepared(args, name, folder / "prepared" / name)
        for name in ([corpus, "iemocap9"] if extra else [corpus])
    }


def _emotion(args: argparse.Namespace) -> str | None:
    """The unseen emotion that --zsl, --fsl or --zsl-test names by its number."""
    number = max(args.zsl, args.fsl, args.zsl_test)
    if number < 0:
        return None
    names = ZERO_SHOT.get(args.dataset, {})
    if number not in names:
        known = ", ".join(f"{i} ({name})" for i, name in names.items()) or "none"
        raise UsageError(f"--zsl/--fsl {number}: {args.dataset} has {known}.")
    return names[number]


def _recipe(args: argparse.Namespace, prepared: dict[str, Path], folder: Path) -> dict[str, Any]:
    """The command as a recipe."""
    emotions = args.dataset in ("mosei_emo", "iemocap")
    unseen = _emotion(args)
    recipe: dict[str, Any] = {
        "title": f"main.py --model={args.model} --dataset={args.dataset}",
        "data": {"prepared": str(next(iter(prepared.values()))), "trim_padding": False},
        "system": _system(args),
        "train": {
            "epochs": args.epochs,
            "batch_size": args.batch_size,
            "lr": args.learning_rate,
            "optimiser": args.optim,
            "weight_decay": args.weight_decay,
            "loss": args.loss,
            "clip": args.clip,
            "patience": args.patience,
            "early_stop": args.early_stop,
            "seed": args.seed,
            "accelerator": _device(args.cuda),
            "select": {"mosei_emo": "weighted_accuracy", "iemocap": "binary_accuracy"}.get(
                args.dataset, "loss"
            ),
        },
        "report": {"thresholds": "fixed", "threshold": args.threshold},
    }
    if args.model == "eea":
        if not emotions:
            raise UsageError(
                f"eea scores emotions; {args.dataset} has a sentiment. Use rnn or mult."
            )
        recipe["space"] = {"vectors": args.glove_emo_path, "capitalised": args.cap}
    if unseen:
        name = "zero_shot" if args.zsl >= 0 else "few_shot"
        recipe["protocol"] = {"name": name, "unseen": [unseen]}
        if args.dataset == "iemocap":
            recipe["protocol"]["append_from"] = str(prepared["iemocap9"])
    return recipe


def _system(args: argparse.Namespace) -> dict[str, Any]:
    # whatever the order of the flag's letters, theirs joins text, audio, visual
    streams = [s for s in STREAMS if s in (streams_of(args.modalities) or ())]
    if len(args.hidden_sizes) != 3:
        raise UsageError(f"--hidden-sizes wants three widths; got {len(args.hidden_sizes)}.")
    hidden = dict(zip(("text", "speech", "face"), args.hidden_sizes, strict=True))
    rnn = {
        "hidden": hidden,
        "layers": args.num_layers,
        "bidirectional": args.bidirectional,
        "cell": "gru" if args.gru else "lstm",
        "dropout": args.dropout,
        "last_column": True,
    }
    return {
        "eea": {"name": "eea", "streams": streams, **rnn},
        "rnn": {
            "name": "rnn",
            "streams": streams,
            "fusion": args.fusion,
            "width": args.hidden_size,
            **rnn,
        },
        "mult": {
            "name": "mult",
            "streams": streams,
            "width": args.hidden_dim,
            "last_column": True,
            "heads": 8 if args.dataset == "mosei_senti" else 10,
        },
        "transformer": {"name": "transformer", "streams": streams, "last_column": True},
    }[args.model]


def _device(cuda: str) -> str:
    """The GPU of that number, or the CPU with a word."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", cuda)  # before PyTorch first looks for GPUs
    import torch

    if torch.cuda.is_available():
        return "cuda"
    print(f"--cuda={cuda}: no such GPU here; the CPU does it.", file=sys.stderr)
    return "cpu"


def _import(
    args: argparse.Namespace, folder: Path, prepared: dict[str, Path], out: Path | None
) -> Path:
    """The checkpoint as an artefact; its emotions are the corpus's, less the unseen one."""
    from moodal.core import manifest

    corpus = manifest.read(next(iter(prepared.values())))
    space = corpus.space
    unseen = _emotion(args)
    labels = [x for x in space.labels if x != unseen]
    out = out or folder / "imported" / Path(args.ckpt).stem
    import_checkpoint(
        args.ckpt,
        out,
        labels,
        space.task,
        args.modalities,
        widths={s: f.width for s, f in corpus.features.items()},
        heads=8 if args.dataset == "mosei_senti" else 10,
    )
    return out


def _score(args: argparse.Namespace, folder: Path, prepared: dict[str, Path]) -> None:
    """--valid or --test: score a checkpoint."""
    from moodal.model.evaluate import evaluate, rows_of
    from moodal.train.engine.scorer import load_system

    if not args.ckpt:
        raise UsageError("--valid and --test score a checkpoint; name one with --ckpt.")
    artefact = _import(args, folder, prepared, None)
    split = "valid" if args.valid else "test"
    out = folder / "scored" / f"{Path(args.ckpt).stem}-{split}"
    corpus = eea_savings.with_extra(prepared, _emotion(args), folder)
    vectors = args.glove_emo_path if args.model == "eea" else None
    emotions = None if args.model == "eea" else list(artefacts.read(artefact).info.labels)
    model, rows = load_system(artefact), rows_of(corpus)
    _show(evaluate(model, rows, out, split=split, vectors=vectors, emotions=emotions))
    words = ["--vectors", vectors] if vectors else []
    words += ["--emotions", ",".join(emotions)] if emotions else []
    _same("evaluate", artefact, corpus, "--split", split, *words, "--out", out)


def _same(*words: Path | str) -> None:
    """Print the moodal command that does the same, as a shell takes it."""
    print(f"The same with moodal: {shlex.join(['moodal', *map(str, words)])}")


def _show(report: dict[str, Any]) -> None:
    from moodal.evaluation.report import tables

    tables.show(report)
