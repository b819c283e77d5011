"""The commands `evaluate` and `compare`: test an artefact, and set runs against each other."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments, default_artefact, pair, show_report, tell


def evaluate_arguments(parser: Arguments) -> None:
    parser.add_argument("artefact", type=Path, help='its folder; "default": the one in the package')
    parser.add_argument(
        "corpus",
        metavar="CORPUS",
        help="folder that `moodal prepare` wrote, a table of raw recordings, texts or pictures, "
        "or a corpus's name with --root",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the report")
    parser.add_argument("--split", help='"train", "valid", "test", "all", "held-out"')
    parser.add_argument("--emotions", help="comma-separated; default: the corpus's")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="THEIRS=OURS",
        help="a corpus's name for an emotion that the artefact calls otherwise",
    )
    parser.add_argument("--vectors", help="word vectors for emotions that the artefact never saw")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="only such rows, e.g. session=Ses05",
    )
    parser.add_argument(
        "--by",
        action="append",
        default=[],
        metavar="COLUMN",
        help="a column whose values the report tells apart, e.g. style",
    )
    raw = parser.add_argument_group("on raw recordings, texts or pictures")
    raw.add_argument("--root", type=Path, help="folder that the table's paths start from")
    raw.add_argument("--streams", help="modalities that may be used, e.g. speech")
    raw.add_argument("--jobs", type=int, default=1, help="processes that read")
    raw.add_argument("--asr", action="store_true", help="transcribe rows that have no text")
    raw.add_argument("--store", type=Path, help="keeps what was read; default: OUT.states")


def evaluate(args: argparse.Namespace) -> Any:
    from moodal.loading import load
    from moodal.model.options import EvaluateOptions

    options = EvaluateOptions(
        split=args.split,
        emotions=args.emotions,
        names=dict(pair(text, "--map") for text in args.map),
        vectors=args.vectors,
        streams=args.streams,
        where=dict(pair(text, "--where") for text in args.where),
        by=args.by,
        jobs=args.jobs,
        asr=args.asr,
        store=args.store,
    )
    model = load(default_artefact(args.artefact), threads=max(1, args.jobs))
    report = model.evaluate(args.corpus, args.out, root=args.root, options=options)
    if not args.json:
        show_report(report)
        tell(f"Report: {args.out}/report.md")
    return report


def compare_arguments(parser: Arguments) -> None:
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="two or more runs")
    parser.add_argument("--out", type=Path, required=True, help="folder for the comparison")
    parser.add_argument("--draws", type=int, default=1000, help="of the bootstrap; 0: no intervals")
    parser.add_argument("--seed", type=int, default=0)


def compare(args: argparse.Namespace) -> Any:
    from moodal.evaluation.compare import compare
    from moodal.evaluation.report import comparison

    made = compare(args.runs, args.out, draws=args.draws, seed=args.seed)
    if not args.json:
        comparison.show(made)
        tell(f"Written to {args.out}/compare.md")
    return made
