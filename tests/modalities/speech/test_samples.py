import numpy as np
import pytest

from moodal.core.errors import DataError, UsageError
from moodal.core.records import Clip
from moodal.media.audio import read_audio
from moodal.modalities.speech.samples import Wave


def test_samples_are_the_files_own_up_to_the_longest(speech):
    path = speech(seconds=1.5)
    whole = Wave().encode(Clip(str(path)))
    assert whole.shape == (24000, 1)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(whole[:, 0], read_audio(path))
    np.testing.assert_array_equal(Wave(longest=9000).encode(Clip(str(path))), whole[:9000])
    np.testing.assert_array_equal(Wave().encode(Clip(str(path), 0.5, 1.0)), whole[8000:16000])


def test_another_rate_is_resampled(speech):
    assert len(Wave().encode(Clip(str(speech("fast.wav", 1.0, rate=44100))))) == 16000


def test_unreadable_clips_are_refused_before_and_while_encoding(tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"not a sound")
    for look in (Wave().check, Wave().encode):
        with pytest.raises(DataError, match=r"bad\.wav"):
            look(Clip(str(tmp_path / "bad.wav")))


def test_no_samples_at_all_are_refused():
    with pytest.raises(UsageError, match="1 or more; got 0"):
        Wave(longest=0)
