"""Run the golden commands and reduce what they give to what must not change.

Of each command one JSON file is kept: its exit code, what it printed, which files it wrote, and
the content of those that another program could read. Sentences are reduced to "<text>", for they
may be reworded; numbers, names, keys and paths stay. Run it from the repository's root::

    python tests/golden/record.py --out tests/golden/outputs
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import importlib.util
import io
import json
import re
import runpy
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def load(name: str) -> Any:
    """Load a module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(f"golden_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COMMANDS, STDIN = (getattr(load("commands"), name) for name in ("COMMANDS", "STDIN"))
write_inputs = load("inputs").write_inputs

DROPPED = frozenset(
    (
        *("digest", "files", "moodal", "version", "seconds", "time", "timings", "commit", "date"),
        "acoustics",
    )
)
"""Keys whose values differ between two runs, two versions, or (a probe of few rows) machines."""

CONTENT = frozenset(("text", "id", "ids", "label", "labels", "emotions", "decided", "words"))
"""Keys whose strings are data, not sentences: they are kept, spaces and all."""

MACHINE = ("speech-backbone", "egemaps", "minilm")
"""Encoders whose numbers differ in their last digits between machines."""

OF_MACHINE = frozenset(
    (
        "prepare-iemocap-release",
        "prepare-mmer",
        "train-folds",
        "train-mmer",
        "train-cai_sota",
        "evaluate-mmer",
        "main_mmer.py",
        "inspect-views",
    )
)
"""Commands on data of such encoders: the data's fingerprint differs as well."""

LONG, MANY = 40, 24
"""A longer list of numbers, or a folder with more files of one kind, is summed up."""


def run_all(work: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run every command in ``work`` and yield its name and what is kept of it."""
    import torch

    # of several threads sums differ in their last digits; and other work may share the cores
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    write_inputs(work)
    with contextlib.chdir(work):
        for name, line in COMMANDS.items():
            before = _times(Path())
            words = shlex.split(line.replace("{root}", str(ROOT)))
            code, printed = _run(words, STDIN.get(name))
            written = [p for p, at in _times(Path()).items() if before.get(p) != at]
            kept = {
                "command": line,
                "exit": code,
                "printed": _printed(printed, words),
                "files": _listed(written),
                **_contents(written, _parsed(printed)),
            }
            kept = json.loads(json.dumps(_without_place(kept, work)))
            yield name, without_fingerprints(kept) if name in OF_MACHINE else kept
    torch.set_num_threads(threads)


def _run(words: list[str], stdin: bytes | None) -> tuple[int | str, str]:
    """Run one command in this process: its exit code, and what it printed.

    A command that raises has the error's name for a code, so that the others are run all the same.
    """
    from moodal.cli import main as cli

    printed = io.StringIO()
    there = sys.stdin, sys.argv
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin or b""))
    code: int | str = 0
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            if words[0].endswith(".py"):
                sys.argv = words
                runpy.run_path(str(ROOT / words[0]), run_name="__main__")
            else:
                cli.main(words)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except Exception as error:
        code = f"{type(error).__name__}: {error}"
    finally:
        sys.stdin, sys.argv = there
    return code, printed.getvalue()


def _times(folder: Path) -> dict[str, int]:
    """Every file below a folder, and when it was written."""
    return {p.as_posix(): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def _parsed(printed: str) -> Any:
    """What was printed, where it is JSON, else None."""
    try:
        return json.loads(printed)
    except ValueError:
        return None


def _printed(printed: str, words: list[str]) -> Any:
    """What is kept of standard output: JSON, a document of a format, or that there was any."""
    if (value := _parsed(printed)) is not None:
        return reduce(value)
    if "--format" in words:
        form = words[words.index("--format") + 1]
        return reduce_csv(printed) if form == "csv" else reduce_lines(printed)
    return "<text>" if printed.strip() else ""


def _listed(paths: list[str]) -> list[str]:
    """Written files; of many of one kind in one folder only how many they are."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for path in paths:
        if "events.out.tfevents" in path or "store/" in path or ".states/" in path:
            path = re.sub(r"[^/]+$", "<any name>", path)
        # what is kept of a network is named by its weights, which differ between machines
        path = re.sub(r"-[0-9a-f]{16}\.npy$", "-<weights>.npy", path)
        kinds.setdefault((str(Path(path).parent), Path(path).suffix), []).append(path)
    listed = []
    for (folder, suffix), group in kinds.items():
        if "<any name>" in group[0]:
            listed.append(f"{folder}/<any name>")
        elif len(group) > MANY:
            listed.append(f"{folder}/*{suffix}: {len(group)}")
        else:
            listed += group
    return sorted(set(listed))


def _contents(paths: list[str], printed: Any) -> dict[str, Any]:
    """The content of written files that users, or later commands, read."""
    kept = {}
    for path in map(Path, paths):
        if path.name == "manifest.json" and path.parent.parent.name == "prepared":
            kept[str(path.parent)] = prepared(path.parent)
        elif path.parts[0] == "raw" and path.suffix in (".csv", ".tsv", ".jsonl"):
            kept[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.name in ("report.json", "compare.json"):
            value = json.loads(path.read_text(encoding="utf-8"))
            kept[str(path)] = "as printed" if value == printed else _brief(value)
        elif path.name == "artefact.json":
            value = json.loads(path.read_text(encoding="utf-8"))
            kept[str(path)] = "as printed" if value == printed else reduce(value)
        elif path.name in ("predictions.csv", "epochs.csv") or path.parts[0] == "predicted":
            text = path.read_text(encoding="utf-8")
            kept[str(path)] = reduce_csv(text) if path.suffix == ".csv" else reduce_lines(text)
        elif path.suffix in (".png", ".svg"):
            head = path.read_bytes()[:5]
            kept[str(path)] = "png" if head[1:4] == b"PNG" else head.decode()
    return kept


def without_fingerprints(value: Any, key: str = "") -> Any:
    """Take out the fingerprints of data, which are those of their last digits."""
    if isinstance(value, list):
        return [without_fingerprints(one, key) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {k: without_fingerprints(one, k) for k, one in value.items()}
    if kept.get("fingerprint") and key in ("printed", "data"):
        kept["fingerprint"] = "<of this machine>"
    return kept


def _brief(report: Any) -> Any:
    """A part's report, such as a fold's: its figures, without those of the intervals."""
    figures = ("rows", "labels", "test", "metrics", "runs", "differences")
    return reduce({key: report[key] for key in figures if key in report})


def prepared(folder: Path) -> dict[str, Any]:
    """What a prepared folder holds; its fingerprint where every machine gives the same."""
    head = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    kept = reduce(head)
    names = {about.get("name") for about in head.get("encoders", {}).values()}
    if names & set(MACHINE):
        kept["fingerprint"] = "<of this machine>"
    rows = (folder / "utterances.jsonl").read_bytes()
    kept["utterances.jsonl"] = hashlib.sha256(rows).hexdigest()
    kept["labels.npy"] = hashlib.sha256((folder / "labels.npy").read_bytes()).hexdigest()
    for path in sorted((*folder.glob("features/*.npy"), *folder.glob("views/*.npy"))):
        values = np.load(path).astype(np.float64)
        finite = values[np.isfinite(values)]
        kept[str(path.relative_to(folder))] = {
            "shape": list(values.shape),
            "mean": _number(finite.mean()),
            "size": _number(np.abs(finite).mean()),
        }
    return kept


def reduce(value: Any, key: str = "") -> Any:
    """A JSON value without what may change: sentences, hashes, times, versions."""
    if isinstance(value, dict):
        return {k: reduce(v, k) for k, v in value.items() if k not in DROPPED}
    if isinstance(value, list):
        if len(value) > LONG and all(isinstance(x, int | float) for x in value):
            mean = _number(float(np.mean(value)))
            return {"count": len(value), "mean": mean, "ends": [reduce(value[0]), value[-1]]}
        return [reduce(x, key) for x in value]
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return _string(value, key)
    return value


def _number(value: float) -> float:
    """Six significant digits."""
    return float(f"{value:.6g}")


def _string(value: str, key: str) -> str:
    if key in CONTENT or key == "fingerprint":
        return value
    if re.fullmatch(r"[0-9a-f]{12,}", value):
        return "<hash>"
    return "<text>" if re.search(r"\s", value.strip()) else value


def reduce_csv(text: str) -> list[dict[str, Any]]:
    """The rows of a CSV document by column, without times."""
    return [
        {k: _cell(v, k) for k, v in row.items() if k not in DROPPED}
        for row in csv.DictReader(io.StringIO(text))
    ]


def _cell(value: str, column: str) -> Any:
    try:
        return _number(float(value))
    except ValueError:
        return _string(value, column)


def reduce_lines(text: str) -> list[str]:
    """The lines of a document, without the time of writing."""
    return [re.sub(r' DATE="[^"]*"', "", line) for line in text.splitlines()]


def _without_place(value: Any, work: Path) -> Any:
    """With the working folder and the repository named by placeholders."""
    if isinstance(value, dict):
        return {_without_place(k, work): _without_place(v, work) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_place(x, work) for x in value]
    if isinstance(value, str):
        for place, name in ((work.resolve(), "<work>"), (work, "<work>"), (ROOT, "<root>")):
            value = value.replace(str(place), name)
        # main.py names a prepared folder by a hash of where the corpus lies
        return re.sub(r"(/prepared/\w+)-[0-9a-f]{8}(?![0-9a-f])", r"\1-<hash>", value)
    return value


def main() -> None:
    """Write one JSON file per command."""
    parser = argparse.ArgumentParser(description="Record the golden outputs.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--only", default="", help="write those whose name begins so; run all")
    args = parser.parse_args()
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        for name, kept in run_all(Path(place)):
            seconds = time.monotonic() - began
            print(f"{seconds:6.1f} s {name}: exit code {kept['exit']}", file=sys.stderr, flush=True)
            if name.startswith(args.only):
                text = json.dumps(kept, indent=1, ensure_ascii=False)
                (out / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
