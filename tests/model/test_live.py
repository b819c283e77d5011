"""A live session answers what `predict` answers, in blocks of any length, and before the end."""

from __future__ import annotations

import dataclasses
import re
import threading
from pathlib import Path

import numpy as np
import pytest

import moodal
from moodal.core.errors import DataError, MoodalError, UsageError
from moodal.core.records import RATE
from moodal.core.timeline import Word
from moodal.lookalikes.face import draw_face
from moodal.media.audio import read_audio
from moodal.media.subtitles import read_subtitles
from moodal.media.video import frames
from moodal.model.answer import Answering
from moodal.model.live import AHEAD, PATIENCE, RECENT
from moodal.model.said import WAIT
from tests.sounds import bursts

CLIP = Path(__file__).parents[2] / "examples" / "clip.mp4"
WORDS = CLIP.with_suffix(".srt")
BLOCKS = [0.02, 3.0]
"""Seconds of a block: of a browser or a telephone, and more than many utterances."""


def lived(live, samples, seconds, *, rate=RATE, pictures=(), cues=(), late=0.0, after=0.0):
    """Give a session what comes at its time; return all of its answers.

    Args:
        late: seconds by which pictures are later than their sound.
        after: seconds after their end in which words come.
    """
    pictures, cues, answers = list(pictures), list(cues), []
    size = round(seconds * rate)
    for at in range(0, len(samples), size):
        now = (at + size) / rate
        while pictures and pictures[0].at + late <= now:
            picture = pictures.pop(0)
            answers += live.see(picture.rgb, picture.at, picture.scale)
        while cues and cues[0].end + after <= now:
            cue = cues.pop(0)
            answers += live.say(cue.text, cue.start, cue.end, cue.speaker)
        answers += live.hear(samples[at : at + size])
    for picture in pictures:
        answers += live.see(picture.rgb, picture.at, picture.scale)
    for cue in cues:
        answers += live.say(cue.text, cue.start, cue.end, cue.speaker)
    return answers + live.finish()


def finals(answers):
    return [one for one in answers if not one.provisional]


def assert_equal(timeline, expected):
    """Every field of every prediction is equal, and what is said of the whole recording."""
    assert len(expected)
    assert [named(p) for p in timeline] == [named(p) for p in expected]
    for field in ("duration", "absent", "notes", "emotions", "turns", "kind", "face_between"):
        assert getattr(timeline, field) == getattr(expected, field), field
    np.testing.assert_array_equal(timeline.waveform, expected.waveform)


def named(prediction):
    """A prediction without the name of the recording."""
    slices = tuple(dataclasses.replace(one, id="") for one in prediction.slices)
    return dataclasses.replace(prediction, id=prediction.id.split("#")[1], slices=slices)


@pytest.fixture(scope="module")
def clip():
    """The sound of the example clip, [n] at 16 kHz."""
    return read_audio(CLIP)


@pytest.fixture(scope="module")
def default():
    """The model in the package."""
    return moodal.load()


@pytest.mark.parametrize("seconds", [*BLOCKS, 0.0027])
def test_sound_is_answered_as_by_predict(model, ear, seconds):
    samples = bursts((1, 2), (3.5, 6), (7, 7.8), (9, 25), total=27)
    with model.stream(rate=RATE, asr=False) as live:
        answers = lived(live, samples, seconds)
    expected = model.predict(samples, rate=RATE, asr=False)
    assert_equal(live.timeline, expected)
    assert len(expected) == 5  # the longest is cut
    assert [one.prediction for one in finals(answers)] == list(live.timeline)
    # those that a pause ended, not the sound or a cut
    assert all(one.at - one.prediction.end < 0.3 + seconds for one in finals(answers)[1:3])


@pytest.mark.parametrize("seconds", BLOCKS)
@pytest.mark.parametrize("late", [0.0, 0.7])
def test_sound_and_pictures_are_answered_as_the_film(default, clip, seconds, late):
    options = {"asr": False, "fps": 7, "step": 0.5, "faces": "all", "face_actions": True}
    expected = default.predict(CLIP, **options)
    pictures = frames(CLIP, 7, longest=960)
    with default.stream(rate=RATE, pictures=True, **options) as live:
        lived(live, clip, seconds, pictures=pictures, late=late)
    assert_equal(live.timeline, expected)
    assert any("face" in p.streams for p in expected)


