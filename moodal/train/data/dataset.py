"""TensorData: a whole corpus as tensors on the device, from which batches are indexed.

Nothing is collated item by item: a batch is one index into the frames of each stream.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Frames, Utterance
from moodal.train.data.batch import Batch, Stream, Streams, Transcripts, either
from moodal.train.data.views import transcripts_of, views_of

LARGE = 1 << 28
"""Bytes of frames above which they are standardised batch by batch."""


class Scale(NamedTuple):
    """Mean and deviation of each value of a stream, [D] each."""

    mean: np.ndarray
    deviation: np.ndarray


class _Ragged(NamedTuple):
    """One stream: the frames of all utterances end to end, and the start of each."""

    values: Tensor
    starts: Tensor
    lengths: Tensor
    even: int
    """The length that all sequences have, if there are no gaps between them (else 0)."""
    scale: tuple[Tensor, Tensor] | None
    """Mean and deviation that are applied batch by batch, where the frames are too many to copy."""


class _Second(NamedTuple):
    """Second views of one stream, the utterance of each, and the one drawn for each utterance."""

    ragged: _Ragged
    rows: np.ndarray
    drawn: np.ndarray
    """[N] the view drawn in this epoch, -1 where there is none."""


class TensorData:
    """Frames and labels of N utterances on one device.

    Args:
        manifest: the corpus; its features may be memory-mapped, and stay so on a CPU.
        streams: the modalities to hold.
        labels: [N, C'] targets (default: the manifest's).
        trim: cut all-zero steps at both ends of each sequence.
        max_steps: cut sequences to this many steps (0: whole).
        scales: stream -> `Scale` to standardise by; all-zero steps stay zero.
        transcripts: hold the transcripts, for CTC.
        views: hold second views of this kind, see `moodal.train.data.views.views_of`.
        device: of the batches.

    Raises:
        DataError: the corpus has no features for a stream, or no view of any.
    """

    def __init__(
        self,
        manifest: Manifest,
        streams: Sequence[str],
        *,
        labels: np.ndarray | None = None,
        trim: bool = True,
        max_steps: int = 0,
        scales: Mapping[str, Scale] | None = None,
        transcripts: bool = False,
        views: str = "none",
        device: torch.device | str = "cpu",
    ):
        self.device = torch.device(device)
        self.ragged: dict[str, _Ragged] = {}
        spans = {}
        for stream in streams:
            if stream not in manifest.features:
                raise DataError(
                    f"{manifest.corpus} has no {stream} features; it has "
                    f"{', '.join(manifest.features) or 'none at all'}."
                )
            frames = manifest.features[stream]
            spans[stream] = _spans(frames, trim)
        if trim and manifest.aligned:
            spans = _common(spans, manifest.features)
        for stream, (starts, lengths) in spans.items():
            frames = manifest.features[stream]
            if max_steps:
                lengths = np.minimum(lengths, max_steps)
            scale = (scales or {}).get(stream)
            self.ragged[stream] = self._ragged(frames, starts, lengths, scale)
        targets = manifest.labels if labels is None else labels
        self.targets = torch.as_tensor(np.array(targets, np.float32), device=self.device)
        self.transcripts = transcripts_of(manifest, self.device) if transcripts else None
        self.views: dict[str, _Second] = {}
        for stream, second in views_of(manifest, streams, views).items():
            starts, lengths = _spans(second.frames, trim)
            if max_steps:
                lengths = np.minimum(lengths, max_steps)
            ragged = self._ragged(second.frames, starts, lengths, (scales or {}).get(stream))
            self.views[stream] = _Second(ragged, second.rows, np.full(len(manifest), -1))
        self.draw_views(0, 0)

    @classmethod
    def of_frames(
        cls,
        frames: Mapping[str, Frames],
        scales: Mapping[str, Scale],
        *,
        trim: bool,
        max_steps: int,
    ) -> TensorData:
        """Hold frames of no corpus, without labels: stream -> N sequences."""
        count = len(next(iter(frames.values())))
        utterances = tuple(Utterance(str(row)) for row in range(count))
        labels = np.zeros((count, 1), np.float32)
        manifest = Manifest("", EmotionSpace(["any"]), utterances, labels, dict(frames))
        return cls(manifest, list(frames), trim=trim, max_steps=max_steps, scales=scales)

    def _ragged(
        self, frames: Frames, starts: np.ndarray, lengths: np.ndarray, scale: Scale | None
    ) -> _Ragged:
        source, later = frames.values, None
        if scale is not None and source.nbytes > LARGE:
            later = (
                torch.as_tensor(scale.mean, device=self.device),
                torch.as_tensor(scale.deviation, device=self.device),
            )
        elif scale is not None:
            live = (source != 0).any(axis=1, keepdims=True)  # as `scales` counts steps
            source = ((source - scale.mean) / scale.deviation * live).astype(np.float32)
        with warnings.catch_warnings():
            # A memory map is read-only, of which torch warns; frames are only ever read.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            values = torch.from_numpy(source)
        if self.device.type != "cpu":
            values = values.to(self.device, non_blocking=True)
        even = int(lengths[0]) if len(lengths) and (lengths == lengths[0]).all() else 0
        if even * len(lengths) != len(values):
            even = 0
        return _Ragged(
            values,
            torch.as_tensor(starts, device=self.device),
            torch.as_tensor(lengths, device=self.device),
            even,
            later,
        )

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def lengths(self) -> Tensor:
        """The steps [N] of the longest stream of each utterance."""
        return torch.stack([r.lengths for r in self.ragged.values()]).amax(0)

    def draw_views(self, seed: int, epoch: int) -> None:
        """Draw the epoch's second view of every utterance; seed and epoch decide which."""
        for number, second in enumerate(self.views.values()):
            rng = np.random.default_rng([seed, epoch, number])
            first, last = (
                np.searchsorted(second.rows, np.arange(len(self)), side)
                for side in ("left", "right")
            )
            count = last - first
            drawn = first + (rng.random(len(self)) * count).astype(np.int64)
            second.drawn[:] = np.where(count > 0, drawn, -1)

    def batch(self, rows: Tensor, *, views: bool = True) -> Batch:
        """Return the utterances ``rows`` [B], padded to the longest of them.

        Args:
            views: include the second views, where there are any.
        """
        rows = rows.to(self.device)
        streams = {name: _gather(r, rows) for name, r in self.ragged.items()}
        transcripts = None
        if self.transcripts is not None:
            characters, lengths = self.transcripts
            own = lengths[rows]
            longest = max(int(own.max()), 1) if len(own) else 1
            transcripts = Transcripts(characters[rows, :longest], own)
        second = self._second(streams, rows) if self.views and views else None
        return Batch(streams, self.targets[rows], rows, transcripts, second)

    def _second(self, streams: Streams, rows: Tensor) -> Streams:
        """Return the drawn view of each row in each stream; where there is none, its own values."""
        out = dict(streams)
        for name, second in self.views.items():
            drawn = torch.from_numpy(second.drawn).to(self.device)[rows]
            has_view = drawn >= 0
            if has_view.any():
                view = _gather(second.ragged, drawn.clamp(min=0))
                out[name] = view if has_view.all() else either(has_view, view, streams[name])
        return out


