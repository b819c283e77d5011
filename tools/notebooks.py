"""Run the notebooks of docs/notebooks, and save them with their outputs.

    python tools/notebooks.py [NAME.ipynb ...]

Each runs in an empty folder, without a network, in a few minutes on two cores. Messages on standard
error, times and numbers of runs are not saved, so that a run of the same code saves the same file.
Needs the extras `train` and `docs`.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "notebooks"
KEPT = ("text/plain", "image/png")

STYLE = re.compile(r"\x1b\[[0-9;]*m")
"""Colours and weights of a terminal."""


def run(path: Path) -> None:
    """Run one notebook and save it."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        client.execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", {}
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = [kept for output in cell.outputs for kept in _kept(output)]
    nbformat.write(notebook, path)


def _kept(output: Any) -> list[Any]:
    """Return an output as it is saved; what goes to standard error is not."""
    if output.output_type == "stream":
        output.text = STYLE.sub("", output.text)
        return [output] if output.name == "stdout" else []
    output.metadata = {}
    output.data = {kind: value for kind, value in output.data.items() if kind in KEPT}
    if "text/plain" in output.data:
        text = STYLE.sub("", output.data["text/plain"])
        output.data["text/plain"] = "\n".join(line.rstrip() for line in text.splitlines())
        if not text.strip() or "UserWarning" in text:  # of a progress bar
            return []
    if "execution_count" in output:
        output.execution_count = None
    return [output] if output.data else []


def main(names: Sequence[str]) -> None:
    """Run the notebooks that are named, or all."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["COLUMNS"] = "100"
    for path in [FOLDER / name for name in names] or sorted(FOLDER.glob("*.ipynb")):
        print(f"Running {path.name}.", flush=True)
        run(path)


if __name__ == "__main__":
    main(sys.argv[1:])
