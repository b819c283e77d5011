"""The ONNX graphs that lie in the package beside the modality that runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def open_graph(path: Path) -> Any:
    """Open a graph of the package, on one thread: corpora are shared between processes instead."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Otherwise it keeps the buffers of the longest text for good.
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
