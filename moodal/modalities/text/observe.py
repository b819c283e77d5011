"""The text modality: the words of an utterance, and the sentences of a longer text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from moodal.core.records import BUILT_IN, ModalityInfo
from moodal.core.scripts import WITHOUT_BLANKS, parts_of, script_of
from moodal.core.timeline import Word
from moodal.modalities.modality import (
    Absent,
    Division,
    Modality,
    Observed,
    Part,
    Settings,
    Window,
)
from moodal.modalities.text.e5 import BEGINNING, tokenizer
from moodal.modalities.text.e5 import LONGEST as LONGEST_TEXT
from moodal.modalities.text.language import UNKNOWN, UNRECOGNISED, language_of
from moodal.modalities.text.spelling import spell_out

CUT = f"Only the first {LONGEST_TEXT} word pieces of the text were read."

MANY_UNKNOWN = 0.3
"""The share of unknown pieces from which a text is flagged."""
WRAPPED, SHORT = 50, 25
"""A line of at least so many characters without a mark at its end was wrapped by its editor; one
that is shorter, but not by much, if the next one begins with a small letter."""

LONGEST = 600
"""The approximate largest number of characters of a sentence; longer ones are cut at spaces."""

CONTEXT = 400
"""The characters of earlier utterances by which a short one's language is judged."""

STOPS, WIDE_STOPS = ".!?…\u061f\u06d4\u0964\u0965\u1362\u1367\u1368", "。！？｡"
"""Marks at the end of a sentence: those that a blank follows (also of Arabic, Urdu, Hindi and
Amharic), and those of scripts without blanks."""
_CLOSING = "\"'”’»)\\]」』）】"
_END = re.compile(
    rf"([{STOPS}][{_CLOSING}]*)\s+(?=\S)|([{WIDE_STOPS}][{_CLOSING}{WIDE_STOPS}]*)\s*"
)
_LINE = re.compile(r"\n\s*\n|\r?\n(?=\S)")


@dataclass(frozen=True)
class ObservedText(Observed):
    """The text of an utterance as written, and its words with their times if these are known.

    Its language is that of the recording where it is too short to be judged itself, and
    `moodal.modalities.text.language.UNKNOWN` where neither is known.
    """

    words: tuple[Word, ...] = ()

    def divide(self, steps: int, places: Sequence[int] | None = None) -> Division | None:
        """Assign steps to words as written; None if their places are not known.

        The pieces of an emoji's name belong to the word in which the emoji was written.
        """
        text = str(self.item)
        words = [word.text for word in self.words] or parts_of(text)
        if places is None or len(places) != steps or not words:
            return None
        ends, at = [], 0
        for word in words:
            found_at = text.find(word, at)
            at = (found_at if found_at >= 0 else at) + len(word)
            ends.append(at)
        # the special pieces have no place in the text
        written = np.array(places)
        nearest = np.minimum(np.searchsorted(ends, written, side="right"), len(words) - 1)
        times = [(w.start, w.end) for w in self.words] or [(None, None)] * len(words)
        parts = (Part(*time, word) for time, word in zip(times, words, strict=True))
        return Division(tuple(parts), np.where(written >= 0, nearest, -1))


class Text(Modality):
    """The words of an utterance, provided or transcribed."""

    info: ClassVar[ModalityInfo] = BUILT_IN["text"]
    encoder: ClassVar[str] = "glove-50"

    def __init__(self, settings: Settings | None = None):
        super().__init__(settings or Settings())
        self._said, self._known, self._script = "", UNKNOWN, ""

    def observe(self, window: Window) -> Sequence[Observed] | Absent:
        """Observe the text of a window; absent if it contains no word."""
        if not window.text:
            if not window.spoken:
                return Absent("no speech")
            return Absent("no words" if window.text is not None else "no transcript")
        encoded = tokenizer().encode(spell_out(window.text[:BEGINNING]))
        count = encoded.count
        if not count:
            return Absent("no words")
        if encoded.unknown == count:
            return Absent("no known words")
        is_cut = encoded.cut or len(window.text) > BEGINNING
        flags: tuple[str, ...] = (CUT,) if is_cut else ()
        if encoded.unknown > MANY_UNKNOWN * count:
            flags += (f"{encoded.unknown} of the {count} word pieces of the text are unknown.",)
        language = self.settings.language or window.language or self._language(window.text)
        return [ObservedText(window.text, flags=flags, language=language, words=window.words)]

    def _language(self, text: str) -> str:
        """Return the language of an utterance, or of what was said so far if it is too short.

        Letters of another script, and signs without letters, have nothing to do with what was said.
        """
        script = script_of(text)
        if not script:
            return UNKNOWN
        if script != self._script:
            self._said, self._known, self._script = "", UNKNOWN, script
        own = language_of(text).language
        if own not in (UNKNOWN, UNRECOGNISED):
            self._said, self._known = text, own
            return own
        if own == UNRECOGNISED:
            return own
        self._said = f"{self._said} {text}"[-CONTEXT:]
        said = language_of(self._said).language
        return self._known if said in (UNKNOWN, UNRECOGNISED) else said


def sentences(text: str) -> list[str]:
    """Split a text into its sentences, in order and without surrounding spaces.

    Emoji, emoticons and punctuation marks after a sentence belong to it; emoji on a line of their
    own are a sentence.

    >>> sentences("I can't believe it! You did it...  Really? \U0001f60d")
    ["I can't believe it!", 'You did it...', 'Really? \U0001f60d']
    """
    split: list[str] = []
    for line in _LINE.split(_unwrapped(text)):
        begun = len(split)
        for part in _END.sub(r"\1\2" + "\0", line).split("\0"):
            part = " ".join(part.split())
            # a sign that is a word or a syllable is about a piece by itself
            longest = LONGEST // 3 if len(WITHOUT_BLANKS.findall(part)) > len(part) / 2 else LONGEST
            while len(part) > longest:
                at = part.rfind(" ", longest // 2, longest)
                at = at if at > 0 else longest
                split.append(part[:at])
                part = part[at:].strip()
            signs = not any(c.isalnum() for c in part)
            attached = len(split) > begun or not _has_words(part)
            if signs and attached and split and len(split[-1]) + len(part) < LONGEST:
                split[-1] += f" {part}" if part else ""
            elif _has_words(part):
                split.append(part)
    return split


def _unwrapped(text: str) -> str:
    """Join lines that an editor wrapped: the text of a paragraph does not end with its line.

    A line continues where it has no mark at its end and is long, or not short and the next one
    begins with a small letter. Short lines are lines of a list, or of a chat.
    """
    lines = text.splitlines()
    pieces = lines[:1]
    for before, line in itertools.pairwise(lines):
        end, start = before.rstrip(), line.lstrip()
        continues = end and start and (end[-1].isalnum() or end[-1] in ",-–—")
        least = SHORT if start[:1].islower() else WRAPPED
        if continues and start[0].isalnum() and len(end) >= least:
            pieces += [" ", start]
        else:
            pieces += ["\n", line]
    return "".join(pieces)


def _has_words(text: str) -> bool:
    """Return whether a text has a letter or digit, or a sign that is read as one or as words."""
    return any(c.isalnum() or ord(c) > 0x2000 for c in spell_out(text))
