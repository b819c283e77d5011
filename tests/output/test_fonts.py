"""Scripts for which a plot has no font are named."""

from moodal.output import fonts
from moodal.output.fonts import FIRST, installed, missing_fonts


def only_the_first(monkeypatch):
    fonts._letters.cache_clear()
    monkeypatch.setattr(fonts, "installed", lambda: (FIRST,))


def test_latin_hebrew_and_arabic_are_always_drawn(monkeypatch):
    only_the_first(monkeypatch)
    assert list(missing_fonts(["Grüß Gott!", "Я рад", "שלום", "مرحبا", "12 😀"])) == []
    fonts._letters.cache_clear()


def test_other_scripts_are_named_with_their_fonts(monkeypatch):
    only_the_first(monkeypatch)
    (sentence,) = missing_fonts(["今日は", "मुझे", "สวัสดี"])
    assert "letters of Chinese, Japanese or Korean, Devanagari and Thai" in sentence
    for font in ("Noto Sans CJK SC", "Noto Sans Devanagari", "Noto Sans Thai"):
        assert font in sentence
    fonts._letters.cache_clear()


def test_the_first_font_is_that_of_matplotlib():
    assert installed()[0] == FIRST
