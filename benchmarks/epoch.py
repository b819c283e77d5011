"""Time and memory of one whole epoch of EEA at CMU-MOSEI's size, against a plain loop.

    python benchmarks/epoch.py [--scale 0.1] [--rounds 3] [--device cuda] [--threads 2]
                               [--precision bf16-mixed]

The plain loop does what the published code does: PyTorch's stacked bidirectional
LSTM, a DataLoader with default collation, Adam, clipping, and the validation and
the test rows scored after each epoch. The other side is `moodal.train.engine.fit` as
`moodal train` runs it, checkpoint included; it scores the test rows once, after
training, so not here. Each side's clock starts before its data set and its model
are built and moved to the device. Both see the same rows, start from the same weights, and
run in processes of their own, in turns. Before, one batch through both must give
the same logits and gradients, in single precision; ``--precision`` is that of moodal's loop.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROWS = {"train": 15_290, "valid": 2_291, "test": 4_832}
STEPS = 20
WIDTHS = {"text": 300, "speech": 74, "face": 35}
HIDDEN = {"text": 300, "speech": 200, "face": 100}
LABELS = ("anger", "disgust", "fear", "happy", "sad", "surprise")
BATCH = 64


def corpus(scale: float):
    """A manifest of MOSEI's shape: random frames, one to three emotions in a row."""
    from moodal.core.emotions import EmotionSpace
    from moodal.core.manifest import Manifest
    from moodal.core.records import Frames, Utterance

    rng = np.random.default_rng(0)
    rows = {split: max(BATCH, int(n * scale)) for split, n in ROWS.items()}
    total = sum(rows.values())
    frames = {
        stream: Frames(
            rng.standard_normal((total * STEPS, width), np.float32), np.full(total, STEPS)
        )
        for stream, width in WIDTHS.items()
    }
    labels = (rng.random((total, len(LABELS))) < 0.25).astype(np.float32)
    vectors = rng.standard_normal((len(LABELS), HIDDEN["text"]), np.float32) / 10
    space = EmotionSpace(LABELS, "multi", vectors, "random")
    splits = [split for split, n in rows.items() for _ in range(n)]
    utterances = tuple(Utterance(str(i), split) for i, split in enumerate(splits))
    return Manifest("benchmark", space, utterances, labels, frames, aligned=True)


