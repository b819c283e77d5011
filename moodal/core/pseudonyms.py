"""Pseudonyms: other names for recordings, persons, sessions and paths, in a key of the owner's.

A pseudonym is random, not computed from the name, so nobody without the key can test a guess. The
key is a CSV file with the columns kind, name and pseudonym. It may be written by hand; names that
it lacks are added.
"""

from __future__ import annotations

import csv
import io
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from moodal.core.errors import DataError, OutputError
from moodal.core.files import LARGEST_TEXT, load_text, replacing, version_of
from moodal.core.guard import plain
from moodal.core.timeline import Prediction, SpeakerTurn, Timeline

PseudonymKind = Literal["recording", "speaker", "participant", "session", "path"]
KINDS: tuple[PseudonymKind, ...] = ("recording", "speaker", "participant", "session", "path")
PERSONS: tuple[PseudonymKind, ...] = ("speaker", "participant")
"""The kinds of which a name may be the same person."""
COLUMNS = ("kind", "name", "pseudonym")

UNNAMED = re.compile(r"(speaker|channel|face) \d+|no face")
"""What tells persons apart and names nobody."""

UNCHANGED = ("", "-")
"""The paths of arrays and of standard input, which name nothing."""

QUOTED = re.compile(r"(?<!\w)'[^'\n]*'(?!\w)|\"[^\"\n]*\"|“[^”\n]*”")
"""What a message quotes: a part of a strange file."""
A_PATH = re.compile(
    r"(?<![\w.~-])(?!(?:and/or|km/h|s/he)\b)(?:[A-Za-z]:[\\/]|[\w.~-]*[\\/])"
    r"(?:[^'\",;:()\n]{0,200}?\.[A-Za-z]\w{1,4}(?!\w)|[^\s'\",;:()]*)"
)
"""What in a message is a path."""

ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"
"""The characters of random pseudonyms: none that are mistaken for others."""
LENGTH = 8


