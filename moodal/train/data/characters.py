"""CHARACTERS: the character set of CTC's transcripts, that of wav2vec 2.0.

The vocabulary of Baevski et al., "wav2vec 2.0", NeurIPS 2020, as fine-tuned on
LibriSpeech: number 0 is CTC's blank, "|" separates words.
"""

from __future__ import annotations

import re

CHARACTERS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ")
"""Number -> character, 32 of them."""

BLANK = 0
NUMBERS = {character: i for i, character in enumerate(CHARACTERS)}


def clean(text: str) -> str:
    """Normalise ``text`` as CTC's target: upper case, letters, apostrophes and single spaces.

    Typographic apostrophes count as typed ones; every other character is removed, as in the
    published code.

    >>> clean("Well, what’s the problem?  Let me change it.")
    "WELL WHAT'S THE PROBLEM LET ME CHANGE IT"
    """
    kept = re.sub(r"[^A-Z' ]", "", text.upper().replace("’", "'").replace("\n", " "))
    return " ".join(kept.split())


def spell(text: str) -> list[int]:
    """Return the numbers of the cleaned characters of ``text``, spaces as "|".

    >>> spell("A b.")
    [7, 4, 24]
    """
    return [NUMBERS["|" if c == " " else c] for c in clean(text)]


def unspell(numbers: list[int]) -> str:
    """Return the text of decoded numbers, without special ones and with "|" as a space.

    >>> unspell([7, 4, 24])
    'A B'
    """
    letters = (CHARACTERS[i] for i in numbers if i >= NUMBERS["|"])
    return " ".join("".join(" " if c == "|" else c for c in letters).split())


def collapse(best: list[int]) -> list[int]:
    """Decode greedily: keep one of repeated characters, drop blanks.

    >>> collapse([0, 7, 7, 0, 7, 24])
    [7, 7, 24]
    """
    return [x for i, x in enumerate(best) if x != BLANK and (i == 0 or best[i - 1] != x)]
