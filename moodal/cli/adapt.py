"""The command `adapt`: teach an artefact an emotion word, or level it to a channel."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moodal.cli.common import Arguments, prior_arguments, require_nothing_left_out, tell
from moodal.core.errors import UsageError


def adapt_arguments(parser: Arguments) -> None:
    """Add the arguments of `adapt`."""
    parser.add_argument(
        "clips",
        nargs="*",
        metavar="WORD CLIP",
        help="the emotion word, e.g. relieved, and recordings, texts or pictures that show it",
    )
    parser.add_argument(
        "--unlabelled",
        nargs="+",
        metavar="INPUT",
        help="in place of a word: recordings of one channel, or their folder, whose level the new "
        "artefact takes off every answer",
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
    parser.add_argument(
        "--strict",
        action="store_true",
        help="end with exit code 8 if any clip or file was left out; the artefact is still written",
    )
    prior_arguments(parser)


def adapt(args: argparse.Namespace) -> Any:
    """Adapt the artefact and return its folder, and the word or the level that it learned."""
    if args.unlabelled:
        if args.clips or args.negatives or args.replace:
            raise UsageError("--unlabelled takes no word, --negatives or --replace; adapt twice.")
        return _adapt_level(args)
    if len(args.clips) < 2:
        raise UsageError("Name a word and clips that show it, or recordings with --unlabelled.")
    if args.prior is not None:
        raise UsageError("--prior belongs to --unlabelled; a word has no prior.")
    return _adapt_word(args)


def _adapt_word(args: argparse.Namespace) -> Any:
    from moodal.cli.inputs import recordings, warn_left_out
    from moodal.loading import load
    from moodal.model.adapt import adapt, counted, known_as
    from moodal.model.artefact import read

    left_out: list[Path] = []
    unread: list[str] = []
    negatives = recordings(args.negatives, left_out)
    clips = recordings(args.clips[1:], left_out)
    warn_left_out(left_out)
    model = load(args.artefact)
    word = known_as(model, args.clips[0], args.replace)
    folder = adapt(
        model,
        word,
        clips,
        args.out,
        negatives=negatives,
        replace=args.replace,
        left_out=unread,
    )
    examples = read(folder).info.data.adapted[word]
    if not args.json:
        counts = ", ".join(counted(examples))
        tell(f"{folder} learned {word} from {counts}; use it with --artefact.")
    answer = {"artefact": str(folder), "word": word, "clips": examples}
    require_nothing_left_out(args.strict, [*map(str, left_out), *unread], answer)
    return answer


def _adapt_level(args: argparse.Namespace) -> Any:
    from moodal.cli.inputs import recordings, warn_left_out
    from moodal.loading import load
    from moodal.model.artefact import read
    from moodal.model.levelled import level_note

    left_out: list[Path] = []
    unread: list[str] = []
    paths = recordings(args.unlabelled, left_out)
    warn_left_out(left_out)
    folder = (
        load(args.artefact)
        .under(args.prior)
        .adapt_level(
            paths,
            args.out,
            strength=args.level_strength,
            source=", ".join(args.unlabelled),
            left_out=unread,
        )
    )
    level = read(folder).fused.level
    assert level is not None
    if not args.json:
        tell(f"{folder}: {level_note(level)} Use it with --artefact.")
    answer = {"artefact": str(folder), "level": level.model_dump(mode="json")}
    require_nothing_left_out(args.strict, [*map(str, left_out), *unread], answer)
    return answer