def _spans(frames: Frames, trim: bool) -> tuple[np.ndarray, np.ndarray]:
    return valid_spans(frames) if trim else (frames.offsets[:-1], frames.lengths)


def valid_spans(frames: Frames) -> tuple[np.ndarray, np.ndarray]:
    """Compute the start and length of each sequence without all-zero steps at its ends.

    Returns:
        starts [N] into ``frames.values`` and lengths [N] (0: nothing but zeros).
    """
    live = np.flatnonzero((frames.values != 0).any(axis=1))
    first = np.searchsorted(live, frames.offsets[:-1])
    last = np.searchsorted(live, frames.offsets[1:])
    some = last > first
    padded = np.append(live, 0)
    starts = np.where(some, padded[np.minimum(first, len(live))], frames.offsets[:-1])
    ends = np.where(some, padded[np.maximum(last - 1, 0)] + 1, frames.offsets[:-1])
    return starts, ends - starts


def trimmed(features: Mapping[str, Frames], aligned: bool = False) -> dict[str, Frames]:
    """Cut all-zero steps at both ends of each sequence, as `TensorData` does.

    Args:
        features: stream -> N sequences.
        aligned: the streams share their steps, and keep those that any of them has.
    """
    spans = {stream: valid_spans(frames) for stream, frames in features.items()}
    if aligned:
        spans = _common(spans, features)
    cut = {}
    for stream, (starts, lengths) in spans.items():
        frames = features[stream]
        steps = np.arange(int(lengths.sum()))
        steps += np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
        cut[stream] = Frames(np.asarray(frames.values[steps]), lengths, frames.rate)
    return cut


