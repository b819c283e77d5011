import warnings

import numpy as np
import opensmile
import pytest
import soundfile

from moodal.core.errors import DataError
from moodal.core.records import RATE, Clip
from moodal.modalities.speech.egemaps import Egemaps


def test_frames_are_means_of_opensmiles_steps(speech):
    path = speech(seconds=1.53)
    smile = opensmile.Smile(
        opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors
    )
    steps = smile.process_file(str(path)).to_numpy()
    frames = Egemaps(rate=10).encode(Clip(str(path)))
    assert frames.shape == (int(np.ceil(len(steps) / 10)), 25)
    for t, frame in enumerate(frames):
        np.testing.assert_allclose(frame, steps[10 * t : 10 * t + 10].mean(axis=0), rtol=1e-5)


def test_at_a_hundred_a_second_they_are_the_steps_themselves(speech):
    path = speech()
    fast = Egemaps(rate=100).encode(Clip(str(path)))
    slow = Egemaps(rate=10).encode(Clip(str(path)))
    np.testing.assert_allclose(slow[3], fast[30:40].mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("rate", [0.5, 3, 7.5, 10, 30, 100])
def test_the_rate_is_frames_a_second(speech, rate):
    path = speech(seconds=4.0)
    frames = Egemaps(rate=rate).encode(Clip(str(path)))
    assert 4.0 * rate - 0.06 * rate - 1 <= len(frames) <= 4.0 * rate + 1


def test_the_same_clip_gives_the_same_numbers_whatever_came_before(speech):
    clip = Clip(str(speech()))
    first = Egemaps().encode(clip)
    Egemaps().encode(Clip(str(speech("other.wav", 0.8, seed=3))))
    np.testing.assert_array_equal(Egemaps().encode(clip), first)


def test_a_span_is_encoded_like_a_file_of_its_own(speech, tmp_path):
    path = speech(seconds=2.0)
    samples, rate = soundfile.read(path, dtype="int16")
    alone = tmp_path / "alone.wav"
    soundfile.write(alone, samples[8000:24000], rate)
    span = Egemaps().encode(Clip(str(path), 0.5, 1.5))
    np.testing.assert_array_equal(span, Egemaps().encode(Clip(str(alone))))


@pytest.mark.parametrize("samples", [1, 100, 959, 960, 1600])
def test_short_clips_still_give_a_frame(samples):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = Egemaps().encode(np.full(samples, 0.1, np.float32))
    assert frames.shape == (1, 25)
    assert np.isfinite(frames).all()


def test_silence_is_finite():
    frames = Egemaps().encode(np.zeros(2 * RATE, np.float32))
    assert len(frames) == 20
    assert np.isfinite(frames).all()


def test_louder_is_louder():
    noise = np.random.default_rng(0).normal(0, 0.01, RATE).astype(np.float32)
    quiet, loud = Egemaps().encode(noise), Egemaps().encode(10 * noise)
    assert loud[:, 0].min() > quiet[:, 0].max()


def test_unreadable_clips_are_refused_before_and_while_encoding(tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"not a sound")
    for look in (Egemaps().check, Egemaps().encode):
        with pytest.raises(DataError, match=r"bad\.wav"):
            look(Clip(str(tmp_path / "bad.wav")))
