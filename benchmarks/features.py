"""How fast the features of a corpus are computed, by the number of processes.

    python benchmarks/features.py [--clips 240] [--jobs 1 2]
                                  [--encoder speech-backbone:path=whisper-tiny,layer=3]

Clips of 2 to 8 s of noise are written, and prepared as a table by `moodal prepare` in a process of
its own, once for each number of processes, into an empty store each time. The start (of a corpus of
two clips) is told apart, and the last figures are those without it.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
ENCODER = "speech-backbone:path=whisper-tiny,layer=3"


def write_corpus(folder: Path, count: int) -> float:
    """Write a table and its clips; return the seconds of sound."""
    rng = np.random.default_rng(0)
    lengths = rng.uniform(2, 8, count)
    with (folder / "table.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "audio", "label"])
        for i, seconds in enumerate(lengths):
            samples = rng.normal(0, 0.1, int(seconds * RATE)).astype(np.float32)
            soundfile.write(folder / f"{i}.wav", samples, RATE)
            table.writerow([i, f"{i}.wav", "joy" if i % 2 else "anger"])
    return float(lengths.sum())


def seconds_of(corpus: Path, out: Path, encoder: str, jobs: int) -> float:
    """Prepare the corpus into an empty folder; return the seconds that it took."""
    command = [sys.executable, "-m", "moodal", "prepare", "table", str(corpus / "table.csv")]
    command += [str(out), "--encoder", f"speech={encoder}", "--jobs", str(jobs)]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Print a line for each number of processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=240)
    parser.add_argument("--encoder", default=ENCODER)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        some, every = folder / "some", folder / "every"
        for corpus in (some, every):
            corpus.mkdir()
        write_corpus(some, 2)
        sound = write_corpus(every, args.clips)
        seconds_of(some, folder / "warm" / "out", args.encoder, 1)
        alone = 0.0
        for jobs in args.jobs:
            start = seconds_of(some, folder / f"{jobs}-some" / "out", args.encoder, jobs)
            whole = seconds_of(every, folder / f"{jobs}-every" / "out", args.encoder, jobs)
            rate = sound / (whole - start)
            alone = alone or rate
            print(
                f"{jobs} processes: {whole:6.1f} s for {sound:.0f} s of sound; "
                f"without the start of {start:.1f} s {rate:5.1f} times real time, "
                f"{rate / alone:.2f} of {args.jobs[0]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
