"""Lines of text keep to their width, and no letter is lost."""

from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from moodal.output.lettering import width_of, wrapped


@pytest.fixture
def figure():
    figure = Figure(dpi=150)
    FigureCanvasAgg(figure)
    return figure


@pytest.mark.filterwarnings("ignore:Glyph .* missing")
@pytest.mark.parametrize(
    "text",
    [
        "A note that goes on for ever. " * 9,
        "INTERVIEW_WITH_A_LONG_NAME_" * 8 + "(final 2).mp4",
        "Donaudampfschifffahrtsgesellschaft" * 5,
        "漢字の注意書き" * 40,
    ],
)
def test_lines_fit_and_keep_every_letter(figure, text):
    lines = wrapped(figure, text, 3.0, 8)
    assert len(lines) > 1
    assert max(width_of(figure, line, 8) for line in lines) <= 3.0
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_lines_end_after_words_and_underscores(figure):
    assert all(len(line) < 9 for line in wrapped(figure, "one two three", 0.45, 8))
    name = "_".join(["interview"] * 12)
    lines = wrapped(figure, name, 3.0, 8)
    assert all(line.endswith("interview_") for line in lines[:-1])


def test_what_fits_is_left_as_it_is(figure):
    assert wrapped(figure, "two  blanks", 3.0, 8) == ["two  blanks"]
    assert wrapped(figure, "", 3.0, 8) == [""]


def test_the_last_of_few_lines_says_that_something_is_missing(figure):
    lines = wrapped(figure, "donaudampfschifffahrtsgesellschaftlich" * 2, 1.2, 8, most=2)
    assert len(lines) == 2
    assert lines[1].endswith("…")
    assert width_of(figure, lines[1], 8) <= 1.2
