"""A microphone gives blocks as sounddevice takes them in; what is missing is said."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from moodal.core.errors import DataError, MissingDependencyError
from moodal.media.microphone import Microphone, microphones


class PortAudioError(Exception):
    pass


DEVICES = [
    {"name": "Loudspeaker", "max_input_channels": 0, "default_samplerate": 48000.0},
    {"name": "Microphone", "max_input_channels": 8, "default_samplerate": 44100.0},
]


class InputStream:
    def __init__(self, *, callback, blocksize, channels, **options):
        self.callback, self.shape, self.options = callback, (blocksize, channels), options
        self.closed = False

    def start(self):
        for value in (0.1, 0.2):
            block = np.full(self.shape, value, np.float32)
            self.callback(block, len(block), None, value == 0.2)
            block[:] = 9  # the buffer is used again

    def stop(self):
        pass

    def close(self):
        self.closed = True


@pytest.fixture
def system(monkeypatch):
    """A stand-in for sounddevice with one microphone."""

    def query_devices(device=None, kind=None):
        if kind is None:
            return DEVICES
        if device not in (None, 1, "Micro"):
            raise ValueError(f"No input device matching {device!r}")
        return DEVICES[1]

    own = types.SimpleNamespace(
        query_devices=query_devices, InputStream=InputStream, PortAudioError=PortAudioError
    )
    monkeypatch.setitem(sys.modules, "sounddevice", own)
    return own


def test_blocks_wait_until_they_are_taken(system):
    with Microphone("Micro") as microphone:
        assert (microphone.rate, microphone.channels) == (44100, 2)
        first, second = microphone.take_next(1), microphone.take_next(1)
        assert microphone.take_next(0.01) is None
        stream = microphone._stream
        microphone.stop()
        assert not stream.closed
    assert first.shape == (2205, 2)
    assert (first == np.float32(0.1)).all()
    assert (second == np.float32(0.2)).all()
    assert microphone.lost == 1  # as sounddevice reported
    assert stream.closed


def test_microphones_are_listed(system):
    assert microphones() == ["1: Microphone"]


def test_a_microphone_that_is_not_there_is_named(system):
    with pytest.raises(MissingDependencyError, match=r"no microphone 'Studio'.*--devices"):
        Microphone("Studio")
    system.query_devices = lambda *_: (_ for _ in ()).throw(PortAudioError("Error querying"))
    with pytest.raises(MissingDependencyError, match=r"There is no microphone \(Error querying\)"):
        Microphone()


def test_a_microphone_that_is_in_use_is_a_sentence(system, monkeypatch):
    def start(self):
        raise PortAudioError("Device unavailable\n[PaErrorCode -9985]")

    monkeypatch.setattr(InputStream, "start", start)
    with pytest.raises(DataError, match=r"cannot be opened \(Device unavailable\)"):
        Microphone().__enter__()


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingDependencyError, match=r"sounddevice; .*\[live\]"):
        microphones()


def test_without_portaudio_its_package_is_named(monkeypatch):
    class Finder:
        @staticmethod
        def find_spec(name, *_):
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    with pytest.raises(MissingDependencyError, match="libportaudio2"):
        microphones()
