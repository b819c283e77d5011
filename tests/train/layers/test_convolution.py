"""Tests of moodal.train.layers.convolution."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from moodal.train.layers.convolution import compute_singly


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (nn.Conv1d(4, 4, 8, groups=2), (2, 4, 20)),
        (weight_norm(nn.Conv1d(4, 4, 8, groups=2), dim=2), (2, 4, 20)),
        (nn.Sequential(nn.Conv2d(1, 3, 2), nn.ReLU(), nn.Conv2d(3, 3, 1)), (2, 1, 5, 5)),
    ],
)
def test_under_autocast_a_convolution_is_not_rounded(network, shape):
    names = list(network.state_dict())
    values = torch.randn(shape)
    with torch.no_grad():
        want = network(values)
        compute_singly(network)
        compute_singly(network)
        with torch.autocast("cpu", torch.bfloat16):
            for one in (network, copy.deepcopy(network)):
                got = one(values.bfloat16().float())
                assert got.dtype == torch.float32
                torch.testing.assert_close(got, want, atol=0.02, rtol=0.02)
                assert torch.equal(one(values), want)
    assert list(network.state_dict()) == names


def test_its_gradient_is_that_of_single_precision():
    network = nn.Conv1d(3, 3, 3)
    values = torch.randn(2, 3, 9)
    network(values).square().sum().backward()
    want = network.weight.grad.clone()
    network.weight.grad = None
    compute_singly(network)
    with torch.autocast("cpu", torch.bfloat16):
        network(values).square().sum().backward()
    torch.testing.assert_close(network.weight.grad, want)
