"""The time of two graphs of one modality on the same input, in turn, as a ratio.

    python benchmarks/graphs.py OLD/speech.onnx NEW/speech.onnx [--seconds 5]

One thread; the best of each run's rounds, since other work only ever adds time.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.records import RATE
from moodal.model.branches import run, session

ROUNDS, EACH = 15, 3


def main() -> None:
    """Print milliseconds of both graphs and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0, help="of sound")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    wave = rng.normal(0, 0.1, (round(args.seconds * RATE), 1)).astype(np.float32)
    graphs = [session(str(path)) for path in (args.old, args.new)]
    best = [np.inf, np.inf]
    for graph in graphs:
        run(graph, wave)
    for _ in range(ROUNDS):
        for i, graph in enumerate(graphs):
            best[i] = min(best[i], _seconds(graph, wave))
    old, new = best
    print(f"old {old * 1000:.1f} ms, new {new * 1000:.1f} ms, ratio {new / old:.2f}")


def _seconds(graph: Any, wave: np.ndarray) -> float:
    begin = time.perf_counter()
    for _ in range(EACH):
        run(graph, wave)
    return (time.perf_counter() - begin) / EACH


if __name__ == "__main__":
    main()
