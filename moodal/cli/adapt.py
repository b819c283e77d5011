"""The command `adapt`: teach an artefact an emotion word from a few clips."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments


def adapt_arguments(parser: Arguments) -> None:
    """Add the arguments of `adapt`."""
    parser.add_argument("word", help="the emotion word, e.g. relieved")
    parser.add_argument(
        "clips", nargs="+", help="recordings, texts or pictures that show the emotion"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the new artefact")
    parser.add_argument(
        "--artefact", type=Path, help="artefact to start from (default: the one in the package)"
    )
    parser.add_argument(
        "--negatives",
        nargs="*",
        default=[],
        metavar="CLIP",
        help="clips that do not show the emotion",
    )
    parser.add_argument(
        "--replace", action="store_true", help="learn the word again if the artefact knows it"
    )


def adapt(args: argparse.Namespace) -> Any:
    """Adapt the artefact and return its folder, the word and the numbers of clips."""
    from moodal.cli.inputs import recordings
    from moodal.loading import load
    from moodal.model.adapt import adapt, counted, known_as
    from moodal.model.artefact import read

    negatives = recordings(args.negatives)
    model = load(args.artefact)
    word = known_as(model, args.word, args.replace)
    folder = adapt(
        model,
        word,
        recordings(args.clips),
        args.out,
        negatives=negatives,
        replace=args.replace,
    )
    examples = read(folder).info.data.adapted[word]
    if not args.json:
        counts = ", ".join(counted(examples))
        print(f"{folder} learned {word} from {counts}; use it with --artefact.")
    return {"artefact": str(folder), "word": word, "clips": examples}
