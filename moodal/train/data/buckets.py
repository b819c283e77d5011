"""Buckets: which rows make a step, and which of them are computed together.

The recipe decides the rows of an optimiser's step (``batch_size * accumulate``), the memory
how many of them are computed at once. Both are of similar length, so that little is padded.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor


def epoch_batches(
    rows: Tensor, lengths: Tensor, size: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yield the rows in random order, in batches of similar length.

    Within windows of 50 batches rows are sorted by length, then the batches are
    shuffled: less padding, still random. With equal lengths it is a plain shuffle.
    """
    order = rows[torch.randperm(len(rows), generator=generator)]
    own = lengths.to(order.device)[order]
    if len(own) and bool((own == own[0]).all()):
        yield from order.split(size)
        return
    batches: list[Tensor] = []
    for window in order.split(size * 50):
        by_length = torch.argsort(lengths.to(window.device)[window], stable=True)
        batches.extend(window[by_length].split(size))
    for i in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[i]


def steps(
    rows: Tensor,
    lengths: Tensor,
    *,
    size: int,
    accumulate: int,
    max_frames: int,
    generator: torch.Generator,
) -> list[list[Tensor]]:
    """List, for each optimiser step of an epoch, the batches whose gradients are added.

    Args:
        rows: [n] the training rows.
        lengths: [N] steps of every row of the corpus.
        size: rows of a batch.
        accumulate: batches of a step.
        max_frames: rows times the longest of a batch, at most (0: any); the step's rows are then
            split by length into as many batches as needed.
    """
    batches = list(epoch_batches(rows, lengths, size, generator))
    groups = [batches[i : i + accumulate] for i in range(0, len(batches), accumulate)]
    if not max_frames:
        return groups
    return [by_frames(torch.cat(group), lengths, max_frames) for group in groups]


def by_frames(rows: Tensor, lengths: Tensor, most: int) -> list[Tensor]:
    """Split ``rows`` by length into pieces of at most ``most`` frames, padding counted.

    A row that exceeds that limit is a piece of its own.

    >>> lengths = torch.tensor([5, 1, 2, 4])
    >>> [piece.tolist() for piece in by_frames(torch.arange(4), lengths, 8)]
    [[1, 2], [3], [0]]
    """
    own = lengths[rows].cpu().numpy()
    order = np.argsort(own, kind="stable")
    pieces: list[list[int]] = []
    for i in order.tolist():
        # sorted: the newest is the longest
        if not pieces or (len(pieces[-1]) + 1) * own[i] > most:
            pieces.append([])
        pieces[-1].append(i)
    return [rows[torch.as_tensor(piece)] for piece in pieces]
