"""The command `adapt`: teach an artefact a word by a few clips."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments


def adapt_arguments(parser: Arguments) -> None:
    parser.add_argument("word", help="the emotion, e.g. relieved")
    parser.add_argument("clips", nargs="+", help="recordings, texts or pictures that show it")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new artefact")
    parser.add_argument("--artefact", type=Path, help="default: the one that comes along")
    parser.add_argument(
        "--negatives", nargs="*", default=[], metavar="CLIP", help="clips that do not show it"
    )
    parser.add_argument(
        "--replace", action="store_true", help="also where the word is known already"
    )


def adapt(args: argparse.Namespace) -> Any:
    from moodal.cli.inputs import recordings
    from moodal.model.adapt import adapt, known_as
    from moodal.model.artefact import read
    from moodal.model.predictor import load

    negatives = recordings(args.negatives)
    predictor = load(args.artefact)
    word = known_as(predictor, args.word, args.replace)
    made = adapt(
        predictor,
        word,
        recordings(args.clips),
        args.out,
        negatives=negatives,
        replace=args.replace,
    )
    told = read(made).info.data.adapted[word]
    if not args.json:
        print(f"{word} is known in {made} from {_counted(told)}; use it with --artefact.")
    return {"artefact": str(made), "word": word, "clips": told}


def _counted(clips: Any) -> str:
    """How many examples each modality had."""
    if isinstance(clips, dict):
        return ", ".join(f"{n} of {stream}" for stream, n in clips.items() if isinstance(n, int))
    return str(clips)
