"""The command `compose`: make a fused artefact from a recipe and its corpora."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments


def compose_arguments(parser: Arguments) -> None:
    parser.add_argument("recipe", type=Path, help="e.g. recipes/artefact/default.toml")
    parser.add_argument("--data", type=Path, required=True, help="folder in which the corpora lie")
    parser.add_argument("--work", type=Path, required=True, help="folder for features, trainings")
    parser.add_argument("--out", type=Path, required=True, help="folder of the artefact")


def compose(args: argparse.Namespace) -> Any:
    from moodal.train.fuse.build import compose

    made = compose(
        args.recipe, args.out, data=args.data, work=args.work, commit=_commit(), tell=_tell
    )
    if not args.json:
        print(f"Written to {made}; its card is {made}/README.md.")
    return {"artefact": str(made)}


def _tell(said: str) -> None:
    print(f"moodal compose: {said}", file=sys.stderr)


def _commit() -> str:
    """The commit of the code, "" where it is no checkout; "+" where files differ from it."""
    root = Path(__file__).parents[1]
    try:
        name = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
        found = subprocess.run(name, capture_output=True, text=True, check=True).stdout.strip()
        rest_of = ["moodal", "recipes", ":!moodal/model/default"]
        changed = ["git", "-C", str(root.parent), "status", "--porcelain", "--", *rest_of]
        rest = subprocess.run(changed, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found + "+" * bool(rest)
