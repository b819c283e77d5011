"""The command `import`: make an artefact of the authors' checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments, tell


def import_arguments(parser: Arguments) -> None:
    parser.add_argument(
        "checkpoint",
        type=Path,
        help="the authors' savings/.../models/*.pt, or MMER's {session}_model.pt",
    )
    parser.add_argument("out", type=Path, help="folder of the artefact to write")
    parser.add_argument("--labels", required=True, help="comma-separated, in the trained order")
    parser.add_argument(
        "--task",
        choices=("multi", "single", "regression"),
        help="default: single for MMER's systems, else multi",
    )
    parser.add_argument("--modalities", help="of t, a, v; needed where the file cannot tell")
    parser.add_argument(
        "--widths",
        nargs=3,
        type=int,
        metavar=("TEXT", "SPEECH", "FACE"),
        help="values per step, for early fusion; default 300 74 35",
    )
    parser.add_argument(
        "--heads",
        type=int,
        help="of MulT (default 10; 8 for MOSEI sentiment), or of MMER's systems (default 12)",
    )


def import_(args: argparse.Namespace) -> Any:
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
    )
    if not args.json:
        tell(f"{info.name} with {', '.join(info.labels)} is in {args.out}.")
    return info.model_dump(mode="json")
