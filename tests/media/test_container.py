"""Containers: which track is heard, where time begins, and how long the sound is."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import soundfile

import moodal
from moodal.core.errors import UsageError
from moodal.media.audio import check_audio, read_audio
from moodal.media.blocks import blocks

av = pytest.importorskip("av")
RATE = 16000


def voice(seconds=2.0, level=0.2):
    rng = np.random.default_rng(0)
    return (level * rng.normal(size=int(seconds * RATE)).clip(-3, 3) / 3).astype(np.float32)


def mux(path, tracks, *, start=0.0, default=None, kind=None, codec="aac"):
    """Write tracks of one channel into a container."""
    from av.stream import Disposition

    with av.open(str(path), "w", format=kind) as file:
        packets = []
        for number, samples in enumerate(tracks):
            stream = file.add_stream(codec, rate=RATE, layout="mono")
            if default is not None:
                chosen = number == default
                stream.disposition = Disposition.default if chosen else Disposition(0)
            for at in range(0, len(samples), 1024):
                part = np.ascontiguousarray(samples[None, at : at + 1024])
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
                frame.pts = at + round(start * RATE)
                packets += stream.encode(frame)
            packets += stream.encode(None)
        timed = (p for p in packets if p.dts is not None)
        for packet in sorted(timed, key=lambda p: float(p.dts * p.time_base)):
            file.mux(packet)
    return path


def heard(path):
    """Return the samples and the notes."""
    notes = []
    return np.concatenate([b.samples for b in blocks(path, on_damage=notes.append)]), notes


@pytest.mark.parametrize(("default", "loud"), [(1, True), (0, False), (None, False)])
def test_the_default_track_is_heard_and_named(tmp_path, default, loud):
    x = voice()
    samples, notes = heard(mux(tmp_path / "a.mka", [np.zeros_like(x), x], default=default))
    assert (np.abs(samples).max() > 0.05) == loud
    assert notes == [f"of 2 sound tracks, number {(default or 0) + 1} was read"]


def test_a_track_is_chosen_by_number_or_language(tmp_path):
    x = voice()
    path = mux(tmp_path / "a.mka", [np.zeros_like(x), x], default=0)
    assert not moodal.load().predict(path, asr=False, whole=True).predictions
    assert moodal.load().predict(path, asr=False, whole=True, track=2).predictions
    samples = np.concatenate([b.samples for b in blocks(path, track="2")])
    assert np.abs(samples).max() > 0.05
    for wrong in (0, 3, "eng", "x"):
        with pytest.raises(UsageError, match=f"no sound track {wrong}; it has 1, 2"):
            list(blocks(path, track=wrong))
    soundfile.write(tmp_path / "a.wav", x, RATE)
    with pytest.raises(UsageError, match="it has one"):
        list(blocks(tmp_path / "a.wav", track=2))


@pytest.mark.parametrize("ending", ["mka", "mp4", "ts"])
def test_a_start_above_zero_is_no_length(tmp_path, ending):
    kind = {"ts": "mpegts"}.get(ending)
    path = mux(tmp_path / f"a.{ending}", [voice()], start=10, kind=kind)
    answer = moodal.load().predict(path, asr=False)
    assert answer.duration == pytest.approx(2.0, abs=0.15)
    assert not [note for note in answer.notes if "stops at" in note]


def test_an_estimate_of_the_length_is_no_length(tmp_path):
    quiet = np.zeros(RATE * 30, np.float32)
    path = mux(tmp_path / "a.aac", [np.concatenate([quiet, voice()])], kind="adts")
    answer = moodal.load().predict(path, asr=False)
    assert answer.duration == pytest.approx(32.0, abs=0.2)
    assert not [note for note in answer.notes if "stops at" in note]


def test_a_film_that_was_cut_short_says_so(tmp_path):
    path = mux(tmp_path / "a.mka", [voice(6.0)], codec="aac")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    _, notes = heard(path)
    assert [note for note in notes if "s announced" in note]


@pytest.mark.parametrize(("ending", "kind"), [("ogg", "VORBIS"), ("opus", "OPUS")])
def test_recordings_end_to_end_are_read_as_one(tmp_path, ending, kind):
    path = tmp_path / f"one.{ending}"
    soundfile.write(path, voice(), RATE, kind, format="OGG")
    once = read_audio(path)
    path.write_bytes(path.read_bytes() * 3)
    samples, notes = heard(path)
    assert len(samples) == pytest.approx(3 * len(once), abs=3000)
    assert np.abs(samples[-RATE:]).max() > 0.05
    assert notes == ["several recordings lie end to end; they are read as one"]
    assert check_audio(path) == pytest.approx(len(samples) / RATE, abs=0.2)


@pytest.mark.parametrize("cut", [0.3, 0.5, 0.9])
def test_a_damaged_page_of_ogg_does_not_move_what_follows(tmp_path, cut):
    """A tone begins after silence: its place shows whether time was lost."""
    path = tmp_path / "a.ogg"
    at = np.arange(RATE * 12) / RATE
    tone = np.where(at >= 11, 0.5 * np.sin(2 * np.pi * 440 * at), voice(12.0, 0.02))
    soundfile.write(path, tone.astype(np.float32), RATE, "VORBIS", format="OGG")
    data = bytearray(path.read_bytes())
    place = int(len(data) * cut * 0.8)
    data[place : place + 20] = bytes(20)
    path.write_bytes(bytes(data))
    samples, _ = heard(path)
    loud = np.flatnonzero(np.abs(samples) > 0.3)
    assert loud[0] / RATE == pytest.approx(11.0, abs=0.1)
