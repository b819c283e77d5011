"""Every system on a GPU: does it learn what it learns on the CPU, and how fast are the loops?

    python benchmarks/gpu.py                   on CUDA, under eight minutes
    python benchmarks/gpu.py --device cpu      the comparison alone, of two trainings on the CPU
    python benchmarks/gpu.py --systems eea,mmer --no-loops

Each system is trained for three epochs on a made-up corpus, from the same weights and seed, on the
CPU and on the device. Losses of the epochs and scores of the test are compared: kernels differ in
their last digits, which a training amplifies, so 2 % of a loss and .02 of a probability are
allowed. Then `epoch.py` and `mmer_epoch.py` time moodal's loops and plain ones on the device.
No network is used, and no data but what is made here.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

STREAMS = {"text": 12, "speech": 6, "face": 4}
"""Stream -> values a step."""
ROWS, STEPS = 160, 10
EMOTIONS = ("anger", "happiness", "neutral", "sadness")
LOSS, SCORE = 0.02, 0.02
"""The largest difference of a loss, as a share of it, and of a probability."""

SYSTEMS = {
    "eea": 'system={name="eea", hidden={text=50, speech=16, face=16}}',
    "rnn": 'system={name="rnn", layers=1, hidden={text=16, speech=16, face=16}}',
    "transformer": 'system={name="transformer", streams=["speech"], width=16, heads=2, layers=1}',
    "mult": 'system={name="mult", width=10, heads=2, layers=1}',
    "tfn": 'system={name="tfn", hidden=8, width=8}',
    "self_mm": 'system={name="self_mm"}',
    "branch": 'system={name="branch", streams=["text"], width=8, joint=8}',
    "mmer": 'system={name="mmer", lambda=0.0, width=8}',
    "mmer_2022": 'system={name="mmer_2022", width=8}',
    "cai_sota": 'system={name="cai_sota", alpha=0.0}',
    "unimodal_baseline": 'system={name="unimodal_baseline", streams=["speech"]}',
    "emobox": 'system={name="emobox", streams=["speech"]}',
}
"""Name -> what makes a recipe one of this system."""

MORE = {
    "eea": ["space.vectors=glove-50"],
    "branch": ["space.vectors=glove-50"],
    "self_mm": ["train.loss=bce", "train.weighted=false"],
}
"""Name -> further keys of its recipe."""

RECIPE = """
title = "A made-up corpus"
[data]
prepared = "{prepared}"
[system]
name = "rnn"
[train]
epochs = 3
batch_size = 32
lr = 3e-3
loss = "ce"
select = "loss"
[report]
draws = 0
figures = false
words = false
"""


def write_corpus(folder: Path) -> None:
    """Write a corpus whose streams tell its emotions, with noise."""
    from moodal.core.emotions import EmotionSpace
    from moodal.core.manifest import Manifest
    from moodal.core.records import Frames, Utterance

    rng = np.random.default_rng(0)
    classes = rng.integers(len(EMOTIONS), size=ROWS)
    features = {}
    for stream, width in STREAMS.items():
        means = rng.normal(size=(len(EMOTIONS), width))
        values = means[classes][:, None] + rng.normal(size=(ROWS, STEPS, width))
        features[stream] = Frames.from_list(list(values.astype(np.float32)))
    splits = ["train"] * (ROWS // 2) + ["valid"] * (ROWS // 4) + ["test"] * (ROWS // 4)
    Manifest(
        corpus="made up",
        space=EmotionSpace(EMOTIONS, "single"),
        utterances=tuple(
            Utterance(f"u{i}", split=split, media={"text": "so it goes"})
            for i, split in enumerate(splits)
        ),
        labels=np.eye(len(EMOTIONS), dtype=np.float32)[classes],
        features=features,
        encoders={stream: {"name": "as-given"} for stream in STREAMS},
        aligned=True,
        notes=("Made-up data.",),
    ).write(folder)


def trained(work: Path, name: str, device: str, turn: int) -> tuple[list[float], np.ndarray, float]:
    """Train one system: the loss of each epoch, the test's probabilities [N, C], and seconds."""
    from moodal.evaluation.report import scores
    from moodal.train.experiment.train import train

    out = work / f"{name}-{device}-{turn}"
    keys = [SYSTEMS[name], *MORE.get(name, ()), f"train.accelerator={device}"]
    begun = time.perf_counter()
    report = train(work / "recipe.toml", keys, out)
    seconds = time.perf_counter() - begun
    losses = [float(row["train_loss"]) for row in report["extras"]["epochs"]]
    return losses, scores.load(out).probabilities, seconds


def compared(work: Path, name: str, device: str) -> bool:
    """Train one system on the CPU and on the device, print both, and return whether they agree."""
    (first, mine, took), (second, theirs, other) = (
        trained(work, name, place, turn) for turn, place in enumerate(("cpu", device))
    )
    loss = max(abs(a - b) / max(abs(a), 1e-9) for a, b in zip(first, second, strict=True))
    score = float(np.abs(mine - theirs).max())
    good = bool(np.isfinite(second).all() and loss <= LOSS and score <= SCORE)
    print(
        f"{name:18} loss {first[0]:.3f} to {first[-1]:.3f}, on {device} to {second[-1]:.3f}; "
        f"largest difference {loss:.1e} of a loss, {score:.1e} of a probability; "
        f"{took:.1f} s and {other:.1f} s{'' if good else '   DIFFERENT'}",
        flush=True,
    )
    return good


def loops(device: str) -> None:
    """Time moodal's loops and plain ones, as their own benchmarks do."""
    here = Path(__file__).parent
    commands: dict[str, list[Any]] = {
        "EEA": [here / "epoch.py", "--device", device],
        "MMER": [here / "mmer_epoch.py", "--device", device],
    }
    for name, command in commands.items():
        print(f"\n{name}: {' '.join(map(str, command[1:]))}", flush=True)
        subprocess.run([sys.executable, *map(str, command)], check=True, timeout=180)


def main() -> None:
    """Compare every system, and time the loops."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda", choices=("cpu", "cuda"))
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="names, with commas between")
    parser.add_argument("--no-loops", action="store_true", help="compare the systems alone")
    args = parser.parse_args()
    import torch

    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch finds no CUDA device here; --device cpu compares trainings on the CPU.")
    names = [name for name in args.systems.split(",") if name]
    if unknown := [name for name in names if name not in SYSTEMS]:
        sys.exit(f"There is no system {unknown[0]}; there are {', '.join(SYSTEMS)}.")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_corpus(work / "prepared")
        recipe = RECIPE.format(prepared=work / "prepared")
        (work / "recipe.toml").write_text(recipe, encoding="utf-8")
        different = [name for name in names if not compared(work, name, args.device)]
    if args.device == "cuda" and not args.no_loops:
        loops(args.device)
    if different:
        sys.exit(f"Different on {args.device}: {', '.join(different)}.")


if __name__ == "__main__":
    main()
