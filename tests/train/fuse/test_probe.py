"""A probe fits what its states tell, and chooses its penalty together with the branch beside it."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.core.errors import UsageError
from moodal.train.fuse import probe as probes
from moodal.train.fuse.probe import fit_head, require_probe

C, H = 3, 5


@pytest.fixture
def rows():
    """States of another scale in each column, and the words that they tell, with noise."""
    rng = np.random.default_rng(0)
    states, labels = {}, {}
    for part, n in (("train", 400), ("valid", 200)):
        labels[part] = rng.integers(0, C, n)
        means = np.eye(C, H)[labels[part]] * 2
        states[part] = (means + rng.normal(size=(n, H))) * 10.0 ** np.arange(H) + 7
    return states, labels


def loss(logits, labels):
    logs = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    return -logs[np.arange(len(labels)), labels].mean()


def test_the_head_is_of_the_states_as_they_are(rows):
    states, labels = rows
    weights, constants = fit_head(states, labels, np.zeros((200, C)))
    assert weights.shape == (H, C)
    right = ((states["valid"] @ weights + constants).argmax(1) == labels["valid"]).mean()
    assert right > 0.8
    # the columns that tell nothing weigh little, whatever their scale
    scaled = np.abs(weights * states["train"].std(0)[:, None])
    assert scaled[C:].max() < 0.3 * scaled[:C].max()


def test_the_penalty_is_the_best_of_both_together(rows, monkeypatch):
    states, labels = rows
    beside = np.eye(C)[labels["valid"]] * 1.5
    chosen = fit_head(states, labels, beside)
    losses = {}
    for strength in probes.STRENGTHS:
        monkeypatch.setattr(probes, "STRENGTHS", (strength,))
        weights, constants = fit_head(states, labels, beside)
        logits = (states["valid"] @ weights + constants + beside) / 2
        losses[strength] = loss(logits, labels["valid"])
    logits = (states["valid"] @ chosen[0] + chosen[1] + beside) / 2
    assert loss(logits, labels["valid"]) == pytest.approx(min(losses.values()), abs=1e-9)
    assert len(set(losses.values())) == len(losses) > 3


def test_of_two_words_each_has_weights(rows):
    states, labels = rows
    two = {part: labels[part] < 2 for part in labels}
    states = {part: states[part][two[part]] for part in states}
    labels = {part: labels[part][two[part]] for part in labels}
    weights, constants = fit_head(states, labels, np.zeros((len(labels["valid"]), 2)))
    assert weights.shape == (H, 2)
    right = ((states["valid"] @ weights + constants).argmax(1) == labels["valid"]).mean()
    assert right > 0.85


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (("whisper-tiny", 9, "sound", "single"), "whisper-tiny has 4 layers"),
        (("minilm", 2, "sound", "single"), "minilm is a bert model"),
        (("whisper-tiny", 2, "text", "single"), "the modality's medium is text"),
        (("whisper-tiny", 2, "sound", "multi"), "rows of one emotion each"),
        (("nonsense", 0, "sound", "single"), "No backbone 'nonsense'"),
    ],
)
def test_what_cannot_be_probed_is_refused(probe, words):
    with pytest.raises(UsageError, match=words):
        require_probe(*probe)
    require_probe("whisper-tiny", 2, "sound", "single")