@pytest.mark.parametrize("seconds", BLOCKS)
@pytest.mark.parametrize("after", [-9.0, 1.5])
def test_words_are_answered_as_subtitles(default, clip, seconds, after):
    options = {"asr": False, "fps": 7}
    expected = default.predict(CLIP, subtitles=WORDS, **options)
    pictures, cues = frames(CLIP, 7, longest=960), read_subtitles(WORDS)
    with default.stream(rate=RATE, pictures=True, words=True, **options) as live:
        answers = lived(live, clip, seconds, pictures=pictures, cues=cues, after=after)
    assert_equal(live.timeline, expected)
    assert [p.text for p in expected] == [cue.text for cue in cues]
    if after > 0:
        assert finals(answers)[0].at >= cues[0].end + after - seconds - 0.05


def test_of_many_pictures_those_of_the_film_are_chosen(model, tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        video = file.add_stream("mpeg4", rate=12)
        video.height = video.width = 160
        for i in range(60):
            picture = draw_face(160, np.sin(i / 5))
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(video.encode(None))
    expected = model.predict(tmp_path / "a.mp4", fps=5)
    with model.stream(fps=5) as live:
        given = [live.see(p.rgb, p.at) for p in frames(tmp_path / "a.mp4", 60)]
    assert len(given) == 60
    assert [named(p) for p in live.timeline] == [named(p) for p in expected]
    assert live.timeline.duration == expected.duration
    assert live.timeline.absent == expected.absent


@pytest.mark.parametrize("seconds", BLOCKS)
def test_speakers_are_those_of_predict_after_the_correction(model, clip, seconds):
    samples = np.concatenate(
        [clip, np.interp(np.arange(0, len(clip), 1.3), range(len(clip)), clip)]
    )
    samples = samples.astype(np.float32)
    options = {"asr": False, "speakers": "auto"}
    expected = model.predict(samples, rate=RATE, **options)
    with model.stream(rate=RATE, **options) as live:
        lived(live, samples, seconds)
    assert_equal(live.timeline, expected)
    assert expected.turns


@pytest.mark.parametrize("seconds", BLOCKS)
@pytest.mark.parametrize("rate", [8000, 44100])
def test_other_rates_channels_and_types_are_answered_as_by_predict(model, clip, rate, seconds):
    import soxr

    sound = soxr.resample(clip, RATE, rate)
    stereo = (np.stack([sound, -sound], 1) * 32767).astype(np.int16)
    expected = model.predict(stereo, rate=rate, asr=False)
    with model.stream(rate=rate, channels=2, asr=False) as live:
        lived(live, stereo, seconds, rate=rate)
    assert_equal(live.timeline, expected)
    assert any("opposite phase" in note for note in live.timeline.notes)


@pytest.mark.parametrize("seconds", BLOCKS)
def test_transcribed_words_are_those_of_predict(model, ear, monkeypatch, seconds):
    from moodal.modalities.speech import transcribe

    def transcript(samples, offset, **_):
        middle = offset + len(samples) / RATE / 2
        return transcribe.Transcript([Word("happy", middle, middle + 0.1)])

    monkeypatch.setattr(transcribe, "transcript", transcript)
    samples = bursts((1, 3), (4, 6), (12, 14), total=40)
    options = {"asr": True, "streams": "speech,text"}
    expected = model.predict(samples, rate=RATE, **options)
    with model.stream(rate=RATE, **options) as live:
        answers = lived(live, samples, seconds)
    assert_equal(live.timeline, expected)
    assert "happy" in [p.text for p in expected]
    assert all(one.prediction.text is None for one in answers if one.provisional)


@pytest.mark.parametrize("options", [{"whole": True}, {"text": "We won"}, {"emotions": "awe, joy"}])
def test_options_are_those_of_predict(model, ear, options):
    samples = bursts((3, 5), (6, 7), total=9)
    with model.stream(rate=RATE, asr=False, **options) as live:
        lived(live, samples, 0.1)
    assert_equal(live.timeline, model.predict(samples, rate=RATE, asr=False, **options))


def test_provisional_answers_come_each_half_second_about_the_last_three(model, ear):
    samples = bursts((3, 10), total=12)
    with model.stream(rate=RATE, asr=False) as live:
        answers = lived(live, samples, 0.02)
    provisional = [one for one in answers if one.provisional]
    seconds = np.array([one.at for one in provisional])
    assert 3 < seconds[0] < 4
    assert np.diff(seconds) == pytest.approx(0.5, abs=0.1)
    assert len(seconds) >= 12
    for one in provisional:
        assert one.prediction.end == one.at
        begun = max(2.9, one.at - RECENT)
        assert one.prediction.start == pytest.approx(begun, abs=0.04)
    [final] = finals(answers)
    assert final.prediction.start == pytest.approx(2.9, abs=0.05)
    assert list(live.timeline) == [final.prediction]


def test_in_a_pause_nothing_is_provisional(model, ear):
    with model.stream(rate=RATE, asr=False) as live:
        answers = lived(live, bursts((3, 5), total=9), 0.02)
    assert not [one for one in answers if one.provisional and not 3 <= one.at <= 5.1]


def test_a_provisional_answer_changes_no_final_one(model, ear, monkeypatch):
    samples = bursts((3, 10), (11, 13), total=15)
    answers = []
    for due in (True, False):
        monkeypatch.setattr("moodal.model.pace.Pace.is_due", lambda *_, due=due: due)
        with model.stream(rate=RATE, asr=False) as live:
            answers.append(lived(live, samples, 0.1))
    assert len(answers[0]) > 50
    assert [one.prediction for one in finals(answers[0])] == [one.prediction for one in answers[1]]


def test_a_face_in_silence_is_answered_provisionally(default):
    face = next(frames(CLIP, 1))
    with default.stream(rate=RATE, pictures=True, asr=False) as live:
        answers = []
        for i in range(50):
            answers += live.see(face.rgb, i / 10)
            answers += live.hear(np.zeros(RATE // 10, np.float32))
    provisional = [one.prediction for one in answers if one.provisional]
    assert provisional
    assert all(p.streams == ("face",) and p.end - p.start <= RECENT for p in provisional)


def pictures_of(seconds, fps=5):
    return [(draw_face(96), i / fps) for i in range(round(seconds * fps))]


def test_an_utterance_waits_for_its_pictures_and_not_for_ever(model, ear):
    samples = bursts((3, 5), (7, 9), total=14)
    given = pictures_of(6)  # then the camera stops
    with model.stream(rate=RATE, pictures=True, asr=False) as live:
        answers = []
        for at in range(0, len(samples), 1600):
            while given and given[0][1] + 0.5 <= at / RATE:
                answers += live.see(*given.pop(0))
            answers += live.hear(samples[at : at + 1600])
        first, second = (one for one in finals(answers) if "speech" in one.prediction.streams)
    assert first.at >= 5.1 + 0.5
    assert second.prediction.end + PATIENCE <= second.at < second.prediction.end + PATIENCE + 0.4


def test_pictures_that_come_too_late_are_counted(model, ear):
    with model.stream(rate=RATE, asr=False) as live:
        live.hear(bursts((3, 5), total=8))
        for picture, at in pictures_of(4):
            live.see(picture, at)
    assert any("came after their utterances: 20" in note for note in live.timeline.notes)


def test_a_session_is_named(model, ear):
    with model.stream(rate=RATE, name="talks/a.wav", asr=False) as live:
        live.hear(bursts((3, 5), total=8))
        assert live.so_far.path == "talks/a.wav"
        assert [p.id for p in live.so_far] == ["a.wav#1"]
    assert live.timeline.path == "talks/a.wav"


def test_words_that_come_too_late_are_counted(model, ear):
    with model.stream(rate=RATE, words=True, asr=False) as live:
        live.hear(bursts((1, 3), (30, 32), total=40))
        assert live.say("So good", 1.0, 3.0) == []
        [answer] = live.say("So bad", 30.0, 32.0)
    assert 1.0 < 40 - WAIT < 30.0
    assert [p.text for p in live.timeline] == [answer.prediction.text] == ["So bad"]
    assert any("too late" in note for note in live.timeline.notes)


def test_from_the_first_words_on_words_are_the_utterances(model, ear):
    with model.stream(rate=RATE, asr=False) as live:
        live.hear(bursts((3, 5), (7, 9), total=10))
        assert live.say("Too late for the first", 3.0, 5.0) == []
        live.hear(bursts((1, 3), total=4))
        [answer] = finals(live.say("So good", 11.0, 13.0))
    assert [p.text for p in live.timeline] == [None, None, "So good"]
    assert (answer.prediction.start, answer.prediction.end) == (11.0, 13.0)


def test_the_first_words_find_their_sound(model, ear, tmp_path):
    samples = bursts((30, 33), total=35)
    path = tmp_path / "a.srt"
    path.write_text("1\n00:00:29,700 --> 00:00:32,900\nSo good\n")
    expected = model.predict(samples, rate=RATE, asr=False, subtitles=path)
    with model.stream(rate=RATE, asr=False) as live:
        for at in range(0, 32 * RATE, 1600):
            live.hear(samples[at : at + 1600])
        live.say("Long ago", 20.0, 22.0)  # its sound is gone
        live.say("So good", 29.7, 32.9)
        live.hear(samples[32 * RATE :])
    [prediction] = live.timeline
    assert named(prediction) == named(expected[0])
    assert any("came too late" in note for note in live.timeline.notes)


def test_words_alone_are_answered_at_once(model):
    with model.stream() as live:
        [answer] = live.say("I am so happy", 1.0, 2.0, "ANNA")
    [prediction] = live.timeline
    assert answer.prediction.text == prediction.text == "I am so happy"
    assert prediction.speaker == "ANNA"
    assert live.timeline.kind == "subtitles"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("So", 3.0, 2.0), "end after their beginning"),
        (("So", -1.0, 2.0), "begin at 0 s"),
        (("So", float("nan"), 2.0), "begin at 0 s"),
        (("  ", 1.0, 2.0), "no words"),
        ((None, 6.0, 7.0), "whole characters; got None"),
        (("\ud800", 6.0, 7.0), "whole characters"),
        (("So", 4.0, 5.0), "order of their beginnings"),
    ],
)
def test_wrong_words_are_refused(model, arguments, message):
    with model.stream() as live:
        live.say("So", 5.0, 6.0)
        with pytest.raises(UsageError, match=message):
            live.say(*arguments)


