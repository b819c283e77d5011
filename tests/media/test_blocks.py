"""Sound in blocks: the same as read at once, in bounded memory, past any damage."""

import tracemalloc

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.errors import DataError
from moodal.core.records import RATE
from moodal.media.audio import read_audio
from moodal.media.blocks import DRAWN, Block, Envelope, array_blocks, blocks

av = pytest.importorskip("av")

RNG = np.random.default_rng(4)


def noise(seconds, rate=16000):
    return (0.2 * np.random.default_rng(7).standard_normal(round(seconds * rate))).astype("f4")


def sound_file(path, samples, codec, rate=16000, starts=0.0, gap=None):
    """A container with one mono sound, which start late, or pause (from, for)."""
    with av.open(str(path), "w") as file:
        sound = file.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        plain = av.AudioResampler(
            format=sound.codec_context.format,
            layout="mono",
            rate=rate,
            frame_size=sound.codec_context.frame_size or 1024,
        )
        for piece in [*plain.resample(frame), *plain.resample(None)]:
            late = starts + (gap[1] if gap and piece.pts / rate >= gap[0] else 0.0)
            piece.pts += round(late * rate)
            file.mux(sound.encode(piece))
        file.mux(sound.encode(None))
    return path


def whole(path, **options):
    parts = list(blocks(path, **options))
    assert all(isinstance(b, Block) and b.samples.dtype == np.float32 for b in parts)
    return np.concatenate([b.samples for b in parts])


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "aiff"])
def test_blocks_are_what_is_read_at_once(tmp_path, rate, ending):
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, np.stack([noise(2.3, rate), -0.5 * noise(2.3, rate)], 1), rate)
    want = read_audio(path)
    for seconds in (0.1, 1.0, 30.0):
        parts = list(blocks(path, seconds=seconds))
        assert np.allclose(np.concatenate([b.samples for b in parts]), want, atol=1e-6)
        assert [b.start for b in parts] == pytest.approx([seconds * i for i in range(len(parts))])
        assert {len(b.samples) for b in parts[:-1]} <= {round(16000 * seconds)}


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "pcm_s16le"), ("a.mp3", "mp3")]
)
def test_containers_give_the_same(tmp_path, name, codec):
    tone = 0.4 * np.sin(np.arange(88200) * 0.06).astype("f4")  # noise is coded as "noise" by AAC
    path = sound_file(tmp_path / name, tone, codec, 44100)
    samples, want = whole(path, seconds=0.7), read_audio(path)
    assert abs(len(samples) - 32000) < 1000
    assert len(samples) == len(want)
    assert np.abs(samples - want).max() < 1e-6


