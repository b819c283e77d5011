"""Reading of the IEMOCAP release's text files, line by line: labels and transcripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from moodal.corpora.find import text_lines
from moodal.corpora.iemocap.names import CODES, NAME

_NUMBER = r"([-+]?\d+(?:\.\d*)?)"
_LABEL = re.compile(
    rf"\[\s*{_NUMBER}\s*-\s*{_NUMBER}\s*\]\s+(\S+)\s+(\S+)"
    rf"\s+\[\s*{_NUMBER}\s*,\s*{_NUMBER}\s*,\s*{_NUMBER}\s*\]"
)
_ANNOTATOR = re.compile(r"([CA])-(\w+):\s*([^()]*?)\s*(?:\((.*?)\)?)?")
_TRANSCRIPT = re.compile(rf"(\S+)\s+\[\s*{_NUMBER}\s*-\s*{_NUMBER}\s*\]\s*:(.*)")
_DIMENSIONS = {"val": "valence", "act": "activation", "dom": "dominance"}


@dataclass
class LabelledTurn:
    """A label line with the annotations below it.

    Attributes:
        code: a key of `CODES`.
        start, end: seconds in the dialogue, as written.
        dimensions: mean valence, activation and dominance, 1 to 5, as written.
        annotators: {"categories": {annotator: [words]}, "dimensions": {annotator: {dimension: 1 to
            5}}, "comments": {annotator: text}}; E are evaluators, F and M the speakers themselves.
    """

    code: str
    start: str
    end: str
    dimensions: dict[str, str]
    annotators: dict[str, dict[str, object]] = field(default_factory=dict)


@dataclass
class Lines:
    """The content of the text files, and their faults.

    Attributes:
        turns: utterance -> its label line.
        texts: utterance -> its transcript.
        unnamed: number of transcribed lines without an utterance's name.
        unread: number of lines below a label line that are not annotations.
        twice: utterances with a second transcript, which is ignored.
        problems: a phrase for each fault, with file and line.
    """

    turns: dict[str, LabelledTurn] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    unnamed: int = 0
    unread: int = 0
    twice: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def labels(path: Path, into: Lines) -> None:
    """Read ``EmoEvaluation/<dialogue>.txt``: a label line per turn, with annotations below it."""
    last = LabelledTurn("", "", "", {})
    for place, line in _lines(path):
        if line.startswith("%"):
            continue
        if not line.startswith("["):
            if NAME.search(line):
                into.problems.append(f"{place} is damaged ({line[:40]!r})")
            elif not _annotator(line, last):
                into.unread += 1
            continue
        match = _LABEL.fullmatch(line)
        if not match:
            into.problems.append(f"{place} is damaged ({line[:40]!r})")
            last = LabelledTurn("", "", "", {})  # the annotations below it are ignored
            continue
        start, end, name, code, *values = match.groups()
        last = LabelledTurn(code, start, end, dict(zip(_DIMENSIONS.values(), values, strict=True)))
        if not NAME.fullmatch(name):
            into.problems.append(f"{place} has the name {name!r}, which is not IEMOCAP's")
        elif code not in CODES:
            into.problems.append(f"{place} has the label {code!r}")
        elif float(start) >= float(end):
            into.problems.append(f"{place} starts at {start} s and ends at {end} s")
        elif name in into.turns:
            into.problems.append(f"{place} labels {name} a second time")
        else:
            into.turns[name] = last


def _annotator(line: str, turn: LabelledTurn) -> bool:
    """Add one annotator's line to ``turn``; return whether the line was an annotation."""
    match = _ANNOTATOR.fullmatch(line)
    if not match:
        return False
    kind, who, judgement, comment = match.groups()
    parts = [part.strip() for part in judgement.split(";") if part.strip()]
    if kind == "C":
        turn.annotators.setdefault("categories", {})[who] = parts
    else:
        values = {}
        for part in parts:
            name, *value = part.split()
            if name not in _DIMENSIONS or len(value) > 1 or not all(v.isdecimal() for v in value):
                return False
            if value:  # some annotators left one out
                values[_DIMENSIONS[name]] = int(value[0])
        turn.annotators.setdefault("dimensions", {})[who] = values
    if comment:
        turn.annotators.setdefault("comments", {})[f"{kind}-{who}"] = comment
    return True


def transcripts(path: Path, into: Lines) -> None:
    """Read ``transcriptions/<dialogue>.txt``: ``<utterance> [start-end]: words``.

    Lines such as "M: Right." name only a speaker; they are counted.
    """
    for place, line in _lines(path):
        match = _TRANSCRIPT.fullmatch(line)
        if match and match[1] in into.texts:
            into.twice.append(match[1])
        elif match:
            into.texts[match[1]] = match[4].strip()
        elif line.startswith("Ses"):
            into.problems.append(f"{place} is damaged ({line[:40]!r})")
        else:
            into.unnamed += 1


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the place (file and line number from 1) and the text of each line that is not blank."""
    for number, line in enumerate(text_lines(path), 1):
        if line.strip():
            yield f"{path.name} line {number}", line.strip()
