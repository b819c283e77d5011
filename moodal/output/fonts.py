"""Fonts of a plot: those that are installed, and the scripts for which there is none."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

FIRST = "DejaVu Sans"
"""The font that comes with matplotlib: Latin, Greek, Cyrillic, Hebrew and Arabic."""

OTHERS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "WenQuanYi Zen Hei",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Arial Unicode MS",
)
"""Further fonts, by preference; after them any of the family Noto Sans."""
FAMILY = "Noto Sans "

CJK = "Noto Sans CJK SC"
"""The font of Chinese, Japanese and Korean."""
EAST = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC", "FULLWIDTH", "HALFWIDTH")
"""The first words of the names of such signs (Unicode)."""
EASTERN = "Chinese, Japanese or Korean"


@cache
def installed() -> tuple[str, ...]:
    """Return the names of the fonts that are used, in the order in which a letter is looked up."""
    from matplotlib import font_manager

    names = {f.name for f in font_manager.fontManager.ttflist}
    family = sorted(name for name in names if name.startswith(FAMILY) and name not in OTHERS)
    return (FIRST, *(name for name in OTHERS if name in names), *family)


@cache
def _letters() -> frozenset[int]:
    """Return the letters that the installed fonts have."""
    from matplotlib import font_manager

    paths = {font_manager.findfont(name) for name in installed()}
    return frozenset(code for path in paths for code in font_manager.get_font(path).get_charmap())


def missing_fonts(texts: Iterable[str]) -> Iterator[str]:
    """Yield a sentence that names the scripts of texts for which no font is installed."""
    lacking = {c for text in texts for c in text if c.isalpha() and ord(c) not in _letters()}
    scripts = sorted({_script(c) for c in lacking})
    if scripts:
        fonts = dict.fromkeys(CJK if s == EASTERN else f"{FAMILY}{s}" for s in scripts)
        yield (
            f"There is no font here for the letters of {_listed(scripts)}: the plot shows boxes. "
            f"{_listed(list(fonts))} would draw them."
        )


def _script(letter: str) -> str:
    """Return the name of a letter's script, such as "Devanagari"."""
    name = unicodedata.name(letter, "UNKNOWN").split()[0]
    return EASTERN if name in EAST else name.capitalize()


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
