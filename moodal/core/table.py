"""Tables of timelines: a row per utterance or slice of one, or a row per recording.

The files of `moodal.output.formats.csv_` and the DataFrames of `to_frame` are these tables;
docs/output.md describes their columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from moodal.core.dimensions import DIMENSIONS, INTENSITY, Dimensions
from moodal.core.errors import MissingDependencyError, UsageError
from moodal.core.guard import plain
from moodal.core.records import ordered
from moodal.core.summary import DecidedMoment, RecordingSummary, ValueSummary
from moodal.core.timeline import Prediction, Timeline

Cell = str | float | None
"""A text, a number, or None where the cell is empty."""

Holder = Prediction | RecordingSummary
"""What has dimensions and intensity."""

Row = TypeVar("Row", bound=Holder, contravariant=True)

NOTHING = Prediction("", {})
"""Stands for the utterances of a recording that has none."""


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column of a table.

    Attributes:
        name: its name.
        kind: "text"; "integer" or "number"; or "place", which is seconds, or a text without times.
        value: returns the cell of a recording's row.
        digits: the decimals of its numbers in a text file.
    """

    name: str
    kind: Literal["text", "integer", "number", "place"]
    value: Callable[[Timeline, Row], Cell]
    digits: int = 0

    def cell(self, timeline: Timeline, row: Row) -> Cell:
        """Return the cell of a row: a text on one line, a finite number, or None."""
        value = self.value(timeline, row)
        if value is None or isinstance(value, str):
            return plain(value or "") or None
        if self.kind == "integer":
            return int(value)
        return float(value) if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class TimelineTable:
    """A table of timelines.

    Attributes:
        names: the names of the columns, without control characters.
        kinds: the kind of each column, see `Column`.
        digits: the decimals of each column's numbers in a text file.
        rows: the cells of each row; numbers are not rounded.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    digits: tuple[int, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @classmethod
    def of(
        cls, columns: Sequence[Column[Row]], rows: Iterable[tuple[Timeline, Row]]
    ) -> TimelineTable:
        """Fill the columns with the cells of each row."""
        return cls(
            names=tuple(plain(column.name) for column in columns),
            kinds=tuple(column.kind for column in columns),
            digits=tuple(column.digits for column in columns),
            rows=tuple(tuple(column.cell(t, row) for column in columns) for t, row in rows),
        )


def to_frame(timelines: Timeline | Iterable[Timeline], *, summary: bool = False) -> Any:
    """Return a pandas DataFrame of one or several timelines, with the columns of CSV.

    Numbers are not rounded, empty cells are missing values, and no text begins with an apostrophe
    against formulas. Texts are on one line, without control characters.

    Args:
        timelines: a timeline, or several.
        summary: whether a row is a recording, or a face in it, in place of an utterance or slice.

    Raises:
        MissingDependencyError: pandas is not installed.
        UsageError: something among them is no timeline, such as an error of
            `moodal.model.model.Model.predict_many`.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise MissingDependencyError(
            "Tables as DataFrames need the package pandas: pip install pandas."
        ) from None
    table = (summary_table if summary else utterance_table)(timelines)
    # by number, since two words may have one name once their control characters are removed
    columns = {}
    for i, kind in enumerate(table.kinds):
        cells = [row[i] for row in table.rows]
        columns[i] = pandas.Series(cells, dtype=_dtype(kind, cells))
    frame = pandas.DataFrame(columns)
    frame.columns = pandas.Index(table.names)
    return frame


def _dtype(kind: str, cells: Sequence[Cell]) -> str | None:
    """Return the type of a column in a DataFrame; None for a text, whose type pandas chooses."""
    if kind == "integer":
        return "Int64"
    numbers = kind == "number" or not any(isinstance(value, str) for value in cells)
    return "float64" if kind != "text" and numbers else None


@dataclass(frozen=True, slots=True)
class Contents:
    """The content of timelines on which the columns of utterances depend.

    Attributes:
        emotions, values: that were asked for.
        streams: the modalities with shares.
        optional: those of "speaker", "person" and "language" that have a column.
        dimensions: the streams with columns of dimensions, among them `ANSWER`.
        intensity: the streams with a column of intensity.
    """

    emotions: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    optional: tuple[str, ...] = ("speaker", "person", "language")
    dimensions: tuple[str, ...] = ()
    intensity: tuple[str, ...] = ()

    @classmethod
    def of(cls, several: Sequence[Timeline]) -> Contents:
        """Return what some timelines contain."""
        rows = [p for t in several for p in t.rows]
        holders = [p for t in several for p in t]
        emotions, values = _questions(several)
        has = {
            "speaker": any(p.speaker for p in rows),
            "person": any(p.person for p in rows),
            "language": any(p.language for p in rows),
        }
        return cls(
            emotions=tuple(emotions),
            values=tuple(values),
            streams=tuple(ordered(s for p in rows for s in p.shares)),
            optional=tuple(name for name, there in has.items() if there),
            dimensions=tuple(ordered(s for p in holders for s in p.dimensions)),
            intensity=tuple(ordered(s for p in holders for s in p.intensity)),
        )


