"""Damaged and hostile files of every format that moodal reads: each is answered or refused.

    python benchmarks/fuzz.py [--inputs 10000] [--seed 1] [--only sound]

Small files of each format are made, and damaged at random: bytes changed, cut out, doubled, moved,
set to extreme numbers, or swapped with those of another file. Each is read in a worker process, by
the function that the commands use. Counted are inputs that were answered, those refused by an error
of moodal (one sentence), tracebacks of other errors, hangs (over 20 s), crashes of the process, and
inputs after which the process held more than 1.5 GB.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import pickle
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

LIMIT = 20
"""Seconds for one input."""
MOST = 1.5e9
"""Bytes that a worker may hold."""
OUTCOMES = ("answered", "refused", "traceback", "hang", "crash", "over 1.5 GB")
EXTREMES = (b"\x00" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\x00\x00\x00")


def sounds(folder: Path) -> list[Path]:
    """Write a short voice-like sound in every format that libraries here can write."""
    import av
    import soundfile

    rng = np.random.default_rng(0)
    wave = np.cumsum(rng.normal(0, 0.02, 8000)).clip(-0.9, 0.9).astype(np.float32)
    paths = []
    for ending, kind in {
        **dict.fromkeys(("wav", "flac", "aiff", "au", "caf", "w64"), None),
        "ogg": "VORBIS",
        "opus": "OPUS",
        "mp3": "MPEG_LAYER_III",
    }.items():
        paths.append(folder / f"sound.{ending}")
        soundfile.write(
            paths[-1],
            np.stack([wave, wave], 1),
            16000,
            kind,
            format="OGG" if kind and ending != "mp3" else None,
        )
    for ending, codec in {"m4a": "aac", "mka": "aac", "aac": "aac", "avi": "pcm_s16le"}.items():
        paths.append(folder / f"track.{ending}")
        with av.open(str(paths[-1]), "w", format="adts" if ending == "aac" else None) as file:
            stream = file.add_stream(codec, rate=16000, layout="mono")
            kind = "s16" if codec == "pcm_s16le" else "fltp"
            samples = (wave * 32767).astype(np.int16) if kind == "s16" else wave
            for at in range(0, 7168, 1024):
                frame = av.AudioFrame.from_ndarray(samples[None, at : at + 1024], kind, "mono")
                frame.sample_rate, frame.pts = 16000, at
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    return paths


def pictures(folder: Path) -> list[Path]:
    """Write a small picture in every format, and a short film."""
    import av
    import pillow_heif
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    paths = []
    for ending in ("png", "jpg", "webp", "bmp", "tif", "gif"):
        paths.append(folder / f"picture.{ending}")
        Image.fromarray(pixels).save(paths[-1])
    paths.append(folder / "picture.heic")
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(paths[-1])
    for ending in ("mp4", "mkv"):
        paths.append(folder / f"film.{ending}")
        with av.open(str(paths[-1]), "w") as file:
            stream = file.add_stream("mpeg4", rate=5)
            stream.width, stream.height = 64, 48
            for shift in range(5):
                file.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(pixels, shift, 1))))
            file.mux(stream.encode(None))
    return paths


def texts(folder: Path) -> list[Path]:
    """Write texts and subtitles."""
    content = {
        "said.txt": "I am <b>so</b> glad &amp; sad :) 😭\nthat you came.\n\nReally? <3",
        "cues.srt": "1\n00:00:01,000 --> 00:00:02,500\nANNA: <i>So</i> good\n\n"
        "2\n00:00:03,000 --> 00:00:04,000\n- No!\n- Yes.\n",
        "cues.vtt": "WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000 align:start\n"
        "<v Bob>It is &lt; 2\n",
    }
    return _written(folder, content)


def tables(folder: Path) -> list[Path]:
    """Write tables of rows with texts and labels."""
    rows = [("a", "so good", "joy"), ("b", "so, sad", "sadness"), ("c", "oh", "joy")]
    head = ("id", "text", "label")
    content = {}
    for ending, mark in (("csv", ","), ("tsv", "\t")):
        lines = (mark.join(f'"{x}"' for x in row) for row in (head, *rows))
        content[f"rows.{ending}"] = "\n".join(lines) + "\n"
    content["rows.jsonl"] = "\n".join(json.dumps(dict(zip(head, row, strict=True))) for row in rows)
    return _written(folder, content)


def documents(folder: Path) -> list[Path]:
    """Write timelines, recipes, priors and reports."""
    import moodal
    from moodal.output.formats import render

    timeline = moodal.load().predict(text="I am glad. I miss you!")
    content = {f"timeline.{name}": render([timeline], name) for name in ("json", "jsonl")}
    content["recipe.toml"] = (
        'title = "x"\n[data]\nprepared = "x"\n[system]\nname = "eea"\n[train]\nepochs = 3\n'
    )
    content["prior.toml"] = "neutral = 6\nanger = 1.5\n"
    return _written(folder, content)


def networks(folder: Path) -> list[Path]:
    """Write an ONNX graph, HDF5, numpy and pickle files, and the files of an artefact."""
    import h5py
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    node = helper.make_node("MatMul", ["frames", "map"], ["states"])
    given = helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["T", 4])
    made = helper.make_tensor_value_info("states", TensorProto.FLOAT, ["T", 4])
    weight = numpy_helper.from_array(rng.normal(size=(4, 4)).astype(np.float32), "map")
    graph = helper.make_graph([node], "g", [given], [made], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    (folder / "graph.onnx").write_bytes(model.SerializeToString())
    with h5py.File(folder / "features.h5", "w") as file:
        file["x"] = rng.normal(size=(20, 3))
        file.create_dataset("packed", data=rng.normal(size=(50, 4)), compression="gzip")
    with open(folder / "object.pkl", "wb") as out:
        pickle.dump({"a": [1, 2.5, "x"], "b": np.arange(6.0), "c": (None, True)}, out)
    return [folder / name for name in ("graph.onnx", "features.h5", "object.pkl")]


def artefacts(folder: Path) -> list[Path]:
    """Copy the small files of the artefact in the package."""
    from moodal.model.artefact import DEFAULT

    small = [p for p in DEFAULT.iterdir() if p.stat().st_size < 1_000_000 and p.suffix != ".md"]
    for path in small:
        (folder / path.name).write_bytes(path.read_bytes())
    return [folder / path.name for path in small]


def _written(folder: Path, content: dict[str, str]) -> list[Path]:
    for name, text in content.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in content]


def read_sound(path: Path) -> None:
    """Probe a file and read all its sound, as `predict` does."""
    from moodal.media.blocks import blocks
    from moodal.media.probe import probe

    if probe(path).has_audio:
        for _ in blocks(path, on_damage=lambda sentence: None):
            pass


def read_picture(path: Path) -> None:
    """Probe a file and read all its pictures."""
    from moodal.media.probe import probe
    from moodal.media.video import frames

    media = probe(path)
    if media.has_video or media.kind == "image":
        for _ in frames(path):
            pass


def read_text(path: Path) -> None:
    """Predict a text or subtitles."""
    from moodal.loading import load

    global _MODEL
    _MODEL = _MODEL or load()
    _MODEL.predict(path)


_MODEL = None


def read_table(path: Path) -> None:
    """Read a table as a corpus."""
    from moodal.corpora import CORPORA

    CORPORA["table"](path)


def read_document(path: Path) -> None:
    """Read a timeline, a recipe or a prior."""
    from moodal.core import recipe
    from moodal.model.priors import prior_of
    from moodal.output.formats import from_json, from_jsonl

    if path.suffix == ".toml":
        basics = ("anger", "neutral")
        prior_of(path, basics, {}) if "prior" in path.name else recipe.load(path)
        return
    read = from_json if path.suffix == ".json" else from_jsonl
    read(path.read_text(encoding="utf-8", errors="replace"), path.name)


def read_network(path: Path) -> None:
    """Read a graph, a data set or a pickle, and inspect them."""
    from moodal.cli.inspect import describe
    from moodal.corpora.published import h5
    from moodal.corpora.unpickle import load
    from moodal.model.branches import session

    if path.suffix == ".onnx":
        session(str(path))
    elif path.suffix == ".pkl":
        load.load(path)
    else:
        h5.read(path, "x")
        h5.read(path, "packed")
        describe(path)


def read_artefact(path: Path) -> None:
    """Read the artefact in the package with one file replaced."""
    import shutil

    from moodal.model.artefact import DEFAULT, read

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "artefact"
        folder.mkdir()
        for own in DEFAULT.iterdir():
            if own.is_file():
                (folder / own.name).symlink_to(own)
        original = folder / path.name.partition("-")[2]
        original.unlink(missing_ok=True)
        shutil.copy(path, original)
        read(folder)


FORMATS: dict[str, tuple[Callable[[Path], list[Path]], Callable[[Path], None]]] = {
    "sound": (sounds, read_sound),
    "pictures": (pictures, read_picture),
    "texts": (texts, read_text),
    "tables": (tables, read_table),
    "documents": (documents, read_document),
    "networks": (networks, read_network),
    "artefacts": (artefacts, read_artefact),
}
"""Kind -> what makes its files, and what reads one."""


def damaged(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file's bytes at one to six places."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 7)):
        if not data:
            break
        at, size = int(rng.integers(len(data))), int(rng.integers(1, 65))
        kind = rng.integers(7)
        if kind == 0:
            data[at] = int(rng.integers(256))
        elif kind == 1:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            data[at : at + 4] = EXTREMES[rng.integers(len(EXTREMES))]
        elif kind == 3:
            del data[at : at + size]
        elif kind == 4:
            data[at:at] = data[at : at + size] * int(rng.integers(1, 20))
        elif kind == 5:
            del data[at:]
        else:
            start = int(rng.integers(max(1, len(other))))
            data[at : at + size] = other[start : start + size]
    return bytes(data)


def work(kind: str, pipe: Connection) -> None:
    """Read the files whose paths arrive, and send back the outcome of each."""
    from moodal.core.errors import MoodalError

    read = FORMATS[kind][1]

    class TooLong(BaseException):
        pass

    def stop(*_: object) -> None:
        raise TooLong

    signal.signal(signal.SIGALRM, stop)
    sys.stderr = io.StringIO()
    while path := pipe.recv():
        signal.alarm(LIMIT)
        try:
            read(Path(path))
            outcome = ("answered", "")
        except TooLong:
            outcome = ("hang", "")
        except MoodalError as error:
            outcome = ("refused", str(error))
        except Exception as error:
            outcome = ("traceback", f"{type(error).__name__}: {error}")
        finally:
            signal.alarm(0)
        if _largest() > MOST:
            outcome = ("over 1.5 GB", outcome[1])
        pipe.send(outcome)


def _largest() -> float:
    """Return the most bytes that this process has held.

    Linux's ru_maxrss would count those of the process that began this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [x for x in status.read_text().splitlines() if x.startswith("VmHWM:")]
        return float(line.split()[1]) * 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