class Pseudonyms:
    """The key of a study: pseudonyms for names, to which new ones are added.

    Args:
        path: the key's file; a missing one is made by `save`.

    Raises:
        DataError: the file is damaged: other columns, a kind that is none, a name twice, or two
            names with one pseudonym. It is left as it is.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self._named: dict[tuple[str, str], str] = {}
        self._spellings: dict[str, str] = {}
        self._changed, self._version = False, None
        if self.path.exists():
            self._version = version_of(self.path)
            self._named = _read(self.path)
        for (kind, name), pseudonym in self._named.items():
            self._learn(kind, name, pseudonym)

    def recording(self, path: str) -> str:
        """Return the pseudonym of a recording, by its path; a new one if it has none.

        A row of the key names it by its path as it was given, by its whole path, or by the file's
        name alone.
        """
        if path in UNCHANGED:
            return path
        whole = _whole(path)
        known = (("recording", name) for name in (path, whole, _name(path)))
        pseudonym = next((self._named[key] for key in known if key in self._named), None)
        if pseudonym is None:
            pseudonym = self._new("recording", whole)
        for spelling in _spellings(path):
            self._spellings.setdefault(spelling, pseudonym)
        return pseudonym

    def uploaded(self, name: str, kind: PseudonymKind = "recording") -> str:
        """Return the pseudonym of a file that came with this name alone, from another machine.

        Files of this machine that have the same name are others, unless the key names them so.
        """
        return self._named.get((kind, name)) or self._new(kind, name)

    def speaker(self, name: str) -> str:
        """Return the pseudonym of a speaker, or of several joined by a comma.

        What names nobody, such as "speaker 2", "channel 1" or "face 2", remains.
        """
        return ", ".join(self._person("speaker", own) for own in name.split(", "))

    def participant(self, name: str) -> str:
        """Return the pseudonym of a participant: that of the speaker of this name, if there is one.

        What names nobody, such as "speaker 2", remains.
        """
        return self._person("participant", name)

    def session(self, name: str) -> str:
        """Return the pseudonym of a session of a study; a number remains."""
        if not name or name.isdecimal():
            return name
        return self._named.get(("session", name)) or self._new("session", name)

    def other_path(self, path: Path | str) -> str:
        """Return the pseudonym of a file or folder that is no recording."""
        if str(path) in UNCHANGED:
            return str(path)
        whole = _whole(str(path))
        pseudonym = self._named.get(("path", str(path))) or self._named.get(("path", whole))
        if pseudonym is None:
            pseudonym = self._new("path", whole)
        for spelling in (str(path), whole):
            self._spellings.setdefault(spelling, pseudonym)
        return pseudonym

    def message(self, text: str) -> str:
        """Replace the names in a sentence.

        Known names become their pseudonyms; what else is quoted or looks like a path is left out,
        as it may be a name that nobody knows here.
        """
        known = sorted(self._spellings, key=len, reverse=True)
        marks: list[str] = []

        def marked(match: re.Match[str]) -> str:
            marks.append(self._spellings[match[0]])
            return f"\x00{len(marks) - 1}\x01"

        if known:
            pattern = "|".join(map(re.escape, known))
            text = re.sub(rf"(?<!\w)(?:{pattern})(?!\w)", marked, text)
        text = A_PATH.sub("a file", QUOTED.sub(_unquoted, text))
        return re.sub(r"\x00(\d+)\x01", lambda match: marks[int(match[1])], text)

    def prediction(self, p: Prediction, recording: str, pseudonym: str) -> Prediction:
        """Return a prediction under other names.

        Args:
            p: the prediction.
            recording: the name from which its id begins.
            pseudonym: the name that replaces it.
        """
        return replace(
            p,
            id=_renamed_id(p.id, recording, pseudonym),
            speaker=None if p.speaker is None else self.speaker(p.speaker),
            person=None if p.person is None else self.speaker(p.person),
            flags=tuple(map(self.message, p.flags)),
            absent=self._messages(p.absent),
            slices=tuple(self.prediction(s, recording, pseudonym) for s in p.slices),
        )

    def timeline(self, timeline: Timeline, *, renamed: bool = False) -> Timeline:
        """Return a timeline under other names, and without the pictures of faces.

        Args:
            timeline: the recording.
            renamed: whether its path is a pseudonym already.
        """
        pseudonym = timeline.path if renamed else self.recording(timeline.path)
        for p in timeline:  # all names are known before any sentence is read
            for name in filter(None, (p.speaker, p.person)):
                self.speaker(name)
        own = _name(timeline.path) if timeline.path not in UNCHANGED else "recording"
        shown = own if timeline.path in UNCHANGED else pseudonym
        turns = (SpeakerTurn(t.start, t.end, self.speaker(t.speaker)) for t in timeline.turns)
        return replace(
            timeline,
            path=pseudonym,
            predictions=tuple(self.prediction(p, own, shown) for p in timeline),
            absent=self._messages(timeline.absent),
            notes=tuple(map(self.message, timeline.notes)),
            prior=self.message(timeline.prior),
            turns=tuple(turns),
            thumbnails=(),
        )

    @property
    def recordings(self) -> dict[str, str]:
        """The recordings: pseudonym -> name."""
        return {
            pseudonym: name
            for (kind, name), pseudonym in self._named.items()
            if kind == "recording"
        }

    def is_pseudonym(self, name: str) -> bool:
        """Return whether a name is a pseudonym of a recording."""
        return name in UNCHANGED or name in self.recordings

    def save(self) -> None:
        """Write the key, if names were added; before anything that uses them is written.

        Raises:
            OutputError: it cannot be written, or another program changed it meanwhile.
        """
        if not self._changed:
            return
        present = version_of(self.path) if self.path.exists() else None
        if present != self._version:
            raise OutputError(
                f"{self.path} was changed by another program meanwhile; run again, and let one "
                "program at a time use it."
            )
        with replacing(self.path) as part, open(part, "w", encoding="utf-8", newline="") as file:
            part.chmod(0o600)  # it undoes the pseudonyms
            file.write(_written(self._named))
            file.flush()
            os.fsync(file.fileno())
        self._changed, self._version = False, version_of(self.path)

    def _person(self, kind: PseudonymKind, name: str) -> str:
        if not name or UNNAMED.fullmatch(name):
            return name
        own = (self._named.get((one, name)) for one in PERSONS)
        return next(filter(None, own), None) or self._new(kind, name)

    def _new(self, kind: PseudonymKind, name: str) -> str:
        taken = {pseudonym.lower() for pseudonym in self._named.values()}
        while (pseudonym := f"{kind}-{_random()}") in taken:
            pass
        self._named[kind, name] = pseudonym
        self._changed = True
        self._learn(kind, name, pseudonym)
        return pseudonym

    def _learn(self, kind: str, name: str, pseudonym: str) -> None:
        """Let `message` find a name."""
        spellings = _spellings(name) if kind == "recording" else (name,)
        if kind in ("participant", "session") and (name.isdecimal() or len(name) == 1):
            spellings = ()  # a participant 7 or A would take the place of figures and words
        for spelling in spellings:
            self._spellings.setdefault(spelling, pseudonym)

    def _messages(self, reasons: Mapping[str, str]) -> dict[str, str]:
        return {stream: self.message(reason) for stream, reason in reasons.items()}


def without_quotes(text: str) -> str:
    """Leave out what a sentence quotes.

    >>> without_quotes("line 3, 'so good' is no span of time")
    'line 3, … is no span of time'
    """
    return QUOTED.sub(_unquoted, text)


def _renamed_id(id: str, recording: str, pseudonym: str) -> str:
    if recording == pseudonym and id.startswith(recording):
        return id
    number = id[len(recording) :] if id.startswith(recording) else id.rpartition("#")[2]
    return f"{pseudonym}{number if number[:1] == '#' else '#' + number}"


def _unquoted(match: re.Match[str]) -> str:
    return match[0] if "\x00" in match[0] else "…"


def _random() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def _whole(path: str) -> str:
    """Return the whole path of a file that is there; else the name as it was given."""
    try:
        return str(Path(path).resolve()) if Path(path).exists() else path
    except (OSError, ValueError):
        return path


def _name(path: str) -> str:
    """Return a file's name, of either kind of path."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]


