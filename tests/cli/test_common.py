"""What commands share: one heap for all threads."""

import ctypes
import sys

import pytest

from moodal.cli.common import share_heap


@pytest.fixture
def heaps(monkeypatch):
    """What was asked of the C library."""
    asked = []

    class Library:
        def mallopt(self, parameter, value):
            asked.append((parameter, value))

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    return asked


def test_threads_share_a_heap_on_linux_alone(heaps, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    share_heap()
    assert heaps == [(-8, 1)]
    for platform in ("win32", "darwin"):
        monkeypatch.setattr(sys, "platform", platform)
        share_heap()
    assert len(heaps) == 1


def test_who_chose_the_number_of_heaps_keeps_it(heaps, monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    share_heap()
    assert heaps == []
