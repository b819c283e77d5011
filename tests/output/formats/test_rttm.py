"""RTTM, read back by the reader of RTTM files."""

import dataclasses

import pytest

from moodal.core.errors import UsageError
from moodal.core.timeline import SpeakerTurn
from moodal.media.rttm import parse_rttm
from moodal.output.formats import render


def spoken(made, speakers, path="x/my talk.mp4"):
    """A timeline whose utterances have these speakers."""
    predictions = [
        made.prediction(i, "Yes.", "anger", 2.0 * i + 0.25, 2.0 * i + 1.5, speaker=speaker)
        for i, speaker in enumerate(speakers)
    ]
    return dataclasses.replace(made.timeline(path), predictions=tuple(predictions))


def test_each_utterance_with_a_speaker_is_read_back(made):
    text = render([spoken(made, ["Anna", None, "Ben", ""])], "rttm")
    assert text.splitlines()[0] == ("SPEAKER my_talk 1 0.250 1.250 <NA> <NA> Anna <NA> <NA>")
    assert parse_rttm(text) == [(0.25, 1.25, "Anna"), (4.25, 1.25, "Ben")]


@pytest.mark.parametrize(
    ("speaker", "names"),
    [
        ("Anna Lee", ["Anna_Lee"]),
        ("Anna, Ben", ["Anna", "Ben"]),
        ("A\x1b[1m\nSPEAKER x", ["A[1m_SPEAKER_x"]),
        ("<NA>", ["NA>"]),
        (" , ;", []),
        ("Zoë\u2028王", ["Zoë_王"]),
    ],
)
def test_names_are_one_field(made, speaker, names):
    text = render([spoken(made, [speaker])], "rttm")
    assert [line.split()[7] for line in text.splitlines()] == names
    assert all(len(line.split()) == 10 for line in text.splitlines())


def test_several_recordings_have_names_of_their_own(made):
    one, other = spoken(made, ["Anna"], "a/talk.mp4"), spoken(made, ["Ben"], "b/talk.mp4")
    text = render([one, other], "rttm")
    assert parse_rttm(text, recording="talk.mp4-2") == [(0.25, 1.25, "Ben")]


def test_an_utterance_of_several_faces_is_written_once(made):
    timeline = spoken(made, ["Anna"])
    twice = [dataclasses.replace(timeline[0], track=track) for track in (1, 2)]
    text = render([dataclasses.replace(timeline, predictions=tuple(twice))], "rttm")
    assert len(text.splitlines()) == 1


def test_nobody_is_named(made):
    with pytest.raises(UsageError, match=r"Nobody is named in .*, but RTTM tells who speaks"):
        render([spoken(made, [None])], "rttm")


def test_turns_that_were_corrected_stand_in_place_of_utterances(made):
    turns = (SpeakerTurn(0.5, 2.0, "speaker 1"), SpeakerTurn(2.0, 2.75, "speaker 2"))
    timeline = dataclasses.replace(spoken(made, ["speaker 1"]), turns=turns)
    assert parse_rttm(render([timeline], "rttm")) == [
        (0.5, 1.5, "speaker_1"),
        (2.0, 0.75, "speaker_2"),
    ]


def test_times_are_needed(made):
    with pytest.raises(UsageError, match="has no times, but rttm needs them"):
        render([made.text_timeline()], "rttm")
