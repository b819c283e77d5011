"""Recordings a second on Ray by the number of workers, and what 10,000 hours of video would take.

python benchmarks/scale.py                 engine on this machine, then the calculation
python benchmarks/scale.py --workers 1 2   numbers of workers to try

The engine is measured on films of five seconds. Its own overhead is apart: the seconds until a
cluster runs (``start``) and until the first answer (``first``: workers start and load the model);
the seconds and CPU seconds of one more block without work (``block``); the CPU seconds in which a
worker gets ready (``cpu_ready``), and those that are neither that nor prediction (``cpu_rest``, of
all processes, for the whole run).

The calculation takes the CPU seconds of each part of a prediction (`predict_stages`) on a film of
1280 x 720 at 25 pictures a second, and says for a cluster of ``--nodes`` machines what each part
would take, how many bytes storage would have to give, and which of them binds first. Two checks
stand beside it: the parts against a whole prediction, and the whole prediction against the engine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import predict_stages
from predict import lengthened

from moodal.loading import load
from moodal.model.batch import Job, guarded
from moodal.model.options import PredictOptions
from moodal.scale.blocks import answers
from moodal.scale.cluster import Engine, connected
from moodal.scale.partitions import Columns

OPTIONS = PredictOptions(asr=False)
TICK = os.sysconf("SC_CLK_TCK")
HOUR = 3600.0
PARTS = {
    "decode": ("probe", "decode the sound", "decode the pictures"),
    "speech found": ("find speech (VAD)",),
    "faces": ("find faces",),
    "networks": ("encode", "text graph", "speech graph", "face graph", "fuse"),
    "transcripts": ("transcribe (ASR)",),
}
"""Part of a prediction -> its stages in `predict_stages`."""

Row = dict[str, Any]


def predicting(artefact: str | None) -> Callable[[Sequence[str]], Row]:
    """Make a worker ready that predicts films and returns its CPU seconds."""
    model = load(artefact, threads=1)
    ready = time.process_time()

    def work(paths: Sequence[str]) -> Row:
        started = time.process_time()
        for path in paths:
            answer = guarded(model, Job(Path(path), path), OPTIONS)
            assert not isinstance(answer, Exception), answer
        used = time.process_time() - started
        return {"worker": os.getpid(), "ready": ready, "work": used, "all": time.process_time()}

    return work


def nothing() -> Callable[[Sequence[str]], Row]:
    """Make a worker ready that does nothing."""
    ready = time.process_time()
    return lambda paths: {
        "worker": os.getpid(),
        "ready": ready,
        "work": 0.0,
        "all": time.process_time(),
    }


def processes() -> dict[int, float]:
    """Return the CPU seconds of this process and of all that it started, by their numbers."""
    rows: dict[int, tuple[int, float]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            row = path.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has ended
            continue
        rows[int(path.parent.name)] = int(row[1]), sum(map(int, row[11:13])) / TICK
    tree, waiting = {}, [os.getpid()]
    while waiting:
        parent = waiting.pop()
        tree[parent] = rows[parent][1]
        waiting += [number for number, (above, _) in rows.items() if above == parent]
    return tree


def measured(begin: Any, blocks: Sequence[Sequence[str]], workers: int) -> Row:
    """Run blocks: seconds, and the CPU seconds of the work, of workers' starts, and of the rest.

    The rest is what workers do besides the work, and Ray's lasting processes and this one.
    """
    before, started = processes(), time.perf_counter()
    first, work = 0.0, 0.0
    last: dict[int, Row] = {}
    stream: Any = answers(begin, blocks, workers)
    for answer in stream:
        first = first or time.perf_counter() - started
        work += answer["work"]
        best = last.get(answer["worker"], answer)
        last[answer["worker"]] = max(best, answer, key=lambda row: row["all"])
    seconds, after = time.perf_counter() - started, processes()
    lasting = sum(after[number] - before[number] for number in before.keys() & after.keys())
    ready = sum(row["ready"] for row in last.values())
    inside = sum(row["all"] for row in last.values()) - ready - work
    return {
        "seconds": seconds,
        "first": first,
        "work": work,
        "ready": ready / len(last),
        "rest": lasting + inside,
    }


def engine(args: argparse.Namespace, films: Sequence[str], workers: int) -> Row:
    """Measure one number of workers: seconds, CPU seconds of predictions, and of Ray besides."""
    started = time.perf_counter()
    with connected(Engine(None, workers)):
        row: Row = {"workers": workers, "start": time.perf_counter() - started}
        few, many = (measured(nothing, [["nothing"]] * n, workers) for n in (16, 272))
        row["block_seconds"] = (many["seconds"] - few["seconds"]) / 256
        row["block_cpu"] = (many["rest"] - few["rest"]) / 256
        run = measured(partial(predicting, args.artefact), [[film] for film in films], workers)
    row["first"], row["seconds"] = run["first"], run["seconds"]
    row["recordings_a_second"] = len(films) / run["seconds"]
    row["steady"] = (len(films) - workers) / max(1e-9, run["seconds"] - run["first"])
    row["cpu_each"] = run["work"] / len(films)
    row["cpu_ready"] = run["ready"]
    row["cpu_rest"] = run["rest"]
    return row


def parts(args: argparse.Namespace, folder: Path) -> Row:
    """Measure the CPU seconds of each part, of the whole, and the bytes, per second of film."""
    film = lengthened(folder / "long.mp4", args.seconds, (1280, 720))
    times, _, model = predict_stages.stages(args, folder)
    row: Row = {
        part: sum(times[name]["cpu"] for name in names if name in times) / args.seconds
        for part, names in PARTS.items()
    }
    used = time.process_time()
    timeline = model.predict(film, options=OPTIONS)
    row["whole"] = (time.process_time() - used) / args.seconds
    columns = Columns(timeline.emotions, (), tuple(model.modalities))
    used = time.process_time()
    content = columns.partition([(str(film), timeline)] * 8)
    row["writing"] = (time.process_time() - used) / 8 / args.seconds
    row["answer_bytes"] = len(content) / 8 / args.seconds
    return row


def calculation(args: argparse.Namespace, row: Row) -> Row:
    """Say how many hours each part takes on the cluster, and what storage has to give."""
    seconds, cores = args.hours * HOUR, args.nodes * args.cores
    hours = {part: row[part] * seconds / cores / HOUR for part in (*PARTS, "writing")}
    total = sum(hours.values())
    bytes_in = seconds * args.mbit * 1e6 / 8
    return {
        "hours": hours,
        "total_hours": total,
        "terabytes": bytes_in / 1e12,
        "read_mbit_a_node": bytes_in * 8 / 1e6 / args.nodes / (total * HOUR),
        "storage_hours": bytes_in * 8 / (args.nodes * args.network * 1e9) / HOUR,
        "answers_gigabytes": row["answer_bytes"] * seconds / 1e9,
        "answers_mbyte_a_second": row["answer_bytes"] * seconds / 1e6 / (total * HOUR),
        "core_hours": total * cores,
        "cost": total * cores * args.price,
    }


def show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print rows as a table."""
    print(f"\n{title}")
    names = list(rows[0])
    print("  ".join(f"{name:>{max(8, len(name))}}" for name in names))
    for row in rows:
        cells = (row[name] for name in names)
        shown = (f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells)
        print("  ".join(f"{c:>{max(8, len(n))}}" for c, n in zip(shown, names, strict=True)))


