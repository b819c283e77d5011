"""Partitions: the answers of a long job, as Parquet files of some recordings each.

A folder of answers, on a disk or behind a URL, holds

- ``part-HASH.parquet``: the rows of the recordings of one block, see `Columns`;
- ``_job.json``: what was asked, so that no other question is answered into the same folder;
- ``_lock.json``, while a command writes there.

A partition is written whole, and its recordings are finished with it. One that cannot be read, as
after a copy that was cut off, is deleted and its recordings are answered again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from moodal.core.dimensions import ANSWER
from moodal.core.errors import DataError, MissingDependencyError, OutputError, installation
from moodal.core.guard import plain
from moodal.core.table import Contents, utterance_table
from moodal.core.timeline import Timeline
from moodal.output.formats import from_jsonl, render
from moodal.scale.lock import LOCK, Lock
from moodal.scale.places import Place

NAME = re.compile(r"part-[0-9a-f]{24}\.parquet")
JOB = "_job.json"

_TYPES = {"text": "string", "integer": "int64", "number": "float64"}


ABOUT = b"moodal"
"""The key of a partition's metadata: what its rows are the answers to."""


@dataclass(frozen=True)
class Mark:
    """The identity of a recording's answer, which the metadata of a partition holds.

    Attributes:
        recording: its name in the answers.
        source: hash of its absolute path or URL; empty in partitions without metadata.
        words: hash of the words that were given, so short that it confirms none of them.
        limit: the time limit in seconds that ended it; None where it did not.
    """

    recording: str
    source: str = ""
    words: str = ""
    limit: float | None = None

    @classmethod
    def of(cls, name: str, path: str, words: str | None, limit: float | None) -> Mark:
        """Return the mark of a recording."""
        short = "" if words is None else _hash(words)[:4]
        return cls(name, _hash(path)[:24], short, limit)

    def answers(self, asked: Mark) -> bool:
        """Return whether the answer of this mark is that of a recording and its time limit."""
        if not self.source:
            return True
        return self.words == asked.words and self.limit in (None, asked.limit)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True)
class Columns:
    """The columns of a partition: those of CSV's utterances, ``error`` and ``timeline``.

    They are the same in all partitions of a job. ``error`` is the reason for which a recording has
    no answer, in its only row; ``timeline`` is the line of `moodal.output.formats.jsonl`, in the
    first row of a recording.
    """

    emotions: tuple[str, ...]
    values: tuple[str, ...]
    streams: tuple[str, ...]

    @property
    def contents(self) -> Contents:
        """The content of timelines for which the table of utterances has columns."""
        return Contents(
            emotions=self.emotions,
            values=self.values,
            streams=self.streams,
            dimensions=(*self.streams, ANSWER),
            intensity=self.streams,
        )

    def partition(
        self, answers: Sequence[tuple[str, Timeline | DataError]], marks: Sequence[Mark] = ()
    ) -> bytes:
        """Return the content of the partition of some recordings, by their names.

        Args:
            answers: name -> answer.
            marks: what they are the answers to.

        Raises:
            DataError: a time, probability, share or value is not finite.
        """
        import pyarrow

        parts = [self._rows(name, answer) for name, answer in answers]
        columns = {
            name: pyarrow.array([row for part in parts for row in part[name]], kind)
            for name, kind in self.schema.items()
        }
        return _content(pyarrow.table(columns), marks)

    @property
    def schema(self) -> dict[str, str]:
        """Column -> its type in Arrow's words."""
        table = utterance_table((), self.contents)
        columns = zip(table.names, (_TYPES[kind] for kind in table.kinds), strict=True)
        return {**dict(columns), "error": "string", "timeline": "string"}

    def _rows(self, name: str, answer: Timeline | DataError) -> dict[str, list[Any]]:
        """Return column -> the cells of one recording."""
        if isinstance(answer, DataError):
            empty: dict[str, list[Any]] = {column: [None] for column in self.schema}
            return {**empty, "recording": [name], "error": [plain(str(answer))]}
        table = utterance_table(answer, self.contents)
        count = len(table.rows)
        cells = {n: [row[i] for row in table.rows] for i, n in enumerate(table.names)}
        line = render([answer], "jsonl")
        later: list[Any] = [None] * (count - 1)
        # its own name, which a row of CSV shows without control characters
        return {
            **cells,
            "recording": [name] * count,
            "error": [None, *later],
            "timeline": [line, *later],
        }


def part_name(recordings: Sequence[str]) -> str:
    """Return the name of the partition of some recordings.

    >>> part_name(["a.wav", "b.wav"])
    'part-3098e7062d09a10ee38220fe.parquet'
    """
    text = json.dumps(list(recordings), ensure_ascii=True)
    return f"part-{hashlib.sha256(text.encode()).hexdigest()[:24]}.parquet"


