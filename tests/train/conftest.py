"""A corpus small enough to train on in a second, with something to learn in each stream."""

import numpy as np
import pytest

from moodal.core.emotions import EmotionSpace
from moodal.core.manifest import Manifest
from moodal.core.records import Frames, Utterance

VECTORS = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]], np.float32)


@pytest.fixture(scope="session")
def corpus() -> Manifest:
    """300 utterances, 3 emotions, text and speech of uneven length, six speakers."""
    rng = np.random.default_rng(0)
    n = 300
    labels = (rng.random((n, 3)) < 0.4).astype(np.float32)
    across = rng.normal(size=(4, 5))

    def stream(means, noise):
        return [m + noise * rng.normal(size=(rng.integers(1, 8), means.shape[1])) for m in means]

    text = stream(labels @ VECTORS - 0.5, 0.7)
    speech = stream((labels @ VECTORS - 0.5) @ across, 1.0)
    splits = ["train"] * 200 + ["valid"] * 50 + ["test"] * 50
    utterances = tuple(Utterance(f"u{i}", split=splits[i], speaker=f"s{i % 6}") for i in range(n))
    features = {"text": Frames.from_list(text), "speech": Frames.from_list(speech)}
    encoders = {s: {"name": "as-given", "fingerprint": "0", "width": 0} for s in features}
    return Manifest(
        "made up", EmotionSpace(["anger", "joy", "fear"]), utterances, labels, features, encoders
    )


@pytest.fixture(scope="session")
def space(corpus) -> EmotionSpace:
    """Its emotions, with vectors."""
    return corpus.space.with_vectors(VECTORS, "made up")
