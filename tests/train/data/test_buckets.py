"""Steps and pieces hold every row once, similar lengths together, within the limit of frames."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.train.data.buckets import by_frames, steps

lengths_of = st.lists(st.integers(1, 60), min_size=1, max_size=80)


@settings(deadline=None)
@given(lengths_of, st.integers(1, 200))
def test_pieces_hold_every_row_once_and_no_more_frames_than_asked(lengths, most):
    lengths = torch.tensor(lengths)
    pieces = by_frames(torch.arange(len(lengths)), lengths, most)
    assert sorted(torch.cat(pieces).tolist()) == list(range(len(lengths)))
    for piece in pieces:
        padded = int(lengths[piece].max()) * len(piece)
        assert padded <= most or len(piece) == 1


@settings(deadline=None)
@given(lengths_of, st.integers(1, 9), st.integers(1, 4), st.integers(0, 300), st.integers(0, 5))
def test_a_step_has_the_same_rows_however_they_are_pieced(lengths, size, accumulate, most, seed):
    lengths = torch.tensor(lengths)
    rows = torch.arange(len(lengths))

    def epoch(max_frames):
        generator = torch.Generator().manual_seed(seed)
        return steps(
            rows,
            lengths,
            size=size,
            accumulate=accumulate,
            max_frames=max_frames,
            generator=generator,
        )

    whole, pieced = epoch(0), epoch(most)
    assert len(whole) == len(pieced) == -(-len(rows) // size // accumulate) or accumulate > 1
    for a, b in zip(whole, pieced, strict=True):
        assert sorted(torch.cat(a).tolist()) == sorted(torch.cat(b).tolist())
        assert len(torch.cat(b)) <= size * accumulate
    assert sorted(torch.cat([torch.cat(g) for g in pieced]).tolist()) == rows.tolist()