class Answered:
    """The folder of the answers of one job, which one command at a time writes to.

    Use it as a context: the folder is locked within.

    Args:
        place: the folder.
        asked: what is asked: a word for each thing -> its value, which a folder's later commands
            share.

    Raises:
        OutputError: the folder holds something else or other answers, another command writes to
            it, or it cannot be written.
    """

    def __init__(self, place: Place, asked: Mapping[str, str]):
        self.place, self.asked, self.lock = place, dict(asked), Lock(place)
        self.damaged: list[str] = []
        """The partitions that were deleted since they could not be read."""

    def __enter__(self) -> Answered:
        self._require_own(self.place.names())
        self.lock.__enter__()
        try:
            names = self.place.names()  # again: another command may have ended in between
            if JOB not in names or not self._require_own(names):
                self.place.put(JOB, json.dumps({"asked": self.asked}, indent=2).encode())
        except OutputError:
            self.lock.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.lock.__exit__()

    def put(self, name: str, content: bytes) -> None:
        """Write a partition.

        Raises:
            OutputError: it cannot be written, or another command has taken over the folder.
        """
        self.lock.require()
        self.place.put(name, content)

    def finished(self, asked: Sequence[Mark]) -> list[bool]:
        """Return whether each recording has an answer or an error.

        Answers to other words, and errors by another time limit, are taken out of their partitions.

        Raises:
            DataError: a partition cannot be reached.
            OutputError: a damaged one cannot be deleted, or another one not be written.
        """
        sources = {mark.source: mark for mark in asked}
        names = {mark.recording: mark for mark in asked}
        finished: set[str] = set()
        for name in filter(NAME.fullmatch, self.place.names()):
            content = self.place.read(name)  # what cannot be reached is no damage, and rises
            if content is None:
                continue
            try:
                marks = _marks(_parsed(io.BytesIO(content), ["recording"]))
            except _faults():
                self.place.delete(name)
                self.damaged.append(name)
            else:
                other = []
                for mark in marks:
                    mine = sources.get(mark.source) if mark.source else names.get(mark.recording)
                    if mine and mark.answers(mine):
                        finished.add(mine.source)
                    elif mine:
                        other.append(mark)
                if other:
                    self._take_out(name, [m for m in marks if m not in other], content)
        return [mark.source in finished for mark in asked]

    def _take_out(self, name: str, kept: Sequence[Mark], content: bytes) -> None:
        """Keep some recordings of a partition alone."""
        import pyarrow
        import pyarrow.compute

        self.lock.require()
        if not kept:
            self.place.delete(name)
            return
        table = _parsed(io.BytesIO(content), None)
        names = pyarrow.array([mark.recording for mark in kept])
        rows = pyarrow.compute.is_in(table["recording"], value_set=names)
        self.place.put(name, _content(table.filter(rows), kept))

    def _require_own(self, names: Sequence[str]) -> bool:
        """Check that a folder holds answers to this question alone; return whether it has any.

        A command that ended before its first answer binds no other.
        """
        others = [name for name in names if name not in (JOB, LOCK)]
        if JOB in names:
            self._require_same(self.place.read(JOB), answered=bool(others))
        elif others:
            raise OutputError(
                f"{self.place} holds {others[0]}, which is no answer of moodal; choose another "
                "folder."
            )
        return bool(others)

    def _require_same(self, content: bytes | None, *, answered: bool) -> None:
        try:
            earlier = json.loads(content or b"")["asked"]
            changed = [k for k in (*self.asked, *earlier) if earlier.get(k) != self.asked.get(k)]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise OutputError(
                f"{self.place.of(JOB)} is damaged; delete it if the answers are of this question, "
                "else name another --out."
            ) from None
        if changed and answered:
            key = changed[0]
            raise OutputError(
                f"{self.place} holds answers to another question: {key} was "
                f"{earlier.get(key, 'not asked')} and is {self.asked.get(key, 'not asked')}; name "
                "another --out."
            )


def _table(place: Place, name: str, columns: Sequence[str] | None = None) -> Any:
    """Read a partition, or some columns of it.

    Raises:
        DataError: it is damaged.
    """
    try:
        with place.opened(name) as file:
            return _parsed(file, columns)
    except _faults() as error:
        raise DataError(f"{place.of(name)} cannot be read as Parquet ({error}).") from None


def _content(table: Any, marks: Sequence[Mark]) -> bytes:
    """Return the content of a partition."""
    import pyarrow.parquet

    if marks:
        about = json.dumps([dataclasses.astuple(mark) for mark in marks])
        table = table.replace_schema_metadata({ABOUT: about.encode()})
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink, compression="zstd", write_page_checksum=True)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _marks(table: Any) -> list[Mark]:
    """Return the marks of a partition's recordings; of one without metadata, their names.

    Raises:
        KeyError: it has no recordings.
    """
    names = dict.fromkeys(table["recording"].to_pylist())
    try:
        marks = [Mark(*cells) for cells in json.loads((table.schema.metadata or {})[ABOUT])]
        if {mark.recording for mark in marks} == names.keys():
            return marks
    except (KeyError, ValueError, TypeError, RecursionError):  # written without it, or changed
        pass
    return [Mark(name) for name in names]


def _parsed(file: IO[bytes], columns: Sequence[str] | None) -> Any:
    """Parse a partition, or some columns of it."""
    import pyarrow.parquet

    return pyarrow.parquet.read_table(file, columns=columns and list(columns))


def _faults() -> tuple[type[Exception], ...]:
    """Return the errors of content that is no partition.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise MissingDependencyError(
            f"Reading partitions needs the package pyarrow; {installation('ray')}."
        ) from None
    return pyarrow.ArrowException, OSError, KeyError


def read(out: str) -> Any:
    """Return all partitions of a folder or URL as one table of pyarrow, sorted by recording.

    Raises:
        DataError: there are none, or one is damaged.
    """
    import pyarrow

    place = Place(out)
    names = list(filter(NAME.fullmatch, place.names()))
    if not names:
        raise DataError(f"{out} holds no partition (part-*.parquet); name the --out of a job.")
    tables = (_table(place, name).replace_schema_metadata(None) for name in names)
    table = pyarrow.concat_tables(tables)
    order = sorted(range(len(table)), key=table.column("recording").to_pylist().__getitem__)
    return table.take(order)


def timelines(out: str) -> Iterator[Timeline]:
    """Yield the timelines of a folder or URL, partition by partition.

    Raises:
        DataError: a partition is damaged.
    """
    place = Place(out)
    for name in filter(NAME.fullmatch, place.names()):
        for line in _table(place, name, ["timeline"]).column("timeline").to_pylist():
            if line is not None:
                yield from from_jsonl(line, place.of(name))
