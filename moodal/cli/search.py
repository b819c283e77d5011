"""The command `search`: vary keys of a recipe, choose on validation, and test what was chosen."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments, tell


def search_arguments(parser: Arguments) -> None:
    """Add the arguments of `search`."""
    parser.add_argument("recipe", type=Path, help="a TOML file, e.g. recipes/mosei/eea.toml")
    parser.add_argument(
        "space",
        type=Path,
        help="a TOML file of recipe keys with their ranges, e.g. "
        "train.lr = { low = 1e-5, high = 1e-2, log = true }",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="values that replace the recipe's, e.g. train.epochs=5",
    )
    parser.add_argument(
        "--trials", type=int, default=20, help="trials in each fold (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the values that are tried (default: %(default)s)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for the search; repeat the command to resume",
    )


def search(args: argparse.Namespace) -> Any:
    """Search, and return the report."""
    from moodal.evaluation.search import show
    from moodal.train.experiment import search as searches

    report = searches.search(
        args.recipe, args.space, args.overrides, args.out, trials=args.trials, seed=args.seed
    )
    if not args.json:
        show(report)
        tell(f"Report: {args.out}/search.md")
    return report
