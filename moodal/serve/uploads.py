"""Uploads: forms with files, written to disk piece by piece as they come from the network.

Every bound is checked on the bytes that have come, not on what a client says of their length.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from moodal.core.errors import writing
from moodal.core.guard import plain
from moodal.serve.failure import Failure
from moodal.serve.options import FILES
from moodal.serve.privacy import ServedPrivacy
from moodal.serve.settings import Limits

SPARE = 256 << 20
"""Bytes of the disk that uploads leave free."""
LONGEST_NAME = 200


@dataclass
class ReceivedForm:
    """A form that has come.

    Attributes:
        fields: name -> text.
        files: kind of file -> the client's name of it, cleaned; it lies in the upload's folder
            under the name of its kind.
    """

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


def clean_name(name: str) -> str:
    r"""Return a client's name of a file: its last part, on one line, without what controls.

    >>> clean_name("../../etc/pass\x1b[31mwd"), clean_name(r"C:\films\a.mp4"), clean_name("..")
    ('pass[31mwd', 'a.mp4', 'recording')
    """
    last = plain(re.split(r"[/\\]", name)[-1]).strip()
    if len(last) > LONGEST_NAME:
        stem, dot, ending = last.rpartition(".")
        short = dot and len(ending) < 10
        last = f"{stem[:180]}.{ending}" if short else last[:LONGEST_NAME]
    return last if last.strip(".") else "recording"


async def pieces(request: Request, limits: Limits, most: int) -> AsyncIterator[bytes]:
    """Yield the body of a request as it comes.

    Raises:
        Failure: it is larger than ``most`` bytes, or comes too slowly, or ends too soon.
    """
    too_large = Failure(413, f"The body is larger than {_size(most)}.", {"connection": "close"})
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > most:
        raise too_large
    count, begun = 0, time.monotonic()
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(limits.idle):
                piece = await anext(stream, None)
        except TimeoutError:
            raise _too_slow() from None
        except ClientDisconnect:
            raise Failure(400, "The body ended before its declared length.") from None
        if piece is None:
            return
        count += len(piece)
        if count > most:
            raise too_large
        seconds = time.monotonic() - begun
        if seconds > limits.idle and count < limits.rate * seconds:
            raise _too_slow()
        if piece:
            yield piece


async def receive_form(
    request: Request, folder: Path, limits: Limits, privacy: ServedPrivacy
) -> ReceivedForm:
    """Receive a form, and write its files into a folder.

    Args:
        request: that brings it.
        folder: of its files.
        limits: bounds on it.
        privacy: renames its files, whose own names are not kept.

    Raises:
        Failure: it is no form, breaks a bound, or holds what a form may not hold.
        OutputError: the disk is full.
    """
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    if kind == b"application/x-www-form-urlencoded":
        raise Failure(415, "Send the form as multipart/form-data.")
    boundary = parameters.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise Failure(415, "The body is a form: send it as multipart/form-data.")
    _require_space(request, folder)
    reader = _FormReader(folder, limits, boundary, privacy)
    try:
        async for piece in pieces(request, limits, limits.upload):
            await asyncio.to_thread(reader.write, piece)
        return reader.finish()
    except FormParserError:
        raise Failure(400, "The form is damaged; send it again as multipart/form-data.") from None
    finally:
        reader.close()


def _require_space(request: Request, folder: Path) -> None:
    declared = request.headers.get("content-length", "0")
    size = int(declared) if declared.isdecimal() else 0
    if shutil.disk_usage(folder).free < size + SPARE:
        raise Failure(507, "The server's disk is nearly full; try again later.")


class _FormReader:
    """Reads a form from its pieces; files go to disk as they come."""

    def __init__(self, folder: Path, limits: Limits, boundary: bytes, privacy: ServedPrivacy):
        self.privacy = privacy
        self.folder, self.limits, self.form = folder, limits, ReceivedForm()
        self.header, self.headers = [b"", b""], dict[bytes, bytes]()
        self.name, self.value = "", bytearray()
        self.file: IO[bytes] | None = None
        self.parts = self.text = 0
        self.ended = False
        try:
            self.parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._add(0, data[start:end]),
                    "on_header_value": lambda data, start, end: self._add(1, data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._open,
                    "on_part_data": self._data,
                    "on_part_end": self._end,
                    "on_end": self._finish,
                },
                max_header_count=8,
                max_header_size=8192,
            )
        except FormParserError:
            raise Failure(400, "The boundary of the form is too long.") from None

    def write(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        with writing(self.folder.parent):
            self.parser.write(piece)

    def finish(self) -> ReceivedForm:
        """Return the form.

        Raises:
            Failure: it has not ended.
        """
        if not self.ended:
            raise Failure(400, "The form ends before its last boundary; send it again.")
        return self.form

    def close(self) -> None:
        """Close the file that is open."""
        if self.file is not None:
            self.file.close()
            self.file = None

    def _begin(self) -> None:
        self.parts += 1
        if self.parts > self.limits.parts:
            raise Failure(413, f"The form has more than {self.limits.parts} parts.")
        self.headers, self.value = {}, bytearray()

    def _add(self, place: int, data: bytes) -> None:
        self.header[place] += data

    def _end_header(self) -> None:
        self.headers[self.header[0].lower()] = self.header[1]
        self.header = [b"", b""]

    def _open(self) -> None:
        """Begin a field or a file."""
        _, parameters = parse_options_header(self.headers.get(b"content-disposition", b""))
        self.name = parameters.get(b"name", b"").decode("utf-8", "replace")
        if not self.name:
            raise Failure(400, "A part of the form has no name.")
        if self.name in self.form.fields or self.name in self.form.files:
            raise Failure(400, f"The form has {plain(self.name)[:60]!r} twice.")
        if b"filename" not in parameters:
            if self.name in FILES:
                raise Failure(
                    400,
                    f"{self.name} is a file that comes with the form: a name, a path or an address "
                    "(URL) of one is not followed.",
                )
            return
        if self.name not in FILES:
            raise Failure(400, f"A file is one of {', '.join(FILES)}; not {self.name[:60]!r}.")
        filename = parameters[b"filename"].decode("utf-8", "replace")
        self.form.files[self.name] = self.privacy.file(self.name, clean_name(filename))
        self.file = open(self.folder / self.name, "xb")  # noqa: SIM115

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self.file is not None:
            self.file.write(data[start:end])
            return
        self.text += end - start
        if self.text > self.limits.fields:
            raise Failure(413, f"The fields of the form exceed {_size(self.limits.fields)}.")
        self.value += data[start:end]

    def _end(self) -> None:
        if self.file is not None:
            self.close()
            if not (self.folder / self.name).stat().st_size:
                raise Failure(422, f"{self.form.files[self.name]} is empty (0 bytes).")
            return
        try:
            self.form.fields[self.name] = self.value.decode("utf-8")
        except UnicodeDecodeError:
            raise Failure(400, f"{plain(self.name)[:60]} is not UTF-8.") from None

    def _finish(self) -> None:
        self.ended = True


async def receive_json(request: Request, limits: Limits) -> dict[str, Any]:
    """Receive a small JSON object.

    Raises:
        Failure: it is none, or too large.
    """
    body = b""
    async for piece in pieces(request, limits, limits.body):
        body += piece
    return json_object(body, "The body")


def json_object(content: str | bytes, name: str) -> dict[str, Any]:
    """Read a JSON object; errors call it ``name``.

    Raises:
        Failure: it is none.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Failure(400, f"{name} is a JSON object.")
    return value


def _too_slow() -> Failure:
    return Failure(408, "The body comes too slowly.", {"connection": "close"})


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"
