"""A microphone, by sounddevice (PortAudio)."""

from __future__ import annotations

import queue
from typing import Any

import numpy as np

from moodal.core.errors import DataError, MissingDependencyError, installation

BLOCK = 0.05
"""Seconds of a block of sound."""

LONGEST = 600.0
"""Seconds of sound that may wait; more is lost."""


class Microphone:
    """An open microphone, as a context manager; its sound waits until it is taken.

    Args:
        device: its number or a part of its name; None for the system's default.

    Attributes:
        rate: samples per second.
        channels: one, or two where it has no single one.
        lost: the number of blocks that were lost, since nobody took them in time.

    Raises:
        MissingDependencyError: sounddevice or PortAudio is not installed, or there is no such
            microphone.
    """

    def __init__(self, device: str | int | None = None):
        self._system = _sounddevice()
        try:
            info = self._system.query_devices(device, "input")
        except (ValueError, self._system.PortAudioError) as error:
            which = "no microphone" if device is None else f"no microphone {device!r}"
            raise MissingDependencyError(
                f"There is {which} ({_reason(error)}); `moodal live --devices` lists them, and "
                "--from FILE plays a recording."
            ) from None
        self.rate = round(info["default_samplerate"])
        self.channels = min(2, int(info["max_input_channels"]))
        self.lost = 0
        self._device = device
        self._blocks: queue.Queue[np.ndarray] = queue.Queue(maxsize=round(LONGEST / BLOCK))
        self._stream: Any = None

    def __enter__(self) -> Microphone:
        try:
            self._stream = self._system.InputStream(
                samplerate=self.rate,
                blocksize=round(self.rate * BLOCK),
                device=self._device,
                channels=self.channels,
                dtype="float32",
                callback=self._take_in,
            )
            self._stream.start()
        except self._system.PortAudioError as error:
            raise DataError(
                f"The microphone cannot be opened ({_reason(error)}); check that no other program "
                "uses it, and that this one may."
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._stream.close()

    def stop(self) -> None:
        """Listen no longer; what was heard can still be taken."""
        self._stream.stop()

    def _take_in(self, samples: np.ndarray, count: int, time: Any, status: Any) -> None:
        """Keep a block; sounddevice calls this in a thread of its own."""
        self.lost += bool(status)
        try:
            self._blocks.put_nowait(samples.copy())
        except queue.Full:
            self.lost += 1

    def take_next(self, timeout: float) -> np.ndarray | None:
        """Return the next block [n, channels] float32; None if none comes within ``timeout`` s."""
        try:
            return self._blocks.get(timeout=timeout)
        except queue.Empty:
            return None


def microphones() -> list[str]:
    """Return the names of the microphones, each after its number.

    Raises:
        MissingDependencyError: sounddevice or PortAudio is not installed.
    """
    devices = _sounddevice().query_devices()
    return [
        f"{number}: {device['name']}"
        for number, device in enumerate(devices)
        if device["max_input_channels"] > 0
    ]


def _sounddevice() -> Any:
    try:
        import sounddevice  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise MissingDependencyError(
            f"A microphone needs the package sounddevice; {installation('live')}."
        ) from None
    except OSError:
        raise MissingDependencyError(
            "A microphone needs the library PortAudio; Debian's package libportaudio2 brings it."
        ) from None
    return sounddevice


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
