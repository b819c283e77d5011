"""What the graph of landmarks would gain and lose in 8 bits.

    python benchmarks/landmark_bits.py VIDEO...

Its convolutions are quantised by ONNX Runtime's own tool (static, weights by channel), calibrated
on every other square that a prediction looks at in these videos, and tried on the rest: the time of
a face, and how far landmarks move, in pixels of the square of 256 x 256.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

from moodal.media.video import frames
from moodal.modalities.face import landmarks
from moodal.modalities.face.pixels import LONGEST
from moodal.modalities.face.track import Follower
from moodal.modalities.graphs import open_graph

PATH = landmarks.FOLDER / "landmarks.onnx"
NAME = "input_12"
FPS, PICTURES = 5.0, 40


class Squares(CalibrationDataReader):
    """What the graph is calibrated on."""

    def __init__(self, squares: np.ndarray) -> None:
        self.rest = iter(squares)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next square, None at the end."""
        one = next(self.rest, None)
        return None if one is None else {NAME: one[None]}


def squares_of(videos: list[Path]) -> np.ndarray:
    """Return the squares [n, 256, 256, 3] that a prediction looks at."""
    graph, seen = open_graph(PATH), []

    class Recorder:
        def run(self, names: Any, feed: dict[str, np.ndarray]) -> Any:
            seen.append(feed[NAME])
            return graph.run(names, feed)

    landmarks._MESH.get = Recorder  # type: ignore[method-assign]
    for video in videos:
        follower = Follower()
        for place, picture in enumerate(frames(video, FPS, longest=LONGEST)):
            if place == PICTURES:
                break
            follower.look(picture)
    return np.concatenate(seen)


def tried(path: Path, squares: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the median seconds of a face, and the landmarks [n, 478 * 3] in pixels."""
    graph, times, points = open_graph(path), [], []
    for square in squares:
        began = time.perf_counter()
        values = graph.run(None, {NAME: square[None]})[0]
        times.append(time.perf_counter() - began)
        points.append(values.ravel())
    return float(np.median(times)), np.stack(points)


def main() -> None:
    """Print a line for each graph."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path, nargs="+")
    squares = squares_of(parser.parse_args().videos)
    with tempfile.TemporaryDirectory() as name:
        plain, whole, convolutions = (Path(name) / f"{n}.onnx" for n in ("plain", "all", "conv"))
        options = onnxruntime.SessionOptions()  # folds constants, so that weights can be quantised
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(plain)
        onnxruntime.InferenceSession(str(PATH), options, providers=["CPUExecutionProvider"])
        for path, kinds in ((convolutions, ["Conv"]), (whole, None)):
            quantize_static(
                plain,
                path,
                Squares(squares[::2]),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                op_types_to_quantize=kinds,
            )
        seconds, true = tried(PATH, squares[1::2])
        print(f"{len(squares)} squares; the graph in 32 bits: {1e3 * seconds:.1f} ms a face")
        for path, what in ((convolutions, "convolutions"), (whole, "everything")):
            own, points = tried(path, squares[1::2])
            gap = np.abs(points - true)
            print(
                f"{what} in 8 bits: {1e3 * own:.1f} ms ({own / seconds:.1f} times as long), "
                f"landmarks {gap.mean():.1f} pixels away on average, {gap.max():.0f} at most"
            )


if __name__ == "__main__":
    main()
