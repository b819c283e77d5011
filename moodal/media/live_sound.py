"""Live sound: samples as a microphone or a network gives them, at one rate and of one channel."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.records import RATE
from moodal.media.blocks import Resampler
from moodal.media.decoder import Mixer, gain_of
from moodal.media.samples import Damage, Piece, as_float

CHUNK = 512
"""Samples of the blocks that are given: a chunk of the detector of speech."""

LOWEST_RATE, HIGHEST_RATE = 4000, 768_000
"""Samples per second that a microphone may give."""

MOST_CHANNELS = 64
"""Channels that a microphone may have."""


class LiveSound:
    """Live samples; other blocks of them give the same sound.

    What exceeds full scale is clipped, as in `moodal.media.blocks.live_blocks`.

    Args:
        rate: samples per second.
        channels: of the samples.

    Raises:
        UsageError: the rate or the number of channels is none.
    """

    def __init__(self, rate: int, channels: int = 1):
        if not _is_number(rate) or not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise UsageError(
                f"rate is the number of samples per second, {LOWEST_RATE} to {HIGHEST_RATE}; got "
                f"{rate!r}."
            )
        if not _is_number(channels) or not 1 <= channels <= MOST_CHANNELS:
            raise UsageError(f"channels are 1 to {MOST_CHANNELS}; got {channels!r}.")
        self._rate, self._channels = int(rate), int(channels)
        self._damage = Damage()
        self._mixer, self._resampler = Mixer(self._damage), Resampler(RATE)
        self._rest = np.zeros(0, np.float32)

    @property
    def damages(self) -> list[str]:
        """Sentences on what was mended, after `finish`."""
        return self._damage.sentences

    def take(self, samples: np.ndarray) -> np.ndarray:
        """Return the whole chunks [n] at 16 kHz that the next samples complete; n may be 0.

        The first 2 s are given together, since a constant offset is sought in them.

        Args:
            samples: [n] of one channel, or [n, channels]; whole numbers are scaled by their type
                (int16 by 1/32768).

        Raises:
            DataError: the shape, the type, or the size of the values is wrong.
        """
        sound = self._resampled(self._mixer.take(self._rate, self._checked(samples)))
        joint = np.concatenate([self._rest, *sound])
        whole = len(joint) // CHUNK * CHUNK
        self._rest = joint[whole:].copy()
        return joint[:whole]

    def finish(self) -> np.ndarray:
        """Return the rest [n], when no samples follow."""
        rest = self._resampled(self._mixer.finish())
        return np.concatenate([self._rest, *rest, self._resampler.finish()])

    def _resampled(self, pieces: Iterable[Piece]) -> list[np.ndarray]:
        return [self._resampler.take(rate, samples) for rate, samples in pieces]

    def _checked(self, samples: np.ndarray) -> np.ndarray:
        """Return samples [n, channels] as float32."""
        values = np.asarray(samples)
        if values.ndim == 1 and self._channels == 1:
            values = values[:, None]
        if values.ndim != 2 or values.shape[1] != self._channels:
            wanted = "[n]" if self._channels == 1 else f"[n, {self._channels}]"
            raise DataError(
                f"Samples of this stream are {wanted}, since it has {self._channels} "
                f"channel{'s' * (self._channels > 1)}; got {list(values.shape)}."
            )
        if values.dtype.kind not in "iuf":
            raise DataError(f"Samples must be numbers, not {values.dtype}.")
        if values.dtype.kind == "f":
            gain_of(np.abs(values[np.isfinite(values)]).max(initial=0), "a block")
        return as_float(values)


def _is_number(value: object) -> bool:
    whole = isinstance(value, int | np.integer) or (isinstance(value, float) and value.is_integer())
    return whole and not isinstance(value, bool)
