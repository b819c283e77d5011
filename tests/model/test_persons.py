"""Who gets the voice of an utterance: the one who speaks, or nobody in sight."""

from moodal.modalities.modality import Observed
from moodal.model.persons import AMBIGUOUS, OFF_SCREEN, STILL, persons_in


def face(track, speaks=None):
    return Observed("", track=track, speaks=speaks)


VOICE, WORDS = Observed("voice"), Observed("words")


def shown(observed):
    return [(p.track, list(p.observed), p.flags) for p in persons_in(observed)]


def test_without_faces_there_is_one_person():
    assert shown({"text": [WORDS], "speech": [VOICE]}) == [(None, ["text", "speech"], ())]
    assert shown({}) == []


def test_one_face_has_the_voice_and_says_if_its_mouth_rests():
    every = {"text": [WORDS], "speech": [VOICE], "face": [face(3, True)]}
    assert shown(every) == [(3, ["text", "speech", "face"], ())]
    assert shown(every | {"face": [face(3)]}) == [(3, ["text", "speech", "face"], ())]
    assert shown(every | {"face": [face(3, False)]}) == [(3, ["text", "speech", "face"], (STILL,))]


def test_of_several_faces_the_one_that_speaks_has_the_voice():
    answers = shown({"speech": [VOICE], "face": [face(0, False), face(1, True), face(2)]})
    assert answers == [(0, ["face"], ()), (1, ["speech", "face"], ()), (2, ["face"], ())]


def test_a_voice_without_a_moving_mouth_is_off_screen():
    answers = shown({"text": [WORDS], "speech": [VOICE], "face": [face(0, False), face(1, False)]})
    assert answers == [
        (None, ["text", "speech"], (OFF_SCREEN,)),
        (0, ["face"], ()),
        (1, ["face"], ()),
    ]


def test_where_it_is_not_told_the_most_prominent_face_has_the_voice_and_says_so():
    answers = shown({"speech": [VOICE], "face": [face(4), face(1)]})
    assert answers == [(4, ["speech", "face"], (AMBIGUOUS,)), (1, ["face"], ())]
    answers = shown({"speech": [VOICE], "face": [face(4, False), face(1)]})
    assert answers == [(4, ["face"], ()), (1, ["speech", "face"], (AMBIGUOUS,))]


def test_faces_without_a_voice_have_no_flags():
    assert shown({"face": [face(0, False), face(1)]}) == [(0, ["face"], ()), (1, ["face"], ())]
