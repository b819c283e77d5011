"""Reading of subtitle files (SRT, WebVTT) into cues: a text with its start and end."""

from __future__ import annotations

import codecs
import glob
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moodal.core.errors import DataError
from moodal.core.guard import unescaped

ENDINGS = (".srt", ".vtt")
"""Endings of subtitle files."""
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif")
WITHOUT_SUBTITLES = (".txt", *ENDINGS, *PICTURES)
"""Endings of texts and pictures, to which no subtitles belong."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle.

    Attributes:
        start, end: seconds, 0 <= start <= end.
        text: without markup, on one line.
        speaker: from WebVTT's ``<v Name>``, or from ``ANNA:`` before the words; several are joined
            by a comma; None where nobody is named.
    """

    start: float
    end: float
    text: str
    speaker: str | None = None


_TIME = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]([^<>]*)>", re.I)
LONGEST_NAME = 80
"""Letters of a speaker's name that are kept."""
# Not every "<": "I <3 you" and "1 < 2" are text.
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d+:[\d:.]+>|</>")
_POSITION = re.compile(r"\{\\[^{}]*\}")
_TURN = re.compile(r"(?:^|\n)[ \t]*(?:[-\u2013\u2014](?=[ \t]|[^\W\d_])|>>)[ \t]*")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,2}(?:\.(?:sdh|cc|forced|hi))?")
_NAME = re.compile(
    r"(?:^|\n)[ \t]*(?:\[([^\W\d_][\w .'-]{0,29})\]|([^\W\d_][\w .'-]{1,29})):(?=\s|$)"
)


def read_subtitles(
    path: Path | str, *, on_damage: Callable[[str], None] | None = None
) -> list[Cue]:
    """Read the cues of a SubRip (.srt) or WebVTT (.vtt) file, sorted by their start.

    Files are UTF-8 or UTF-16, else Windows-1252. Tags, positions, notes, styles, regions and cues
    without words are left out; cues that overlap are kept, and cues with wrong times are not.

    Args:
        path: the file.
        on_damage: called with one sentence about the lines whose times are wrong.

    Raises:
        DataError: the file cannot be read, or it holds no cue.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read subtitles {path}: {error.strerror or error}.") from None
    return parse_subtitles(_decoded(raw, path), str(path), on_damage=on_damage)


def parse_subtitles(
    text: str,
    name: str = "the subtitles",
    *,
    on_damage: Callable[[str], None] | None = None,
) -> list[Cue]:
    """Read cues from the text of a subtitle file; errors call it ``name``. See `read_subtitles`.

    >>> parse_subtitles("1\\n00:00:01,000 --> 00:00:02,500\\n<i>So</i> good\\n")
    [Cue(start=1.0, end=2.5, text='So good', speaker=None)]
    """
    lines = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    web = lines[0].startswith("WEBVTT")
    cues: list[Cue] = []
    wrong: list[str] = []
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
            times, words, skipping = _times(line, number, wrong), [], False
        elif web and starts_block and re.match(r"(?:NOTE|STYLE|REGION)(?:\s|$)", line):
            close()
            times, words, skipping = None, [], True
        elif not line.strip():
            skipping = False
            words.append("")
        elif times is not None and not skipping and not _names_next(lines, number, web):
            words.append(line)
    close()
    cues = [cue for cue in map(_named, cues) if cue.text]
    if not cues:
        why = f" ({wrong[0]})" if wrong else ""
        raise DataError(
            f"{name} holds no subtitles{why}; each wants a line such as "
            f"00:00:01,000 --> 00:00:02,500, and words beneath it."
        )
    if wrong and on_damage is not None:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        on_damage(f"{name}: left out {wrong[0]}{more}")
    return sorted(cues, key=lambda cue: cue.start)


def _named(cue: Cue) -> Cue:
    """Take a speaker's name, and the dash before a turn, off the words of a cue."""
    text = _TURN.sub("\n", cue.text)
    words = _NAME.sub("", text)
    matches = [m for m in _NAME.finditer(text) if _is_name(m[2], words)]
    names = [m[1] or m[2] for m in matches]
    text = _NAME.sub(lambda m: "\n" if _is_name(m[2], words) else m[0], text)
    speaker = cue.speaker or ", ".join(dict.fromkeys(name.strip() for name in names)) or None
    return Cue(cue.start, cue.end, " ".join(text.split()), speaker)


_SENTENCE = frozenset(["I", "WE", "YOU", "HE", "SHE", "THEY", "IT", "THIS", "THAT"])


def _is_name(text: str | None, rest: str = "") -> bool:
    """Return whether words before a colon are a name: in capitals, as subtitles write it.

    In a cue in capitals alone, and after a pronoun, they are words.
    """
    if not text:
        return True
    return text.isupper() and not rest.isupper() and text.split()[0] not in _SENTENCE


def _names_next(lines: list[str], number: int, web: bool) -> bool:
    """Return whether line ``number`` (from 1) is the number or name of the next line's cue."""
    if number >= len(lines) or "-->" not in lines[number]:
        return False
    if web:
        return number < 2 or not lines[number - 2].strip()
    return lines[number - 1].strip().isdigit()


def _times(line: str, number: int, wrong: list[str]) -> tuple[float, float] | None:
    """Read the times of a cue; None where they are wrong, which is added to ``wrong``."""
    left, _, right = line.partition("-->")
    first, last = _seconds(left.strip()), _seconds((right.split() or [""])[0])
    if first is None or last is None:
        wrong.append(f"line {number}, {line.strip()[:60]!r} is no span of time")
        return None
    if last < first:
        wrong.append(f"line {number}, whose cue ends ({last:g} s) before it starts ({first:g} s)")
        return None
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
    text = "\n".join(lines)
    names = _VOICE.findall(text) if web else []
    names = [" ".join(unescaped(name[:LONGEST_NAME]).split()) for name in names]
    text = _TAG.sub("", _POSITION.sub("", text))
    text = "\n".join((unescaped(text) if web else text).split("\n"))
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
    """Find the subtitle file of a recording: same folder, same name; None without one.

    Between name and ending may stand a language, as in ``talk.en.srt``; the first of several by
    name is taken, English before others.
    """
    if path.suffix.lower() in WITHOUT_SUBTITLES:
        return None
    for ending in (*ENDINGS, *(x.upper() for x in ENDINGS)):
        near = path.with_suffix(ending)
        if near.is_file():
            return near
    try:
        named = sorted(path.parent.glob(f"{glob.escape(path.stem)}.*.[sSvV][rRtT][tT]"))
    except OSError:
        return None
    languages = [p for p in named if _LANGUAGE.fullmatch(p.stem.removeprefix(f"{path.stem}."))]
    return min(languages, key=lambda p: (".en" not in p.stem.lower(), p.name), default=None)
