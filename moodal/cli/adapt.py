"""The command `adapt`: teach an artefact a word, level it to a channel, or correct it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moodal.cli.common import (
    Arguments,
    artefact_path,
    chosen_artefact,
    prior_arguments,
    require_nothing_left_out,
    tell,
    warn,
)
from moodal.core.errors import UsageError


def adapt_arguments(parser: Arguments) -> None:
    """Add the arguments of `adapt`."""
    parser.add_argument(
        "clips",
        nargs="*",
        metavar="WORD CLIP",
        help="the emotion word, e.g. relieved, and recordings, texts or pictures that show it",
    )
    _source_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for the new artefact")
    parser.add_argument(
        "--artefact",
        type=artefact_path,
        help="artefact to start from: a folder or hf://owner/name@revision (default: the one in "
        "the package)",
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


def _source_arguments(parser: Arguments) -> None:
    """Add what an artefact may learn from in place of a word."""
    parser.add_argument(
        "--unlabelled",
        nargs="+",
        metavar="INPUT",
        help="in place of a word: recordings of one channel, or their folder, whose level the new "
        "artefact takes off every answer",
    )
    parser.add_argument(
        "--corrections",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="in place of a word: files of `moodal review`, from which the new artefact learns "
        "offsets and scales of its emotions, where that helps",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FOLDER",
        help="with --corrections: the results that were corrected, as JSON (default: those in the "
        "folder of the first file)",
    )


def adapt(args: argparse.Namespace) -> Any:
    """Adapt the artefact and return its folder, and the word or the level that it learned."""
    if args.results and not args.corrections:
        raise UsageError("--results belongs to --corrections.")
    for option, value in (("unlabelled", args.unlabelled), ("corrections", args.corrections)):
        if value and (args.clips or args.negatives or args.replace):
            raise UsageError(f"--{option} takes no word, --negatives or --replace; adapt twice.")
    if args.unlabelled and args.corrections:
        raise UsageError("--unlabelled and --corrections cannot be combined; adapt twice.")
    if args.unlabelled:
        return _adapt_level(args)
    if args.prior is not None:
        raise UsageError("--prior belongs to --unlabelled; a word and corrections have none.")
    if args.corrections:
        return _adapt_corrections(args)
    if len(args.clips) < 2:
        raise UsageError(
            "Name a word and clips that show it, recordings with --unlabelled, or a file with "
            "--corrections."
        )
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
    model = load(chosen_artefact(args.artefact))
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
        load(chosen_artefact(args.artefact))
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


def _adapt_corrections(args: argparse.Namespace) -> Any:
    from moodal.core.correction import read_corrections
    from moodal.loading import load
    from moodal.model.adapt_corrections import adapt_corrections
    from moodal.model.adapted_notes import correction_note
    from moodal.model.artefact import read
    from moodal.output.results import read_results

    unused: list[str] = []
    folder = adapt_corrections(
        load(chosen_artefact(args.artefact)),
        [row for path in args.corrections for row in read_corrections(path)],
        read_results(args.results or args.corrections[0].parent),
        args.out,
        source=", ".join(map(str, args.corrections)),
        left_out=unused,
    )
    learned = read(folder).fused.corrections
    assert learned is not None
    for reason in unused:
        warn(f"not used: {reason}.")
    if not args.json:
        tell(f"{folder}: {correction_note(learned)} Use it with --artefact.")
    answer = {"artefact": str(folder), "corrections": learned.model_dump(mode="json")}
    require_nothing_left_out(args.strict, unused, answer)
    return answer
