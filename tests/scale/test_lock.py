"""One command at a time writes to a folder; one that died gives it up."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from moodal.core.errors import OutputError
from moodal.scale import lock
from moodal.scale.lock import LOCK, Lock
from moodal.scale.places import Place

pytest.importorskip("fsspec")


@pytest.fixture(params=["disk", "memory"])
def place(request, tmp_path):
    return Place(tmp_path / "out" if request.param == "disk" else f"memory://{tmp_path.name}")


def sign(place, **changes):
    holder = {"token": "other", "pid": os.getpid(), "host": "elsewhere", "beat": time.time()}
    place.put(LOCK, json.dumps({**holder, **changes}).encode())


def test_a_second_command_is_refused_and_the_first_goes_on(place):
    with Lock(place) as first:
        with pytest.raises(OutputError, match=r"being written .* wait for it"), Lock(place):
            pass
        first.require()
    assert place.names() == []
    with Lock(place):
        pass


def test_a_lock_without_a_sign_of_life_is_taken_over(place):
    sign(place, beat=time.time() - lock.SILENCE - 1)
    with Lock(place) as ours:
        ours.require()


def test_a_lock_of_a_process_that_ended_is_taken_over_at_once(place):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    sign(place, pid=ended.pid, host=socket.gethostname())
    with Lock(place) as ours:
        ours.require()


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"beat": "x"}', b"\xff"])
def test_a_damaged_lock_is_no_lock_after_a_while(place, content, monkeypatch):
    place.put(LOCK, content)
    with pytest.raises(OutputError, match="which has just begun"), Lock(place):
        pass
    assert place.read(LOCK) == content
    assert 0 <= place.age(LOCK) < 60
    monkeypatch.setattr(lock, "SILENCE", -1.0)
    with Lock(place) as ours:
        ours.require()


def test_who_was_taken_over_stops(place):
    with Lock(place) as first:
        sign(place)
        with pytest.raises(OutputError, match="was taken over by another command"):
            first.require()
    assert place.names() == [LOCK]  # it is the other's


def test_signs_are_given(place, monkeypatch):
    monkeypatch.setattr(lock, "BEAT", 0.02)
    with Lock(place):
        before = json.loads(place.read(LOCK))["beat"]
        deadline = time.monotonic() + 10
        while json.loads(place.read(LOCK))["beat"] == before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert json.loads(place.read(LOCK))["beat"] > before
