"""The command `train`: run a recipe from end to end."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments, show_report, tell


def train_arguments(parser: Arguments) -> None:
    parser.add_argument("recipe", type=Path, help="a TOML file, e.g. recipes/mosei/eea.toml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="e.g. train.lr=1e-4")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; goes on there")
    parser.add_argument("--jobs", type=int, default=1, help="folds that are trained at once")


def train(args: argparse.Namespace) -> Any:
    from moodal.train.experiment import train as experiments

    report = experiments.train(args.recipe, args.overrides, args.out, jobs=args.jobs)
    if report is not None and not args.json:
        show_report(report)
        tell(f"Report: {args.out}/report.md")
    return report
