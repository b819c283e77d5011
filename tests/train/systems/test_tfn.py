"""TFN multiplies embeddings with each other, so that its tensor has every product."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.emotions import EmotionSpace, Values
from moodal.train.data.batch import Stream
from moodal.train.systems import tfn

SIZES = {"text": 3, "speech": 2, "face": 2}


def build(widths, space, **more):
    torch.manual_seed(0)
    config = tfn.Config(**{"hidden": 6, "embedding": SIZES, "width": 8, **more})
    return tfn.build(config, widths, space).eval()


@given(st.integers(0, 1000), st.sampled_from([("text", "face"), ("speech", "text", "face")]))
@settings(max_examples=20, deadline=None)
def test_the_tensor_holds_every_product_of_values_of_different_modalities(seed, order):
    system = build(dict.fromkeys(order, 4), EmotionSpace(["a"]), streams=order)
    generator = torch.Generator().manual_seed(seed)
    z = {m: torch.rand(2, SIZES[m], generator=generator) for m in order}
    fused = system.fuse(z)
    for row in range(2):
        values = [[*z[m][row].tolist(), 1.0] for m in order]
        expected = [torch.tensor(factors).prod() for factors in product(*values)]
        torch.testing.assert_close(fused[row], torch.stack(expected))
    assert (fused[:, -1] == 1).all()  # the product of all ones


def test_the_equations_by_hand(widths, space, make_streams) -> None:
    """z^l from the LSTM's last state, z^a and z^v from the mean over time, then U_s."""
    system, streams = build(widths, space), make_streams([5, 3])
    for row, n in enumerate([5, 3]):
        z = {}
        for m in SIZES:
            values = streams[m].values[row : row + 1, :n]
            x = values.mean(1)
            if m == "text":
                rnn = torch.nn.LSTM(widths[m], 6, batch_first=True)
                rnn.load_state_dict(system.rnn[m].state_dict())
                x = rnn(values)[0][:, -1]
            for layer in system.embed[m]:
                x = torch.relu(x @ layer.weight.T + layer.bias)
            z[m] = torch.cat([x[0], torch.ones(1)])
        h = torch.einsum("i,j,k->ijk", *z.values()).flatten()
        for layer in system.inner:
            h = torch.relu(layer.weight @ h + layer.bias)
        logits = system.out.weight @ h + system.out.bias
        torch.testing.assert_close(system(streams, space)[row], logits, atol=1e-5, rtol=1e-4)
    assert len(system.embed["text"]) == 1
    assert len(system.embed["speech"]) == 3


def test_a_modality_that_is_silent_leaves_the_products_of_the_others(widths, space) -> None:
    system = build(widths, space)
    z = {m: torch.rand(1, d) for m, d in SIZES.items()}
    z["face"] = torch.zeros(1, 2)
    cube = system.fuse(z).reshape(4, 3, 3)
    assert not cube[:, :, :2].any()
    others = torch.einsum("i,j->ij", *(torch.cat([z[m][0], torch.ones(1)]) for m in list(z)[:2]))
    torch.testing.assert_close(cube[:, :, 2], others)


@pytest.mark.parametrize("space", [EmotionSpace(["a", "b"], "single"), Values(["valence"])])
def test_any_targets(space, widths, make_streams) -> None:
    system = build(widths, space)
    assert system(make_streams([4, 2]), space).shape == (2, len(space))
    assert not system.multitask
    assert system.contributions(make_streams([4]), space) == {}  # U_s is no sum of modalities


def test_dropout_is_of_training_alone(widths, space, make_streams) -> None:
    system, streams = build(widths, space, dropout=0.5), make_streams([6, 6])
    assert torch.equal(system(streams, space), system(streams, space))
    system.train()
    assert not torch.equal(system(streams, space), system(streams, space))


def test_all_zero_steps_count_in_the_mean_only_where_they_are_valid(widths, space) -> None:
    system = build(widths, space)
    values = torch.randn(1, 4, 6)
    z = system.embedding("speech", Stream(values, torch.tensor([2])))
    torch.testing.assert_close(
        z, system.embedding("speech", Stream(values[:, :2], torch.tensor([2])))
    )
