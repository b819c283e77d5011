"""Sound of any file -> blocks at one rate, one after the other, in bounded memory.

Three hours need no more memory than three minutes. As `moodal.media.audio.read_audio` gives
it (channels averaged, soxr), but damaged files give what can be decoded of them, and the
caller hears of the damage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from moodal.core.errors import DataError
from moodal.media.decoder import CHUNK, Decoder, as_float, finite
from moodal.media.probe import open_soundfile
from moodal.media.sniff import read_head


class Block(NamedTuple):
    """``samples`` [n] float32 in [-1, 1], one channel, from second ``start`` of the recording."""

    start: float
    samples: np.ndarray


def blocks(
    path: Path | str,
    rate: int = 16000,
    seconds: float = 30.0,
    start: float | None = None,
    end: float | None = None,
    *,
    on_damage: Callable[[str], None] | None = None,
) -> Iterator[Block]:
    """The sound of a file, block by block, end to end.

    Times count from the file's beginning: sound that starts late, and gaps in it, are silence
    here. Errors come when the first block is asked for.

    Args:
        path: any file with sound that libsndfile or FFmpeg reads.
        rate: samples per second wanted.
        seconds: length of a block; the last may be shorter.
        start: second from which, None for the beginning.
        end: second until which, None for the end; one past the end is taken as the end.
        on_damage: called with a sentence for each kind of damage, latest after the last block.

    Raises:
        DataError: there is no such file, or nothing in it, or in that span, can be decoded.
    """
    path, begin = Path(path), 0.0 if start is None else float(start)
    stop = float("inf") if end is None else float(end)
    if not 0 <= begin < stop:
        raise DataError(f"Audio {path} has no span {begin}-{stop} s; name one within it.")
    told: list[str] = []
    pieces = _resampled(_decoded(path, begin, stop, told.append), rate)
    heard = False
    for block in _even(pieces, begin, rate, seconds):
        heard = True
        yield block
    if not heard:
        where = f" from {begin:g} s on" if begin else ""
        why = f": {told[0]}" if told else ""
        raise DataError(f"No sound in {path}{where} can be decoded{why}; record it anew.")
    for sentence in told:
        if on_damage is not None:
            on_damage(sentence)


def array_blocks(
    samples: np.ndarray, rate: int, *, to: int = 16000, seconds: float = 30.0
) -> Iterator[Block]:
    """Yield samples [n] or [n, channels] at ``rate`` a second as blocks, as `blocks` does.

    Whole numbers are scaled by their type (int16 by 1/32768); NaN and infinity are silence.

    Raises:
        DataError: the shape, type, rate or size of the values is wrong.
    """
    values = np.asarray(samples)
    if not values.size:
        raise DataError(f"Samples must be [n] or [n, channels], not {list(values.shape)}.")
    yield from live_blocks([values], rate, to=to, seconds=seconds)


def live_blocks(
    arrays: Iterable[np.ndarray], rate: int, *, to: int = 16000, seconds: float = 1.0
) -> Iterator[Block]:
    """Yield arrays of samples that come one after the other, each as of `array_blocks`.

    Raises:
        DataError: the shape, type, rate or size of the values is wrong.
    """
    if not (np.isfinite(rate) and rate > 0):
        raise DataError(f"The rate must be samples per second, such as 16000, not {rate}.")
    pieces = ((rate, piece) for array in arrays for piece in _mono_pieces(np.asarray(array)))
    yield from _even(_resampled(pieces, to), 0.0, to, seconds)


def _mono_pieces(values: np.ndarray) -> Iterator[np.ndarray]:
    """Check an array of samples, and give it as one channel in pieces of bounded size."""
    if values.ndim not in (1, 2):
        raise DataError(f"Samples must be [n] or [n, channels], not {list(values.shape)}.")
    if values.ndim == 2 and values.shape[0] < values.shape[1]:
        raise DataError(
            f"Samples must be [n, channels], not {list(values.shape)}; transpose them (samples.T)."
        )
    if values.dtype.kind not in "iuf":
        raise DataError(f"Samples must be numbers, not {values.dtype}.")
    if values.dtype.kind == "f" and np.nanmax(np.abs(values[np.isfinite(values)]), initial=0) > 8:
        raise DataError(
            "Samples of a floating type must lie in -1 to 1; divide 16-bit values by 32768."
        )
    for i in range(0, len(values), CHUNK):
        piece = values[i : i + CHUNK]
        yield finite(as_float(piece.reshape(len(piece), -1)).mean(axis=1))[0]


def _decoded(
    path: Path, begin: float, stop: float, tell: Callable[[str], None]
) -> Iterator[tuple[int, np.ndarray]]:
    """(the file's rate, mono samples), end to end from second ``begin`` on."""
    import soundfile

    head = read_head(path)
    if cut := _cut_short(path, head):
        tell(cut)
    file, at = open_soundfile(path, head), begin
    if file is not None:
        with file:
            rate, last = int(file.samplerate), min(stop * file.samplerate, float(file.frames))
            first = number = round(begin * rate)
            wrong, most = 0, max(1024, CHUNK // max(1, file.channels // 8))
            try:
                file.seek(min(first, file.frames))
                while (want := min(most, round(last) - number)) > 0:
                    piece = file.read(want, dtype="float32", always_2d=True)
                    if not len(piece):
                        break
                    number += len(piece)
                    mono, bad = finite(piece.mean(axis=1))
                    wrong += bad
                    yield rate, mono
            except (soundfile.LibsndfileError, RuntimeError):
                pass  # FFmpeg may get past the damage
            if wrong:
                tell(f"{wrong} samples are NaN or infinite, taken as silence")
            at = number / rate
            if number >= round(last) or first >= file.frames:
                return
        tell(f"the sound is damaged at {at:.1f} s")
        try:
            for piece in Decoder(path, at, stop, tell, rate).pieces():
                yield rate, piece
        except DataError:
            pass  # what libsndfile gave is all
        return
    decoder = Decoder(path, at, stop, tell)
    for piece in decoder.pieces():
        yield decoder.rate, piece


def _cut_short(path: Path, head: bytes) -> str | None:
    """A sentence where a WAV, AIFF or AVI file is shorter than it says, or an Ogg has no end."""
    told = "the file is cut short"
    if head[:4] == b"OggS":
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - 66000))  # the largest page, and more
            tail = file.read()
        page = tail[tail.rfind(b"OggS") :]
        return None if len(page) < 6 or page[5] & 4 else told
    if head[:4] not in (b"RIFF", b"FORM") or head[8:12] not in (b"WAVE", b"AIFF", b"AIFC", b"AVI "):
        return None
    says = int.from_bytes(head[4:8], "little" if head[:4] == b"RIFF" else "big") + 8
    # Recorders that cannot go back leave 0, or the largest number, in the header.
    if says < 64 or says >= 0x7FFFFF00 or path.stat().st_size >= says - 1:
        return None
    return told


