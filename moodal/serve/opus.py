"""Opus: the sound of a growing WebM or Ogg stream, decoded in a process of its own.

A malformed stream can crash FFmpeg; here it ends one process, and with it one live session.
"""

from __future__ import annotations

import io
import os
import socket
import threading
from collections import deque
from collections.abc import Iterator

import numpy as np

from moodal.serve.channel import WorkerEnd
from moodal.serve.worker import silence

LONGEST_GAP, ALL_GAPS = 30.0, 600.0
"""Seconds of silence that a hole in the time stamps gives at most, and all holes together."""

WAITING = 4 << 20
"""Bytes that wait to be decoded, before no more are read of the client."""


class Growing(io.RawIOBase):
    """A file whose bytes come while it is read; it cannot be read twice."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._waiting, self._ended = 0, False
        self._changed = threading.Condition()
        self._rest = b""

    def add(self, piece: bytes, wait: float = 1.0) -> bool:
        """Append a piece, unless `WAITING` bytes wait still after some seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting < WAITING, wait):
                return False
            self._pieces.append(piece)
            self._waiting += len(piece)
            self._changed.notify_all()
            return True

    def end(self) -> None:
        """Say that no piece follows."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read what is there, and wait for the next piece where nothing is."""
        if not self._rest:
            with self._changed:
                self._changed.wait_for(lambda: self._pieces or self._ended)
                if not self._pieces:
                    return 0
                self._rest = self._pieces.popleft()
                self._waiting -= len(self._rest)
                self._changed.notify_all()
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def decode_stream(own: socket.socket) -> None:
    """Decode a stream that comes over a socket; the target of a decoder's process."""
    silence()
    channel, file = WorkerEnd(own), Growing()
    channel.send({"kind": "ready", "models": []})
    threading.Thread(target=_read, args=(channel, file), daemon=True).start()
    kind = "decoded"
    try:
        for rate, samples in sound_of(file):
            about = {"kind": "sound", "rate": rate, "channels": samples.shape[1]}
            channel.send(about, np.ascontiguousarray(samples, "<f4").tobytes())
    except Exception:  # whatever FFmpeg says of a stranger's stream
        kind = "undecodable"
    channel.send({"kind": kind})
    channel.receive()


def _read(channel: WorkerEnd, file: Growing) -> None:
    while (received := channel.receive()) is not None:
        message, payload = received
        if message["kind"] == "finish":
            file.end()
            return
        parent = os.getppid()
        while not file.add(payload):
            if os.getppid() != parent:  # the server has ended while a decoder stalls
                os._exit(0)
    os._exit(0)


def sound_of(file: io.RawIOBase) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the rate and the samples [n, channels] float32 of a stream as they are decoded.

    Holes in the time stamps are silence.

    Raises:
        av.FFmpegError: it holds no sound that can be decoded.
    """
    import av

    with av.open(file, "r", buffer_size=4096) as container:
        stream = container.streams.audio[0]
        resampler: av.AudioResampler | None = None
        begun: float | None = None
        count = 0
        left = ALL_GAPS
        for frame in container.decode(stream):
            if resampler is None:
                resampler = av.AudioResampler("flt", frame.layout, frame.rate)
            if frame.time is not None:
                begun = frame.time if begun is None else begun
                gap = round((frame.time - begun) * frame.rate) - count
                if 0.02 * frame.rate < gap < min(LONGEST_GAP, left) * frame.rate:
                    count += gap
                    left -= gap / frame.rate
                    for first in range(0, gap, frame.rate):
                        size = min(frame.rate, gap - first)
                        yield frame.rate, np.zeros((size, len(frame.layout.channels)), np.float32)
            for own in resampler.resample(frame):
                samples = own.to_ndarray().reshape(-1, len(own.layout.channels))
                count += len(samples)
                yield own.rate, samples