def utterance_table(
    timelines: Timeline | Iterable[Timeline], contents: Contents | None = None
) -> TimelineTable:
    """Return a table with a row per utterance, or per slice of it.

    A recording in which there is nothing to judge has a row without an id.

    Args:
        timelines: a timeline, or several.
        contents: what there are columns of; None: what the timelines contain.

    Raises:
        UsageError: something among them is no timeline.
    """
    several = _listed(timelines)
    columns = _utterance_columns(Contents.of(several) if contents is None else contents)
    return TimelineTable.of(columns, ((t, p) for t in several for p in t.rows or (NOTHING,)))


def summary_table(timelines: Timeline | Iterable[Timeline]) -> TimelineTable:
    """Return a table with a row per recording, and one per person where there are several.

    Raises:
        UsageError: something among them is no timeline.
    """
    several = _listed(timelines)
    wholes = [(timeline, timeline.summary()) for timeline in several]
    rows = [(timeline, one) for timeline, whole in wholes for one in (whole, *whole.tracks)]
    return TimelineTable.of(_summary_columns(several, [whole for _, whole in wholes]), rows)


def rounded(number: float, digits: int) -> float:
    """Round a number for a text; there is no negative zero.

    >>> rounded(-0.00001, 4)
    0.0
    """
    return round(number, digits) + 0.0


def _listed(timelines: Timeline | Iterable[Timeline]) -> list[Timeline]:
    if isinstance(timelines, Timeline):
        return [timelines]
    is_several = isinstance(timelines, Iterable) and not isinstance(timelines, str | bytes)
    several: list[Any] = list(timelines) if is_several else [timelines]
    for one in several:
        if not isinstance(one, Timeline):
            raise UsageError(
                f"A table is made of timelines, but there is {repr(one)[:200]}; leave out what "
                "could not be predicted."
            )
    return several


_BEFORE: tuple[Column[Prediction], ...] = (
    Column("recording", "text", lambda t, p: t.path),
    Column("id", "text", lambda t, p: p.id),
    Column("track", "integer", lambda t, p: p.track),
    Column("start", "number", lambda t, p: p.start, 3),
    Column("end", "number", lambda t, p: p.end, 3),
    Column("text", "text", lambda t, p: p.text),
)
_OPTIONAL: dict[str, Column[Prediction]] = {
    "speaker": Column("speaker", "text", lambda t, p: p.speaker),
    "person": Column("person", "text", lambda t, p: p.person),
    "language": Column("language", "text", lambda t, p: p.spoken),
}
_AFTER: tuple[Column[Prediction], ...] = (
    Column("decided", "text", lambda t, p: p.label if p.probabilities else None),
    Column("probability", "number", lambda t, p: p.probabilities.get(p.shown_emotion), 4),
    Column("streams", "text", lambda t, p: "+".join(p.streams)),
    Column("absent", "text", lambda t, p: _absent(t, p)),
    Column("flags", "text", lambda t, p: "; ".join(p.flags)),
)


def _utterance_columns(contents: Contents) -> list[Column[Prediction]]:
    emotions, streams = contents.emotions, contents.streams
    return [
        *_BEFORE,
        *(column for name, column in _OPTIONAL.items() if name in contents.optional),
        *_AFTER,
        *(_probability(e) for e in emotions),
        *(_share(s, e) for s in streams for e in emotions),
        *(_bias(e) for e in emotions),
        *(_value(v) for v in contents.values),
        *(_headline_columns() if contents.dimensions else ()),
        *_stream_columns(contents.dimensions, contents.intensity),
    ]


def _questions(several: Sequence[Timeline]) -> tuple[list[str], list[str]]:
    """Return the emotions and the names of the values of all recordings."""
    emotions = dict.fromkeys(e for t in several for e in t.emotions)
    values = dict.fromkeys(v.name for t in several for v in t.values)
    return list(emotions), list(values)


def _absent(timeline: Timeline, p: Prediction) -> str:
    return "; ".join(f"{s}: {why}" for s, why in {**timeline.absent, **p.absent}.items())


def _probability(emotion: str) -> Column[Prediction]:
    return Column(f"p_{emotion}", "number", lambda t, p: p.probabilities.get(emotion), 4)


def _share(stream: str, emotion: str) -> Column[Prediction]:
    name = f"share_{stream}_{emotion}"
    return Column(name, "number", lambda t, p: p.known_shares(stream).get(emotion), 5)