def _resampled(pieces: Iterable[tuple[int, np.ndarray]], rate: int) -> Iterator[np.ndarray]:
    """Pieces at ``rate``, clipped: resampling and lossy codecs overshoot a little."""
    import soxr

    stream: Any = None
    for native, samples in pieces:
        if native == rate:
            yield np.clip(samples, -1, 1, dtype=np.float32)
            continue
        if stream is None:
            stream = soxr.ResampleStream(native, rate, 1, dtype="float32")
        yield np.clip(stream.resample_chunk(samples), -1, 1, dtype=np.float32)
    if stream is not None:
        rest = stream.resample_chunk(np.zeros(0, np.float32), last=True)
        yield np.clip(rest, -1, 1, dtype=np.float32)


def _even(pieces: Iterable[np.ndarray], begin: float, rate: int, seconds: float) -> Iterator[Block]:
    """Pieces of any length as blocks of ``seconds``."""
    size = max(1, round(seconds * rate))
    kept: list[np.ndarray] = []
    have = done = 0
    for piece in pieces:
        while have + len(piece) >= size:
            cut = size - have
            yield Block(begin + done / rate, np.concatenate([*kept, piece[:cut]]))
            piece, kept, have, done = piece[cut:], [], 0, done + size
        if len(piece):
            kept.append(piece)
            have += len(piece)
    if kept:
        yield Block(begin + done / rate, np.concatenate(kept))
