"""The published EEA command line (`python main.py`), flag by flag, over moodal.

It takes the flags and defaults of the authors' README, trains, validates and tests, loads their
checkpoints, writes under savings/ what theirs wrote, and prints the moodal command that does the
same. Padding is read as published; no pickle is run.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import moodal
from moodal.core.errors import UsageError
from moodal.core.records import STREAMS
from moodal.corpora.published import iemocap_eea, iemocap_nine
from moodal.corpora.unpickle import load
from moodal.evaluation.report import scores, tables
from moodal.modalities.text.emotion_vectors import word_vectors
from moodal.published import eea_savings, eea_weights
from moodal.published.command import recipe_values, write_recipe
from moodal.published.import_checkpoint import import_checkpoint, streams_of

ZERO_SHOT = {
    "mosei_emo": dict(enumerate(("anger", "disgust", "fear", "happy", "sad", "surprise"))),
    "iemocap": dict(enumerate(iemocap_nine.EMOTIONS)),
}
"""The emotion that --zsl and --fsl mean by a number."""

CLOSED = ("rnn", "mult", "transformer")
"""The models that score only emotions that they were trained on."""

CORPORA = {
    ("mosei_emo", True): "mosei",
    ("iemocap", True): "iemocap",
    ("iemocap", False): "iemocap-noalign",
    ("mosi", True): "mosi",
    ("mosi", False): "mosi-noalign",
    ("mosei_senti", True): "mosei-sentiment",
}
"""(--dataset, --aligned) -> moodal's reader."""

SELECT = {"mosei_emo": "weighted_accuracy", "iemocap": "binary_accuracy"}
"""--dataset -> the validation figure that chooses the epoch (else the loss)."""

KEYS = {
    "epochs": "train.epochs",
    "batch_size": "train.batch_size",
    "learning_rate": "train.lr",
    "optim": "train.optimiser",
    "weight_decay": "train.weight_decay",
    "loss": "train.loss",
    "clip": "train.clip",
    "patience": "train.patience",
    "early_stop": "train.early_stop",
    "seed": "train.seed",
    "threshold": "report.threshold",
}
"""Flag -> the recipe key that it sets; the other flags are read below."""


def parser() -> argparse.ArgumentParser:
    """Make the parser of the authors' flags, with their defaults."""
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
    from moodal.core.recipe import Recipe
    from moodal.core.strict import parse
    from moodal.train.experiment.train import train_recipe
    from moodal.train.export import artefact as export

    args = parser().parse_args(argv)
    if args.seed < 0:
        raise UsageError(f"--seed must be 0 or more; got {args.seed}.")
    folder = Path("savings") / args.dataset
    prepared = _prepare(args, folder)
    if args.valid or args.test:
        _score(args, folder, prepared)
        return
    values = _recipe(args, prepared)
    run = folder / "runs" / eea_savings.stem(args)
    path = write_recipe(values, run.with_suffix(".toml"))
    initial = None
    if args.ckpt:
        initial = export.load(_import(args, folder, prepared))[0].state_dict()
    report = train_recipe(parse(Recipe, values, str(path)), run, initial)
    if report is None:
        return
    tables.show(report)
    for file in eea_savings.write(folder, run, args, report):
        print(f"Written: {file}")
    if args.ckpt:
        print(f"moodal train does not start from a checkpoint; without {args.ckpt} it would be:")
    _print_same("train", path, "--out", run)


