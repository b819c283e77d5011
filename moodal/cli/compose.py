"""The command `compose`: build a fused artefact from a recipe and its corpora."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments


def compose_arguments(parser: Arguments) -> None:
    """Add the arguments of `compose`."""
    parser.add_argument("recipe", type=Path, help="a TOML file, e.g. recipes/artefact/default.toml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="e.g. parts.text.bits=32")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the corpora")
    parser.add_argument(
        "--work",
        type=Path,
        required=True,
        help="folder for features and training runs; repeat the command to resume",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the artefact")


def compose(args: argparse.Namespace) -> Any:
    """Build the artefact and return its folder."""
    from moodal.train.fuse.build import compose

    folder = compose(
        args.recipe,
        args.out,
        data=args.data,
        work=args.work,
        overrides=args.overrides,
        commit=_commit(),
        tell=_tell,
    )
    if not args.json:
        print(f"Written to {folder}; its card is {folder}/README.md.")
    return {"artefact": str(folder)}


def _tell(message: str) -> None:
    print(f"moodal compose: {message}", file=sys.stderr)


def _commit() -> str:
    """Return the code's commit, with "+" if files differ from it; "" outside a checkout."""
    code = ["moodal", "recipes", ":!moodal/model/default"]
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        changes = _git("status", "--porcelain", "--", *code)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit + "+" * bool(changes)


def _git(*words: str) -> str:
    command = ["git", "-C", str(Path(__file__).parents[2]), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
