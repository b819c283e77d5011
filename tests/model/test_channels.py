"""A person per channel: each channel is heard by itself, in step with the others."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from moodal.core.errors import DataError, UsageError
from moodal.core.records import RATE
from moodal.media.blocks import array_blocks, blocks
from moodal.model.speakers import OVERLAP
from tests.sounds import bursts

OPTIONS = {"asr": False, "streams": "speech"}


CALL = np.stack(
    [bursts((0.5, 1.5), (5.0, 6.0), total=8), bursts((1.0, 2.5), (3.0, 4.0), total=8)], axis=1
)


@pytest.fixture
def call(tmp_path):
    path = tmp_path / "call.wav"
    soundfile.write(path, CALL, RATE, subtype="FLOAT")
    return path


def spoken(timeline):
    return [(p.speaker, round(p.start), round(p.end)) for p in timeline]


@pytest.mark.usefixtures("ear")
def test_each_channel_is_a_person_in_the_order_of_time(model, call):
    timeline = model.predict(call, speakers="channels", **OPTIONS)
    assert [p.speaker for p in timeline] == ["channel 1", "channel 2", "channel 2", "channel 1"]
    starts = [p.start for p in timeline]
    assert starts == sorted(starts)
    assert timeline[1].start < timeline[0].end
    at_once = [OVERLAP in p.flags for p in timeline]
    assert at_once == [True, True, False, False]
    assert timeline.persons == ("channel 1", "channel 2")
    assert [one.person for one in timeline.summary().tracks] == ["channel 1", "channel 2"]
    assert timeline.duration == pytest.approx(8.0)
    assert [p.id for p in timeline] == [f"call.wav#{i}" for i in range(1, 5)]


@pytest.mark.usefixtures("ear")
def test_a_channel_is_heard_as_if_it_were_alone(model, call):
    both = model.predict(call, speakers="channels", **OPTIONS)
    for channel in (0, 1):
        alone = model.predict(np.ascontiguousarray(CALL[:, channel]), rate=RATE, **OPTIONS)
        own = [p for p in both if p.speaker == f"channel {channel + 1}"]
        assert [dict(p.probabilities) for p in own] == [dict(p.probabilities) for p in alone]
        assert [(p.start, p.end) for p in own] == [(p.start, p.end) for p in alone]


@pytest.mark.usefixtures("ear")
def test_arrays_bytes_and_pipes_have_channels_and_streams_have_none(model, call):
    want = spoken(model.predict(call, speakers="channels", **OPTIONS))
    content = call.read_bytes()
    assert spoken(model.predict(CALL, rate=RATE, speakers="channels", **OPTIONS)) == want
    assert spoken(model.predict(content, speakers="channels", **OPTIONS)) == want
    assert spoken(model.predict(io.BytesIO(content), speakers="channels", **OPTIONS)) == want
    with pytest.raises(DataError, match="channels of a stream are mixed"):
        model.predict(iter([CALL]), rate=RATE, speakers="channels", **OPTIONS)


@pytest.mark.usefixtures("ear")
def test_one_channel_cannot_be_divided(model, tmp_path):
    soundfile.write(tmp_path / "mono.wav", CALL[:, 0], RATE)
    with pytest.raises(DataError, match=r"has one channel; a person for each needs 2 to 16"):
        model.predict(tmp_path / "mono.wav", speakers="channels", **OPTIONS)


def test_a_channel_of_a_file_and_of_an_array_are_equal(call):
    for channel in (0, 1):
        of_file = np.concatenate([b.samples for b in blocks(call, channel=channel)])
        of_array = np.concatenate([b.samples for b in array_blocks(CALL, RATE, channel=channel)])
        np.testing.assert_array_equal(of_file, of_array)
        np.testing.assert_allclose(of_file, np.clip(CALL[:, channel], -1, 1), atol=1e-6)


def test_a_channel_that_is_not_there_is_silent(call):
    sound = np.concatenate([b.samples for b in blocks(call, channel=5)])
    assert len(sound) == len(CALL)
    assert not sound.any()


@pytest.mark.usefixtures("ear")
def test_turns_of_a_file_are_the_utterances(model, call, tmp_path):
    line = "SPEAKER call 1 {} {} <NA> <NA> {} <NA> <NA>\n"
    rttm = tmp_path / "call.rttm"
    rttm.write_text(line.format(0.5, 1.0, "Anna") + line.format(3.0, 1.25, "Ben"))
    timeline = model.predict(call, speakers=rttm, **OPTIONS)
    assert [(p.speaker, p.start, p.end) for p in timeline] == [
        ("Anna", 0.5, 1.5),
        ("Ben", 3.0, 4.25),
    ]
    assert timeline.persons == ("Anna", "Ben")
    rttm.write_text("SPEAKER call 1 nan 1 <NA> <NA> Anna <NA> <NA>\n")
    with pytest.raises(DataError, match="rttm"):
        model.predict(call, speakers=rttm, **OPTIONS)


def test_speakers_need_utterances_to_divide(model):
    for more in ({"whole": True}, {"text": "So good!"}):
        with pytest.raises(UsageError, match="Speakers divide a recording"):
            model.predict("a.wav", speakers="auto", **more)
    with pytest.raises(UsageError, match="Subtitles do not say of which channel"):
        model.predict("a.wav", speakers="channels", subtitles="a.srt")


@pytest.mark.usefixtures("ear")
def test_the_channels_of_the_chosen_track_count(model, tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "tracks.mkv"
    with av.open(str(path), "w") as file:
        sounds = [CALL[:, :1], CALL]
        tracks = [
            file.add_stream("pcm_f32le", rate=RATE, layout=layout) for layout in ("mono", "stereo")
        ]
        for track, sound in zip(tracks, sounds, strict=True):
            layout = "mono" if sound.shape[1] == 1 else "stereo"
            packed = np.ascontiguousarray(sound.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
            frame.rate, frame.pts = RATE, 0
            for packet in [*track.encode(frame), *track.encode(None)]:
                file.mux(packet)
    both = model.predict(path, track=2, speakers="channels", **OPTIONS)
    assert both.persons == ("channel 1", "channel 2")
    with pytest.raises(DataError, match="has one channel"):
        model.predict(path, track=1, speakers="channels", **OPTIONS)