@pytest.mark.parametrize("options", [{"whole": True}, {"text": "So"}, {"subtitles": WORDS}])
def test_words_are_refused_where_options_give_the_utterances(model, options):
    with model.stream(rate=RATE, asr=False, **options) as live:
        live.hear(np.zeros(RATE, np.float32))
        with pytest.raises(UsageError, match="given by its options"):
            live.say("So", 0.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": 10}, "rate is the number of samples"),
        ({"rate": "16000"}, "rate is the number of samples"),
        ({"rate": RATE, "channels": 0}, "channels are 1 to"),
        ({"rate": RATE, "level": True}, "level is known at the end"),
        ({"rate": RATE, "speakers": "channels"}, "channels of a live stream are mixed"),
        ({"text": "So"}, r"said, by its say\(\)"),
        ({"rate": RATE, "emotions": "12"}, "12"),
        ({"rate": RATE, "streams": "smell"}, "smell"),
    ],
)
def test_a_session_that_cannot_be_is_refused_when_it_is_opened(model, arguments, message):
    with pytest.raises(MoodalError, match=message):
        model.stream(**arguments)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((3, 2), np.float32), r"\[n\].*one|1 channel; got \[3, 2\]"),
        (np.zeros((2, 2, 2), np.float32), r"got \[2, 2, 2\]"),
        (np.array(["a"]), "must be numbers"),
        (np.full(9, 3e4, np.float32), "divide 16-bit values by 32768"),
    ],
)
def test_wrong_samples_are_refused_and_harm_nothing(model, ear, samples, message):
    sound = bursts((3, 5), total=8)
    with model.stream(rate=RATE, asr=False) as live:
        live.hear(sound[: 4 * RATE])
        with pytest.raises(DataError, match=message):
            live.hear(samples)
        live.hear(sound[4 * RATE :])
    assert_equal(live.timeline, model.predict(sound, rate=RATE, asr=False))


