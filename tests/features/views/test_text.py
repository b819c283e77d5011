import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.errors import UsageError
from moodal.features.views.text import TextRecipe, text_view, without_marks
from moodal.features.views.words import CONTRACTIONS, DEGREES, EQUALS, FEELING, NEGATIONS
from moodal.modalities.text.treebank import tokenise

LINE = "Well, maybe we should talk about the money in the morning, because I can see them again."


def views(text, count=60, **shares):
    """Many views of ``text``, with nothing drawn but what ``shares`` ask for, if any."""
    none = dict.fromkeys(TextRecipe.__dataclass_fields__, 0.0)
    recipe = TextRecipe(**{**none, **shares}) if shares else None
    return [text_view(text, 7, number, recipe) for number in range(count)]


def test_a_view_is_the_same_for_the_same_seed_number_and_text():
    assert text_view(LINE, 1, 2) == text_view(LINE, 1, 2)
    assert len(set(views(LINE))) > 30
    assert views(LINE, 5) != [text_view(LINE, 8, number) for number in range(5)]


def test_another_process_makes_the_same():
    script = (
        "import sys; from moodal.features.views.text import text_view;"
        "print([text_view(sys.argv[1], 7, n) for n in range(9)])"
    )
    command = [sys.executable, "-c", script, LINE]
    there = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert there.strip() == str(views(LINE, 9))


WORDS = st.sampled_from([*LINE.split(), "not", "never", "happy", "7", "don't", "...", "[laughter]"])


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=25).map(" ".join)), st.integers(0))
def test_half_of_the_words_stay_and_nothing_becomes_empty(text, seed):
    made = text_view(text, seed, 0, TextRecipe(contractions=0))
    assert bool(made.strip()) == bool(text.strip())
    before, after = Counter(tokenise(text)), Counter(tokenise(made))
    kept = sum(n for word, n in (before & after).items() if any(c.isalnum() for c in word))
    words = sum(n for word, n in before.items() if any(c.isalnum() for c in word))
    assert kept >= words // 2
    for word in before:
        if word in NEGATIONS or word == "n't":
            assert after[word] == before[word]


FELT = (
    "I'm not happy about this at all, you know that.",
    "You are never going to be as good as your brother in the morning.",
    "No, I don't think it was a wonderful party.",
    "Less happy than I would like, a little sad and too tired to care about it today.",
    "I can't believe she hates the 3 dogs that we love so much, without any reason.",
)


@pytest.mark.parametrize("text", FELT)
def test_feelings_negations_and_what_they_bear_on_stay(text):
    kept = [
        word
        for word in tokenise(text)
        if FEELING.fullmatch(word) or word in NEGATIONS | DEGREES or word.isdigit()
    ]
    assert len(kept) > 1
    for made in views(text, contractions=0, leave_out=0.9, swap=0.5, replace=1.0):
        words = tokenise(made)
        assert [word for word in words if word in kept] == kept
    for made in views("That is not at all a big house, we know it", leave_out=0.9):
        assert "not at all a" in made


def test_words_are_left_out():
    made = views(LINE, leave_out=0.3)
    assert all(0 < len(m.split()) < len(LINE.split()) for m in made)
    assert all(set(tokenise(m)) <= set(tokenise(LINE)) for m in made)
    assert views("We see them.", 20, leave_out=0.9) == ["We see them."] * 20


def test_neighbours_change_places_but_not_across_a_mark():
    made = views("go there, now then", swap=0.5)
    assert set(made) == {"there go, now then", "go there, then now", "there go, then now"}


def test_words_are_replaced_by_equals_with_their_capitals():
    assert set(views("Maybe the garbage", replace=1.0)) <= {
        "Perhaps the garbage",
        "Possibly the garbage",
        "Maybe the trash",
        "Maybe the rubbish",
    }
    assert set(views("MAYBE THEY GO", replace=1.0)) == {"PERHAPS THEY GO", "POSSIBLY THEY GO"}


def test_contractions_are_written_in_full_but_not_where_that_is_no_english():
    assert set(views("I'm home, we can’t", contractions=1.0)) == {"I am home, we cannot"}
    assert set(views("Don't you see", contractions=1.0)) == {"Don't you see"}


def test_marks_and_capitals_go_where_nothing_else_can():
    assert set(views("So cute.")) == {"So cute", "so cute.", "so cute"}
    assert set(views("What?!")) == {"what?!"}
    assert set(views("yes")) == {"yes"}
    assert set(views("...")) == {"..."}
    assert without_marks(".") == "."


def test_what_a_transcriber_noted_stays():
    for made in views("[LAUGHTER] we were talking about it there [BREATHING]", leave_out=0.9):
        assert "[LAUGHTER]" in made
        assert "[BREATHING]" in made


def test_the_words_are_sound():
    """No word is equal to one that carries a feeling, and each stands in one group."""
    for word, others in EQUALS.items():
        for one in (word, *others):
            assert not any(FEELING.fullmatch(part) for part in one.split()), one
            assert one not in NEGATIONS | DEGREES
        assert word not in others
    for word, (full,) in CONTRACTIONS.items():
        assert ("n't" in word) == full.endswith("not")


def test_shares_that_cannot_be_are_refused():
    with pytest.raises(UsageError, match="within 0 and 1"):
        TextRecipe(swap=1.5)
