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
    parser.add_argument("--artefact", type=Path, help="default: the one in the package")
    parser.add_argument(
        "--negatives", nargs="*", default=[], metavar="CLIP", help="clips that do not show it"
    )
    parser.add_argument(
        "--replace", action="store_true", help="also where the word is known already"
    )


def adapt(args: argparse.Namespace) -> Any:
    from moodal.cli.inputs import recordings
    from moodal.loading import load
    from moodal.model.adapt import adapt, known_as
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
        print(f"{word} is known in {folder} from {_counted(examples)}; use it with --artefact.")
    return {"artefact": str(folder), "word": word, "clips": examples}


def _counted(clips: Any) -> str:
    """How many examples each modality had."""
    if isinstance(clips, dict):
        return ", ".join(f"{n} of {stream}" for stream, n in clips.items() if isinstance(n, int))
    return str(clips)