def _bias(emotion: str) -> Column[Prediction]:
    return Column(f"bias_{emotion}", "number", lambda t, p: p.bias.get(emotion), 5)


def _value(name: str) -> Column[Prediction]:
    return Column(f"value_{name}", "number", lambda t, p: p.values.get(name), 4)


def _headline_columns() -> Iterator[Column[Prediction]]:
    """Yield the columns of the headline's dimensions, and of how they are known."""
    for i, name in enumerate(DIMENSIONS):
        yield _headline(name, i)
    yield Column("dimensions", "text", lambda t, p: _known(p))


def _headline(name: str, i: int) -> Column[Prediction]:
    return Column(name, "number", lambda t, p: _dimension(p.dimensions.get(p.headline), i), 4)


def _known(p: Prediction) -> str | None:
    row = p.dimensions.get(p.headline)
    return f"{row.known} from {p.headline}" if row else None


def _stream_columns(
    dimensions: Sequence[str], intensity: Sequence[str]
) -> Iterator[Column[Holder]]:
    """Yield the columns of the dimensions and intensity of streams."""
    for stream in dimensions:
        for i, name in enumerate(DIMENSIONS):
            yield _stream_dimension(f"{name}_{stream}", stream, i)
    for stream in intensity:
        yield _stream_intensity(stream)


def _stream_dimension(name: str, stream: str, i: int) -> Column[Holder]:
    return Column(name, "number", lambda t, one: _dimension(one.dimensions.get(stream), i), 4)


def _stream_intensity(stream: str) -> Column[Holder]:
    name = f"{INTENSITY}_{stream}"
    return Column(name, "number", lambda t, one: one.intensity.get(stream), 4)


def _dimension(row: Dimensions | None, i: int) -> float | None:
    return None if row is None else row.numbers[i]


_SUMMARY: tuple[Column[RecordingSummary], ...] = (
    Column("recording", "text", lambda t, s: t.path),
    Column("track", "integer", lambda t, s: s.track),
    Column("person", "text", lambda t, s: s.person),
    Column("utterances", "integer", lambda t, s: s.utterances),
    Column("seconds", "number", lambda t, s: s.seconds, 3),
    Column("undecided", "number", lambda t, s: s.undecided, 4),
    Column("changes", "integer", lambda t, s: s.changes),
    Column("telling", "text", lambda t, s: "; ".join(map(_moment, s.telling))),
)
_ENDS: dict[str, tuple[int, Callable[[ValueSummary], float | None]]] = {
    "mean": (4, lambda value: value.mean),
    "lowest": (4, lambda value: value.lowest),
    "lowest_start": (3, lambda value: value.lowest_start),
    "highest": (4, lambda value: value.highest),
    "highest_start": (3, lambda value: value.highest_start),
}
"""Column of a value -> its decimals, and what it holds."""


def _summary_columns(
    several: Sequence[Timeline], wholes: Sequence[RecordingSummary]
) -> list[Column[RecordingSummary]]:
    emotions, values = _questions(several)
    return [
        *_SUMMARY,
        *(_mean_probability(e) for e in emotions),
        *(_decided(e) for e in emotions),
        *(_first(e) for e in emotions),
        *(_value_end(name, end) for name in values for end in _ENDS),
        *_stream_columns(
            ordered(stream for one in wholes for stream in one.dimensions),
            ordered(stream for one in wholes for stream in one.intensity),
        ),
    ]


def _mean_probability(emotion: str) -> Column[RecordingSummary]:
    return Column(f"p_{emotion}", "number", lambda t, s: s.probabilities.get(emotion), 4)


def _decided(emotion: str) -> Column[RecordingSummary]:
    return Column(f"decided_{emotion}", "number", lambda t, s: s.decided.get(emotion), 4)


def _first(emotion: str) -> Column[RecordingSummary]:
    def place(timeline: Timeline, summary: RecordingSummary) -> Cell:
        return next((_place(m) for m in summary.first if m.emotion == emotion), None)

    return Column(f"first_{emotion}", "place", place, 3)


def _value_end(name: str, end: str) -> Column[RecordingSummary]:
    digits, number = _ENDS[end]

    def of(timeline: Timeline, summary: RecordingSummary) -> float | None:
        value = summary.values.get(name)
        return None if value is None else number(value)

    return Column(f"value_{name}_{end}", "number", of, digits)


def _moment(moment: DecidedMoment) -> str:
    place = _place(moment)
    shown = place if isinstance(place, str) else rounded(place, 3)
    return f"{moment.emotion} {rounded(moment.probability, 4)} at {shown}"


def _place(moment: DecidedMoment) -> str | float:
    """Return where an utterance begins, in seconds; its id if it has no times."""
    return moment.id if moment.start is None else float(moment.start)