def published(space, device: str):
    """The published model, written plainly: M stacked LSTMs, two affine maps, M weights."""
    import torch
    from torch import nn

    class Published(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("vectors", torch.from_numpy(space.vectors), persistent=False)
            self.rnn = nn.ModuleDict(
                {
                    m: nn.LSTM(
                        WIDTHS[m],
                        HIDDEN[m],
                        num_layers=2,
                        bidirectional=True,
                        dropout=0.15,
                        batch_first=True,
                    )
                    for m in WIDTHS
                }
            )
            self.affine = nn.ModuleDict(
                {m: nn.Linear(HIDDEN["text"], HIDDEN[m]) for m in ("speech", "face")}
            )
            self.weight = nn.Parameter(torch.full((3,), 1 / 3))

        def forward(self, *inputs):
            scores = []
            for (m, rnn), x in zip(self.rnn.items(), inputs, strict=True):
                last = rnn(x)[0][:, -1]
                r = last[:, : HIDDEN[m]] + last[:, HIDDEN[m] :]
                e = self.vectors if m == "text" else self.affine[m](self.vectors)
                scores.append(r @ e.T)
            return (torch.stack(scores, -1) * self.weight).sum(-1)

    torch.manual_seed(0)
    return Published().to(device)


def ours(space, device: str):
    from moodal.train.systems import eea

    config = eea.Config(hidden=HIDDEN, layers=2, bidirectional=True, dropout=0.15)
    system = eea.build(config, WIDTHS, space).to(device)
    system.load_state_dict(published(space, device).state_dict())
    return system


def plain_epoch(manifest, device: str) -> dict[str, float]:
    """One epoch of the plain loop, and what it took."""
    import torch
    from torch.utils.data import DataLoader, Dataset

    from moodal.train.layers.losses import pos_weight

    class Rows(Dataset):
        """All rows of a split, handed out one by one."""

        def __init__(self, split: str) -> None:
            rows = slice(manifest.rows(split)[0], manifest.rows(split)[-1] + 1)
            self.streams = [
                torch.from_numpy(frames.values).view(len(frames), STEPS, -1)[rows]
                for frames in manifest.features.values()
            ]
            self.labels = torch.from_numpy(manifest.labels[rows])

        def __len__(self) -> int:
            return len(self.labels)

        def __getitem__(self, i: int):
            return (*(stream[i] for stream in self.streams), self.labels[i])

    clock = Clock(device)
    loaders = {
        split: DataLoader(Rows(split), batch_size=BATCH, shuffle=split == "train") for split in ROWS
    }
    model = published(manifest.space, device)
    weight = pos_weight(loaders["train"].dataset.labels).to(device)  # type: ignore[attr-defined]
    loss_of = torch.nn.BCEWithLogitsLoss(pos_weight=weight)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for split, loader in loaders.items():
        model.train(split == "train")
        with torch.set_grad_enabled(split == "train"):
            total, logits, targets = 0.0, [], []
            for *inputs, labels in loader:
                labels = labels.to(device)
                out = model(*(x.to(device) for x in inputs))
                loss = loss_of(out, labels)
                if split == "train":
                    optimiser.zero_grad()
                    loss.backward()
                    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                    optimiser.step()
                total += loss.item() * len(labels)
                logits.append(out.detach().cpu())
                targets.append(labels.cpu())
        torch.cat(logits), torch.cat(targets)
    return clock.taken()


def moodal_epoch(manifest, device: str, precision: str) -> dict[str, float]:
    """One epoch of `fit`, as `moodal train` calls it, and what it took."""
    import torch

    from moodal.core.recipe import Train
    from moodal.train.data.dataset import TensorData
    from moodal.train.engine.fit import fit, launch
    from moodal.train.engine.training import Training
    from moodal.train.layers.losses import pos_weight

    accelerator = "cuda" if device == "cuda" else "cpu"
    config = Train(epochs=1, batch_size=BATCH, accelerator=accelerator, precision=precision)
    fabric = launch(config)
    clock = Clock(device)
    data = TensorData(manifest, list(WIDTHS), trim=False, device=fabric.device)
    system = ours(manifest.space, device)
    train, valid = manifest.rows("train"), manifest.rows("valid")
    weight = pos_weight(data.targets[torch.from_numpy(train).to(fabric.device)])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        training = Training(
            fabric, system, manifest.space, data, train, valid, config, place, weight=weight
        )
        fit(training)
        return clock.taken()


class Clock:
    """Wall and CPU seconds since it was made, and the process's peak memory in bytes."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.began, self.cpu = self._now()

    def _now(self) -> tuple[float, float]:
        import torch

        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter(), time.process_time()

    def taken(self) -> dict[str, float]:
        import torch

        now, cpu = self._now()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        out = {
            "seconds": now - self.began,
            "cpu": cpu - self.cpu,
            "memory": peak * (1 if sys.platform == "darwin" else 1024),
        }
        if self.device == "cuda":
            out["gpu"] = torch.cuda.max_memory_allocated()
        return out


def differences(device: str) -> dict[str, float]:
    """Largest difference of logits and of gradients, relative to the largest of each."""
    import torch

    from moodal.train.data.batch import Stream

    manifest = corpus(0.0)
    plain, system = published(manifest.space, device).eval(), ours(manifest.space, device).eval()
    if device == "cuda":  # cuDNN goes backward in training mode only
        for model in (plain, system):
            model.train()
            for part in model.modules():
                if hasattr(part, "dropout"):
                    part.dropout = 0.0
    rows = BATCH
    inputs = [
        torch.from_numpy(manifest.features[m].values[: rows * STEPS].copy())
        .view(rows, STEPS, -1)
        .to(device)
        for m in WIDTHS
    ]
    targets = torch.from_numpy(manifest.labels[:rows]).to(device)
    lengths = torch.full((rows,), STEPS, device=device)
    streams = {m: Stream(x, lengths) for m, x in zip(WIDTHS, inputs, strict=True)}
    logits = [plain(*inputs), system(streams, manifest.space)]
    for out in logits:
        torch.nn.functional.binary_cross_entropy_with_logits(out, targets).backward()
    own = dict(system.named_parameters())
    worst = 0.0
    for name, parameter in plain.named_parameters():
        wanted = parameter.grad
        got = torch.zeros_like(wanted) if own[name].grad is None else own[name].grad
        scale = max(float(wanted.abs().max()), 1e-12)
        worst = max(worst, float((got - wanted).abs().max()) / scale)
    gap = float((logits[0] - logits[1]).detach().abs().max() / logits[0].detach().abs().max())
    return {"logits": gap, "gradients": worst}


def child(args: argparse.Namespace) -> None:
    """Run one side here, and print what it took as JSON."""
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)
    if args.child == "differences":
        taken = differences(args.device)
    elif args.child == "plain":
        taken = plain_epoch(corpus(args.scale), args.device)
    else:
        taken = moodal_epoch(corpus(args.scale), args.device, args.precision)
    print(json.dumps(taken))


def run(side: str, args: argparse.Namespace) -> dict[str, float]:
    """One side in a process of its own."""
    words = ["--child", side, "--scale", str(args.scale), "--device", args.device]
    words += ["--threads", str(args.threads), "--precision", args.precision]
    done = subprocess.run(
        [sys.executable, __file__, *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    top = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    top.add_argument("--scale", type=float, default=1.0, help="share of MOSEI's rows")
    top.add_argument("--rounds", type=int, default=1, help="turns of each side")
    top.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    top.add_argument("--threads", type=int, default=0, help="PyTorch's threads (0: its default)")
    top.add_argument("--precision", default="32-true", choices=("32-true", "bf16-mixed"))
    top.add_argument("--child", help=argparse.SUPPRESS)
    args = top.parse_args()
    if args.child:
        child(args)
        return
    found = run("differences", args)
    print(
        f"largest relative difference: logits {found['logits']:.1e}, "
        f"gradients {found['gradients']:.1e}"
    )
    sides: dict[str, list[dict[str, float]]] = {"plain": [], "moodal": []}
    for turn in range(args.rounds):
        for side, taken in sides.items():
            taken.append(run(side, args))
            last = taken[-1]
            print(
                f"round {turn + 1}, {side:6}: {last['seconds']:6.1f} s, CPU {last['cpu']:6.1f} s,"
                f" peak {last['memory'] / 2**20:5.0f} MiB",
                flush=True,
            )
    for key, name in (
        ("seconds", "time"),
        ("cpu", "CPU time"),
        ("memory", "peak memory"),
        ("gpu", "peak GPU memory"),
    ):
        if key in sides["plain"][0]:
            best = {side: min(t[key] for t in taken) for side, taken in sides.items()}
            print(f"{name}: plain / moodal = {best['plain'] / best['moodal']:.2f}")


if __name__ == "__main__":
    main()
