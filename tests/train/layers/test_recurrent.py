"""Recurrent equals torch.nn.LSTM and GRU, one sequence at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from moodal.core.errors import UsageError
from moodal.train.layers.recurrent import Recurrent

TORCH = {"lstm": nn.LSTM, "gru": nn.GRU}
CLOSE = {"atol": 1e-6, "rtol": 1e-5}
KINDS = [(cell, layers, both) for cell in TORCH for layers in (1, 2, 3) for both in (False, True)]


def pair(cell: str, layers: int, both: bool, width: int = 6, hidden: int = 5):
    torch.manual_seed(1)
    ours = Recurrent(width, hidden, layers, cell=cell, bidirectional=both)
    torch.manual_seed(1)
    theirs = TORCH[cell](width, hidden, layers, bidirectional=both, batch_first=True)
    return ours, theirs


def alone(theirs: nn.Module, values: Tensor, lengths: list[int]) -> Tensor:
    """The last step of each sequence by itself: [B, directions, H]."""
    last = [theirs(values[i : i + 1, :n])[0][0, -1] for i, n in enumerate(lengths)]
    return torch.stack(last).unflatten(1, (-1, theirs.hidden_size))


@pytest.mark.parametrize(("cell", "layers", "both"), KINDS)
def test_names_and_initial_weights_are_torchs(cell: str, layers: int, both: bool) -> None:
    ours, theirs = pair(cell, layers, both)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)


@pytest.mark.parametrize("lengths", [[4, 4, 4], [4, 1, 3], [1, 1, 1], [2, 3, 3], [1], [4]])
@pytest.mark.parametrize(("cell", "layers", "both"), KINDS)
def test_last_step_and_gradients(cell: str, layers: int, both: bool, lengths: list[int]) -> None:
    ours, theirs = pair(cell, layers, both)
    values = torch.randn(len(lengths), 4, 6, generator=torch.Generator().manual_seed(2))
    mine, given_values = values.clone().requires_grad_(), values.clone().requires_grad_()
    actual = ours(mine, torch.tensor(lengths))
    expected = alone(theirs, given_values, lengths)
    torch.testing.assert_close(actual, expected, **CLOSE)
    weights = torch.randn(actual.shape, generator=torch.Generator().manual_seed(3))
    (actual * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(mine.grad, given_values.grad, **CLOSE)
    for name, parameter in theirs.named_parameters():
        own = ours.get_parameter(name).grad
        if own is None:  # what is never read
            assert not parameter.grad.any()
        else:
            torch.testing.assert_close(own, parameter.grad, **CLOSE)


@pytest.mark.parametrize(("cell", "layers", "both"), KINDS)
def test_without_lengths_the_last_column_is_read(cell: str, layers: int, both: bool) -> None:
    ours, theirs = pair(cell, layers, both)
    values = torch.randn(3, 4, 6)
    torch.testing.assert_close(ours(values), alone(theirs, values, [4, 4, 4]), **CLOSE)


@pytest.mark.parametrize(("cell", "layers", "both"), KINDS)
def test_all_steps(cell: str, layers: int, both: bool) -> None:
    ours, theirs = pair(cell, layers, both)
    values, lengths = torch.randn(3, 5, 6), [4, 1, 3]
    steps = ours.steps(values, torch.tensor(lengths))
    assert steps.shape == (3, 5, 5 * (2 if both else 1))
    for i, n in enumerate(lengths):
        torch.testing.assert_close(steps[i, :n], theirs(values[i : i + 1, :n])[0][0], **CLOSE)


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    padding=st.integers(0, 3),
    junk=st.sampled_from([0.0, 1e3]),
    kind=st.sampled_from(KINDS),
)
def test_neither_batch_nor_padding_matters(
    lengths: list[int], padding: int, junk: float, kind: tuple[str, int, bool]
) -> None:
    ours, _ = pair(*kind)
    total = max(lengths) + padding
    values = torch.randn(len(lengths), total, 6, generator=torch.Generator().manual_seed(4))
    for i, n in enumerate(lengths):
        values[i, n:] = junk
    with torch.no_grad():
        together = ours(values, torch.tensor(lengths))
        single = [ours(values[i : i + 1, :n], torch.tensor([n])) for i, n in enumerate(lengths)]
    torch.testing.assert_close(together, torch.cat(single), **CLOSE)


def test_dropout_falls_between_layers_only_and_only_in_training() -> None:
    torch.manual_seed(0)
    values = torch.randn(4, 3, 6)
    one = Recurrent(6, 5, 1, dropout=0.5)
    assert torch.equal(one(values), one(values))
    two = Recurrent(6, 5, 2, dropout=0.5)
    assert not torch.equal(two(values), two(values))
    two.eval()
    assert torch.equal(two(values), two(values))


@pytest.mark.parametrize("lengths", [None, torch.tensor([3, 1, 2, 3])])
def test_the_same_seed_gives_the_same_bits(lengths: Tensor | None) -> None:
    def once() -> list[Tensor]:
        torch.manual_seed(0)
        rnn = Recurrent(6, 5, 2, bidirectional=True, dropout=0.3)
        out = rnn(torch.randn(4, 3, 6), lengths)
        out.square().sum().backward()
        return [out, *(p.grad for p in rnn.parameters() if p.grad is not None)]

    assert all(torch.equal(a, b) for a, b in zip(once(), once(), strict=True))


@pytest.mark.parametrize("cell", TORCH)
@pytest.mark.parametrize("lengths", [None, torch.tensor([3, 1, 2, 3])])
def test_under_bfloat16_autocast(cell: str, lengths: Tensor | None) -> None:
    rnn = Recurrent(6, 5, 2, cell=cell, bidirectional=True)
    values = torch.randn(4, 3, 6)
    exact = rnn(values, lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = rnn(values, lengths)
    rough.float().sum().backward()
    torch.testing.assert_close(rough.float(), exact, atol=3e-2, rtol=3e-2)


def test_in_double_precision_gradients_pass_gradcheck() -> None:
    rnn = Recurrent(3, 2, 2, bidirectional=True).double()
    values = torch.randn(2, 3, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: rnn(x, torch.tensor([3, 2])), values)


def test_an_identity_start_hands_its_input_on():
    layer = Recurrent(6, 6, 1)
    layer.start_near_identity()
    x = torch.randn(50, 1, 6)
    out = layer(x)[:, 0]
    assert nn.functional.cosine_similarity(out, x[:, 0]).min().item() > 0.9
    with pytest.raises(UsageError, match="one LSTM layer"):
        Recurrent(6, 5, 1).start_near_identity()
    with pytest.raises(UsageError, match="one LSTM layer"):
        Recurrent(6, 6, 1, cell="gru").start_near_identity()
