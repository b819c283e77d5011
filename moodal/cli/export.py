"""The command `export`: write a prepared corpus in the format of another toolkit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments, tell

FORMATS = ("audformat", "datasets")


def export_arguments(parser: Arguments) -> None:
    """Add the arguments of `export`."""
    parser.add_argument("prepared", type=Path, help="folder that `moodal prepare` wrote")
    parser.add_argument("out", type=Path, help="folder for the corpus in the other format")
    parser.add_argument(
        "--to",
        required=True,
        choices=FORMATS,
        help="audformat: a database of audEERING's audformat; datasets: a dataset of Hugging "
        "Face's library, as load_from_disk reads it, with recordings and features",
    )


def export(args: argparse.Namespace) -> Any:
    """Write the corpus and return its format, folder and size."""
    from moodal.core import manifest as manifests
    from moodal.corpora.exchange import audformat_writer, hf_writer

    write = {"audformat": audformat_writer.write, "datasets": hf_writer.write}[args.to]
    manifest = manifests.read(args.prepared)
    write(manifest, args.out)
    if not args.json:
        tell(
            f"Written to {args.out}: {len(manifest)} utterances of {manifest.corpus}, licence "
            f"{manifest.licence}."
        )
    return {"to": args.to, "out": str(args.out), "utterances": len(manifest)}
