"""The design of a study: which recording, or channel of one, is of whom in which condition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from moodal.core.errors import DataError
from moodal.core.table_rows import read_rows

COLUMNS = ("recording", "participant", "condition", "session", "channel")
"""The columns that are read; only ``recording`` is required."""


@dataclass(frozen=True, slots=True)
class DesignRow:
    """One recording of a study, or one person's channel in it.

    Attributes:
        recording: its name, with or without folders and ending.
        participant: who is judged.
        condition: under which; "all" where the table has no such column.
        session: its name; "" if it is not named.
        channel: the number of the sound channel, or the name of a speaker, person or face, such as
            "ANNA" or "face 2"; "" for everybody in the recording.
    """

    recording: str
    participant: str
    condition: str = "all"
    session: str = ""
    channel: str = ""

    @property
    def name(self) -> str:
        """The recording for readers, such as "call.wav, channel 2"."""
        channel = f"channel {self.channel}" if self.channel.isdigit() else self.channel
        return f"{self.recording}, {channel}" if channel else self.recording


@dataclass(frozen=True)
class Design:
    """The rows of a study's table.

    Attributes:
        rows: in the order of the table; a recording and channel occurs once.
        source: the table's name, for messages.
    """

    rows: tuple[DesignRow, ...]
    source: str = "the design"

    def __post_init__(self) -> None:
        counts = Counter((_key(row.recording), row.channel) for row in self.rows)
        for row in self.rows:
            if counts[_key(row.recording), row.channel] > 1:
                raise DataError(
                    f"{self.source} has two rows of {row.name!r}; keep one, or tell them apart by "
                    "a column channel."
                )
        whole = {_key(row.recording): row for row in self.rows if not row.channel}
        for row in self.rows:
            if row.channel and _key(row.recording) in whole:
                raise DataError(
                    f"{self.source} has a row of all of {row.recording!r} and one of "
                    f"{row.name!r}; "
                    "name a channel in each, or in none."
                )

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions in the order in which they appear."""
        return tuple(dict.fromkeys(row.condition for row in self.rows))

    @property
    def participants(self) -> tuple[str, ...]:
        """The participants in the order in which they appear."""
        return tuple(dict.fromkeys(row.participant for row in self.rows))

    def match(self, paths: Sequence[str]) -> dict[str, int]:
        """Find the path that each recording of the table names: recording -> number of the path.

        A recording is named by its path, by the end of it (``b/p1.wav`` of ``a/b/p1.wav``), or by
        either without the ending. Recordings that no path belongs to are left out.

        Raises:
            DataError: a name fits several paths, or two names fit one.
        """
        matched: dict[str, int] = {}
        names: dict[int, str] = {}
        for recording in dict.fromkeys(row.recording for row in self.rows):
            fitting = _fitting(recording, paths)
            if len(fitting) > 1:
                both = " and ".join(repr(paths[i]) for i in fitting[:2])
                raise DataError(
                    f"{self.source}: {recording!r} may be {both}; write more of its path."
                )
            for i in fitting:
                if i in names:
                    raise DataError(
                        f"{self.source}: {names[i]!r} and {recording!r} are both {paths[i]!r}; "
                        "use one name for it."
                    )
                matched[recording], names[i] = i, recording
        return matched


def read_design(path: Path | str) -> Design:
    """Read the table of a study: CSV, TSV, JSONL or Parquet, a row per recording or channel.

    Columns: ``recording``; and where they apply ``participant`` (without it each recording is a
    participant), ``condition``, ``session`` and ``channel``. Other columns are not read.

    Raises:
        DataError: there is no column ``recording``, a cell of it or of a column that others fill
            is empty, or a recording occurs twice.
        MissingDependencyError: it is a Parquet file, and pyarrow is not installed.
    """
    rows = read_rows(Path(path))
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if "recording" not in columns:
        raise DataError(
            f"{path} has no column recording (it has {', '.join(columns)}); name the recording of "
            "each row."
        )
    required = [c for c in ("recording", "participant", "condition") if c in columns]
    for number, row in enumerate(rows, 1):
        for column in required:
            if row.get(column) is None:
                raise DataError(f"{path}, row {number} has no {column}; fill the cell.")
    return Design(tuple(_row(row) for row in rows), str(path))


def _row(cells: dict[str, str | None]) -> DesignRow:
    recording = cells["recording"] or ""
    channel = (cells.get("channel") or "").removeprefix("channel ")
    return DesignRow(
        recording=recording,
        participant=cells.get("participant") or recording,
        condition=cells.get("condition") or "all",
        session=cells.get("session") or "",
        channel=channel.removesuffix(".0"),  # as pandas writes a column with empty cells
    )


def _fitting(recording: str, paths: Iterable[str]) -> list[int]:
    """Return the numbers of the paths that a name fits best: whole, at its end, without ending."""
    name = _key(recording)
    keys = [_key(path) for path in paths]
    for ways in (keys, [key.rpartition(".")[0] or key for key in keys]):
        exact = [i for i, key in enumerate(ways) if key == name]
        at_end = [i for i, key in enumerate(ways) if key.endswith(f"/{name}")]
        if exact or at_end:
            return exact or at_end
    return []


def _key(path: str) -> str:
    """Write a path with slashes and without a leading dot."""
    return path.replace("\\", "/").removeprefix("./")
