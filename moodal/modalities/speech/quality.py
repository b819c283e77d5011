"""Measure the quality of sound (noise, clipping, level, bandwidth) and describe defects."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from moodal.core.errors import DataError

FRAME, HOP = 0.025, 0.010
"""Seconds of the frames in which energy is measured."""

MOST = 60.0
"""The highest signal-to-noise ratio in dB that is reported, also for clips too short to judge."""

CREST = 6.0
"""dB by which the loud frames of speech exceed its mean power (measured on clean utterances with
added white noise, where the estimate is correct within 2 dB from 0 to 20 dB)."""

LEAST_LEVEL = -100.0
"""dB of full scale: the level of silence."""

PART = 1 << 22
"""The samples whose squares are held at once."""

ENOUGH = 0.5
"""The shortest sound in seconds whose noise and bandwidth are judged."""


def sound_quality(samples: np.ndarray, rate: int) -> dict[str, float]:
    """Measure one channel of sound; all results are finite, even for one sample or silence.

    Args:
        samples: [n] in [-1, 1].
        rate: samples per second.

    Returns:
        ``snr_db``: 0 to `MOST`: the energy of the loud frames (95th percentile) over that of
            the quiet ones (10th), less the noise's own part and `CREST`. An estimate without a
            detector of speech: it needs pauses between syllables; steady tones and music look
            like noise, and noise that comes and goes looks like speech.
        ``clipping``: share of samples, 0 to 1, in runs of three or more flat ones at full scale.
        ``level_dbfs``: root mean square in dB of full scale, from `LEAST_LEVEL`.
        ``bandwidth_hz``: the highest frequency with content, in steps of 100 Hz: less than
            60 dB below the strongest band. About 3400 to 4000 on the telephone.
        ``seconds``: how long it is.

    Raises:
        DataError: the samples are not [n].
    """
    sound = np.asarray(samples, np.float32)
    if sound.ndim != 1:
        raise DataError(f"Samples must be [n], one channel, not {list(sound.shape)}.")
    if not np.isfinite(sound).all():
        sound = np.nan_to_num(sound, nan=0, posinf=0, neginf=0)
    # squares in parts, since those of hours would take gigabytes
    parts = np.array_split(sound, max(1, len(sound) // PART))
    total = sum(float(np.square(part, dtype=np.float64).sum()) for part in parts)
    power = total / max(1, len(sound))
    energies, spectrum = _frames(sound, rate)
    return {
        "snr_db": _snr(energies),
        "clipping": _clipping(sound),
        "level_dbfs": max(LEAST_LEVEL, 10 * float(np.log10(power + 1e-20))),
        "bandwidth_hz": _bandwidth(spectrum, rate),
        "seconds": len(sound) / rate,
    }


def flags(quality: Mapping[str, float]) -> list[str]:
    """Describe the defects of a sound with these measures, in a phrase each."""
    defects = []
    if quality["level_dbfs"] <= LEAST_LEVEL + 10:
        return ["silent"]
    if quality["clipping"] >= 0.001:
        share = quality["clipping"] * 100
        defects.append(f"the sound is clipped ({share:.1f} % of samples)")
    if quality["level_dbfs"] < -50:
        defects.append(f"very quiet ({quality['level_dbfs']:.0f} dB of full scale)")
    if quality["seconds"] < ENOUGH:
        return defects
    if quality["snr_db"] < 10:
        defects.append(f"noisy (about {quality['snr_db']:.0f} dB)")
    if 0 < quality["bandwidth_hz"] <= 4100:
        defects.append(f"telephone band (nothing above {quality['bandwidth_hz'] / 1000:.1f} kHz)")
    return defects


def _frames(sound: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the energy of each frame and the mean power spectrum of the louder half of them.

    A sound shorter than a frame gives one frame, an empty sound none.
    """
    size, hop = max(1, round(FRAME * rate)), max(1, round(HOP * rate))
    if not len(sound):
        return np.zeros(0), np.zeros(size // 2 + 1)
    if len(sound) < size:
        sound = np.pad(sound, (0, size - len(sound)))
    view = np.lib.stride_tricks.sliding_window_view(sound, size)[::hop]
    energies = np.einsum("ij,ij->i", view, view, dtype=np.float64) / size
    loud = np.flatnonzero(energies >= np.percentile(energies, 50))
    # About 2,000 frames are enough for a mean.
    loud = loud[:: max(1, len(loud) // 2000)]
    spectrum = np.abs(np.fft.rfft(view[loud] * np.hanning(size + 2)[1:-1], axis=1)) ** 2
    return energies, spectrum.mean(axis=0)


def _snr(energies: np.ndarray) -> float:
    if len(energies) < 10:
        return MOST
    loud, quiet = np.percentile(energies, (95, 10))
    if loud <= 1e-12:
        return 0.0
    ratio = (loud - quiet) / max(quiet, loud * 1e-7)
    return float(np.clip(10 * np.log10(max(ratio, 1e-7)) - CREST, 0.0, MOST))


def _clipping(sound: np.ndarray) -> float:
    if len(sound) < 3:
        return 0.0
    count = 0
    for first in range(0, len(sound), PART):
        begin = max(0, first - 2)  # a run may reach over the edge of a part
        clipped = _clipped(sound[begin : first + PART + 2])
        count += int(clipped[first - begin : first - begin + PART].sum())
    return count / len(sound)


def _clipped(sound: np.ndarray) -> np.ndarray:
    """Mark the samples [n] in runs of three or more flat ones at full scale."""
    clipped = np.zeros(len(sound), bool)
    high = (sound >= 0.99) | (sound <= -0.99)
    if high.any():
        # Flat as well as full: the crest of a loud low tone is full, but round.
        flat = (np.abs(np.diff(sound)) < 0.0015) & high[1:] & high[:-1]
        three = flat[1:] & flat[:-1]
        for i in range(3):
            clipped[i : i + len(three)] |= three
    return clipped


def _bandwidth(spectrum: np.ndarray, rate: int) -> float:
    hertz = np.linspace(0, rate / 2, len(spectrum))
    width = 100.0
    bands = np.bincount((hertz // width).astype(int), weights=spectrum)
    if not bands.size or bands.max() <= 1e-12:
        return 0.0
    content = np.flatnonzero(bands > bands.max() * 1e-6)
    return float(min((content[-1] + 1) * width, rate / 2))
