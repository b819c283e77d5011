"""Of live pictures those are chosen that are chosen of a film."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.core.errors import DataError, UsageError
from moodal.media.live_pictures import LivePictures


def pictures(longest=100, fps=5):
    live = LivePictures()
    return live, live.read(fps, longest, print)


def test_the_first_picture_of_each_cell_is_chosen():
    live, chosen = pictures()
    assert next(chosen) is None  # none has come
    for i in range(30):
        live.add(np.full((8, 8, 3), i, np.uint8), 0.05 + i / 15)
    live.finished = True
    assert [round(p.at * 15 - 0.75) for p in chosen] == [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]
    assert live.last == pytest.approx(0.05 + 29 / 15)


def test_large_pictures_are_shrunk_and_their_scale_is_known():
    live, chosen = pictures(longest=100)
    live.add(np.full((200, 400, 3), 7, np.uint8), 0.0, scale=0.5)
    picture = next(chosen)
    assert picture.rgb.shape == (50, 100, 3)
    assert picture.scale == pytest.approx(0.125)
    assert (picture.rgb == 7).all()


def test_a_picture_is_kept_as_it_was_when_it_came():
    live, chosen = pictures()
    own = np.zeros((8, 8, 3), np.uint8)
    live.add(own, 0.0)
    own[:] = 255
    assert not next(chosen).rgb.any()


def test_pictures_that_nobody_reads_are_not_kept():
    live = LivePictures()
    live.add(np.zeros((8, 8, 3), np.uint8), 0.0)
    assert not live.are_wanted
    assert next(live.read(5, 100, print)) is None


@pytest.mark.parametrize(
    ("picture", "at", "error", "message"),
    [
        (np.zeros((8, 8, 4), np.uint8), 1.0, DataError, r"\[8, 8, 4\] of uint8"),
        (np.zeros((8, 8, 3)), 1.0, DataError, "float64"),
        (np.broadcast_to(np.uint8(0), (20_000, 20_000, 3)), 1.0, DataError, "pixels"),
        (np.zeros((8, 8, 3), np.uint8), -1.0, UsageError, "seconds from 0 on"),
        (np.zeros((8, 8, 3), np.uint8), 0.5, UsageError, "0.5 s after 0.9 s"),
    ],
)
def test_what_is_no_picture_is_refused(picture, at, error, message):
    live, _ = pictures()
    live.add(np.zeros((8, 8, 3), np.uint8), 0.9)
    with pytest.raises(error, match=message):
        live.add(picture, at)
