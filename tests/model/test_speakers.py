"""Who says each utterance: found in the voices, given by RTTM, or one per channel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.core.errors import UsageError
from moodal.core.timeline import Prediction
from moodal.media.rttm import NamedTurn
from moodal.modalities.speech.speakers.turns import Turn
from moodal.model.segmentation import Segment
from moodal.model.speakers import (
    OVERLAP,
    UNSURE,
    ChannelSpeaker,
    RttmSpeakers,
    Turns,
    VoiceSpeakers,
    read_speakers,
    with_persons,
)

SILENCE = np.zeros(16000, np.float32)


def no_sound(start, end):
    return SILENCE


class Told:
    """A diariser that says what it was told."""

    def __init__(self, provisional, final):
        self.provisional, self.final = provisional, final

    def hear(self, start, samples):
        return self.provisional

    def finish(self):
        return self.final


def spoken(start, end, **more):
    return Segment(start, end, speech=(start + 0.1, end - 0.1), **more)


def answer(start, end, **more):
    return Prediction(f"a#{start}", {"joy": 1.0}, ("joy",), start, end, **more)


def test_a_segment_is_divided_where_the_speaker_changes():
    turns = [Turn(1.1, 2.0, 1), Turn(2.0, 3.9, 2, sure=False, overlap=True)]
    speakers = VoiceSpeakers(Told(turns, []))
    pieces = speakers.divide(spoken(1.0, 4.0), no_sound)
    assert [(p.start, p.end, p.speech, p.speaker, p.flags) for p in pieces] == [
        (1.0, 2.0, (1.1, 2.0), "speaker 1", ()),
        (2.0, 4.0, (2.0, 3.9), "speaker 2", (UNSURE, OVERLAP)),
    ]


@pytest.mark.parametrize(
    "segment",
    [
        spoken(0.0, 1.0, speaker="ANNA"),
        spoken(0.0, 1.0, cry=True),
        spoken(0.0, 1.0, spoken=False),
        Segment(0.0, 1.0),
    ],
)
def test_named_segments_cries_and_silence_stay_as_they_are(segment):
    speakers = VoiceSpeakers(Told([Turn(0.0, 1.0, 1)], []))
    assert speakers.divide(segment, no_sound) == [segment]


def test_a_subtitle_is_named_and_not_divided():
    speakers = VoiceSpeakers(Told([Turn(0.1, 0.5, 1), Turn(0.5, 1.9, 2)], []))
    cue = spoken(0.0, 2.0, text="So good!")
    speakers.name(cue, no_sound)
    assert (cue.speaker, cue.end) == ("speaker 2", 2.0)


def test_at_the_end_the_names_are_corrected_and_given_ones_stay():
    speakers = VoiceSpeakers(Told([Turn(0.1, 0.9, 1)], [Turn(0.1, 0.9, 3, sure=False)]))
    speakers.divide(spoken(0.0, 1.0), no_sound)
    speakers.finish()
    sliced = answer(0.0, 0.5, speaker="speaker 1")
    first = answer(0.0, 1.0, speaker="speaker 1", flags=(OVERLAP, "noisy"), slices=(sliced,))
    corrected = speakers.corrected(first)
    assert (corrected.speaker, corrected.flags) == ("speaker 3", (UNSURE, "noisy"))
    assert corrected.slices[0].speaker == "speaker 3"
    cue = answer(5.0, 6.0, speaker="speaker 1")
    assert speakers.corrected(cue) == cue
    listener = answer(0.0, 1.0)
    assert speakers.corrected(listener) == listener


TURNS = (NamedTurn(0.5, 1.0, "Anna"), NamedTurn(1.2, 1.0, "Ben"), NamedTurn(4.0, 1.0, "Anna"))


def test_the_turns_of_a_file_are_the_utterances_as_they_end():
    turns = Turns(TURNS)
    assert turns.settled == 0.5
    heard = [s for i in range(3) for s in turns.hear(float(i), SILENCE)]
    assert [(s.start, s.end, s.speaker, s.flags) for s in heard] == [
        (0.5, 1.5, "Anna", (OVERLAP,)),
        (1.2, 2.2, "Ben", (OVERLAP,)),
    ]
    assert turns.settled == 4.0
    assert [(s.start, s.end, s.flags) for s in turns.finish(4.5)] == [(4.0, 4.5, ())]


def test_long_turns_are_cut_and_those_after_the_end_are_none():
    turns = Turns((NamedTurn(0.0, 40.0, "Anna"), NamedTurn(50.0, 1.0, "Ben")))
    cut = turns.finish(45.0)
    assert [(s.start, s.end) for s in cut] == [
        (0.0, pytest.approx(40 / 3)),
        (pytest.approx(40 / 3), pytest.approx(80 / 3)),
        (pytest.approx(80 / 3), 40.0),
    ]
    assert {s.speaker for s in cut} == {"Anna"}


def test_a_voice_that_is_not_in_the_picture_is_nobody_in_it():
    said = [
        answer(0.0, 2.0, speaker="speaker 1", track=0),
        answer(2.0, 3.0, speaker="speaker 1"),
        answer(2.0, 3.0, track=0),
    ]
    assert [p.person for p in with_persons(said)] == ["speaker 1", "speaker 1", None]


def test_a_file_names_subtitles_by_most_of_their_time():
    cue = Segment(1.0, 2.0, text="So good!")
    RttmSpeakers(TURNS).name(cue, no_sound)
    assert cue.speaker == "Ben"
    outside = Segment(9.0, 10.0, text="What?")
    RttmSpeakers(TURNS).name(outside, no_sound)
    assert outside.speaker is None


def test_a_channel_is_a_speaker_where_somebody_speaks():
    (piece,) = ChannelSpeaker(1).divide(spoken(0.0, 1.0), no_sound)
    assert piece.speaker == "channel 2"
    silent = Segment(0.0, 1.0, spoken=False)
    ChannelSpeaker(1).name(silent, no_sound)
    assert silent.speaker is None


def test_a_face_that_speaks_as_somebody_is_that_person_where_it_listens():
    said = [
        answer(0.0, 2.0, speaker="speaker 1", track=0),
        answer(0.0, 2.0, track=1),
        answer(2.0, 3.0, speaker="speaker 2", track=1),
        answer(2.0, 3.0, track=0),
        answer(3.0, 4.0, speaker="speaker 3"),
        answer(4.0, 5.0, track=7),
    ]
    persons = [p.person for p in with_persons(said)]
    one, two, three = "speaker 1", "speaker 2", "speaker 3"
    assert persons == [one, two, two, one, three, None]
    assert [p.who for p in with_persons(said)][-1] == "face 7"


@given(st.lists(st.tuples(st.sampled_from([None, 0, 1]), st.just(None)), max_size=6))
def test_without_speakers_nobody_is_named(rows):
    said = [answer(float(i), i + 1.0, track=track) for i, (track, _) in enumerate(rows)]
    assert with_persons(said) == said


def test_what_is_asked_of_speakers_is_checked(tmp_path):
    assert [read_speakers(x) for x in (None, "auto", "channels", "3", 3)] == [
        None,
        "auto",
        "channels",
        3,
        3,
    ]
    (tmp_path / "a.rttm").write_text("")
    assert read_speakers(tmp_path / "a.rttm") == tmp_path / "a.rttm"
    for wrong in (0, 21, True, "two", "a.wav", tmp_path / "b.rttm"):
        with pytest.raises(UsageError, match=r"speakers is|There is no RTTM"):
            read_speakers(wrong)
