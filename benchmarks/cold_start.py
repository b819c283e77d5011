"""The cold start of `moodal predict` on 5 s of sound with its text, against other checkouts.

    python benchmarks/cold_start.py [--rounds 7] [--threads 1] [--other CHECKOUT ...] [--stages]

Each round starts a process for this checkout, for each of the others, and for the limits below
which none can come: Python with the packages that sound and its text need. Given are the medians of
time and CPU time, and the ratio of CPU times to this checkout's; where others use the machine, CPU
time says more. Bytecode and the user's cache are in folders of the benchmark, and are written in a
round that is not counted. ``--stages`` gives the CPU time of what a start is made of, one after the
other; checkouts of another layout cannot be asked for it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TEXT = "We won, and I am so happy! How dare you touch that!"
LIMITS = {
    "Python alone": "pass",
    "and NumPy, ONNX Runtime": "import numpy, onnxruntime",
    "and soundfile, soxr": "import numpy, onnxruntime, soundfile, soxr",
    "and PyAV": "import numpy, onnxruntime, soundfile, soxr, av",
    "and pydantic, rich": "import numpy, onnxruntime, soundfile, soxr; from pydantic import "
    "BaseModel, Field; from rich.console import Console; from rich.table import Table",
}


STAGES = f"""
import json, sys, time
marks, last = {{}}, 0.0
def mark(name):
    global last
    now = time.process_time()
    marks[name], last = 1e3 * (now - last), now
mark("Python")
import numpy, onnxruntime, soundfile, soxr
mark("NumPy, ONNX Runtime, soundfile, soxr")
import pydantic, rich.console, rich.table
from pydantic import BaseModel, Field
mark("pydantic, rich")
import moodal.cli.main, moodal.loading, moodal.model.batch, moodal.output.terminal
mark("modules of moodal")
model = moodal.load()
mark("artefact read and verified")
from moodal.modalities.text import e5, language
e5.tokenizer()
mark("vocabulary and tokeniser")
language._detector()
mark("model of languages")
e5._LOWER.get(), [model.scorer.branches[m]._session.get() for m in ("text", "speech")]
mark("three networks opened")
answer = model.predict("short.wav", text={TEXT!r})
mark("answer")
from moodal.output.terminal import show
show([answer])
mark("table")
print(json.dumps(marks), file=sys.stderr)
"""


class Run(NamedTuple):
    """What one process took: seconds, CPU seconds, and its peak in MB."""

    wall: float
    cpu: float
    peak: float


def environment(checkout: Path, work: Path, threads: int) -> dict[str, str]:
    """Return the variables of a process that imports moodal from a checkout."""
    own = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return own | {
        "OMP_NUM_THREADS": str(threads),
        "PYTHONPATH": str(checkout),
        "PYTHONPYCACHEPREFIX": str(work / "bytecode"),
        "XDG_CACHE_HOME": str(work / "cache" / str(checkout).strip("/").replace("/", "-")),
    }


def run(words: list[str], checkout: Path, work: Path, threads: int) -> Run:
    """Run Python to its end."""
    own = environment(checkout, work, threads)
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *words], cwd=work, env=own, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{checkout}: {' '.join(words)} ended with {process.returncode}.")
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def print_stages(checkouts: list[Path], work: Path, rounds: int, threads: int) -> None:
    """Print the median CPU time of each stage in each checkout."""
    taken: dict[Path, list[dict[str, float]]] = {path: [] for path in checkouts}
    for turn in range(rounds + 1):
        for path in checkouts:
            words = [sys.executable, "-c", STAGES]
            done = subprocess.run(
                words,
                cwd=work,
                env=environment(path, work, threads),
                capture_output=True,
                text=True,
                check=True,
            )
            taken[path] += [json.loads(done.stderr.splitlines()[-1])] if turn else []
    print(f"\n{'CPU ms':38}" + "".join(f"{path.name[:16]:>18}" for path in checkouts))
    for stage in taken[checkouts[0]][0]:
        medians = [statistics.median(one[stage] for one in taken[path]) for path in checkouts]
        print(f"{stage:38}" + "".join(f"{value:18.0f}" for value in medians))


def main() -> None:
    """Time the checkouts and the limits in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--other", type=Path, nargs="*", default=[], help="checkouts of others")
    parser.add_argument("--stages", action="store_true", help="the stages of a start instead")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        make = [str(ROOT / "benchmarks" / "predict.py"), "--make", name, "--seconds", "5"]
        run(make, ROOT, work, args.threads)
        predict = ["-m", "moodal", "predict", "--text", TEXT, "short.wav"]
        tasks = {str(path): (predict, path.resolve()) for path in [ROOT, *args.other]}
        tasks |= {limit: (["-c", code], ROOT) for limit, code in LIMITS.items()}
        if args.stages:
            print_stages([ROOT, *args.other], work, args.rounds, args.threads)
            return
        runs: dict[str, list[Run]] = {task: [] for task in tasks}
        for turn in range(args.rounds + 1):
            for task, (words, checkout) in tasks.items():
                one = run(words, checkout, work, args.threads)
                runs[task] += [one] if turn else []
    first = statistics.median(one.cpu for one in runs[str(ROOT)])
    print(f"{'':28} {'time':>7} {'CPU time':>9} {'of this':>8} {'peak':>7}")
    for task, own in runs.items():
        wall, cpu, peak = (statistics.median(values) for values in zip(*own, strict=True))
        print(f"{task:28} {wall:6.2f}s {cpu:8.3f}s {cpu / first:8.2f} {peak:4.0f} MB")


if __name__ == "__main__":
    main()
