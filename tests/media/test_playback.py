"""A file is played as if it were live: its sound between its pictures."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moodal.core.errors import DataError, UsageError
from moodal.media.audio import read_audio
from moodal.media.playback import BLOCK, Playback
from moodal.media.video import Picture, frames

CLIP = Path(__file__).parents[2] / "examples" / "clip.mp4"


def test_sound_and_pictures_come_in_the_order_of_their_times():
    played = Playback(CLIP, 5, fast=True)
    assert (played.has_sound, played.has_pictures) == (True, True)
    events = list(played)
    pictures = [event for event in events if isinstance(event, Picture)]
    sound = [event for event in events if not isinstance(event, Picture)]
    assert [p.at for p in pictures] == [p.at for p in frames(CLIP, 5)]
    np.testing.assert_array_equal(np.concatenate([b.samples for b in sound]), read_audio(CLIP))
    came = [e.at if isinstance(e, Picture) else e.start + BLOCK for e in events]
    assert came == sorted(came)


def test_it_takes_its_time(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(8000), 16000)
    for fast in (False, True):
        began = time.monotonic()
        assert len(list(Playback(path, 5, fast=fast))) == 5
        assert (time.monotonic() - began >= 0.5) is not fast


def test_what_cannot_be_played_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"missing\.wav"):
        Playback(tmp_path / "missing.wav", 5)
    (tmp_path / "a.txt").write_text("So good.")
    with pytest.raises(UsageError, match=r"a\.txt has no sound and no moving pictures"):
        Playback(tmp_path / "a.txt", 5)