def _prepare(args: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """Prepare the corpora that the command needs under savings/, and return name -> folder.

    The authors' ready-made processed_datasets/ are read where they are, as by their code.
    """
    corpus = "iemocap9" if args.iemocap9 else CORPORA.get((args.dataset, args.aligned))
    if corpus is None:
        raise UsageError(f"{args.dataset} has no unaligned version; add --aligned.")
    unseen = _unseen(args)
    own = iemocap_nine.EMOTIONS if args.iemocap9 else iemocap_eea.EMOTIONS
    extra = args.dataset == "iemocap" and unseen and unseen not in own
    prepared = {
        name: eea_savings.prepared(args, name, folder / "prepared" / name)
        for name in ([corpus, "iemocap9"] if extra else [corpus])
    }
    if unseen and args.zsl >= 0 and args.model in CLOSED:
        if extra:
            return {corpus: eea_savings.with_extra(prepared, unseen, folder)}
        return {corpus: eea_savings.without(prepared[corpus], unseen, folder)}
    return prepared


def _unseen(args: argparse.Namespace) -> str | None:
    """Return the unseen emotion that --zsl, --fsl or --zsl-test names by its number."""
    number = max(args.zsl, args.fsl, args.zsl_test)
    if number < 0:
        return None
    names = ZERO_SHOT.get(args.dataset, {})
    if number not in names:
        choices = ", ".join(f"{i} ({name})" for i, name in names.items()) or "none"
        raise UsageError(f"--zsl/--fsl {number}: {args.dataset} has {choices}.")
    return names[number]


def _recipe(args: argparse.Namespace, prepared: Mapping[str, Path]) -> dict[str, Any]:
    """Build the values of the recipe that the command stands for."""
    unseen = _unseen(args)
    settings: dict[str, Any] = {
        "title": f"main.py --model={args.model} --dataset={args.dataset}",
        "data.prepared": str(next(iter(prepared.values()))),
        "data.trim_padding": False,
        "system": _system(args),
        "train.select": SELECT.get(args.dataset, "loss"),
        "train.record": list(eea_savings.recorded(args)),
        "train.accelerator": _device(args.cuda),
        "report.thresholds": "fixed",
    }
    if args.model == "eea":
        if args.dataset not in ZERO_SHOT:
            raise UsageError(
                f"eea scores emotions; {args.dataset} has a sentiment. Use rnn or mult."
            )
        settings["space"] = {"vectors": args.glove_emo_path, "capitalised": args.cap}
    if unseen and not (args.zsl >= 0 and args.model in CLOSED):
        name = "zero_shot" if args.zsl >= 0 else "few_shot"
        settings["protocol"] = {"name": name, "unseen": [unseen]}
        if len(prepared) > 1:
            settings["protocol.append_from"] = str(prepared["iemocap9"])
    return recipe_values(args, KEYS, settings)


def _system(args: argparse.Namespace) -> dict[str, Any]:
    """Build the recipe's [system] section."""
    if len(args.hidden_sizes) != 3:
        raise UsageError(f"--hidden-sizes needs three widths; got {len(args.hidden_sizes)}.")
    # whatever the order of the flag's letters, theirs joins text, audio, visual
    streams = [s for s in STREAMS if s in (streams_of(args.modalities) or ())]
    common = {"name": args.model, "streams": streams, "last_column": True}
    if args.model == "transformer":
        return common
    if args.model == "mult":
        own = {} if args.dataset in ZERO_SHOT else eea_weights.MULT_OF_SENTIMENT
        return common | {"width": args.hidden_dim, "heads": _heads(args), **own}
    rnn = common | {
        "hidden": dict(zip(("text", "speech", "face"), args.hidden_sizes, strict=True)),
        "layers": args.num_layers,
        "bidirectional": args.bidirectional,
        "cell": "gru" if args.gru else "lstm",
        "dropout": args.dropout,
    }
    return rnn if args.model == "eea" else rnn | {"fusion": args.fusion, "width": args.hidden_size}


def _heads(args: argparse.Namespace) -> int:
    """Return the heads of the authors' MulT, which no flag sets."""
    return 8 if args.dataset == "mosei_senti" else 10


def _device(cuda: str) -> str:
    """Choose the GPU of that number, or the CPU with a notice."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", cuda)  # before PyTorch first looks for GPUs
    import torch

    if torch.cuda.is_available():
        return "cuda"
    print(f"--cuda={cuda}: no such GPU here; the CPU does it.", file=sys.stderr)
    return "cpu"


def _import(args: argparse.Namespace, folder: Path, prepared: Mapping[str, Path]) -> Path:
    """Import the checkpoint as an artefact, see `_trained`."""
    from moodal.core import manifest

    corpus = manifest.read(next(iter(prepared.values())))
    out = folder / "imported" / Path(args.ckpt).stem
    import_checkpoint(
        args.ckpt,
        out,
        _trained(args, corpus.space.labels),
        corpus.space.task,
        args.modalities,
        widths={s: f.width for s, f in corpus.features.items()},
        heads=_heads(args),
        threshold=args.threshold,
    )
    return out


def _trained(args: argparse.Namespace, labels: Sequence[str]) -> list[str]:
    """Return the emotions that the checkpoint was trained on.

    They are those of the corpus, without the unseen one or with it, whichever are as many as the
    checkpoint's; else those whose vectors an EEA holds.

    Args:
        labels: the emotions of the corpus.
    """
    state = load.load_state(Path(args.ckpt))
    names = ("textEmoEmbs.weight", "out.3.bias", "out.bias", "out_layer.bias")
    outputs = next((len(state[name]) for name in names if name in state), 0)
    unseen = _unseen(args)
    without = [x for x in labels if x != unseen]
    for emotions in (without, [*labels], [*labels, *([unseen] if unseen else [])]):
        if len(emotions) == outputs:
            return emotions
    vectors = state.get("textEmoEmbs.weight")
    if vectors is None:
        return without
    known = word_vectors(args.glove_emo_path).vectors(labels, capitalised=args.cap)
    if vectors.shape[1] != known.shape[1]:
        return without
    equal = np.isclose(np.asarray(vectors)[:, None], known[None]).all(2)
    if not (equal.sum(1) == 1).all():
        raise UsageError(
            f"{args.ckpt} has {outputs} emotions, and {args.glove_emo_path} does not tell which of "
            f"{', '.join(labels)} they are; name the unseen one with --zsl-test."
        )
    return [labels[column] for column in equal.argmax(1)]


def _score(args: argparse.Namespace, folder: Path, prepared: Mapping[str, Path]) -> None:
    """Score a checkpoint, as --valid and --test ask."""
    if not args.ckpt:
        raise UsageError("--valid and --test score a checkpoint; name one with --ckpt.")
    artefact = _import(args, folder, prepared)
    split = "valid" if args.valid else "test"
    out = folder / "scored" / f"{Path(args.ckpt).stem}-{split}"
    corpus = eea_savings.with_extra(prepared, _unseen(args), folder)
    vectors = args.glove_emo_path if args.model == "eea" else None
    model = moodal.load(artefact)
    emotions = None if args.model == "eea" else list(model.info.labels)
    tables.show(model.evaluate(corpus, out, split=split, vectors=vectors, emotions=emotions))
    scored = scores.load(out)
    rows = eea_savings.figures(args, scored.logits, scored.targets)
    print("".join(f"{x:.4f}," for row in rows for x in row))
    words = ["--vectors", vectors] if vectors else []
    words += ["--emotions", ",".join(emotions)] if emotions else []
    _print_same("evaluate", artefact, corpus, "--split", split, *words, "--out", out)


def _print_same(*words: Path | str) -> None:
    """Print the moodal command that does the same, quoted for a shell."""
    print(f"The same with moodal: {shlex.join(['moodal', *map(str, words)])}")