@pytest.mark.parametrize("layout", ["5.1", "7.1"])
def test_many_channels_are_averaged(tmp_path, layout):
    channels = {"5.1": 6, "7.1": 8}[layout]
    samples = np.repeat(noise(1.0, 48000)[:, None], channels, 1)
    with av.open(str(tmp_path / "a.mka"), "w", format="matroska") as file:
        sound = file.add_stream("libopus", rate=48000, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate, frame.pts = 48000, 0
        plain = av.AudioResampler(
            format=sound.codec_context.format,
            layout=layout,
            rate=48000,
            frame_size=sound.codec_context.frame_size or None,
        )
        for piece in [*plain.resample(frame), *plain.resample(None)]:
            file.mux(sound.encode(piece))
        file.mux(sound.encode(None))
    samples = whole(tmp_path / "a.mka")
    assert abs(len(samples) - 16000) < 400
    assert 0.05 < samples.std() < 0.3


def test_a_span(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(3.0), 16000)
    everything = whole(tmp_path / "a.wav")
    parts = list(blocks(tmp_path / "a.wav", seconds=0.5, start=1.0, end=2.25))
    assert [b.start for b in parts] == [1.0, 1.5, 2.0]
    assert np.array_equal(np.concatenate([b.samples for b in parts]), everything[16000:36000])
    assert len(whole(tmp_path / "a.wav", start=2.0, end=99.0)) == 16000
    for start, end in ((3.5, None), (2.0, 1.0), (-1.0, 2.0), (float("nan"), None)):
        with pytest.raises(DataError, match=r"a\.wav"):
            whole(tmp_path / "a.wav", start=start, end=end)


def test_a_span_of_a_container_is_that_part(tmp_path):
    path = sound_file(tmp_path / "a.mkv", noise(14.0, 8000), "pcm_s16le", 8000)
    everything = whole(path, rate=8000)
    for start, end in ((0.5, 1.25), (11.3, 12.9)):
        samples = whole(path, rate=8000, start=start, end=end)
        want = everything[round(start * 8000) : round(end * 8000)]
        shifts = range(-8, 9)  # its time stamps are rounded to 1 ms
        assert (
            min(np.abs(np.roll(samples, by)[50:-50] - want[50:-50]).max() for by in shifts) < 2e-3
        )


def test_late_sound_and_gaps_are_silence(tmp_path):
    damages = []
    path = sound_file(tmp_path / "a.mkv", noise(2.0), "pcm_s16le", starts=1.5, gap=(1.024, 2.0))
    # Without a picture the file begins with its sound, so a silent half second comes first.
    samples = whole(path, on_damage=damages.append)
    late = 16000 * 1.5 if len(samples) > 4.5 * 16000 else 0
    assert len(samples) == pytest.approx(late + 4.0 * 16000, abs=40)
    quiet = np.convolve(np.abs(samples) < 1e-6, np.ones(800), "same") > 790
    middle = slice(round(late + 1.1 * 16000), round(late + 2.9 * 16000))
    assert quiet[middle].all()
    assert not quiet[middle.stop + 3200 :].any()
    assert any("2.0 s of the sound are missing" in t for t in damages)


def test_sound_that_begins_after_the_picture_is_preceded_by_silence(tmp_path):
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = file.add_stream("pcm_s16le", rate=16000, layout="mono")
        for i in range(30):
            image = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
            image.pts = i
            file.mux(video.encode(image))
        file.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(
            np.full((1, 16000), 9999, np.int16), format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts = 16000, 24000
        file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
    samples = whole(path)
    assert len(samples) == pytest.approx(40000, abs=20)
    assert not samples[:23900].any()
    assert (samples[24100:39900] > 0.3).all()


def test_memory_does_not_grow_with_length(tmp_path):
    def peak(seconds):
        path = tmp_path / f"{seconds}.wav"
        soundfile.write(path, np.zeros(8000 * seconds, np.int16), 8000)
        tracemalloc.start()
        total = sum(len(b.samples) for b in blocks(path, seconds=5.0))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total == 16000 * seconds
        return most

    peak(1)
    assert peak(300) < 1.5 * peak(30)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_a_cut_file_gives_its_beginning_and_is_reported(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, noise(12.0), 16000)
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])
    damages = []
    samples = whole(path, on_damage=damages.append)
    assert 4 < len(samples) / 16000 < 9
    assert damages


def test_damage_within_is_passed_over_and_reported(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(12.0), 16000)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 255
    path.write_bytes(raw)
    damages = []
    samples = whole(path, on_damage=damages.append)
    assert len(samples) == 12 * 16000
    assert np.allclose(samples[-48000:], noise(12.0)[-48000:], atol=1e-3)
    assert any("damaged" in t for t in damages)


def test_nan_is_silence_and_reported(tmp_path):
    samples = noise(1.0)
    samples[100:200] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    damages = []
    assert not whole(tmp_path / "a.wav", on_damage=damages.append)[100:200].any()
    assert damages == ["100 samples are NaN or infinite, taken as silence"]


def test_nothing_at_all_is_a_sentence(tmp_path):
    (tmp_path / "words.wav").write_bytes(b"these are words" * 50)
    (tmp_path / "empty.wav").write_bytes(b"")
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16000)
    (tmp_path / "odd.raw").write_bytes(bytes(range(256)) * 40)
    soundfile.write(tmp_path / "slow.wav", np.zeros(50000), 3)  # would be hours of it
    for name in ("slow.wav", "words.wav", "empty.wav", "none.wav", "odd.raw", "missing.wav", "."):
        with pytest.raises(DataError):
            whole(tmp_path / name)


def test_a_colon_in_the_name_is_no_protocol(tmp_path, monkeypatch):
    path = sound_file(tmp_path / "a.mp4", noise(0.5), "aac")
    path.rename(tmp_path / "at 12:30.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(whole("at 12:30.mp4")) > 7000


FUZZED = {
    "a.wav": None,
    "a.flac": None,
    "a.ogg": None,
    "a.mp3": None,
    "a.mp4": "aac",
    "a.mkv": "libopus",
    "a.webm": "libopus",
    "a.avi": "pcm_s16le",
}


@pytest.mark.parametrize("name", FUZZED)
def test_damaged_files_never_give_more_than_a_sentence(tmp_path, name, capfd):
    path, codec = tmp_path / name, FUZZED[name]
    if codec is None:
        soundfile.write(path, noise(1.0), 16000)
    else:
        rate = 48000 if codec == "libopus" else 16000
        sound_file(path, noise(1.0, rate), codec, rate)
    good, rng = path.read_bytes(), np.random.default_rng(len(name))
    for i in range(60):
        raw = bytearray(good)
        if i % 3 != 1:
            raw = raw[: rng.integers(len(raw) + 1)]
        if i % 3 != 0:
            for at in rng.integers(0, max(1, len(raw)), rng.integers(1, 30)):
                raw[at : at + 1] = bytes([rng.integers(256)])
        path.write_bytes(raw)
        try:
            samples = whole(path)
        except DataError:
            continue
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() <= 1
    assert capfd.readouterr() == ("", "")  # and the libraries' own complaints stay away


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9000), st.sampled_from([8000, 16000, 22050]), st.floats(0.001, 1.0))
def test_arrays_of_any_length_and_blocks_of_any_size(n, rate, seconds):
    import soxr

    samples = RNG.uniform(-0.5, 0.5, n).astype("f4")
    parts = list(array_blocks(samples, rate, seconds=seconds))
    out = np.concatenate([b.samples for b in parts]) if parts else np.zeros(0, "f4")
    want = samples if rate == 16000 else np.clip(soxr.resample(samples, rate, 16000), -1, 1)
    assert len(out) == len(want)
    assert np.allclose(out, want, atol=1e-6)


