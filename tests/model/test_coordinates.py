import numpy as np
import pytest

from moodal.core.dimensions import DIMENSIONS
from moodal.model.coordinates import coordinates, mapped, unmapped

BASICS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def test_a_certain_emotion_has_its_published_coordinates():
    assert mapped({"fear": 1.0}).numbers == (-0.64, 0.60, -0.43)
    assert mapped({"happy": 1.0}).numbers == mapped({"happiness": 1.0}).numbers
    assert mapped({"neutral": 1.0}).numbers == (0.0, 0.0, 0.0)
    assert mapped({"neutral": 1.0}).known == "mapped"


def test_dimensions_are_the_expectation_of_the_coordinates():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(len(BASICS)))
    expected = p @ np.stack([coordinates()[b] for b in BASICS])
    assert mapped(dict(zip(BASICS, p, strict=True))).numbers == pytest.approx(tuple(expected))
    assert len(expected) == len(DIMENSIONS)


def test_emotions_without_coordinates_are_named():
    assert unmapped(["anger", "calm", "sad", "bored"]) == ("calm", "bored")
    assert np.abs(np.stack(list(coordinates().values()))).max() <= 1
