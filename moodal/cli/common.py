"""Helpers of several commands: NAME=VALUE options, messages, and the default artefact."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from moodal.core.errors import LeftOutError, UsageError
from moodal.core.guard import line

Arguments = argparse.ArgumentParser

M_ARENA_MAX = -8
"""The number of heaps, among the parameters of glibc's mallopt(3)."""


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


def privacy_arguments(parser: Any) -> None:
    """Add the arguments that take names and words out of every output."""
    parser.add_argument(
        "--pseudonyms",
        type=Path,
        metavar="KEY.csv",
        help="rename recordings, persons, sessions and paths in every output, as this key says; "
        "names that it lacks are added to it",
    )
    parser.add_argument(
        "--no-text", action="store_true", help="leave all words out of every output"
    )


def artefact_path(text: str) -> Path | str:
    """Read an option that names an artefact: a folder, or an address of the hub, left as it is."""
    from moodal.hub.address import is_address

    return text if is_address(text) else Path(text)


def default_artefact(path: Path | str) -> Path:
    """Return the folder of the artefact that a command names, fetched where it is on the hub.

    Args:
        path: a folder, "default" for the artefact in the package, or hf://owner/name@revision.

    Raises:
        MoodalError: as `moodal.hub.fetch.fetch_artefact`.
    """
    from moodal.hub.address import HubAddress, is_address
    from moodal.model.artefact import DEFAULT

    if is_address(path):
        from moodal.hub.fetch import fetch_artefact

        address = HubAddress.parse(str(path))
        folder = fetch_artefact(address)
        if not address.pinned:
            warn(f"{address} is now {address.at(folder.name)}; name that to get the same again.")
        return folder
    return DEFAULT if str(path) == "default" and not Path(path).exists() else Path(path)


def chosen_artefact(path: Path | str | None) -> Path | None:
    """Return the folder of `default_artefact`, or None where the command names none."""
    return None if path is None else default_artefact(path)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Let the garbage collector rest while modules and a model are loaded, which it cannot free."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def share_heap() -> None:
    """Let all threads take memory from one heap, where the C library is glibc.

    It gives each thread a heap of its own, and what one freed is not used by the others. Who sets
    MALLOC_ARENA_MAX has chosen otherwise.
    """
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):  # another C library has no mallopt
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


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
