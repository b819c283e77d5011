"""The pictures of a recording: what was damaged is told in its place, read ahead or not."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.core.records import BUILT_IN, RATE
from moodal.media.blocks import Block
from moodal.media.recording import Recording
from moodal.media.video import Picture
from moodal.modalities.modality import Modality
from moodal.model.absences import Absences
from moodal.model.film import Film
from moodal.model.options import PredictOptions
from moodal.model.reading import Reading


class Watcher(Modality):
    """A modality that keeps the seconds it looked at and watched, and on which thread it looked."""

    info = BUILT_IN["face"]
    largest = 64

    def __init__(self):
        super().__init__()
        self.looked, self.watched, self.threads = [], [], set()

    def look(self, picture):
        self.looked.append(picture.at)
        self.threads.add(threading.current_thread())
        return picture.at

    def watch(self, seen):
        self.watched.append(seen)


def film_of(recording):
    watcher = Watcher()
    absences = Absences(recording, {"face": watcher})
    return Film(recording, {"face": watcher}, 1.0, absences), watcher, absences


def pictures(damage, *, fails=False):
    for i in range(30):
        if i == 20:
            damage("a frame is damaged")
        yield Picture(float(i), np.zeros((8, 8, 3), np.uint8), 1.0)
    damage("the file ends too early")
    if fails:
        raise DataError("nothing follows")


@pytest.mark.parametrize("is_live", [False, True])
def test_pictures_are_watched_in_time_and_damages_told_in_their_place(is_live):
    read = Recording("a", "video", pictures=lambda *how: pictures(how[2]), is_live=is_live)
    film, watcher, absences = film_of(read)
    film.watch(10.0)
    absences.note("the sound is damaged")  # before the picture after which a frame is damaged
    assert watcher.watched == list(range(10))
    assert len(watcher.looked) <= 10 + 1 + 8  # one is held, and so many wait
    film.watch(np.inf)
    assert watcher.watched == watcher.looked == list(range(30))
    assert [note.lower() for note in absences.sentences()] == [
        "the sound is damaged.",
        "a frame is damaged.",
        "the file ends too early.",
    ]
    assert (threading.current_thread() in watcher.threads) is is_live


def test_pictures_that_cannot_be_decoded_are_told_after_what_was_damaged():
    read = Recording("a", "video", pictures=lambda *how: pictures(how[2], fails=True))
    film, watcher, absences = film_of(read)
    film.watch(np.inf)
    assert len(watcher.watched) == 30
    assert [note.lower() for note in absences.sentences()] == [
        "a frame is damaged.",
        "the file ends too early.",
        "nothing follows.",
    ]


@pytest.mark.parametrize("is_live", [False, True])
def test_a_film_that_is_left_early_releases_its_pictures(is_live):
    released = []

    def opened():
        try:
            yield from pictures(lambda sentence: None)
        finally:
            released.append(True)

    read = Recording("a", "video", pictures=lambda *how: opened(), is_live=is_live)
    film, watcher, _ = film_of(read)
    film.watch(2.0)
    gc.disable()  # a collection would hide that nobody else ends it
    try:
        film.close()
        assert released == [True]
    finally:
        gc.enable()
    film.watch(np.inf)  # nothing more comes
    film.close()
    assert watcher.watched == [0, 1]
    assert not any(thread.name.startswith("ahead") for thread in threading.enumerate())


def test_an_interrupted_reading_releases_its_pictures():
    released = []

    def sound(damage):
        for start in range(5):
            yield Block(float(start), np.zeros(RATE, np.float32))
        assert watcher.looked
        raise KeyboardInterrupt

    def opened():
        try:
            yield from pictures(lambda sentence: None)
        finally:
            released.append(True)

    watcher = Watcher()
    read = Recording("a", "video", sound=sound, pictures=lambda *how: opened())
    reading = Reading(read, {"face": watcher}, PredictOptions(fps=1.0))
    gc.disable()
    try:
        with pytest.raises(KeyboardInterrupt):
            list(reading.run())
        assert released == [True]
    finally:
        gc.enable()
