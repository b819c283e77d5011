"""Speaker vectors: equal to PyTorch's, and what they do not depend on."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.modalities.graphs import open_graph
from moodal.modalities.speech.speakers.encoder import (
    GRAPH,
    SPACE,
    SpeakerEncoder,
    own_space,
    speaker_states,
)

REFERENCE = np.load(Path(__file__).with_name("reference.npz"))
VOICE = REFERENCE["samples"] / np.float32(32768)


def test_states_equal_those_of_the_network_in_32_bits():
    """The reference is PyTorch's with the weights of Resemblyzer; states lie within -1 and 1."""
    mel = 20 * REFERENCE["mel"][None, :100]
    states = open_graph(GRAPH).run(None, {"mel": mel})[0][0]
    assert states.shape == (10, 768)
    assert np.abs(states - REFERENCE["states"]).max() < 2e-3


def test_the_files_are_small_and_name_their_licences():
    assert GRAPH.stat().st_size < 3_000_000
    assert SPACE.stat().st_size < 200_000
    assert "Apache License" in GRAPH.with_suffix(".LICENCE.txt").read_text()
    assert "ODbL" in SPACE.with_suffix(".LICENCE.txt").read_text()


def test_the_space_sorts_its_directions():
    space = own_space()
    assert space.projection.shape == (768, len(space.between)) == (768, 40)
    assert (np.diff(space.between) <= 0).all()
    assert (space.between > 0).all()


def test_loudness_changes_nothing():
    quiet, loud = (SpeakerEncoder().encode(gain * VOICE).vectors for gain in (0.1, 1.5))
    np.testing.assert_allclose(quiet, loud, atol=1e-2)


def test_a_piece_does_not_depend_on_later_ones():
    """Batches of pieces are no part of the answer."""
    long = np.tile(VOICE, 30)[: 16000 * 30]
    one, both = speaker_states(long[: 16000 * 8]), speaker_states(long)
    np.testing.assert_allclose(one[:60], both[:60], atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 60_000))
def test_parts_cover_the_samples(count):
    encoded = SpeakerEncoder().encode(np.resize(VOICE, count))
    assert len(encoded.edges) == len(encoded.vectors) + 1
    if count < 1600:
        assert not len(encoded.vectors)
    else:
        assert encoded.edges[0] == 0
        assert encoded.edges[-1] == pytest.approx(count / 16000)
        assert (np.diff(encoded.edges) > 0).all()
        assert np.isfinite(encoded.vectors).all()


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 1e30])
def test_damaged_sound_has_finite_vectors(value):
    vectors = SpeakerEncoder().encode(np.full(16000, value, np.float32)).vectors
    assert np.isfinite(vectors).all()
