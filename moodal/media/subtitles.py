"""Reading of subtitle files (SRT, WebVTT) into cues: a text with its start and end."""

from __future__ import annotations

import codecs
import html
import re
from dataclasses import dataclass
from pathlib import Path

from moodal.core.errors import DataError

ENDINGS = (".srt", ".vtt")
"""Endings of subtitle files."""
WITHOUT_SUBTITLES = (".txt", *ENDINGS, ".png", ".jpg", ".jpeg")
"""Endings of texts and pictures, to which no subtitles belong."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle.

    Attributes:
        start, end: seconds, 0 <= start <= end.
        text: without markup, on one line.
        speaker: from WebVTT's ``<v Name>``, several joined by a comma; None where nobody is named.
    """

    start: float
    end: float
    text: str
    speaker: str | None = None


_TIME = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?[ \t]+([^>]*)>", re.I)
# Not every "<": "I <3 you" and "1 < 2" are text.
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d+:\d+[\d:.]*>|</>")
_POSITION = re.compile(r"\{\\[^{}]*\}")


def read_subtitles(path: Path | str) -> list[Cue]:
    """Read the cues of a SubRip (.srt) or WebVTT (.vtt) file, sorted by their start.

    Files are UTF-8 or UTF-16, else Windows-1252. Tags, positions, notes, styles, regions and cues
    without words are left out; cues that overlap are kept.

    Raises:
        DataError: the file cannot be read, a line's times are wrong, or it holds no cue.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read subtitles {path}: {error.strerror or error}.") from None
    return parse_subtitles(_decoded(raw, path), str(path))


def parse_subtitles(text: str, name: str = "the subtitles") -> list[Cue]:
    """Read cues from the text of a subtitle file; errors call it ``name``. See `read_subtitles`.

    >>> parse_subtitles("1\\n00:00:01,000 --> 00:00:02,500\\n<i>So</i> good\\n")
    [Cue(start=1.0, end=2.5, text='So good', speaker=None)]
    """
    lines = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    web = lines[0].startswith("WEBVTT")
    cues: list[Cue] = []
    times: tuple[float, float] | None = None
    words: list[str] = []
    skipping = web  # the lines of the header

    def close() -> None:
        if times is not None and (cue := _cue(times, words, web)) is not None:
            cues.append(cue)

    for number, line in enumerate(lines, 1):
        starts_block = number == 1 or not lines[number - 2].strip()
        if "-->" in line:
            close()
            times, words, skipping = _times(line, name, number), [], False
        elif web and starts_block and re.match(r"(?:NOTE|STYLE|REGION)(?:\s|$)", line):
            close()
            times, words, skipping = None, [], True
        elif not line.strip():
            skipping = False
            words.append("")
        elif times is not None and not skipping and not _names_next(lines, number, web):
            words.append(line)
    close()
    if not cues:
        raise DataError(
            f"{name} holds no subtitles; each wants a line such as "
            f"00:00:01,000 --> 00:00:02,500, and words beneath it."
        )
    return sorted(cues, key=lambda cue: cue.start)


def _names_next(lines: list[str], number: int, web: bool) -> bool:
    """Return whether line ``number`` (from 1) is the number or name of the next line's cue."""
    if number >= len(lines) or "-->" not in lines[number]:
        return False
    if web:
        return number < 2 or not lines[number - 2].strip()
    return lines[number - 1].strip().isdigit()


def _times(line: str, name: str, number: int) -> tuple[float, float]:
    left, _, right = line.partition("-->")
    first, last = _seconds(left.strip()), _seconds((right.split() or [""])[0])
    if first is None or last is None:
        raise DataError(
            f"{name}, line {number}: {line.strip()[:60]!r} is no span of time such as "
            f"00:00:01,000 --> 00:00:02,500; correct that line."
        )
    if last < first:
        raise DataError(
            f"{name}, line {number}: the cue ends ({last:g} s) before it starts ({first:g} s); "
            f"correct that line."
        )
    return first, last


def _seconds(stamp: str) -> float | None:
    match = _TIME.fullmatch(stamp)
    if match is None:
        return None
    hours, minutes, seconds, part = match.groups()
    if int(seconds) > 59 or (hours is not None and int(minutes) > 59):
        return None
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return float(f"{whole}.{part or 0}")


def _cue(times: tuple[float, float], lines: list[str], web: bool) -> Cue | None:
    text = " ".join(lines)
    names = [html.unescape(n).strip() for n in _VOICE.findall(text)] if web else []
    text = _TAG.sub("", _POSITION.sub("", text))
    text = " ".join((html.unescape(text) if web else text).split())
    text = text.translate({0x200E: None, 0x200F: None, 0xFEFF: None})
    speaker = ", ".join(dict.fromkeys(n for n in names if n)) or None
    return Cue(*times, text, speaker) if text.strip() else None


def _decoded(raw: bytes, path: Path) -> str:
    try:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return raw.decode("utf-16")
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    if not raw.strip():
        raise DataError(f"Subtitles {path} are empty.")
    if "\x00" in text:
        raise DataError(f"{path} is no subtitle file, but other data; give a .srt or .vtt.")
    return text


def subtitles_of(path: Path) -> Path | None:
    """Find the subtitle file of a recording: same folder, same name; None without one."""
    if path.suffix.lower() in WITHOUT_SUBTITLES:
        return None
    for ending in (*ENDINGS, *(x.upper() for x in ENDINGS)):
        near = path.with_suffix(ending)
        if near.is_file():
            return near
    return None
