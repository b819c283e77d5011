"""The command `agree`: compare raters, people with people and people with a model."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments, pair, warn


def agree_arguments(parser: Arguments) -> None:
    """Add the arguments of `agree`."""
    parser.add_argument(
        "raters",
        nargs="+",
        type=Path,
        metavar="RATER",
        help="the ratings of a person or a model: a table (with a column annotator: of several), "
        "an ELAN document, a TextGrid, or a folder with a file for each recording",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="RATER",
        help="the ratings of a model, such as moodal's answers, which are compared with people's",
    )
    parser.add_argument(
        "--step",
        type=float,
        default=0.1,
        help="seconds between the moments that are compared (default: 0.1)",
    )
    parser.add_argument(
        "--tier", help="the tier that is compared (default: the one called emotion)"
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="NAME=OTHER",
        help="another name of an emotion, and the one that is compared; may be repeated",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the intervals (default: 0)")


def agree(args: argparse.Namespace) -> Any:
    """Compare the raters, print their agreement, and return it."""
    from moodal.corpora.ratings import of_one_recording, read_raters, renamed
    from moodal.evaluation.agreement import agree as compare

    names = dict(pair(text, "--map") for text in args.map)
    raters = read_raters(args.raters, args.tier)
    model = None
    if args.model is not None:
        (one,) = read_raters([args.model], args.tier)
        model = one.name if one.name not in {r.name for r in raters} else f"{one.name} (model)"
        raters.append(type(one)(model, one.ratings))
    raters = renamed(raters, names) if names else raters
    if (together := of_one_recording(args.raters, raters)) is not None:
        files = ", ".join(path.name for path in args.raters)
        warn(f"{files} are taken for ratings of one recording; for several, give folders.")
        raters = together
    report = compare(raters, model=model, step=args.step, seed=args.seed)
    if report["clusters"]["warning"]:
        warn(report["clusters"]["warning"])
    if not args.json:
        _show(report)
    return report


def _show(report: Mapping[str, Any]) -> None:
    from rich.console import Console

    console = Console()
    unit = f"moments {report['step']:g} s apart" if report["step"] else "items"
    console.print(f"Units are {unit}; intervals (95%) by recording.")
    if any(one["units"] for one in report["pairs"]) or not report["values"]:
        _show_labels(console, report)
    for value, groups in report["values"].items():
        rows = [
            (
                name,
                str(one["units"]),
                *(_shown(one[k]) for k in ("icc", "icc_consistency", "alpha")),
            )
            for name, one in groups.items()
            if "icc" in one
        ]
        if rows:
            heads = (value, "units", "ICC(2,1)", "ICC(3,1)", "Krippendorff's alpha")
            console.print(_table(heads, rows))


def _show_labels(console: Any, report: Mapping[str, Any]) -> None:
    """Print the agreement on emotions: of pairs, of groups, and what is confused."""
    pairs = [
        (
            " and ".join(one["raters"]),
            str(one["units"]),
            "" if one["share"] is None else f"{one['share']:.0%}",
            "" if one["agreement"] is None else f"{one['agreement']:.0%}",
            _shown(one["kappa"]),
        )
        for one in report["pairs"]
    ]
    console.print(_table(("emotions", "units", "both rated", "agree", "kappa"), pairs))
    groups = [
        (name, _shown(group["alpha"]), _shown(group["kappa"]))
        for name, group in report["groups"].items()
    ]
    with_model = report["with_model"]
    if with_model is not None:
        groups.append(("model with each person", "", _shown(with_model["kappa"])))
    console.print(_table(("", "Krippendorff's alpha", "mean kappa"), groups))
    if with_model is not None:
        heading, counts = "people by row, model by column", with_model["confusion"]
    elif len(report["pairs"]) == 1:
        first, second = report["pairs"][0]["raters"]
        heading, counts = f"{first} by row, {second} by column", report["pairs"][0]["confusion"]
    else:
        return
    names = report["emotions"]
    rows = [(name, *map(str, row)) for name, row in zip(names, counts, strict=True)]
    console.print(_plain(f"Units: {heading}"))
    console.print(_table(("", *names), rows))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    """Return a table of plain texts."""
    from rich.table import Table

    table = Table(box=None)
    for head in heads:
        table.add_column(_plain(head))
    for row in rows:
        table.add_row(*map(_plain, row))
    return table


def _shown(figure: Mapping[str, float | None]) -> str:
    """Format a figure with its interval."""
    if figure["value"] is None:
        return "undefined"
    span = "" if figure["low"] is None else f" [{figure['low']:.3f}, {figure['high']:.3f}]"
    return f"{figure['value']:.3f}{span}"


def _plain(text: str) -> Any:
    from rich.text import Text

    from moodal.core.guard import line

    return Text(line(text))
