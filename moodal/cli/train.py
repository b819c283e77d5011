"""The command `train`: train and evaluate as a recipe says."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments, show_report, tell


def train_arguments(parser: Arguments) -> None:
    """Add the arguments of `train`."""
    parser.add_argument("recipe", type=Path, help="a TOML file, e.g. recipes/mosei/eea.toml")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="values that replace the recipe's, e.g. train.lr=1e-4",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the run; repeat the command to resume"
    )
    parser.add_argument("--jobs", type=int, default=1, help="folds trained in parallel")
    parser.add_argument(
        "--strict-audit",
        action="store_true",
        help="train nothing if the audit of a split has a warning or an error",
    )


def train(args: argparse.Namespace) -> Any:
    """Run the recipe and return its report."""
    from moodal.evaluation import seeds
    from moodal.train.experiment import train as experiments

    report = experiments.train(
        args.recipe, args.overrides, args.out, jobs=args.jobs, strict_audit=args.strict_audit
    )
    if report is not None and report["schema"] == seeds.SCHEMA and not args.json:
        seeds.show(report)
        tell(f"Report: {args.out}/seeds.md")
    elif report is not None and not args.json:
        show_report(report)
        tell(f"Report: {args.out}/report.md")
    return report
