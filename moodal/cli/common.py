"""Helpers of several commands: NAME=VALUE options, messages, and the default artefact."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moodal.core.errors import LeftOutError, UsageError
from moodal.core.guard import line

Arguments = argparse.ArgumentParser


def transcriber_arguments(parser: Any) -> None:
    """Add the arguments that choose the transcriber and state the language."""
    parser.add_argument(
        "--asr-model",
        default="auto",
        metavar="MODEL",
        help="tiny.en (English alone), base (about a hundred languages), the folder of a Whisper "
        "model, or auto: tiny.en for English, and base, where it is installed, for what sounds "
        "like another language (default: auto)",
    )
    parser.add_argument(
        "--language",
        metavar="TAG",
        help="language of all that is said or written, e.g. de (default: it is found)",
    )


def prior_arguments(parser: Arguments) -> None:
    """Add the arguments on the prior and the strength of a level, of `predict` and `evaluate`."""
    parser.add_argument(
        "--level-strength",
        type=float,
        default=0.15,
        help="the part of the estimated constant that --level takes off (default: 0.15)",
    )
    parser.add_argument(
        "--prior",
        help="how probable each basic emotion is beforehand: level, talk, training, or a .toml "
        "file of emotion = share (default: level)",
    )


def default_artefact(path: Path) -> Path:
    """Return the path of the package's artefact for the name "default", else ``path``."""
    from moodal.model.artefact import DEFAULT

    return DEFAULT if str(path) == "default" and not path.exists() else path


def pair(text: str, option: str) -> tuple[str, str]:
    """Split the value of a NAME=VALUE option.

    Raises:
        UsageError: the text is no such pair.
    """
    key, equals, value = text.partition("=")
    if not equals or ("=" in value and option == "--map"):
        raise UsageError(
            f"{option} {text!r} is not NAME=VALUE; repeat {option} for each further pair."
        )
    return key, value


def tell(message: Any) -> None:
    """Print a sentence as plain text (brackets in a path are no markup), or draw a table."""
    if isinstance(message, str):
        print(line(message))
        return
    from rich import print as rich_print

    rich_print(message)


def require_nothing_left_out(strict: bool, missing: Sequence[str], answer: object) -> None:
    """End a command with ``--strict`` if something was left out, after everything was written.

    Args:
        missing: what was left out.
        answer: the command's answer, which is printed nevertheless.

    Raises:
        LeftOutError: names the first three.
    """
    if strict and missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        named = "; ".join(text.rstrip(".") for text in missing[:3])
        raise LeftOutError(f"something was left out (--strict): {named}{more}.", answer)


def warn(message: str) -> None:
    """Print a sentence on what the user should know to standard error."""
    print(line(f"moodal: {message}"), file=sys.stderr)


def show_report(report: dict[str, Any]) -> None:
    """Print the tables of a report."""
    from moodal.evaluation.report import tables

    tables.show(report)