def main() -> None:
    """Measure the engine and the parts, and print the calculation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--recordings", type=int, default=24, help="films of five seconds")
    parser.add_argument("--seconds", type=float, default=30.0, help="of the film for the parts")
    parser.add_argument("--hours", type=float, default=10_000.0)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--cores", type=int, default=16, help="of each node")
    parser.add_argument("--mbit", type=float, default=3.0, help="bit rate of the films, Mbit/s")
    parser.add_argument("--network", type=float, default=5.0, help="Gbit/s of each node to storage")
    parser.add_argument("--price", type=float, default=0.04, help="of a core for an hour")
    parser.add_argument("--artefact", default=None)
    parser.add_argument("--json", type=Path, help="file for all numbers")
    args = parser.parse_args()
    args.threads, args.rounds = 1, 1
    with tempfile.TemporaryDirectory(prefix="moodal-scale-") as name:
        folder = Path(name)
        short = lengthened(folder / "short.mp4", 5.0)
        films = [str(shutil.copy(short, folder / f"{i}.mp4")) for i in range(args.recordings)]
        work = predicting(args.artefact)
        work(films[:1])
        started = time.perf_counter()
        alone = work(films)["work"] / len(films)
        rate = len(films) / (time.perf_counter() - started)
        print(f"one process without Ray: {rate:.3g} recordings/s, {alone:.3g} CPU s each")
        rows = [engine(args, films, workers) for workers in args.workers]
        show("Engine, films of 5 s (seconds; CPU seconds of each recording)", rows)
        row = parts(args, folder)
    plan = calculation(args, row)
    show("Parts, CPU seconds per second of film", [row])
    without = sum(row[part] for part in PARTS if part != "transcripts")
    print(f"parts without transcripts / whole prediction: {without / row['whole']:.3f}")
    print(f"CPU of a recording on Ray / in one process: {rows[0]['cpu_each'] / alone:.3f}")
    show(f"{args.hours:g} hours, {args.nodes} nodes of {args.cores} cores: hours", [plan["hours"]])
    show("In all", [{k: v for k, v in plan.items() if k != "hours"}])
    if args.json:
        document = {"alone": alone, "engine": rows, "parts": row, "calculation": plan}
        args.json.write_text(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
