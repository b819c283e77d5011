"""Batch: the input of a system, padded, with the length of every sequence.

Legend, for all of `moodal.train`: B utterances, T steps of the longest of
them, D values a step, C emotions, H hidden width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from moodal.core.errors import DataError


class Stream(NamedTuple):
    """One modality of a batch, right-padded with zeros.

    Attributes:
        values: [B, T, D] float.
        lengths: [B] int64, on the same device; 0 where the modality is absent.
    """

    values: Tensor
    lengths: Tensor

    @property
    def mask(self) -> Tensor:
        """The mask [B, T], True on valid steps."""
        steps = torch.arange(self.values.shape[1], device=self.values.device)
        return steps < self.lengths[:, None]

    @property
    def present(self) -> Tensor:
        """The presence [B] of the modality in each utterance."""
        return self.lengths > 0


Streams = Mapping[str, Stream]
"""Modality -> `Stream`; one that no utterance of the batch has may be left out."""


class Transcripts(NamedTuple):
    """Transcripts as CTC's targets.

    Attributes:
        characters: [B, L] int64, numbers of `moodal.train.data.characters.CHARACTERS`,
            right-padded with 0 (the blank, which no transcript holds).
        lengths: [B] int64; 0 where there is no transcript.
    """

    characters: Tensor
    lengths: Tensor


class Batch(NamedTuple):
    """Inputs and targets of B utterances.

    Attributes:
        streams: see `Streams`.
        targets: [B, C] float.
        rows: [B] int64, the rows of the manifest they came from.
        transcripts: where the corpus has texts and the system needs them.
        views: a second view of each stream that has any, in the widths of ``streams``; for an
            utterance without one, its own values.
    """

    streams: Streams
    targets: Tensor
    rows: Tensor
    transcripts: Transcripts | None = None
    views: Streams | None = None


def join_steps(streams: Streams, instead: str) -> Stream:
    """Concatenate all streams step by step: [B, T, sum of D].

    Args:
        instead: systems for streams of different lengths, for the message.

    Raises:
        DataError: the streams have different lengths.
    """
    first, *others = streams.values()
    if not all(torch.equal(first.lengths, other.lengths) for other in others):
        raise DataError(
            f"Early fusion joins {', '.join(streams)} step by step, but their lengths differ: use "
            f"aligned streams, or {instead}."
        )
    steps = min(stream.values.shape[1] for stream in streams.values())
    values = torch.cat([stream.values[:, :steps] for stream in streams.values()], 2)
    return Stream(values, first.lengths)


def either(first: Tensor, a: Stream, b: Stream) -> Stream:
    """Choose row by row: ``a`` where ``first`` [B], else ``b``."""
    steps = max(a.values.shape[1], b.values.shape[1])

    def wide(stream: Stream) -> Tensor:
        return torch.nn.functional.pad(stream.values, (0, 0, 0, steps - stream.values.shape[1]))

    values = torch.where(first[:, None, None], wide(a), wide(b))
    return Stream(values, torch.where(first, a.lengths, b.lengths))


def of_type(batch: Batch, system: nn.Module) -> Batch:
    """Convert the batch's values to the type of the system's parameters (bf16-true).

    Streams of one value a step stay as they are: token numbers and samples are not features, and
    16 bits are too few for them.
    """
    dtype = next(system.parameters()).dtype

    def cast(streams: Streams) -> Streams:
        return {
            name: s if s.values.shape[-1] == 1 else Stream(s.values.to(dtype), s.lengths)
            for name, s in streams.items()
        }

    views = None if batch.views is None else cast(batch.views)
    return batch._replace(streams=cast(batch.streams), views=views)