@pytest.mark.parametrize(
    ("picture", "at", "error", "message"),
    [
        (np.zeros((4, 4), np.uint8), 5.0, DataError, "height, width, 3"),
        (np.zeros((4, 4, 3), np.float32), 5.0, DataError, "uint8"),
        (np.zeros((0, 4, 3), np.uint8), 5.0, DataError, "height, width, 3"),
        (np.zeros((4, 4, 3), np.uint8), 3.0, UsageError, "3 s after 4 s"),
        (np.zeros((4, 4, 3), np.uint8), float("nan"), UsageError, "seconds from 0 on"),
        (np.zeros((4, 4, 3), np.uint8), None, UsageError, "seconds from 0 on"),
        (np.zeros((4, 4, 3), np.uint8), AHEAD + 1, DataError, "the microphone is on"),
    ],
)
def test_wrong_pictures_are_refused(model, picture, at, error, message):
    with model.stream(rate=RATE, pictures=True, asr=False) as live:
        live.see(draw_face(96), 4.0)
        with pytest.raises(error, match=message):
            live.see(picture, at)


def test_after_its_end_a_session_takes_nothing(model):
    live = model.stream(rate=RATE, asr=False)
    with pytest.raises(UsageError, match=r"call finish\(\) first"):
        _ = live.timeline
    live.finish()
    for late in (
        lambda: live.hear(np.zeros(9, np.float32)),
        lambda: live.see(draw_face(96), 1.0),
        lambda: live.say("So", 0.0, 1.0),
        live.finish,
    ):
        with pytest.raises(UsageError, match="session has ended"):
            late()


