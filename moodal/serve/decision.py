"""Decision: what clients send of an annotator's decision, and the files of decisions they get."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from moodal.core.correction import (
    Correction,
    CorrectionKind,
    apply_corrections,
    corrections_csv,
    latest,
)
from moodal.core.errors import MoodalError, OutputError
from moodal.core.timeline import Timeline
from moodal.output.formats import FORMATS, render
from moodal.serve.answers import TYPES
from moodal.serve.failure import Failure, sentence_of
from moodal.serve.settings import Limits
from moodal.serve.uploads import receive_json

EXPORTS = ("csv", "json", "textgrid", "eaf", "srt")
"""The formats of corrected results; CSV is the rows of the corrections."""

LONGEST = 20_000
"""Characters of the longest words that a decision may hold."""


class Decision(BaseModel):
    """The body of a decision on one utterance; what it holds is saved, and undone, together.

    Attributes:
        emotion: the emotion, or "unsure".
        text: the words.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    emotion: str | None = Field(default=None, max_length=LONGEST)
    text: str | None = Field(default=None, max_length=LONGEST)

    @property
    def changes(self) -> dict[CorrectionKind, str]:
        """The kind of each correction -> the emotion or the words."""
        changes: dict[CorrectionKind, str] = {}
        if self.emotion is not None:
            changes["emotion"] = self.emotion
        if self.text is not None:
            changes["text"] = self.text
        return changes


Body = TypeVar("Body", bound=Decision)


async def received(kind: type[Body], request: Request, limits: Limits) -> Body:
    """Receive a decision.

    Raises:
        Failure: it is none, or too large.
    """
    content = await receive_json(request, limits)
    try:
        decision = kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise Failure(400, f"{place}: {first['msg']}.") from None
    if not decision.changes:
        raise Failure(400, "A decision has an emotion, a text, or both.")
    return decision


@contextlib.contextmanager
def mistakes() -> Iterator[None]:
    """Turn the library's errors into answers.

    Raises:
        Failure: the request asks for what is not there, or the file cannot be written.
    """
    try:
        yield
    except OutputError:
        raise Failure(507, "The decision cannot be written to the server's disk.") from None
    except MoodalError as error:
        raise Failure(422, sentence_of(error, {})) from None


Undone = TypeVar("Undone")


def undone(correction: Undone | None) -> Undone:
    """Return what was taken back.

    Raises:
        Failure: there was nothing to take back.
    """
    if not correction:
        raise Failure(404, "There is no correction to take back.")
    return correction


def require_export(format: str) -> None:
    """Check that corrected results can be had in a format.

    Raises:
        Failure: they cannot.
    """
    if format not in EXPORTS:
        raise Failure(400, f"Corrected results are {', '.join(EXPORTS)}; {format!r} is none.")


def corrected(
    rows: Iterable[Correction], format: str, results: Callable[[], Sequence[Timeline]]
) -> str:
    """Return the last corrections (csv), or results under them, as the text of a file.

    Args:
        rows: the corrections.
        format: one of `EXPORTS`.
        results: reads the timelines; not called for CSV.

    Raises:
        UsageError: the format cannot hold the results.
    """
    own = latest(rows)
    if format == "csv":
        return corrections_csv(own)
    return render([apply_corrections(timeline, own) for timeline in results()], format)


def correction_file_response(text: str, format: str) -> Response:
    """Return a file of corrections, or of corrected results, to keep."""
    headers = {"content-disposition": f'attachment; filename="corrected{FORMATS[format].ending}"'}
    return Response(text, headers=headers, media_type=TYPES.get(format, "text/plain"))
