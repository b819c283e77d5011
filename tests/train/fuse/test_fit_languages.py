"""Evidence in a language that is understood less counts less."""

import numpy as np
import pytest

from moodal.train.fuse.fit_languages import LEAST, best_factor, language_weights, weighed
from moodal.train.fuse.fit_weights import EvidenceRows


def rows(seed=0, **sizes):
    """Draw rows whose evidence is right by each language's own factor."""
    rng = np.random.default_rng(seed)
    evidence, labels, languages = [], [], []
    for name, (count, factor) in sizes.items():
        logits = rng.normal(0, 2, (count, 3))
        chances = np.exp(factor * logits)
        chances /= chances.sum(1, keepdims=True)
        labels += [int(rng.choice(3, p=own)) for own in chances]
        evidence.append(logits)
        languages += [name] * count
    return EvidenceRows(
        np.concatenate(evidence), np.array(labels), np.ones(3, bool), languages=tuple(languages)
    )


def test_the_factor_is_found():
    own = rows(en=(4000, 0.5))
    assert best_factor(own.evidence, own.labels) == pytest.approx(0.5, rel=0.15)


def test_a_language_counts_relative_to_english_and_at_most_fully():
    weights = language_weights(rows(en=(3000, 0.8), sw=(3000, 0.2), de=(3000, 1.2)))
    assert weights["en"] == 1.0
    assert weights["sw"] == pytest.approx(0.25, rel=0.25)
    assert weights["de"] == 1.0


def test_languages_with_few_rows_share_a_weight():
    few = LEAST - 1
    weights = language_weights(rows(en=(2000, 1.0), sw=(few, 0.3), yo=(few, 0.3), ti=(few, 0.3)))
    assert weights["sw"] == weights["yo"] == weights["ti"] < 0.7


def test_without_languages_nothing_is_weighed():
    own = EvidenceRows(np.ones((2, 3)), np.zeros(2, int), np.ones(3, bool))
    assert language_weights(own) == {}
    assert weighed(own, {}) is own


def test_rows_are_weighed_by_their_language():
    own = rows(en=(5, 1.0), sw=(5, 1.0))
    changed = weighed(own, {"en": 1.0, "sw": 0.5})
    np.testing.assert_array_equal(changed.evidence[:5], own.evidence[:5])
    np.testing.assert_array_equal(changed.evidence[5:], own.evidence[5:] / 2)
