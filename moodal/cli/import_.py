"""The command `import`: convert a checkpoint of the papers' authors to an artefact."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments, tell


def import_arguments(parser: Arguments) -> None:
    """Add the arguments of `import`."""
    parser.add_argument(
        "checkpoint",
        type=Path,
        help="a checkpoint savings/.../models/*.pt, or MMER's {session}_model.pt",
    )
    parser.add_argument("out", type=Path, help="folder for the artefact")
    parser.add_argument(
        "--labels", required=True, help="emotions in the order of training, comma-separated"
    )
    parser.add_argument(
        "--task",
        choices=("multi", "single", "regression"),
        help="kind of labels (default: single for MMER's systems, else multi)",
    )
    parser.add_argument(
        "--modalities", help="letters of t, a, v; needed if the file does not show its modalities"
    )
    parser.add_argument(
        "--widths",
        nargs=3,
        type=int,
        metavar=("TEXT", "SPEECH", "FACE"),
        help="values per step, for early fusion (default: 300 74 35)",
    )
    parser.add_argument(
        "--heads",
        type=int,
        help="attention heads of MulT (default: 10; 8 for MOSEI sentiment) or MMER (default: 12)",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.5,
        help="probability above which each emotion is decided (default: 0.5)",
    )


def import_(args: argparse.Namespace) -> Any:
    """Convert the checkpoint and return the data of the artefact."""
    from moodal.core.records import STREAMS
    from moodal.published.import_checkpoint import import_checkpoint

    info = import_checkpoint(
        args.checkpoint,
        args.out,
        args.labels.split(","),
        args.task,
        args.modalities,
        widths=dict(zip(STREAMS, args.widths, strict=True)) if args.widths else None,
        heads=args.heads,
        threshold=args.threshold,
    )
    if not args.json:
        tell(f"Written to {args.out}: {info.name} with the emotions {', '.join(info.labels)}.")
    return info.model_dump(mode="json")
