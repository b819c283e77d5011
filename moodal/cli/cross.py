"""The command `cross`: train on each of several corpora, and test on each."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments, pair, tell


def cross_arguments(parser: Arguments) -> None:
    """Add the arguments of `cross`."""
    parser.add_argument("recipe", type=Path, help="a TOML file; its data.prepared is not used")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="values that replace the recipe's, e.g. train.epochs=20",
    )
    parser.add_argument(
        "--corpora",
        required=True,
        metavar="FOLDER,FOLDER",
        help="two or more folders that `moodal prepare` wrote with the same encoders",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the runs; repeat the command to resume"
    )
    parser.add_argument(
        "--leave-one-out",
        action="store_true",
        help="train on all corpora but one, in place of each",
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="[CORPUS:]THEIRS=OURS",
        help="a corpus's name for a label and the common one; may be repeated",
    )
    parser.add_argument("--metric", default="", help="that of the matrix, e.g. accuracy")
    parser.add_argument(
        "--lists",
        type=Path,
        metavar="FILE.json",
        help="the rows of each corpus on which other trainings are tested: {corpus: [ids]}",
    )
    parser.add_argument("--jobs", type=int, default=1, help="folds trained in parallel")


def cross(args: argparse.Namespace) -> Any:
    """Train, test, and return the matrix."""
    from moodal.core import recipe as recipes
    from moodal.evaluation import cross as matrices
    from moodal.loading import load
    from moodal.train.experiment.cross import CrossOptions
    from moodal.train.experiment.cross import cross as run

    folders = [name.strip() for name in args.corpora.split(",") if name.strip()]
    # a recipe needs no data.prepared of its own here
    prepared = f"data.prepared={json.dumps(folders)}"
    recipe = recipes.load(args.recipe, [*args.overrides, prepared])
    options = CrossOptions(
        maps=dict(pair(text, "--map") for text in args.map),
        leave_one_out=args.leave_one_out,
        lists=args.lists,
        metric=args.metric,
        jobs=args.jobs,
    )
    report = run(recipe, folders, args.out, load=load, options=options)
    if not args.json:
        matrices.show(report)
        tell(f"Matrix: {args.out}/cross.md")
    return report
