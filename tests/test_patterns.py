"""Every regular expression that meets a stranger's text takes time in proportion to its length."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time

import pytest

import moodal
from moodal.media.sniff import other_kind
from moodal.media.subtitles import parse_subtitles
from moodal.modalities.text.observe import sentences
from moodal.modalities.text.spelling import spell_out

ROOMS = ("moodal.core", "moodal.media", "moodal.modalities", "moodal.corpora")
PIECES = (
    *"a9 \t\n-_.,:;'\"()[]{}<>&!/\\|é",
    *("<!---->", "<v ", "<v.", "<1:", "<1:1", "</b", "<b x", "<b/", "&#1", "&#x", "&ab", "{\\"),
    *(
        ":)",
        ":'-)",
        "<3",
        "</3",
        ">:(",
        "1:1",
        "1 <",
        "--",
        "- ",
        ">>",
        "ANNA ",
        "[A",
        "A: ",
        "\n ",
    ),
    *(
        "Ses01",
        "dia1_utt1",
        "F_",
        "C-E1:",
        "1001_DFA_",
        "03-01-",
        "[1 - ",
        "n't",
        "a'",
        "\r\n",
        "10:",
    ),
)
BEGINNINGS = ("<1:", "<v ", "<v", "&#", "&a", "{\\", "[", "(", "<!--", "<b ", "1:1", "a: ", "- ")
SIZES = (30, 8_000)
MOST = 0.3
"""Seconds for the largest size; a quadratic pattern needs more, on any machine."""
ANCHORED = {
    "moodal.corpora.iemocap.lines._TRANSCRIPT",
    "moodal.corpora.published.processed._FILE",
    "moodal.modalities.text.treebank._CONTRACTION",
}
"""Patterns that are matched at the beginning of a text alone, never searched in it."""


def patterns() -> dict[str, re.Pattern]:
    """Collect the patterns of the modules that read texts, tables, names and media."""
    found = {}
    for module in pkgutil.walk_packages(moodal.__path__, "moodal."):
        if module.name.startswith(ROOMS):
            names = vars(importlib.import_module(module.name))
            found |= {
                f"{module.name}.{name}": value
                for name, value in names.items()
                if isinstance(value, re.Pattern)
            }
    return found


PATTERNS = patterns()


def seconds(run, text) -> float:
    start = time.process_time()
    run(text)
    return time.process_time() - start


def slow(run) -> list[str]:
    """List the pieces whose repetition takes too long, smallest size first."""
    long = []
    runs = [("", piece, end) for piece in PIECES for end in ("", "\x00")]
    runs += [(begin, piece, "\x00") for begin in BEGINNINGS for piece in "1 a-.\n"]
    for begin, piece, end in runs:
        for size in SIZES:
            taken = seconds(run, begin + piece * (size // len(piece)) + end)
            if taken > MOST:
                long.append(f"{begin + piece!r} {size} {taken:.1f} s")
                break
    return long


def test_the_patterns_are_found():
    assert len(PATTERNS) > 15
    assert "moodal.media.subtitles._TAG" in PATTERNS


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_is_linear(name):
    pattern = PATTERNS[name]

    def run(text: str) -> None:
        own = text.encode() if isinstance(pattern.pattern, bytes) else text
        if name not in ANCHORED:
            for _ in pattern.finditer(own):
                pass
        pattern.match(own)
        pattern.fullmatch(own)

    assert slow(run) == []


@pytest.mark.parametrize(
    "read",
    [
        lambda text: other_kind(text.encode()),
        spell_out,
        sentences,
        lambda text: parse_subtitles(
            f"WEBVTT\n\n00:01.000 --> 00:02.000\n{text}\n\nx\n\n00:03.000 --> 00:04.000\nz"
        ),
    ],
    ids=["other_kind", "spell_out", "sentences", "parse_subtitles"],
)
def test_a_reader_is_linear(read):
    assert slow(read) == []