def test_arrays_of_other_types():
    want = noise(0.2)
    for values in (
        np.stack([want, want], 1),
        want.astype("f8"),
        np.round(want * 32768).astype(np.int16),
        np.round(want.astype("f8") * 2**31).astype(np.int32),
    ):
        (block,) = array_blocks(values, 16000)
        assert np.allclose(block.samples, want, atol=1e-4)
    byte = np.clip(np.round(want * 128 + 128), 0, 255).astype(np.uint8)
    assert np.allclose(next(array_blocks(byte, 16000)).samples, want, atol=0.01)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros((2, 16000)), 16000, "transpose"),
        (np.zeros(0), 16000, "holds no samples"),
        (np.zeros((2, 2, 2)), 16000, r"must be \[n\]"),
        (np.zeros(9), 0, "rate"),
        (np.full(9, 12000.0), 16000, "32768"),
        (np.array(["a"] * 9), 16000, "numbers"),
    ],
)
def test_wrong_arrays_are_refused(samples, rate, message):
    with pytest.raises(DataError, match=message):
        list(array_blocks(samples, rate))


sizes = st.lists(st.integers(150, 30000), min_size=1, max_size=5)


def pieces(samples, sizes):
    """Cut samples into blocks of any size, one after the other."""
    at, i = 0, 0
    while at < len(samples):
        size = sizes[i % len(sizes)]
        yield samples[at : at + size]
        at, i = at + size, i + 1


@settings(deadline=None, max_examples=60)
@given(length=st.integers(0, 60000), sizes=sizes)
def test_an_envelope_holds_the_extremes(length, sizes):
    sound = np.random.default_rng(length).uniform(-1, 1, length).astype(np.float32)
    envelope = Envelope()
    for samples in pieces(sound, sizes):
        envelope.add(samples)
    if not length:
        assert envelope.drawn is None
        return
    drawn = envelope.drawn
    assert drawn.dtype == np.float32
    assert len(drawn) <= DRAWN
    assert (drawn[:, 0] <= drawn[:, 1]).all()
    assert drawn[:, 0].min() == sound.min()
    assert drawn[:, 1].max() == sound.max()
    assert envelope.peak == np.abs(sound).max()


def test_an_envelope_of_an_hour_is_as_large_as_of_a_minute():
    envelope = Envelope()
    block = np.zeros(30 * RATE, np.float32)
    for _ in range(120):
        envelope.add(block)
    assert envelope.drawn.shape == (DRAWN, 2)


def test_a_single_loud_sample_is_drawn():
    envelope = Envelope()
    sound = np.zeros(RATE * 60, np.float32)
    sound[70000] = 0.9
    for samples in np.split(sound, 6):
        envelope.add(samples)
    assert envelope.drawn.shape == (4000, 2)
    assert envelope.peak == envelope.drawn.max() == np.float32(0.9)
    assert np.flatnonzero(envelope.drawn[:, 1]).tolist() == [70000 * 4000 // (60 * RATE)]


@pytest.mark.parametrize("size", [1, 159, 512, 16_000, 50_000])
def test_the_waveform_is_that_of_blocks_of_any_size(size):
    samples = np.random.default_rng(0).uniform(-1, 1, 40_123).astype(np.float32)
    whole, parts = Envelope(), Envelope()
    whole.add(samples)
    for at in range(0, len(samples), size):
        parts.add(samples[at : at + size])
    np.testing.assert_array_equal(parts.drawn, whole.drawn)
    assert parts.peak == whole.peak
    assert len(whole.drawn) == 251
    assert len(parts.parts) <= 3
    stretch = samples[160 * 250 :]
    assert whole.drawn[-1].tolist() == [stretch.min(), stretch.max()]
