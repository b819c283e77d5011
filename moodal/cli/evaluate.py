"""The commands `evaluate` and `compare`: test an artefact, and compare finished runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moodal.cli.common import (
    Arguments,
    artefact_path,
    default_artefact,
    pair,
    prior_arguments,
    show_report,
    tell,
    transcriber_arguments,
)


def evaluate_arguments(parser: Arguments) -> None:
    """Add the arguments of `evaluate`."""
    about = 'folder of an artefact, hf://owner/name@revision, or "default"'
    parser.add_argument("artefact", type=artefact_path, help=about)
    parser.add_argument(
        "corpus",
        metavar="CORPUS",
        help="folder written by `moodal prepare`; a table of recordings, texts or pictures; or the "
        "name of a corpus, with --root",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the report")
    parser.add_argument(
        "--split", help='rows to test: "train", "valid", "test", "all" or "held-out"'
    )
    parser.add_argument(
        "--emotions", help="emotions to test, comma-separated (default: those of the corpus)"
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="THEIRS=OURS",
        help="the corpus's name for an emotion and the artefact's name for it; may be repeated",
    )
    parser.add_argument("--vectors", help="word vectors for emotions that are new to the artefact")
    parser.add_argument(
        "--level",
        nargs="?",
        const=True,
        default=False,
        metavar="COLUMN",
        help="take the constant of the recording channel off the evidence, estimated from the "
        "other rows, of each channel that a column names; presumes the prior",
    )
    prior_arguments(parser)
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="test only rows with this value, e.g. session=Ses05; may be repeated",
    )
    parser.add_argument(
        "--by",
        action="append",
        default=[],
        metavar="COLUMN",
        help="report results per value of this column, e.g. style; may be repeated",
    )
    raw = parser.add_argument_group("options for recordings, texts and pictures")
    raw.add_argument(
        "--root", type=Path, help="folder of the corpus, or to which the table's paths are relative"
    )
    raw.add_argument("--streams", help="modalities to use, e.g. text,speech (default: all)")
    raw.add_argument("--jobs", type=int, default=1, help="parallel processes that read recordings")
    raw.add_argument("--asr", action="store_true", help="transcribe rows that have no text")
    transcriber_arguments(raw)
    raw.add_argument(
        "--store", type=Path, help="folder that caches the read recordings (default: OUT.states)"
    )


def evaluate(args: argparse.Namespace) -> Any:
    """Test the artefact and return its report."""
    from moodal.loading import load
    from moodal.model.options import EvaluateOptions

    options = EvaluateOptions(
        split=args.split,
        emotions=args.emotions,
        names=dict(pair(text, "--map") for text in args.map),
        vectors=args.vectors,
        prior=args.prior,
        level=args.level,
        level_strength=args.level_strength,
        streams=args.streams,
        where=dict(pair(text, "--where") for text in args.where),
        by=args.by,
        jobs=args.jobs,
        asr=args.asr,
        asr_model=args.asr_model,
        language=args.language,
        store=args.store,
    )
    model = load(default_artefact(args.artefact))
    report = model.evaluate(args.corpus, args.out, root=args.root, options=options)
    if not args.json:
        show_report(report)
        if args.split is None and report["subset"] == "test":
            tell("Tested are the rows whose split is test; --split all tests every row.")
        tell(f"Report: {args.out}/report.md")
    return report


def compare_arguments(parser: Arguments) -> None:
    """Add the arguments of `compare`."""
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="folders of two or more finished runs"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the comparison")
    parser.add_argument(
        "--draws", type=int, default=1000, help="bootstrap draws for the intervals (0: none)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the bootstrap")


def compare(args: argparse.Namespace) -> Any:
    """Compare the runs and return the comparison."""
    from moodal.evaluation.compare import compare
    from moodal.evaluation.report import comparison

    compared = compare(args.runs, args.out, draws=args.draws, seed=args.seed)
    if not args.json:
        comparison.show(compared)
        tell(f"Written to {args.out}/compare.md")
    return compared