def test_without_a_rate_nothing_is_heard(model):
    with model.stream() as live, pytest.raises(UsageError, match="open it with a rate"):
        live.hear(np.zeros(9, np.float32))


def test_of_nothing_there_are_no_answers(model):
    with model.stream(rate=RATE, pictures=True, asr=False) as live:
        pass
    assert list(live.timeline) == []
    assert live.timeline.absent["speech"] == "no sound"
    assert live.timeline.absent["face"] == "no pictures"


def test_an_error_in_its_context_is_the_users_and_ends_nothing(model):
    with pytest.raises(ZeroDivisionError), model.stream(rate=RATE, asr=False) as live:
        raise ZeroDivisionError
    live.finish()


def test_answers_before_an_error_are_not_lost(model, ear, monkeypatch):
    answer, calls = Answering.answer, []

    def failing(self, observation):
        calls.append(observation)
        if len(calls) == 2:
            raise DataError("A file of this modality is damaged.")
        return answer(self, observation)

    live = model.stream(rate=RATE, asr=False)
    monkeypatch.setattr(Answering, "answer", failing)
    with pytest.raises(DataError, match="damaged"):
        live.hear(bursts((3, 4), (5, 6), (7, 8), total=10))
    assert [round(one.prediction.start) for one in finals(live.finish())] == [3, 7]
    assert [round(p.start) for p in live.timeline] == [3, 7]


def test_sessions_of_one_model_do_not_disturb_each_other(default, clip):
    def in_turns(count):
        lives = [default.stream(rate=RATE, asr=False) for _ in range(count)]
        for at in range(0, len(clip), 3000):
            for i, live in enumerate(lives):
                live.hear(clip[at : at + 3000] * (0.2 + i))
        for live in lives:
            live.finish()
        return [live.timeline for live in lives]

    expected = [default.predict(np.clip(clip * g, -1, 1), rate=RATE, asr=False) for g in (0.2, 1.2)]
    for timeline, alone in zip(in_turns(2), expected, strict=True):
        assert_equal(timeline, alone)
    threads, results = [], [None] * 3
    for i in range(3):

        def work(i=i):
            results[i] = in_turns(1)[0]

        threads.append(threading.Thread(target=work))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for timeline in results:
        assert_equal(timeline, expected[0])


def test_the_documented_program_runs(capsys, monkeypatch):
    monkeypatch.chdir(CLIP.parents[1])
    [_, program, *_] = re.split("```(?:python\n)?", Path("docs/live.md").read_text())
    exec(program, {})
    *answers, timeline = capsys.readouterr().out.splitlines()
    assert sum(", final: " in line for line in answers) == 3
    assert any(", provisional: " in line for line in answers)
    assert timeline.startswith("Timeline(")
