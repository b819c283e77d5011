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
        (nn.Conv2d(12, 3, 16), (2, 12, 18, 18)),
        (nn.Conv1d(1, 4, 10, 5), (2, 1, 50)),
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
    network = nn.Conv1d(3, 3, 8)
    values = torch.randn(2, 3, 18)
    network(values).square().sum().backward()
    want = network.weight.grad.clone()
    network.weight.grad = None
    compute_singly(network)
    with torch.autocast("cpu", torch.bfloat16):
        network(values).square().sum().backward()
    torch.testing.assert_close(network.weight.grad, want)


@pytest.mark.parametrize("channels", [1, 2, 4, 8, 12, 15, 16, 48])
@pytest.mark.parametrize("kernel", [1, 3, 7, 8, 16, 31, 64, 128])
@pytest.mark.parametrize("groups", [1, 2])
def test_every_convolution_is_right_in_bfloat16(channels, kernel, groups):
    """On a processor with AMX it fails for what is let through wrongly."""
    torch.manual_seed(0)
    network = nn.Conv1d(channels * groups, 32, kernel, padding=kernel // 2, groups=groups)
    values = torch.randn(2, channels * groups, 80)
    with torch.no_grad():
        want = network(values)
        compute_singly(network)
        with torch.autocast("cpu", torch.bfloat16):
            got = network(values).float()
    assert (got - want).abs().mean() < 0.02 * want.abs().mean()


def test_wide_layers_and_narrow_kernels_keep_their_speed():
    for network in (nn.Conv2d(1, 48, 3), nn.Conv2d(48, 48, 3), nn.Conv1d(768, 768, 128, groups=16)):
        compute_singly(network)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            shape = (1, network.in_channels, *[130] * (1 + isinstance(network, nn.Conv2d)))
            assert network(torch.randn(shape)).dtype == torch.bfloat16
