"""Guesses at the kind of a file from its first bytes."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from moodal.core.errors import DataError

HEAD = 65536
"""Bytes that are read to guess the kind."""

_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "compressed (gzip)"),
    (b"BZh", "compressed (bzip2)"),
    (b"\xfd7zXZ\x00", "compressed (xz)"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document"),
    (b"{\\rtf", "an office document (RTF)"),
    (b"SQLite format 3\x00", "a database"),
    (b"\x89HDF\r\n", "an HDF5 file"),
    (b"\x93NUMPY", "a numpy array"),
    (b"8BPS", "a Photoshop picture"),
)
"""First bytes of files that are no recordings, and the name of each kind."""

_MARKUP = re.compile(rb"<(?:!doctype\s+html|html|head|body|\?xml|svg)\b", re.I)


def read_head(path: Path) -> bytes:
    """Read the first `HEAD` bytes of a file.

    Raises:
        DataError: the file is missing, a folder or device, forbidden or empty.
    """
    try:
        if path.is_dir():
            raise DataError(f"{path} is a folder, not a file; name the files in it.")
        if not path.exists():
            raise DataError(f"There is no file {path}.")
        if not path.is_file():
            raise DataError(f"{path} is a device or a pipe, not a file; save it as a file first.")
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"Cannot read {path}: {reason}.") from None
    if not head:
        raise DataError(f"{path} is empty (0 bytes); record or copy it again.")
    return head


def as_text(head: bytes) -> str | None:
    """Decode a file's first bytes as text; None where they are no text.

    >>> as_text(b"so good"), as_text(bytes([0, 1, 2]))
    ('so good', None)
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            text = codecs.getincrementaldecoder("utf-16")().decode(head)
        except UnicodeDecodeError:
            return None
        return text if not _controls(text) else None
    if b"\x00" in head:
        return None
    try:
        # The last character may be cut in two.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        text = head.decode("latin-1")
        letters = sum(c.isascii() and (c.isalnum() or c.isspace()) for c in text)
        if _controls(text) or letters < 0.6 * len(text):
            return None
    return text if _controls(text) <= 0.01 * len(text) else None


def other_kind(head: bytes) -> str | None:
    """Name the kind of a file that is no recording, such as "a PDF document"; None if unknown."""
    if b"%PDF-" in head[:1024]:
        return "a PDF document"
    for magic, name in _OTHERS:
        if head.startswith(magic):
            return name
    if head.startswith(b"MZ") and b"\x00" in head[:64]:
        return "a program"
    if head[4:8] == b"ftyp" and head[8:12] in (b"mif1", b"avif", b"avis", b"msf1"):
        return "an AVIF picture (convert it to JPEG)"
    if is_markup(head):
        return "a web page or another marked-up document"
    return None


_POINTERS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs.github.com/spec/", "Git LFS", "git lfs pull"),
    (b"/annex/objects/", "git-annex", "git annex get"),
    (b"../.git/annex/objects/", "git-annex", "git annex get"),
)
"""First bytes of the small texts that stand for a file in a repository, and the cure of each."""


def refuse_other(path: Path, head: bytes) -> None:
    """Refuse a file that is no recording, picture, text or subtitles, by its first bytes.

    Raises:
        DataError: it is of another kind, or stands in place of the file that is meant: a pointer of
            Git LFS or git-annex, or the web page that a download gave instead.
    """
    for magic, name, cure in _POINTERS:
        if head.startswith(magic):
            raise DataError(
                f"{path} is a {name} pointer, not the file itself: run `{cure}` in its repository."
            )
    if is_markup(head):
        raise DataError(
            f"{path} is a web page or another marked-up document, not a recording, picture, text "
            f"or subtitles; if it was downloaded, download it again, else leave it out."
        )
    if other := other_kind(head):
        raise DataError(
            f"{path} is {other}, not a recording, picture, text or subtitles; "
            f"leave it out, or give what is in it."
        )


def is_markup(head: bytes) -> bool:
    """Return whether a file begins as HTML, XML or SVG do."""
    return _MARKUP.match(_without_comments(head.removeprefix(codecs.BOM_UTF8))) is not None


def _without_comments(head: bytes) -> bytes:
    """Return markup from its first tag on, without the comments and blanks before it."""
    at = 0
    while True:
        while head[at : at + 1].isspace():
            at += 1
        end = head.find(b"-->", at + 4) if head.startswith(b"<!--", at) else -1
        if end < 0:
            return head[at : at + 100]
        at = end + 3


def is_mpeg_audio(head: bytes) -> bool:
    """Return whether it is an MP3, on whose damage libsndfile writes to the terminal."""
    return head.startswith(b"ID3") or (head[:1] == b"\xff" and head[1:2] >= b"\xe0")


def png_size(head: bytes) -> tuple[int, int] | None:
    """Read width and height from a PNG's header; None if it is too short."""
    if len(head) < 24:
        return None
    return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


def jpeg_size(head: bytes) -> tuple[int, int] | None:
    """Read width and height from a JPEG's frame header; None if it is not in these bytes."""
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(head[at + 7 : at + 9]), int.from_bytes(head[at + 5 : at + 7])
        at += 2 + length
    return None


def _controls(text: str) -> int:
    """Count the control characters that texts do not contain."""
    return sum(c < " " and c not in "\t\n\r\f\x1b" for c in text) + text.count("\x7f")
