"""Predictions without words: what is left adds up, and no word is left."""

from __future__ import annotations

import pytest

from moodal.core.words import without_text, without_words


def test_the_share_of_the_text_remains_and_adds_up(made):
    whole = made.timeline()
    p = without_words(whole[0])
    assert not p.words
    assert p.shares == whole[0].shares
    assert p.rest["text"] == p.shares["text"]
    assert p.rest["speech"] == whole[0].rest["speech"]  # its seconds remain
    assert p.text == whole[0].text


@pytest.mark.parametrize("kind", ["timeline", "sliced"])
def test_no_word_is_left_and_the_emotions_are_the_same(made, kind):
    whole = vars(made)[kind]()
    silent = without_text(whole)
    assert "first" in repr(whole.predictions[2].text)
    assert "first" not in repr([(p, p.words, p.text, p.slices) for p in silent])
    assert [p.probabilities for p in silent.rows] == [p.probabilities for p in whole.rows]