class Worker:
    """A process that reads files of one kind; it is replaced when it ends or grows."""

    def __init__(self, kind: str):
        self.kind = kind
        self._start()

    def _start(self) -> None:
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(
            target=work, args=(self.kind, other), daemon=True
        )
        self.process.start()
        other.close()

    def read(self, path: Path) -> tuple[str, str]:
        """Return the outcome of reading a file, and the message."""
        self.pipe.send(str(path))
        try:
            outcome = self.pipe.recv() if self.pipe.poll(3 * LIMIT) else ("hang", "")
        except EOFError:
            outcome = ("crash", "")
        if outcome[0] in ("hang", "crash", "over 1.5 GB"):
            self.close()
            self._start()
        return outcome

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()


def main() -> None:
    """Damage files, read them, and print a table of the outcomes."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    top.add_argument("--inputs", type=int, default=10_000, help="files over all kinds")
    top.add_argument("--seed", type=int, default=1)
    top.add_argument("--only", choices=FORMATS, help="one kind of files")
    top.add_argument("--keep", type=Path, help="folder for the files with a bad outcome")
    args = top.parse_args()
    kinds = [args.only] if args.only else list(FORMATS)
    total: Counter[str] = Counter()
    print(f"| files | inputs | {' | '.join(OUTCOMES)} |")
    print(f"|---|---|{'---|' * len(OUTCOMES)}")
    for number, kind in enumerate(kinds):
        counts = fuzzed(kind, args, np.random.default_rng([args.seed, number]), len(kinds))
        print(
            f"| {kind} | {counts.total()} | {' | '.join(str(counts[o]) for o in OUTCOMES)} |",
            flush=True,
        )
        total += counts
    print(f"| all | {total.total()} | {' | '.join(str(total[o]) for o in OUTCOMES)} |")


def fuzzed(
    kind: str, args: argparse.Namespace, rng: np.random.Generator, kinds: int
) -> Counter[str]:
    """Damage and read a kind's share of the inputs, and count the outcomes."""
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = [(p.name, p.read_bytes()) for p in FORMATS[kind][0](folder)]
        worker = Worker(kind)
        for i in range(-(-args.inputs // kinds)):
            file, content = seeds[i % len(seeds)]
            other = seeds[rng.integers(len(seeds))][1]
            path = folder / f"{i}-{file}"
            path.write_bytes(damaged(content, other, rng))
            outcome, message = worker.read(path)
            counts[outcome] += 1
            if outcome not in ("answered", "refused"):
                print(f"{path.name}: {outcome} {message[:200]}", file=sys.stderr, flush=True)
                if args.keep:
                    args.keep.mkdir(parents=True, exist_ok=True)
                    (args.keep / path.name).write_bytes(path.read_bytes())
            path.unlink()
        worker.close()
    return counts


if __name__ == "__main__":
    main()