def _spellings(path: str) -> Iterable[str]:
    """Return the ways in which a message may name a recording."""
    name = _name(path)
    stem = name.rpartition(".")[0] or name
    return dict.fromkeys((path, _whole(path), name, stem))


def _written(named: Mapping[tuple[str, str], str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((kind, name, pseudonym) for (kind, name), pseudonym in named.items())
    return text.getvalue()


def _read(path: Path) -> dict[tuple[str, str], str]:
    """Read a key: kind and name -> pseudonym."""
    try:
        rows = list(csv.reader(io.StringIO(_content(path), newline=""), strict=True))
    except csv.Error as error:
        raise DataError(f"{path}: {error}; look for a quote that is not closed.") from None
    header = [name.strip().lower() for name in rows[0]] if rows else []
    if header != list(COLUMNS):
        raise DataError(
            f"{path} is no key of pseudonyms, whose first line is {','.join(COLUMNS)}; name "
            "another file, or mend it."
        )
    named: dict[tuple[str, str], str] = {}
    for number, cells in enumerate(rows[1:], 1):
        if not any(cells):
            continue
        if len(cells) != len(COLUMNS) or cells[0] not in KINDS or not all(map(str.strip, cells)):
            raise DataError(
                f"{path}, row {number} is no kind ({', '.join(KINDS)}), name and pseudonym; mend "
                "it, as a new key would give other pseudonyms."
            )
        kind, name, pseudonym = cells
        if (kind, name) in named or pseudonym in named.values():
            raise DataError(f"{path}, row {number}: its name or pseudonym occurs twice; mend it.")
        if plain(pseudonym) != pseudonym or set(pseudonym) & set("/\\"):
            raise DataError(f"{path}, row {number}: a pseudonym is one line without slashes.")
        named[kind, name] = pseudonym
    return named


def _content(path: Path) -> str:
    """Read the text of a key; its last line must be whole.

    Raises:
        DataError: it is no text, or its end is missing.
    """
    try:
        text = load_text(path, LARGEST_TEXT).removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read the key {path}: {error}.") from None
    if not text.strip():
        raise DataError(f"{path} is empty; remove it to begin a new key.")
    return text
