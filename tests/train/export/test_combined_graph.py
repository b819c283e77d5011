"""Graphs side by side compute what each computes, and what they share only once."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from moodal.model.branches import session
from moodal.model.graph import require_safe
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.whisper_layers import WhisperLayers
from moodal.train.export.combined_graph import combine_graphs
from moodal.train.export.onnx import graph, run
from moodal.train.export.quantisation import in_8_bits
from moodal.train.systems.system import KeyedScoring


@pytest.fixture(scope="module")
def graphs():
    """Two networks of one layer, the second with other weights."""
    made = []
    for seed in range(2):
        torch.manual_seed(seed)
        network = WhisperLayers(Backbone(path="whisper-tiny", layers=1)).eval()
        if seed:
            with torch.no_grad():
                for parameter in network.trained_parameters():
                    parameter.add_(0.05 * torch.randn_like(parameter))
        keyed = KeyedScoring(
            "speech", network, network, torch.zeros(384, 2), torch.zeros(384), torch.zeros(2)
        )
        made.append(graph(keyed, 1))
    return made


def test_the_states_stand_combine_graphs(graphs):
    wave = np.random.default_rng(0).normal(0, 0.1, (1, 8000)).astype(np.float32)
    expected = np.concatenate([run(g, wave) for g in graphs], axis=-1)
    joined = combine_graphs(graphs)
    require_safe(joined, "joined")
    np.testing.assert_array_equal(run(joined, wave), expected)
    assert [i.name for i in session(joined).get_inputs()] == ["wave"]


def test_the_front_end_is_kept_and_computed_once(graphs):
    joined = onnx.load_from_string(combine_graphs(graphs))
    single = onnx.load_from_string(graphs[0])

    def convolutions(model):
        return sum(node.op_type == "Conv" for node in model.graph.node)

    # Whisper's two convolutions and the spectrum are frozen, so that all three are the same
    assert convolutions(joined) == convolutions(single) == 3
    assert len(joined.SerializeToString()) < 1.8 * len(graphs[0])


def test_8_bits_keep_the_states_close(graphs):
    wave = np.random.default_rng(0).normal(0, 0.1, (1, 16000)).astype(np.float32)
    joined = combine_graphs(graphs)
    rounded = in_8_bits(joined)
    assert len(rounded) < 0.4 * len(joined)
    difference = np.abs(run(rounded, wave) - run(joined, wave)).mean()
    assert 0 < difference < 0.05
    assert in_8_bits(rounded) == rounded  # what is in 8 bits already stays
