"""The command `push`: send an artefact to the hub."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments, default_artefact, tell, warn


def push_arguments(parser: Arguments) -> None:
    """Add the arguments of `push`."""
    parser.add_argument(
        "artefact", type=Path, help='folder of an artefact, e.g. RUN/artefact, or "default"'
    )
    parser.add_argument("repository", help="owner/name on the hub")
    parser.add_argument(
        "--licence",
        default="",
        help="licence of the weights, e.g. cc-by-4.0 (default: that which the artefact states)",
    )
    parser.add_argument(
        "--private", action="store_true", help="hide the repository from others, if it is new"
    )


def push(args: argparse.Namespace) -> Any:
    """Send the artefact and return its address, pinned to the commit."""
    from moodal.hub.push import push

    folder = default_artefact(args.artefact)
    pushed = push(folder, args.repository, licence=args.licence, private=args.private, before=warn)
    if not args.json:
        tell(f"Pushed to {pushed.address}; use it with --artefact {pushed.address}")
    return {
        "address": str(pushed.address),
        "digest": pushed.digest,
        "notes": list(pushed.notes),
    }
