"""Time and memory of one training epoch of MMER at its true size, against a plain loop.

    python benchmarks/mmer_epoch.py [--clips 64] [--form 2022] [--device cuda] [--threads 2]

wav2vec2-base and RoBERTa-base in size, with random weights; clips of 2 to 13 s. The plain loop
does what the published one does: batches of 2 in random order, gradients of 4 added, the whole
of wav2vec2 on the padded samples in each step, eager attention, float32. Then each saving is
added to it, one by one, the last being what the recipes use:

    kept      the convolutional front-end's frames are computed once (that time is told apart)
    buckets   a step's 8 clips are parted by length, at most --max-frames frames at once
    bf16      mixed precision

Each side runs in a process of its own, from the same weights and on the same clips; its time is
that of the epoch's steps and the validation of two clips, its CPU time that and the checkpoint.
RoBERTa's states are computed beforehand in both, as published. Where others use the machine, CPU
time says more.
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

SIDES = ("plain", "kept", "buckets", "bf16")
LABELS = ("happy", "angry", "neutral", "sad")
RATE = 16_000


def clips(count: int):
    """Samples [n] of each clip, its transcript, states of its text and its label."""
    rng = np.random.default_rng(0)
    seconds = rng.uniform(2, 13, count)
    waves = [rng.normal(0, 0.1, int(s * RATE)).astype(np.float32) for s in seconds]
    words = [" ".join(["WORD"] * int(2.5 * s)) for s in seconds]
    states = [rng.normal(size=(int(3.5 * s) + 2, 768)).astype(np.float32) for s in seconds]
    return waves, words, states, rng.integers(0, 4, count)


def manifest(speech, words, states, labels):
    """A corpus whose last two clips validate."""
    from moodal.core.emotions import EmotionSpace
    from moodal.core.manifest import Manifest
    from moodal.core.records import Frames, Utterance

    utterances = tuple(Utterance(str(i), media={"text": text}) for i, text in enumerate(words))
    features = {"text": Frames.from_list(states), "speech": Frames.from_list(speech)}
    space = EmotionSpace(LABELS, "single")
    return Manifest("benchmark", space, utterances, np.eye(4, dtype=np.float32)[labels], features)


def backbone(folder: Path) -> Path:
    """A folder with a wav2vec2 of the base size and random weights."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    Wav2Vec2Model(Wav2Vec2Config(layerdrop=0.0)).save_pretrained(folder)
    return folder


def side(name: str, args: argparse.Namespace) -> dict[str, float]:
    """One epoch of one side: seconds, CPU seconds, peak memory."""
    import torch

    from moodal.core.recipe import Train
    from moodal.train.data.dataset import TensorData
    from moodal.train.encoders import SpeechFrames
    from moodal.train.engine.fit import fit, launch
    from moodal.train.engine.training import Training
    from moodal.train.systems import mmer_2022, mmer_2023

    torch.set_num_threads(args.threads)
    waves, words, states, labels = clips(args.clips)
    out: dict[str, float] = {}
    path = str(args.backbone)
    plain = name == "plain"
    if plain:
        speech = [wave[:, None] for wave in waves]
    else:
        began = time.process_time()
        encoder = SpeechFrames(path=path)
        speech = [encoder.encode(wave) for wave in waves]
        out["front_end_cpu_seconds"] = time.process_time() - began
    corpus = manifest(speech, words, states, labels)
    mmer = mmer_2022 if args.form == "2022" else mmer_2023
    settings = mmer.Config.model_validate(
        {
            "speech": {"path": path},
            "mode": "faithful" if plain else "corrected",
            **({"losses": ["ctc", "supervised"]} if args.form == "2023" else {}),
        }
    )
    torch.manual_seed(0)
    widths = {s: f.width for s, f in corpus.features.items()}
    system = mmer.build(settings, widths, corpus.space)
    if plain:
        system.speech.model.set_attn_implementation("eager")
    bucketed = name in ("buckets", "bf16")
    config = Train(
        epochs=1,
        batch_size=8 if bucketed else 2,
        accumulate=1 if bucketed else 4,
        max_frames=args.max_frames if bucketed else 0,
        lr=1e-5,
        optimiser="adamw",
        loss="ce",
        select="last",
        accelerator="gpu" if args.device == "cuda" else "cpu",
        precision="bf16-mixed" if name == "bf16" else "32-true",
    )
    fabric = launch(config)
    data = TensorData(
        corpus, ("text", "speech"), trim=False, transcripts=True, device=fabric.device
    )
    rows = np.arange(args.clips)
    system_cpu = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        training = Training(fabric, system, corpus.space, data, rows[:-2], rows[-2:], config, place)
        history = fit(training)
    out["cpu_seconds"] = time.process_time() - system_cpu
    out["seconds"] = history[-1]["seconds"]
    out["loss"] = history[-1]["train_loss"]
    if args.device == "cuda":
        out["peak_mb"] = torch.cuda.max_memory_allocated() / 2**20
    else:
        out["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--form", default="2022", choices=("2022", "2023"))
    parser.add_argument("--max-frames", type=int, default=4000)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--backbone", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        print(json.dumps(side(args.side, args)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = backbone(Path(folder) / "wav2vec2-base-size")
        found = {}
        for name in SIDES:
            command = [sys.executable, __file__, *sys.argv[1:], "--side", name]
            done = subprocess.run(
                [*command, "--backbone", str(path)], check=True, stdout=subprocess.PIPE, text=True
            )
            found[name] = json.loads(done.stdout.splitlines()[-1])
            row = found[name]
            ratio, cpu = (found["plain"][what] / row[what] for what in ("seconds", "cpu_seconds"))
            once = row.get("front_end_cpu_seconds", 0)
            print(
                f"{name:8} {row['seconds']:7.1f} s  {ratio:5.2f}x   CPU {row['cpu_seconds']:7.1f} s"
                f"  {cpu:5.2f}x   peak {row['peak_mb']:,.0f} MB"
                + (f"   (front-end, once: CPU {once:.1f} s)" if once else ""),
                flush=True,
            )


if __name__ == "__main__":
    main()
