"""What this machine could do at most: products of matrices, and FFmpeg's decoding.

    python benchmarks/limits.py [--threads 1] [--seconds 60]

Three tables. The first has the operations a second that products of matrices reach here (the best
of some sizes, by PyTorch's two libraries and NumPy's). The second has the work with weights of what
the other benchmarks time (operations: a multiplication or an addition), and the seconds that it
would take at that peak: below them no implementation of the same arithmetic can come. Of MMER it is
wav2vec 2.0 of the base size alone, which is nearly all. The third decodes the film of
`benchmarks/predict.py` by FFmpeg alone, by PyAV alone, and as a prediction does (one picture in
five turned to RGB).
"""

from __future__ import annotations

import argparse
import math
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import epoch
import mmer_epoch
import numpy as np
import onnx
from predict import lengthened
from rich.console import Console
from rich.table import Table

from moodal.media.video import frames
from moodal.modalities.face.landmarks import FOLDER
from moodal.modalities.face.pixels import LONGEST

SIZES = (768, 1024, 1536, 2048)
FPS = 5.0
TRAINING = 3
"""Forward, gradients of inputs, gradients of weights: each as many products."""


def least(work: Callable[[], object], rounds: int = 7) -> float:
    """Least seconds of some rounds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def peaks() -> dict[str, float]:
    """Number format -> operations a second of products of square matrices."""
    import torch
    from torch.nn.functional import conv2d

    found = {}
    for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        rates = []
        for n in SIZES:
            a, b = torch.randn(n, n).to(kind), torch.randn(n, n).to(kind)
            rates.append(2 * n**3 / least(lambda a=a, b=b: a @ b))
            with torch.no_grad():  # a product, too, by the library that runs LSTMs and convolutions
                image, kernel = a[None, :, :, None], b[:, :, None, None]
                rates.append(2 * n**3 / least(lambda x=image, k=kernel: conv2d(x, k)))
        if kind == torch.float32:
            pair = a.numpy(), b.numpy()
            rates.append(2 * SIZES[-1] ** 3 / least(partial(np.matmul, *pair)))
        found[name] = max(rates)
    return found


def eea_epoch(loop: str) -> float:
    """Operations of an epoch of `benchmarks/epoch.py`, whole size.

    moodal's loop leaves out what reaches no loss: the test, and all steps but one of the top
    layer's backward direction.
    """
    total = 0.0
    for modality, width in epoch.WIDTHS.items():
        hidden = epoch.HIDDEN[modality]
        below = epoch.STEPS * 2 * 4 * hidden * (width + hidden)
        above = epoch.STEPS * 4 * hidden * (2 * hidden + hidden)
        last = 4 * hidden * 2 * hidden if loop == "moodal" else above
        total += 2 * (below + above + last)
    scored = epoch.ROWS["valid"] + (0 if loop == "moodal" else epoch.ROWS["test"])
    return total * (TRAINING * epoch.ROWS["train"] + scored)


def mmer_epoch_work(clips: int) -> float:
    """Operations of wav2vec 2.0 in an epoch of `benchmarks/mmer_epoch.py`, front-end kept."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    with torch.device("meta"):
        model = Wav2Vec2Model(Wav2Vec2Config(layerdrop=0.0)).eval()
    total = 0.0
    for i, wave in enumerate(mmer_epoch.clips(clips)[0]):
        frames = int(model._get_feat_extract_output_lengths(len(wave)))
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model.encoder(torch.empty(1, frames, model.config.hidden_size, device="meta"))
        total += counter.get_total_flops() * (TRAINING if i < clips - 2 else 1)
    return total


def convolutions(path: Path) -> float:
    """Operations of a graph's convolutions for one picture."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    sizes = {one.name: tuple(one.dims) for one in graph.initializer}
    for one in graph.value_info:
        dims = one.type.tensor_type.shape.dim
        sizes[one.name] = tuple(d.dim_value or 1 for d in dims)  # the batch has a name
    found = [node for node in graph.node if node.op_type == "Conv"]
    return float(
        sum(2 * math.prod(sizes[n.output[0]]) * math.prod(sizes[n.input[1]][1:]) for n in found)
    )


def decoding(film: Path, threads: int) -> dict[str, float]:
    """What reads the film -> seconds that it takes."""
    import av

    def all_pictures() -> None:
        with av.open(str(film)) as file:
            file.streams.video[0].codec_context.thread_count = threads
            for _ in file.decode(video=0):
                pass

    found = {}
    if program := shutil.which("ffmpeg"):
        command = [program, "-v", "error", "-threads", str(threads), "-i", str(film)]
        command += ["-map", "0:v", "-f", "null", "-"]
        found["FFmpeg alone, every picture"] = least(lambda: subprocess.run(command, check=True), 3)
    found["PyAV alone, every picture"] = least(all_pictures, 3)
    found["moodal, one picture in five as RGB"] = least(
        lambda: all(frames(film, FPS, longest=LONGEST)), 3
    )
    return found


def show(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)


def short(number: float) -> str:
    """Write a number with three digits that count."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def main() -> None:
    """Print the three tables."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60, help="length of the film")
    parser.add_argument("--clips", type=int, default=32, help="clips of MMER's epoch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    peak = peaks()
    rates = [(name, f"{rate / 1e9:,.0f}") for name, rate in peak.items()]
    show(f"Products of matrices, {args.threads} thread(s)", ("format", "10^9 operations/s"), rates)
    work = {
        "epoch of EEA, plain loop": eea_epoch("plain"),
        "epoch of EEA, moodal": eea_epoch("moodal"),
        f"epoch of MMER, {args.clips} clips": mmer_epoch_work(args.clips),
        "landmarks of a face": convolutions(FOLDER / "landmarks.onnx"),
        "detection in a picture": convolutions(FOLDER / "detector.onnx"),
    }
    rows = [
        (name, short(much / 1e9), *(short(much / rate) for rate in peak.values()))
        for name, much in work.items()
    ]
    columns = ("work", "10^9 operations", *(f"s at {name}'s peak" for name in peak))
    show("Work with weights", columns, rows)
    with tempfile.TemporaryDirectory() as name:
        taken = decoding(lengthened(Path(name) / "film.mp4", args.seconds), args.threads)
    lines = [(name, f"{s:.2f} s", f"{args.seconds / s:,.0f}") for name, s in taken.items()]
    show(f"A film of {args.seconds:g} s", ("reader", "time", "times real time"), lines)


if __name__ == "__main__":
    main()
