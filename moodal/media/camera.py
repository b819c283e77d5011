"""A camera, by PyAV (FFmpeg): v4l2 on Linux, avfoundation on macOS, dshow on Windows."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from moodal.core.errors import MissingDependencyError, UsageError
from moodal.media.video import Picture, cell_of, shrunk

SYSTEMS = {
    "linux": ("v4l2", "/dev/video0"),
    "darwin": ("avfoundation", "0"),
    "win32": ("dshow", ""),
}
"""Platform -> FFmpeg's name of its cameras, and the default camera; Windows has none."""

OPTIONS = {"avfoundation": {"framerate": "30"}}
"""FFmpeg's name -> options; cameras of macOS refuse its usual 29.97 pictures a second."""

MOST = 64
"""Pictures that may wait; more are lost."""


class Camera:
    """An open camera, as a context manager; its pictures wait until they are taken.

    A thread reads it, which ends with the context. Times count from when it was entered.

    Args:
        device: its path, number or name; None for the system's default.
        fps: pictures per second that are kept.
        longest: pixels of the longer side of a picture, at most.
        system: FFmpeg's name of the kind of device; None for the platform's.

    Raises:
        MissingDependencyError: there is no such camera.
        UsageError: the camera has to be named.
    """

    def __init__(
        self,
        device: str | None = None,
        fps: float = 5.0,
        *,
        longest: int = 960,
        system: str | None = None,
    ):
        own, default = SYSTEMS.get(sys.platform, SYSTEMS["linux"])
        name = device or default
        if not name:
            raise UsageError('Name the camera, such as --camera "Integrated Camera".')
        self._system = system or own
        self._name = f"video={name}" if self._system == "dshow" else name
        self._fps, self._longest = fps, longest
        self._pictures: queue.Queue[Picture] = queue.Queue(maxsize=MOST)
        self._ended = threading.Event()
        self._error: Exception | None = None
        self._film = self._opened(name)
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _opened(self, name: str) -> Any:
        import av

        try:
            film = av.open(self._name, format=self._system, options=OPTIONS.get(self._system, {}))
            if not film.streams.video:
                raise ValueError("it gives no pictures")
        except (av.FFmpegError, ValueError, OSError) as error:
            raise MissingDependencyError(
                f"The camera {name} cannot be opened ({_reason(error)}); name another one with "
                "--camera, or leave --camera out."
            ) from None
        return film

    def __enter__(self) -> Camera:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=5)

    def _read(self) -> None:
        import av

        cell = -1
        try:
            for frame in self._film.decode(video=0):
                if self._ended.is_set():
                    return
                at = time.monotonic() - self._began
                if (here := cell_of(at, self._fps)) > cell:
                    cell = here
                    self._keep(shrunk(frame.to_ndarray(format="rgb24"), self._longest, at))
        except (av.FFmpegError, ValueError, OSError) as error:
            self._error = error
        finally:
            self._film.close()
            self._ended.set()

    def _keep(self, picture: Picture) -> None:
        while True:
            try:
                self._pictures.put_nowait(picture)
                return
            except queue.Full:  # the oldest one is lost
                self._pictures.get_nowait()

    @property
    def failure(self) -> str:
        """A sentence on why it gives no more pictures; "" while it does."""
        if self._error is None:
            return ""
        return f"The camera gives no more pictures ({_reason(self._error)})."

    def waiting(self) -> Iterator[Picture]:
        """Yield the pictures that have come, in the order of their times."""
        while True:
            try:
                yield self._pictures.get_nowait()
            except queue.Empty:
                return

    def take_next(self, timeout: float) -> Picture | None:
        """Return the next picture; None if none comes within ``timeout`` s."""
        try:
            return self._pictures.get(timeout=timeout)
        except queue.Empty:
            return None


def _reason(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or str(error) or type(error).__name__