def _common(
    spans: Mapping[str, tuple[np.ndarray, np.ndarray]], features: Mapping[str, Frames]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Give aligned streams the same steps, from the first to the last that any of them has."""
    first = np.full(len(next(iter(spans.values()))[0]), np.iinfo(np.int64).max)
    last = np.zeros_like(first)
    for stream, (starts, lengths) in spans.items():
        begin = starts - features[stream].offsets[:-1]
        first = np.where(lengths > 0, np.minimum(first, begin), first)
        last = np.where(lengths > 0, np.maximum(last, begin + lengths), last)
    out = {}
    for stream, (_, lengths) in spans.items():
        offsets = features[stream].offsets[:-1]
        some = lengths > 0
        out[stream] = (
            np.where(some, offsets + first, offsets),
            np.where(some, last - first, 0),
        )
    return out


def scales(manifest: Manifest, streams: Sequence[str], rows: np.ndarray) -> dict[str, Scale]:
    """Compute mean and deviation over the non-zero steps of ``rows``, the training rows."""
    out = {}
    for stream in streams:
        frames = manifest.features[stream]
        count, total, squares = 0, np.zeros(frames.width), np.zeros(frames.width)
        for block in np.array_split(rows, -(-len(rows) // 256)):
            values = np.asarray(frames.select(block).values, np.float64)
            values = values[(values != 0).any(axis=1)]
            if not count and len(values):
                origin = values.mean(axis=0)  # near the mean, so that squares lose nothing
            count += len(values)
            if len(values):
                total += (values - origin).sum(axis=0)
                squares += ((values - origin) ** 2).sum(axis=0)
        if not count:
            raise DataError(f"No training row has {stream}; it cannot be standardised.")
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
        deviation[deviation < 1e-6] = 1.0  # a constant column stays as it is
        out[stream] = Scale((mean + origin).astype(np.float32), deviation.astype(np.float32))
    return out


def _gather(stream: _Ragged, rows: Tensor) -> Stream:
    """Collect [B, T, D] of ``rows``, with zeros beyond each length."""
    lengths = stream.lengths[rows]
    if stream.even:
        whole = stream.values.view(-1, stream.even, stream.values.shape[1])
        return Stream(_scaled(whole[rows].float(), stream.scale), lengths)
    if not len(stream.values):
        return Stream(stream.values.new_zeros(len(rows), 1, stream.values.shape[1]), lengths)
    steps = torch.arange(max(int(lengths.max()), 1), device=rows.device)
    inside = steps < lengths[:, None]
    index = torch.where(inside, stream.starts[rows][:, None] + steps, 0)
    values = stream.values[index].float().masked_fill_(~inside[..., None], 0.0)
    return Stream(_scaled(values, stream.scale), lengths)


def _scaled(values: Tensor, scale: tuple[Tensor, Tensor] | None) -> Tensor:
    """Standardise frames; all-zero steps stay zero."""
    if scale is None:
        return values
    live = (values != 0).any(-1, keepdim=True)
    return (values - scale[0]) / scale[1] * live
