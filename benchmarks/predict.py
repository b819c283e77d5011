"""How fast prediction is, from a cold start to each stage of it.

    python benchmarks/predict.py [--artefact FOLDER] [--seconds 60] [--rounds 3] [--threads 2]
                                 [--torch WORK] [--out FILE.json]

The clip is examples/clip.mp4: its first five seconds, and all of it again and again for
``--seconds``. Three parts:

    whole    `moodal predict` from a cold start, and the same things warm, each in a process of
             its own whose peak memory is told. "x real time" is the recording's seconds by ours.
    stages   what the warm ones are made of, one after the other, in this process
    torch    the same branches' networks in PyTorch, on the same inputs, beside ONNX Runtime

``--torch`` names the folder in which `moodal compose` trained the branches (its ``--work``). Where
others use the machine, CPU time says more than time on the wall.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "examples" / "clip.mp4"
SHORT = 5.0
SAID = "We won, and I am so happy! How dare you touch that!"
RATE = 16_000
AIMS = {
    "cold, sound": "under 2 s",
    "cold, film": "under 2 s",
    "warm, sound": "under 0.1 s",
    "sound": "over 30 x, under 1 GB",
    "film with faces": "over 3 x, under 1 GB",
    "sound with ASR": "over 8 x, under 1 GB",
}


def lengthened(path: Path, seconds: float, size: tuple[int, int] | None = None) -> Path:
    """The clip, again and again, as an MP4 of H.264 (where FFmpeg has it) and AAC."""
    import av
    import numpy as np

    with av.open(str(CLIP)) as file:
        pictures = [f.to_ndarray(format="rgb24") for f in file.decode(video=0)]
        rate = round(float(file.streams.video[0].average_rate))
    from moodal.media.audio import read_audio

    sound = read_audio(CLIP)
    wanted = round(seconds * RATE)
    samples = np.tile(sound, -(-wanted // len(sound)))[:wanted]
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    with av.open(str(path), "w") as file:
        video = file.add_stream(codec, rate=rate)
        height, width = pictures[0].shape[:2]
        video.width, video.height = size or (width, height)
        video.pix_fmt = "yuv420p"
        heard = file.add_stream("aac", rate=RATE, layout="mono")
        for i in range(round(seconds * rate)):
            frame = av.VideoFrame.from_ndarray(pictures[i % len(pictures)], format="rgb24")
            file.mux(video.encode(frame.reformat(video.width, video.height)))
        file.mux(video.encode(None))
        for at in range(0, wanted, 1024):
            piece = np.zeros((1, 1024), np.float32)
            piece[0, : len(samples[at : at + 1024])] = samples[at : at + 1024]
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, at
            file.mux(heard.encode(frame))
        file.mux(heard.encode(None))
    return path


def make(folder: Path, seconds: float) -> None:
    """The recordings: short and long, film and sound, and a text."""
    import soundfile

    from moodal.media.audio import read_audio

    for name, length in (("short", SHORT), ("long", seconds)):
        film = lengthened(folder / f"{name}.mp4", length)
        soundfile.write(folder / f"{name}.wav", read_audio(film), RATE)
    (folder / "said.txt").write_text(SAID)


def child(words: list[str], threads: int) -> dict[str, float]:
    """Run a command: its seconds, CPU seconds, peak MB, and the JSON that it prints last."""
    # The kernel counts a child's peak from its parent's memory on, so this process stays small.
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile() as out:
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, *words], stdout=out, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        out.seek(0)
        lines = out.read().decode().strip().splitlines()
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}.")
    told = json.loads(lines[-1]) if lines and lines[-1].startswith('{"seconds"') else {}
    return {
        "seconds": seconds,
        "cpu": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
        **told,
    }


def warm(path: str, options: dict[str, Any], args: argparse.Namespace) -> None:
    """In a process of its own: predict the same again, and print what the best time was."""
    import moodal

    model = moodal.load(args.artefact, threads=args.threads)
    # loads whatever is loaded once; a long recording is not read twice for it
    model.predict(options.pop("first", path), **options)
    times, works = [], []
    for _ in range(args.rounds):
        started, work = time.perf_counter(), time.process_time()
        model.predict(path, **options)
        times.append(time.perf_counter() - started)
        works.append(time.process_time() - work)
    print(json.dumps({"seconds": min(times), "cpu": min(works)}))


def whole(args: argparse.Namespace, folder: Path) -> dict[str, dict[str, float]]:
    """Name -> seconds, CPU seconds, peak MB and times real time, of the whole of it."""
    named = ["--artefact", str(args.artefact)] if args.artefact else []
    shared = ["--threads", str(args.threads), "--rounds", str(args.rounds), *named]
    found: dict[str, dict[str, float]] = {}

    def cold(name: str, words: list[str]) -> None:
        runs = [child(words, args.threads) for _ in range(args.rounds)]
        found[name] = min(runs, key=lambda run: run["seconds"])

    cold("python and numpy", ["-c", "import numpy"])
    for name, file in (("cold, sound", "short.wav"), ("cold, film", "short.mp4")):
        words = ["-m", "moodal", "predict", "--text", SAID, *named]
        cold(name, [*words, str(folder / file)])
    long: dict[str, dict[str, Any]] = {
        "sound": {"asr": False},
        "film with faces": {"asr": False},
        "film in slices": {"asr": False, "step": 0.5},
        "sound with ASR": {"asr": True},
    }
    short: dict[str, dict[str, Any]] = {
        "warm, text": {},
        "warm, sound": {"text": SAID},
        "warm, film": {"text": SAID},
    }
    for name, options in {**short, **long}.items():
        if options.get("asr") and importlib.util.find_spec("faster_whisper") is None:
            print("No ASR: the extra asr is not installed.", file=sys.stderr)
            continue
        size = "long" if name in long else "short"
        ending = "mp4" if "film" in name else "wav"
        path = folder / ("said.txt" if "text" in name else f"{size}.{ending}")
        first = folder / f"short.{ending}" if name in long else path
        told = json.dumps({"first": str(first), **options})
        found[name] = child([__file__, "--warm", str(path), told, *shared], args.threads)
        if name != "warm, text":
            length = args.seconds if name in long else SHORT
            found[name]["real_time"] = length / found[name]["seconds"]
    return found


def table(title: str, rows: dict[str, dict[str, float]]) -> None:
    """Print rows of the same figures."""
    heads = {
        "seconds": "s",
        "cpu": "CPU s",
        "real_time": "x real time",
        "peak_mb": "peak MB",
        "onnx": "ONNX s",
        "torch": "torch s",
        "ratio": "torch / ONNX",
        "apart": "largest difference",
    }
    shown = [h for h in heads if any(h in row for row in rows.values())]
    if not rows:
        return
    print(f"\n{title:22}" + "".join(f"{heads[h]:>14}" for h in shown) + "  aim")
    for name, row in rows.items():
        cells = "".join(f"{row[h]:14.4g}" if h in row else " " * 14 for h in shown)
        print(f"{name:22}{cells}  {AIMS.get(name, '')}".rstrip())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--artefact", type=Path, help="default: the one in the package")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the long recording")
    parser.add_argument("--rounds", type=int, default=3, help="of which the best counts")
    parser.add_argument("--threads", type=int, default=min(4, os.cpu_count() or 1))
    parser.add_argument("--torch", type=Path, metavar="WORK", help="where compose trained")
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes/artefact/default.toml")
    parser.add_argument("--out", type=Path, help="a .json file")
    parser.add_argument("--warm", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.make:
        make(args.make, args.seconds)
        return
    if args.warm:
        warm(args.warm[0], json.loads(args.warm[1]), args)
        return
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        child([__file__, "--make", name, "--seconds", str(args.seconds)], args.threads)
        found["whole"] = whole(args, folder)
        table("whole", found["whole"])
        import predict_stages  # beside this file; loads the networks into this process

        found["stages"], inputs, model = predict_stages.stages(args, folder)
        table(f"stages of {args.seconds:g} s", found["stages"])
        if args.torch:
            found["torch"] = predict_stages.beside_torch(args, inputs, model)
            table("the same in PyTorch", found["torch"])
    if args.out:
        settings = {k: getattr(args, k) for k in ("seconds", "rounds", "threads")}
        told = {"settings": settings, "cores": os.cpu_count(), **found}
        args.out.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
