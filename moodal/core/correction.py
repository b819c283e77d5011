"""Corrections: what annotators say of utterances that a model judged, in a file that grows.

A row is one decision. It is one line of a CSV file, written to the disk before the next decision is
asked for, so a crash loses one decision at most.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from moodal.core.errors import DataError, writing
from moodal.core.files import folder_lock, replacing, version_of
from moodal.core.guard import FORMULA, plain
from moodal.core.timeline import UNSURE, Prediction, Timeline
from moodal.core.words import without_words

CorrectionKind = Literal["emotion", "text"]

CORRECTED = "Corrected by "
"""Begins the flag of an utterance with a correction."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One annotator's decision on one utterance.

    Attributes:
        recording: the path of the recording, as its timeline has it.
        id: the utterance.
        kind: "emotion", or "text" for its words.
        start, end: seconds in the recording; None for a text.
        old: the label or the words of the model.
        new: those of the annotator, the same where the annotator agrees; "unsure" for an emotion
            that the annotator cannot tell.
        annotator: a name.
        time: when, in UTC (ISO 8601, to the millisecond).
        artefact: the digest of the model's artefact.
    """

    recording: str
    id: str
    kind: CorrectionKind
    start: float | None
    end: float | None
    old: str
    new: str
    annotator: str = ""
    time: str = ""
    artefact: str = ""

    @property
    def place(self) -> tuple[str, str, str, str]:
        """The key of the decision; a later one with the same key replaces it."""
        return self.recording, self.id, self.kind, self.annotator

    @classmethod
    def of(
        cls, timeline: Timeline, p: Prediction, kind: CorrectionKind, new: str, annotator: str = ""
    ) -> Correction:
        """Make the correction of an utterance now.

        Raises:
            DataError: the emotion is none of those that were asked for, nor "unsure".
        """
        new = plain(new)
        if kind == "emotion" and new not in (*timeline.emotions, UNSURE):
            asked = ", ".join(timeline.emotions)
            raise DataError(f"{p.id}: {new!r} is none of {asked} or {UNSURE}.")
        return cls(
            recording=timeline.path,
            id=p.id,
            kind=kind,
            start=None if p.start is None else round(p.start, 3),
            end=None if p.end is None else round(p.end, 3),
            old=p.label if kind == "emotion" else plain(p.text or ""),
            new=new,
            annotator=plain(annotator),
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            artefact=str(timeline.artefact.get("digest", "")),
        )


COLUMNS = tuple(one.name for one in fields(Correction))
"""The columns of the file."""


def corrections_of(
    timeline: Timeline, p: Prediction, changes: Mapping[CorrectionKind, str], annotator: str = ""
) -> list[Correction]:
    """Make the corrections of one utterance that are saved, and undone, together.

    Args:
        timeline: the recording.
        p: the utterance.
        changes: kind -> the emotion or the words.
        annotator: a name.

    Raises:
        DataError: see `Correction.of`.
    """
    rows = [Correction.of(timeline, p, kind, new, annotator) for kind, new in changes.items()]
    return [replace(row, time=rows[0].time) for row in rows]


class CorrectionFile:
    """A CSV file of corrections to which rows are added one by one.

    Several threads and processes may use one file (see `folder_lock` for where processes may). A
    last line that a crash cut off is removed when the file is read.

    Args:
        path: the file; it is made with the first row.
        make_folder: whether the first row makes the folder of the file, if it is missing.

    Attributes:
        mended: whether a line that was cut off was removed.

    Raises:
        DataError: it is no file of corrections.
        OutputError: it cannot be mended.
    """

    def __init__(self, path: Path | str, *, make_folder: bool = True):
        self.path = Path(path)
        self.make_folder = make_folder
        self.mended = False
        self._rows: tuple[Correction, ...] = ()
        self._version: tuple[int, ...] | None = None
        with folder_lock(self.path.parent):
            self._read()

    @property
    def rows(self) -> tuple[Correction, ...]:
        """All rows in the order in which they were written, as of the last change made here."""
        return self._rows

    def append(self, *rows: Correction) -> None:
        """Add rows in one piece; they are on the disk when this returns.

        Raises:
            DataError: the file has been damaged meanwhile.
            OutputError: the file cannot be written.
        """
        self._add(rows, lambda row: True)

    def decide(self, rows: Sequence[Correction]) -> tuple[Correction, ...]:
        """Add those rows that change what their annotator said; return them.

        A decision that the annotator took before, and words that are the model's own, change
        nothing. To agree with an emotion of the model for the first time is a decision.

        Raises:
            DataError: the file has been damaged meanwhile.
            OutputError: the file cannot be written.
        """
        return self._add(rows, self._changes)

    def _changes(self, row: Correction) -> bool:
        before = (one.new for one in reversed(self._rows) if one.place == row.place)
        return row.new != next(before, row.old if row.kind == "text" else None)

    def _add(
        self, rows: Sequence[Correction], wanted: Callable[[Correction], bool]
    ) -> tuple[Correction, ...]:
        """Add the wanted ones of some rows, and return them."""
        if self.make_folder:
            with writing(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
        with folder_lock(self.path.parent):
            self._read()
            if not (own := tuple(filter(wanted, rows))):
                return ()
            with writing(self.path), open(self.path, "ab") as file:
                begins = file.tell() == 0
                file.write((_header() if begins else b"") + b"".join(map(_line, own)))
                file.flush()
                os.fsync(file.fileno())
            self._keep((*self._rows, *own))
        return own

    def undo(self, annotator: str = "") -> tuple[Correction, ...]:
        """Remove what an annotator saved last, and return its rows; none if there are none.

        An emotion and words that were saved together go together, see `corrections_of`.

        Raises:
            DataError: the file has been damaged meanwhile.
            OutputError: the file cannot be written.
        """
        with folder_lock(self.path.parent):
            self._read()
            own = [i for i, row in enumerate(self._rows) if row.annotator == annotator]
            if not own:
                return ()
            last = own[-2:] if _is_one_save([self._rows[i] for i in own[-2:]]) else own[-1:]
            removed = tuple(self._rows[i] for i in last)
            rows = tuple(row for i, row in enumerate(self._rows) if i not in last)
            with replacing(self.path) as part, open(part, "wb") as file:
                file.write(_header() + b"".join(map(_line, rows)))
                file.flush()
                os.fsync(file.fileno())
            self._keep(rows)
            return removed

    def _read(self) -> None:
        """Read the rows unless they are known; the caller holds the lock, as in what follows."""
        version = self._version_now()
        if version is not None and version == self._version:
            return
        self.mended = self._mend() or self.mended
        self._keep(() if version is None else tuple(read_corrections(self.path)))

    def _keep(self, rows: tuple[Correction, ...]) -> None:
        """Remember the rows that are in the file now."""
        self._rows, self._version = rows, self._version_now()

    def _version_now(self) -> tuple[int, ...] | None:
        """Return what changes with the file; None while there is none."""
        try:
            return version_of(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"Cannot read {self.path}: {error.strerror or error}.") from None

    def _mend(self) -> bool:
        """Cut off a last line that was not finished, and return whether there was one."""
        try:
            content = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise DataError(f"Cannot read {self.path}: {error.strerror or error}.") from None
        if not content or content.endswith(b"\n"):
            return False
        whole = content[: content.rfind(b"\n") + 1]
        if not whole and not _header().startswith(content):
            raise _foreign(self.path)
        with writing(self.path):
            os.truncate(self.path, len(whole))
        return True


def _is_one_save(rows: Sequence[Correction]) -> bool:
    """Return whether two rows are the emotion and the words of one utterance, saved together."""
    saves = {(row.recording, row.id, row.time) for row in rows}
    return len({row.kind for row in rows}) == 2 and len(saves) == 1 and rows[0].time != ""


def read_corrections(path: Path | str) -> list[Correction]:
    """Read the rows of a file of corrections; an unfinished last line is left out.

    Raises:
        DataError: it cannot be read, has other columns, or a row is wrong.
    """
    try:
        content = Path(path).read_bytes()
        text = content[: content.rfind(b"\n") + 1].decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error}); save it as UTF-8.") from None
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise DataError(f"{path}: {error}; look for a quote that is not closed.") from None
    if not lines:
        return []
    if not set(COLUMNS) <= set(lines[0]):
        raise _foreign(path)
    rows = enumerate(lines[1:], 1)
    return [_row(path, number, lines[0], cells) for number, cells in rows if any(cells)]


def latest(rows: Iterable[Correction]) -> list[Correction]:
    """Return the last decision of each annotator on each utterance, in the order of the rows."""
    last = {row.place: row for row in rows}
    return list(last.values())


def apply_corrections(timeline: Timeline, rows: Iterable[Correction]) -> Timeline:
    """Return a timeline with the corrected labels and words, and a flag on each.

    Of several annotators the last one counts. The probabilities remain those of the model. An
    utterance with other words has no shares of single words, and no slices.
    """
    own: dict[tuple[str, str], Correction] = {}
    for row in rows:
        if row.recording == timeline.path:
            own[row.id, row.kind] = row
    if not own:
        return timeline
    predictions = tuple(
        _applied(p, own.get((p.id, "emotion")), own.get((p.id, "text"))) for p in timeline
    )
    return replace(timeline, predictions=predictions)


def _applied(p: Prediction, emotion: Correction | None, text: Correction | None) -> Prediction:
    if emotion is not None and emotion.new in (*p.probabilities, UNSURE):
        p = replace(p, decided=() if emotion.new == UNSURE else (emotion.new,), slices=())
    if text is not None and text.new != plain(p.text or ""):
        p = replace(without_words(p), text=text.new, slices=())
    names = {row.annotator or "an annotator" for row in (emotion, text) if row is not None}
    flags = tuple(f"{CORRECTED}{name}." for name in sorted(names))
    return replace(p, flags=(*p.flags, *flags))


def corrections_csv(rows: Sequence[Correction]) -> str:
    """Return a file of corrections as text."""
    return (_header() + b"".join(map(_line, rows))).decode()


def _foreign(path: Path | str) -> DataError:
    return DataError(
        f"{path} is no file of corrections, whose columns are {', '.join(COLUMNS)}; name another."
    )


def _header() -> bytes:
    return _encoded(COLUMNS)


def _line(row: Correction) -> bytes:
    """Return a row as one line: no cell has a line break, or is a formula."""
    values = asdict(row).values()
    return _encoded([_guarded(v) if isinstance(v, str) else "" if v is None else v for v in values])


def _guarded(text: str) -> str:
    """Put an apostrophe before a formula, and before what would be taken for a guarded one."""
    text = plain(text)
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def _encoded(cells: Sequence[str | float]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8")


def _row(path: Path | str, number: int, names: Sequence[str], cells: Sequence[str]) -> Correction:
    if len(cells) != len(names):
        raise DataError(
            f"{path}, row {number} has {len(cells)} cells for {len(names)} columns; mend the row, "
            "or remove it."
        )
    values = {name: _unguarded(text) for name, text in zip(names, cells, strict=True)}
    kinds: dict[str, CorrectionKind] = {"emotion": "emotion", "text": "text"}
    kind = kinds.get(values["kind"])
    if kind is None:
        raise DataError(f"{path}, row {number}: kind is {values['kind']!r}, not emotion or text.")
    try:
        start, end = (float(values[k]) if values[k] else None for k in ("start", "end"))
    except ValueError:
        raise DataError(f"{path}, row {number}: start and end are seconds.") from None
    texts = {k: v for k, v in values.items() if k in COLUMNS and k not in ("start", "end", "kind")}
    return Correction(kind=kind, start=start, end=end, **texts)


def _unguarded(text: str) -> str:
    """Remove the apostrophe that `_guarded` puts before a text."""
    return text[1:] if text[:1] == "'" and text.lstrip("'").startswith(FORMULA) else text
