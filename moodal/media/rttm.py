"""Reading of RTTM files (NIST, Rich Transcription 2009), which say who speaks when."""

from __future__ import annotations

import codecs
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from moodal.core.errors import DataError
from moodal.core.guard import plain

OTHER_KINDS = (
    *("SEGMENT", "NOSCORE", "NO_RT_METADATA", "LEXEME", "NON-LEX", "NON-SPEECH", "FILLER"),
    *("EDIT", "IP", "SU", "CB", "A/P", "SPKR-INFO"),
)
"""The kinds of lines that are skipped."""

EXAMPLE = "SPEAKER interview 1 0.50 2.25 <NA> <NA> Anna <NA> <NA>"
LEAST_FIELDS = 8
MISSING = "<NA>"


class NamedTurn(NamedTuple):
    """A turn of a named speaker: its start and its duration in seconds."""

    start: float
    duration: float
    name: str


def read_rttm(
    path: Path | str, recording: str | None = None, tell: Callable[[str], None] | None = None
) -> list[NamedTurn]:
    """Read the turns of one recording from an RTTM file, sorted by their start.

    Turns may overlap. Lines of other kinds than SPEAKER, comments and turns of no length are
    left out. Files are UTF-8 or UTF-16.

    Args:
        path: the file.
        recording: the recording's name in the file, which is its file name without ending; it
            matters only where the file has several recordings.
        tell: gets a sentence if the file's only recording has another name.

    Raises:
        DataError: the file cannot be read, a line is wrong, no turn is in it, or it has several
            recordings and none of this name.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read RTTM file {path}: {error.strerror or error}.") from None
    return parse_rttm(_decoded(raw, path), str(path), recording, tell)


def parse_rttm(
    text: str,
    name: str = "the RTTM file",
    recording: str | None = None,
    tell: Callable[[str], None] | None = None,
) -> list[NamedTurn]:
    """Read turns from the text of an RTTM file; errors call it ``name``. See `read_rttm`.

    >>> parse_rttm("SPEAKER interview 1 0.50 2.25 <NA> <NA> Anna <NA> <NA>")
    [NamedTurn(start=0.5, duration=2.25, name='Anna')]
    """
    turns: dict[str, list[NamedTurn]] = {}
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        fields = line.split()
        if not fields or fields[0].startswith(";"):
            continue
        if fields[0] not in ("SPEAKER", *OTHER_KINDS):
            raise DataError(
                f"{name}, line {number}: {_short(fields[0])} is no kind of line of RTTM; a turn "
                f"is written like {EXAMPLE}."
            )
        if fields[0] == "SPEAKER":
            turn = _turn(fields, f"{name}, line {number}")
            if turn.duration:
                turns.setdefault(fields[1], []).append(turn)
    if not turns:
        raise DataError(f"{name} holds no turn; one is written like {EXAMPLE}.")
    only = next(iter(turns))
    if tell and recording and len(turns) == 1 and only not in _names(recording):
        tell(f"The turns of {name} are of a recording called {_short(only)}, not {recording!r}.")
    return sorted(_chosen(turns, name, recording))


def _names(recording: str | None) -> tuple[str, str]:
    """Return the names that a recording may have; RTTM's have no spaces."""
    return recording or "", "_".join((recording or "").split())


def _turn(fields: list[str], place: str) -> NamedTurn:
    """Read the turn of a line; errors begin with its place."""
    if len(fields) < LEAST_FIELDS:
        raise DataError(
            f"{place}: a turn has {LEAST_FIELDS} to 10 fields, but here are {len(fields)}; write "
            f"it like {EXAMPLE}."
        )
    seconds = {}
    for what, field in (("start", fields[3]), ("duration", fields[4])):
        try:
            seconds[what] = float(field)
        except ValueError:
            seconds[what] = math.nan
        if not (math.isfinite(seconds[what]) and seconds[what] >= 0):
            raise DataError(
                f"{place}: the {what} {_short(field)} is no number of seconds; give one from 0."
            )
    name = plain(fields[7])
    if not name or name == MISSING:
        raise DataError(f"{place}: the turn names no speaker; write a name in its eighth field.")
    return NamedTurn(seconds["start"], seconds["duration"], name)


def _chosen(turns: dict[str, list[NamedTurn]], name: str, recording: str | None) -> list[NamedTurn]:
    """Return the turns of the recording of that name, or of the only one."""
    if len(turns) == 1:
        return next(iter(turns.values()))
    for wanted in _names(recording):
        if wanted in turns:
            return turns[wanted]
    shown = ", ".join(_short(key) for key in list(turns)[:3])
    more = f" and {len(turns) - 3} more" if len(turns) > 3 else ""
    missing = f"none is called {recording!r}" if recording else "none was chosen"
    raise DataError(
        f"{name} holds {len(turns)} recordings ({shown}{more}), and {missing}; name one of them, "
        "or give a file for the recording alone."
    )


def _short(field: str) -> str:
    return repr(plain(field)[:40])


def _decoded(raw: bytes, path: Path) -> str:
    try:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            text = raw.decode("utf-16")
        else:
            text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is no text in UTF-8; store the RTTM file in UTF-8.") from None
    if not text.strip():
        raise DataError(f"{path} is empty; a turn is written like {EXAMPLE}.")
    if "\x00" in text:
        raise DataError(f"{path} is no RTTM file, but other data; give an .rttm file.")
    return text
