import pytest

from moodal.core.dimensions import ANSWER, Dimensions, headline, mean

WORDS = Dimensions(-0.3, 0.1, 0.2, "learned")
VOICE = Dimensions(-0.6, 0.5, 0.4, "mapped")


def test_the_fused_answer_stands_for_several_streams_and_a_single_one_for_itself():
    assert headline({"text": WORDS, "speech": VOICE, ANSWER: VOICE}) == ANSWER
    assert headline({"text": WORDS}) == "text"
    assert headline({}) == ""


def test_means_are_weighted_and_keep_how_they_are_known():
    both = mean([VOICE, Dimensions(0.0, 0.1, 0.0, "mapped")], [3.0, 1.0])
    assert both.known == "mapped"
    assert both.numbers == pytest.approx((-0.45, 0.4, 0.3))
    assert mean([VOICE, VOICE], [0.0, 0.0]).numbers == pytest.approx(VOICE.numbers)


def test_scales_that_differ_are_never_averaged():
    with pytest.raises(ValueError, match="unpack"):
        mean([WORDS, VOICE], [1.0, 1.0])
