"""Words of utterances: heard together, given to the utterance they lie in."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.core.errors import MissingDependencyError
from moodal.core.records import RATE
from moodal.core.timeline import Word
from moodal.media.recording import Recording, opened
from moodal.modalities import MODALITIES
from moodal.modalities.speech.transcribe import Transcript
from moodal.model.absences import Absences
from moodal.model.observe import observe
from moodal.model.options import PredictOptions
from moodal.model.segmentation import Buffer, Segment
from moodal.model.transcription import WITHOUT, Transcription


class Listener:
    """Hears words so many seconds after the sound begins; keeps what it was given."""

    def __init__(self, *offsets):
        self.offsets, self.heard = offsets or (0, 1.3, 1.6), []

    def __call__(self, samples, start):
        self.heard.append((len(samples), start))
        words = [Word(str(at), at, at + 0.2) for at in (start + x for x in self.offsets)]
        return Transcript(words)


def transcription(listener, seconds, *, required=False, wanted=True):
    buffer = Buffer(RATE)
    buffer.add(np.zeros(seconds * RATE, np.float32))
    absences = Absences(Recording("", "audio"), {n: kind() for n, kind in MODALITIES.items()})
    return Transcription(listener, buffer, absences, required=required, wanted=wanted), absences


def test_words_are_given_to_the_segment_they_lie_in():
    listener = Listener()
    words, _ = transcription(listener, 9)
    segments = [Segment(0.0, 1.0), Segment(1.7, 3.0), Segment(6.5, 8.0)]
    for segment in segments:
        words.expect(segment)
    words.settle(np.inf)
    assert listener.heard == [(3 * RATE, 0.0), (1.5 * RATE, 6.5)]
    # 1.4 lies between two segments: the nearer one's
    assert [s.text for s in segments] == ["0.0", "1.3 1.6", "6.5 7.8 8.1"]
    assert [[w.text for w in s.words] for s in segments] == [s.text.split() for s in segments]
    assert all(s.ready for s in segments)


def test_only_the_speech_of_a_whole_recording_is_transcribed():
    listener = Listener()
    words, _ = transcription(listener, 9)
    words.expect(Segment(0.0, 9.0, speech=(2.0, 5.0)))
    words.settle(np.inf)
    assert listener.heard == [(3 * RATE, 2.0)]


def test_neighbours_are_heard_together_up_to_28_seconds():
    listener = Listener()
    words, _ = transcription(listener, 100)
    spans = [(0, 9), (10, 19), (20, 29), (40, 41), (41, 90), (90.5, 91)]
    for start, end in spans:
        words.expect(Segment(float(start), float(end)))
    words.settle(np.inf)
    groups = [(0, 19), (20, 29), (40, 41), (41, 90), (90.5, 91)]
    assert listener.heard == [((end - start) * RATE, start) for start, end in groups]


def test_a_group_is_heard_as_soon_as_nothing_can_join_it():
    listener = Listener()
    words, _ = transcription(listener, 30)
    segment = Segment(2.0, 4.0)
    words.expect(segment)
    assert (words.needed, segment.ready) == (2.0, False)
    words.settle(6.9)
    assert not segment.ready
    words.settle(7.1)
    assert segment.ready
    assert words.needed == np.inf
    assert len(listener.heard) == 1


def test_words_that_are_given_or_not_wanted_are_not_heard():
    listener = Listener()
    words, _ = transcription(listener, 9)
    words.expect(Segment(0.0, 1.0, "We won."))
    other, _ = transcription(listener, 9, wanted=False)
    other.expect(Segment(0.0, 1.0))
    words.settle(np.inf)
    other.settle(np.inf)
    assert listener.heard == []


def test_where_nothing_transcribes_it_is_said():
    words, absences = transcription(None, 9)
    segment = Segment(0.0, 1.0)
    words.expect(segment)
    assert (segment.text, segment.ready) == (None, True)
    assert absences.absent == {"text": WITHOUT}


def missing(samples, start):
    raise MissingDependencyError("pip install 'moodal[asr]' brings it.")


def test_a_transcriber_that_is_not_installed_is_a_note_or_an_error():
    words, absences = transcription(missing, 30)
    segments = [Segment(0.0, 1.0), Segment(20.0, 21.0)]
    for segment in segments:
        words.expect(segment)
    words.settle(np.inf)
    assert all(segment.ready and segment.text is None for segment in segments)
    assert absences.absent == {"text": "no transcript"}
    assert absences.sentences() == (
        "The words were not used: pip install 'moodal[asr]' brings it.",
    )
    words, _ = transcription(missing, 9, required=True)
    words.expect(Segment(0.0, 1.0))
    with pytest.raises(MissingDependencyError):
        words.settle(np.inf)


def test_a_recordings_words_are_those_of_its_utterances(ear):
    """In one reading, block by block, as the utterances end."""
    samples = np.zeros(50 * RATE, np.float32)
    for first, last in ((1, 2), (4, 6), (15, 16), (44, 45)):
        samples[first * RATE : last * RATE] = 0.5
    listener = Listener(0.0, 1.0, 3.5)
    modalities = {"text": MODALITIES["text"](), "speech": MODALITIES["speech"]()}
    with opened(samples, RATE) as recording:
        *found, summary = observe(recording, modalities, PredictOptions(), listener)
    assert len(listener.heard) == 3  # the first two together
    assert listener.heard[0][0] == pytest.approx(5.2 * RATE, abs=0.1 * RATE)
    assert [len(o.segment.words) for o in found] == [2, 1, 3, 3]
    for one in found:
        (text,) = one.observed["text"]
        assert text.item == one.segment.text
        assert text.words == one.segment.words
    assert summary.absent == {}


class Stutterer(Listener):
    """Takes what is longer than 2 s for a stutter, as Whisper takes repeated sentences."""

    def __call__(self, samples, start):
        said = super().__call__(samples, start)
        return said if len(samples) <= 2 * RATE else Transcript([])


def test_repeated_sentences_are_heard_one_by_one():
    listener = Stutterer(0.1)
    words, _ = transcription(listener, 9)
    segments = [Segment(0.0, 1.0), Segment(1.5, 2.5), Segment(3.0, 4.0)]
    for segment in segments:
        words.expect(segment)
    words.settle(np.inf)
    assert [start for _, start in listener.heard] == [0.0, 0.0, 1.5, 3.0]
    assert [s.text for s in segments] == ["0.1", "1.6", "3.1"]
