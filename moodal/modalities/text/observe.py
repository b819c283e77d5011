"""The text modality: the words of an utterance, and the sentences of a longer text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from moodal.core.records import BUILT_IN, ModalityInfo
from moodal.core.timeline import Word
from moodal.modalities.modality import Absent, Division, Modality, Observed, Part, Window
from moodal.modalities.text.language import looks_english
from moodal.modalities.text.minilm import BEGINNING, tokenizer
from moodal.modalities.text.spelling import spell_out, spelling_of

FOREIGN = "it does not look English, the one language known"
"""The reason why words of another language are used only if no other modality is present."""

CUT = "Only the first 256 word pieces of the text were read."

UNKNOWN = 100
"""The number of the word piece that stands for all that the vocabulary lacks."""
MANY_UNKNOWN = 0.3
"""The share of unknown pieces from which a text is flagged."""

WRAPPED, SHORT = 50, 25
"""A line of at least so many characters without a mark at its end was wrapped by its editor; one
that is shorter, but not by much, if the next one begins with a small letter."""

LONGEST = 600
"""The approximate largest number of characters of a sentence; longer ones are cut at spaces."""

_END = re.compile(r"([.!?…][\"'”’)\]]*)\s+(?=\S)")
_LINE = re.compile(r"\n\s*\n|\r?\n(?=\S)")


@dataclass(frozen=True)
class ObservedText(Observed):
    """The text of an utterance as written, and its words with their times if these are known."""

    words: tuple[Word, ...] = ()

    def divide(self, steps: int) -> Division | None:
        """Assign word pieces to words as written; None if the steps are not the tokeniser's pieces.

        The pieces of an emoji's name belong to the word in which the emoji was written.
        """
        text = str(self.item)[:BEGINNING]
        spelling = spelling_of(text)
        encoded = tokenizer().encode(spelling.text)
        if len(encoded.ids) != steps:
            return None
        words = [word.text for word in self.words] or text.split()
        ends, at = [], 0
        for word in words:
            found_at = text.find(word, at)
            at = (found_at if found_at >= 0 else at) + len(word)
            ends.append(at)
        if not words:
            return None
        offsets = np.array(encoded.offsets)
        places = np.full(steps, -1)
        # the special pieces have no place in the text
        regular = offsets[:, 1] > offsets[:, 0]
        written = np.array(spelling.places)[offsets[regular, 0]]
        nearest = np.searchsorted(ends, written, side="right")
        places[regular] = np.minimum(nearest, len(words) - 1)
        times = [(w.start, w.end) for w in self.words] or [(None, None)] * len(words)
        parts = (Part(*time, word) for time, word in zip(times, words, strict=True))
        return Division(tuple(parts), places)


class Text(Modality):
    """The words of an utterance, provided or transcribed."""

    info: ClassVar[ModalityInfo] = BUILT_IN["text"]
    encoder: ClassVar[str] = "glove-50"

    def observe(self, window: Window) -> Sequence[Observed] | Absent:
        """Observe the text of a window; absent if it contains no word."""
        if not window.text:
            if not window.spoken:
                return Absent("no speech")
            return Absent("no words" if window.text is not None else "no transcript")
        encoded = tokenizer().encode(spell_out(window.text[:BEGINNING]))
        pieces = encoded.ids[1:-1]  # without the two special pieces
        if not pieces:
            return Absent("no words")
        if all(piece == UNKNOWN for piece in pieces):
            return Absent("no known words")
        reservation = "" if looks_english(window.text) else FOREIGN
        is_cut = encoded.overflowing or len(window.text) > BEGINNING
        flags: tuple[str, ...] = (CUT,) if is_cut else ()
        unknown = sum(piece == UNKNOWN for piece in pieces)
        if unknown > MANY_UNKNOWN * len(pieces):
            flags += (f"{unknown} of the {len(pieces)} word pieces of the text are unknown.",)
        return [ObservedText(window.text, {}, flags, None, reservation, window.words)]


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
        for part in _END.sub("\\1\0", line).split("\0"):
            part = " ".join(part.split())
            while len(part) > LONGEST:
                at = part.rfind(" ", LONGEST // 2, LONGEST)
                at = at if at > 0 else LONGEST
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
