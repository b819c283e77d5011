"""A camera gives pictures with their times, and its thread ends with it."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from moodal.core.errors import MissingDependencyError, UsageError
from moodal.media import camera as cameras
from moodal.media.camera import Camera

TEST_PICTURE = "testsrc=size=1280x720:rate=30,realtime"
"""FFmpeg's moving test picture, as fast as a camera's."""


def test_a_camera_gives_so_many_pictures_a_second_and_ends():
    before = threading.active_count()
    with Camera(TEST_PICTURE, 5, longest=320, system="lavfi") as camera:
        first = camera.take_next(10)
        pictures = [first]
        while pictures[-1].at < first.at + 1.5:
            pictures.append(camera.take_next(10))
        time.sleep(0.5)
        pictures += camera.waiting()
    assert threading.active_count() == before
    assert first.rgb.shape == (180, 320, 3)
    assert first.rgb.dtype == np.uint8
    assert first.scale == 0.25
    seconds = np.array([p.at for p in pictures])
    assert (np.diff(np.floor(seconds * 5 + 1e-6)) >= 1).all()
    assert np.median(np.diff(seconds)) == pytest.approx(0.2, abs=0.1)


def test_only_the_latest_pictures_wait(monkeypatch):
    monkeypatch.setattr(cameras, "MOST", 3)
    with Camera("testsrc=size=64x48:rate=30:duration=2", 60, system="lavfi") as camera:
        camera._thread.join(timeout=20)
        waiting = list(camera.waiting())
    assert 1 <= len(waiting) <= 3


def test_a_camera_that_is_not_there_is_named():
    with pytest.raises(MissingDependencyError, match=r"The camera /dev/video99 cannot be opened"):
        Camera("/dev/video99", system="v4l2")


def test_on_windows_a_camera_is_named(monkeypatch):
    monkeypatch.setattr(cameras.sys, "platform", "win32")
    with pytest.raises(UsageError, match="Name the camera"):
        Camera()
