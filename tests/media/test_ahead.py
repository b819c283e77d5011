"""Reading ahead: the same items in the same order, on another thread, and never too many."""

from __future__ import annotations

import threading

import pytest

from moodal.media.ahead import ahead


def test_items_come_in_order_from_another_thread():
    threads = []

    def items():
        for i in range(50):
            threads.append(threading.current_thread())
            yield i

    assert list(ahead(items(), 3)) == list(range(50))
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()


def test_no_more_are_made_than_may_wait():
    made = []

    def items():
        for i in range(50):
            made.append(i)
            yield i

    coming = ahead(items(), 4)
    assert next(coming) == 0
    coming.close()
    assert len(made) <= 5  # the one that was taken, and four that waited
    assert not any(t.name.startswith("ahead") for t in threading.enumerate())


def test_an_error_comes_in_its_place():
    def items():
        yield 1
        raise ValueError("broken")

    coming = ahead(items(), 8)
    assert next(coming) == 1
    with pytest.raises(ValueError, match="broken"):
        next(coming)
    assert list(coming) == []


def test_an_empty_iterator_ends_at_once():
    assert list(ahead(iter(()), 1)) == []
