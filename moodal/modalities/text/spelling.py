"""Spelling of a text as every text reader knows it: plain letters, emoji and emoticons in words.

Entities and tags of HTML, and full-width or styled letters, become the letters that they show.
Text encoders read a text after `spell_out`, by way of `text_of`; users see it as it was written.
The names of emoji are those of Unicode (CLDR), from the package emoji.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from moodal.core.errors import UsageError
from moodal.core.guard import ENTITY
from moodal.modalities.encoder import Item

EMOTICONS = {
    "smiling face": (":)", ":-)", "=)", "^_^"),
    "grinning face": (":D", ":-D"),
    "laughing face": ("XD", "xD", "X-D"),
    "tears of joy": (":')", ":'-)"),
    "winking face": (";)", ";-)", ";')", ";'-)", ";D", ";-D"),
    "playful face": (":P", ":-P", ":p", ":-p", ";P", ";p", ";-P"),
    "sad face": (":(", ":-(", "=("),
    "crying face": (":'(", ":'-(", "T_T", ";_;"),
    "angry face": (">:(", ">:-("),
    "surprised face": (":O", ":-O", ":o", ":-o"),
    "confused face": (":/", ":-/", ":S", ":-S", "o_O", "O_o"),
    "neutral face": (":|", ":-|"),
    "annoyed face": ("-_-",),
    "kissing face": (":*", ":-*"),
    "love": ("<3",),
    "broken heart": ("</3",),
}
"""Words -> the emoticons that they replace; a last bracket may be repeated, as in ``:)))``."""

_WORDS = {emoticon: words for words, signs in EMOTICONS.items() for emoticon in signs}
_FACES = sorted((e for e in _WORDS if "<" not in e), key=len, reverse=True)


def _pattern(emoticon: str) -> str:
    return re.escape(emoticon) + ("+" if emoticon[-1] in "()" else "")


_JOINED = r"\w/\\=<>{}\[\]|@#$%^&*+~\-"
"""Characters beside which signs belong to an address, a number or code, not to an emoticon."""

_QUANTITY = (
    r"(?!\s*(?:[\d$€£%]|\.\d|(?:seconds?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?|times|"
    r"percent|[kmgt]b|[mk]?s|[kmcμ]?[gml])\b))"
)
"""No number or unit follows, as in ``takes <3 minutes``."""

_EMOTICON = re.compile(
    rf"(?<![{_JOINED}:;'\"])(?:(?<!^\d )(?<![\w\s]\d )(?P<heart></?3+{_QUANTITY})|"
    + "|".join(map(_pattern, _FACES))
    + rf")(?![{_JOINED}'\"])"
    # a smile may touch its word ("great:)"), where it does not close a bracket
    + r"|(?<=[^\W\d_])(?P<smile>[:;]'?-?\)+)(?![\w/\\=<>{}\[\]|@#$%^&*+~'\"(:\-])"
)

_HEARTS = {
    f"{colour} heart"
    for colour in ("red", "pink", "orange", "yellow", "green", "blue", "light blue", "purple")
} | {"heart suit"}
"""Names of hearts, which mean love and whose colour says nothing."""

_TONES = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
_INVISIBLE = "\u200d\ufe0e\ufe0f"
"""The zero-width joiner, and the signs that ask for a text's or a picture's look."""
_TONE = re.compile(f"[{_TONES}]")
_NAMED_TONE = re.compile(r"_(?:medium-)?(?:light|medium|dark)_skin_tone")


_TAG = re.compile(
    r"</?(?:a|b|big|blockquote|br|center|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|s|small|span"
    r"|strike|strong|sub|sup|table|td|tr|tt|u|ul)(?:[ \t/][^<>]{0,500})?>",
    re.IGNORECASE,
)
_INLINE = re.compile(r"</?(?:a|b|big|code|em|font|i|s|small|span|strike|strong|tt|u)\b", re.I)
"""Tags that stand within words; others end a word."""
_STYLED = re.compile("[\uff01-\uff5e\u2460-\u24ff\ufb00-\ufb06\U0001d400-\U0001d7ff]")
"""Full-width, circled and mathematical letters, and ligatures."""


@dataclass(frozen=True)
class Spelling:
    """A text after spelling.

    Attributes:
        text: what encoders read.
        places: for each character of ``text``, its place in the text as written; of a character
            that was put in, the place of the emoji or emoticon.
    """

    text: str
    places: Sequence[int]


def text_of(item: Item, most: int | None = None) -> str:
    """Return the words of an item that must be a text, its emoji and emoticons spelt out.

    Args:
        item: the text.
        most: the most characters that are read, of an encoder that reads the beginning alone;
            None: all.

    Raises:
        UsageError: it is a clip or an array.
    """
    if isinstance(item, str):
        return spell_out(item[:most])
    raise UsageError(f"This encoder reads texts; got {type(item).__name__}.")


def spell_out(text: str) -> str:
    """Replace entities, tags and styled letters by plain ones, and emoji and emoticons by words.

    Skin tones and variation signs are dropped; equal emoji in a row are said once. Other texts
    are returned as they are, so their features and those encoders'
    fingerprints stay what they were.

    >>> spell_out("We won😍😍, thank you :) See http://a.org at 10:30")
    'We won smiling face with heart eyes, thank you smiling face See http://a.org at 10:30'
    >>> spell_out("I <b>love</b> it &amp; you &lt;3")
    'I love it & you love'
    """
    return spelling_of(text).text


@lru_cache(maxsize=64)
def spelling_of(text: str) -> Spelling:
    """Spell out a text, and remember where each character was written."""
    spelling = Spelling(text, range(len(text)))
    if "<" in text:
        spelling = _substituted(spelling, _TAG, lambda tag: "" if _INLINE.match(tag) else " ")
    if "&" in text:
        spelling = _substituted(spelling, ENTITY, html.unescape)
    if not text.isascii():
        spelling = _replaced(spelling, _emoji)
        spelling = _substituted(spelling, _STYLED, _plain)
    return _replaced(spelling, _emoticons)


def _plain(letter: str) -> str:
    """Return the plain letter that a styled one shows."""
    return unicodedata.normalize("NFKC", letter)


def _substituted(
    spelling: Spelling, pattern: re.Pattern[str], change: Callable[[str], str]
) -> Spelling:
    """Put what ``change`` makes of each match in its place, without spaces around it."""
    at = 0
    pieces: list[str] = []
    places: list[int] = []
    for match in pattern.finditer(spelling.text):
        start, end = match.span()
        pieces += [spelling.text[at:start], change(match[0])]
        places += spelling.places[at:start]
        places += [spelling.places[start]] * len(pieces[-1])
        at = end
    if not at:
        return spelling
    return Spelling("".join(pieces) + spelling.text[at:], (*places, *spelling.places[at:]))


Replacement = tuple[int, int, str | None]
"""First place, place after the last, and the words; None removes the signs, leaving no space."""


def _replaced(spelling: Spelling, replacements: Callable[[str], Iterator[Replacement]]) -> Spelling:
    """Put words in the place of signs, with a space on each side where a letter would touch."""
    text, at, before = spelling.text, 0, " "
    pieces: list[str] = []
    places: list[int] = []
    for start, end, words in replacements(text):
        pieces.append(text[at:start])
        places += spelling.places[at:start]
        before = text[start - 1 : start] if start > at else before
        if words:
            # a bracket or quotation mark stays attached to the words that it opens
            space = "" if before.isspace() or before in "([{\"'“‘" else " "
            after = " " if text[end : end + 1].isalnum() else ""
            pieces.append(f"{space}{words}{after}")
            places += [spelling.places[start]] * len(pieces[-1])
            before = pieces[-1][-1]
        at = end
    if not at:
        return spelling
    return Spelling("".join(pieces) + text[at:], (*places, *spelling.places[at:]))


def _emoji(text: str) -> Iterator[Replacement]:
    """Yield the emoji of a text with their names, and the invisible signs around them."""
    import emoji

    last_name, last_end = "", -1
    for match in emoji.emoji_list(text):
        start, end, sign = match["match_start"], match["match_end"], match["emoji"]
        while end < len(text) and text[end] in _TONES + _INVISIBLE:
            end += 1
        name = _name(sign)
        if name == sign:  # a sign of print, such as ©
            continue
        repeated = name == last_name and start == last_end
        yield start, end, None if repeated or not name else name
        last_name, last_end = name, end


def _name(sign: str) -> str:
    """Return an emoji's name in plain words; "" for a skin tone, and signs of print as they are."""
    import emoji

    if sign[0].isascii():  # a key with a digit on it
        return sign[0]
    # below the emoji's blocks, only the variation sign makes a picture of ©, ™ or an arrow
    if len(sign) == 1 and sign < "\u2600" and emoji.EMOJI_DATA[sign]["status"] > 2:
        return sign
    about = emoji.EMOJI_DATA.get(_TONE.sub("", sign)) or emoji.EMOJI_DATA[sign]
    name = "" if sign in _TONES else _NAMED_TONE.sub("", str(about["en"]))
    words = " ".join(re.findall(r"[^\W_]+(?:['’][^\W_]+)*", name))
    return "love" if words in _HEARTS else words


def _emoticons(text: str) -> Iterator[Replacement]:
    """Yield the emoticons of a text with their words."""
    for match in _EMOTICON.finditer(text):
        start, end = match.span()
        sign = match[0]
        if match["smile"] and _inside_brackets(text, start):
            continue
        if match["heart"]:
            sign = sign.rstrip("3") + "3"
        elif sign not in _WORDS:
            sign = sign.rstrip(sign[-1]) + sign[-1]
        yield start, end, _WORDS[sign]


def _inside_brackets(text: str, place: int) -> bool:
    """Return whether a bracket is open at a place, as far as the last sentence or two show."""
    start = max(0, place - 300)
    return text.count("(", start, place) > text.count(")", start, place)
