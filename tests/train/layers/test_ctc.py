"""CTC equals the sum over all alignments of a short clip; infinite losses are counted."""

from __future__ import annotations

import itertools

import pytest
import torch

from moodal.train.data.batch import Transcripts
from moodal.train.data.characters import collapse, spell
from moodal.train.layers.ctc import ctc, greedy


def transcripts_of(*texts: list[int]) -> Transcripts:
    longest = max(map(len, texts))
    rows = [[*text, *[0] * (longest - len(text))] for text in texts]
    lengths = torch.tensor([len(text) for text in texts])
    return Transcripts(torch.tensor(rows).reshape(len(texts), longest), lengths)


def frames(clips: int, steps: int, characters: int = 32) -> torch.Tensor:
    return torch.randn(clips, steps, characters, generator=torch.Generator().manual_seed(0))


def test_it_is_the_sum_over_all_alignments() -> None:
    logits = frames(1, 4, 3)
    p = logits[0].softmax(1)
    total = sum(
        torch.stack([p[t, c] for t, c in enumerate(path)]).prod()
        for path in itertools.product(range(3), repeat=4)
        if collapse(list(path)) == [2, 1]
    )
    actual = ctc(logits, torch.tensor([4]), transcripts_of([2, 1]))
    torch.testing.assert_close(actual.each[0], -total.log())
    assert int(actual.infinite) == 0


def test_only_its_own_frames_count() -> None:
    logits, transcripts = frames(2, 9), transcripts_of([5, 6, 7], [8])
    together = ctc(logits, torch.tensor([9, 4]), transcripts).each
    alone = ctc(logits[1:, :4], torch.tensor([4]), transcripts_of([8])).each
    torch.testing.assert_close(together[1:], alone)


@pytest.mark.parametrize(("steps", "infinite"), [(5, 0), (4, 0), (3, 1), (1, 1)])
def test_a_repeated_character_needs_a_blank_between(steps, infinite) -> None:
    logits = frames(1, steps).requires_grad_()
    actual = ctc(logits, torch.tensor([steps]), transcripts_of([5, 6, 6]))
    assert int(actual.infinite) == infinite
    assert bool(actual.each[0] == 0) == bool(infinite)
    actual.each.sum().backward()
    assert logits.grad.isfinite().all()
    assert bool(logits.grad.any()) != bool(infinite)


def test_an_unknown_transcript_teaches_nothing_and_is_not_counted() -> None:
    logits = frames(3, 6).requires_grad_()
    actual = ctc(logits, torch.tensor([6, 6, 6]), transcripts_of([5], [], [5, 6]))
    assert actual.each[1] == 0
    assert actual.each[[0, 2]].all()
    assert int(actual.infinite) == 0
    actual.each.sum().backward()
    assert not logits.grad[1].any()
    nothing = ctc(logits, torch.tensor([6, 6, 6]), transcripts_of([], [], []))
    assert not nothing.each.any()


def test_it_is_of_32_bits() -> None:
    logits = frames(1, 6)
    expected = ctc(logits, torch.tensor([6]), transcripts_of([5, 6])).each
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert ctc(logits, torch.tensor([6]), transcripts_of([5, 6])).each == expected
    assert (
        ctc(logits.bfloat16(), torch.tensor([6]), transcripts_of([5, 6])).each.dtype
        == torch.float32
    )


def test_greedy_reads_the_best_character_of_each_frame() -> None:
    best = [0, *spell("A"), *spell("A"), 0, *spell("A B"), 0]
    logits = torch.nn.functional.one_hot(torch.tensor([best, best]), 32).float()
    assert greedy(logits, torch.tensor([8, 3])) == ["AA B", "A"]
    assert greedy(logits, torch.tensor([1, 0])) == ["", ""]
