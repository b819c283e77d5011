"""What one training counts and measures, it counts and measures on training rows alone."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.core import recipe as config
from moodal.evaluation.protocols import few_shot, folds
from moodal.train.engine.fit import fit, launch
from moodal.train.experiment import train as training


@pytest.fixture
def fitted(corpus, space, tmp_path, monkeypatch):
    """Train an experiment of the small corpus: the trained system, and the arguments of `fit`."""

    def train(experiment, **protocol):
        calls = []

        def spy(fabric, system, space, data, train, valid, *rest, **named):
            calls.append({"train": train, "valid": valid, **named})
            return fit(fabric, system, space, data, train, valid, *rest, **named)

        monkeypatch.setattr(training, "fit", spy)
        values = {
            "title": "small",
            "data": {"prepared": "", "standardise": True},
            "protocol": protocol,
            "system": {
                "name": "eea", "streams": ("text", "speech"), "hidden": {"text": 4, "speech": 6},
            },
            "train": {"epochs": 1, "accelerator": "cpu"},
        }  # fmt: skip
        recipe = config.parse(config.Recipe, values, "recipe")
        trained = training.train(launch(recipe.train), recipe, experiment, space, tmp_path, "data")
        return trained, calls

    return train


def negatives_per_positive(labels):
    return (labels == 0).sum(0) / (labels == 1).sum(0)


def test_positive_weights_and_scales_are_of_the_training_rows(corpus, fitted):
    experiment = folds.official(corpus)
    trained, (call,) = fitted(experiment)
    np.testing.assert_array_equal(call["train"], experiment.train)
    np.testing.assert_array_equal(call["valid"], experiment.valid)
    expected = negatives_per_positive(corpus.labels[experiment.train])
    np.testing.assert_allclose(call["pos_weight"], expected, rtol=1e-6)
    for other in (experiment.valid, experiment.test, np.arange(len(corpus))):
        assert not np.allclose(expected, negatives_per_positive(corpus.labels[other]), rtol=1e-3)
    for stream, scale in trained.scales.items():
        frames = np.concatenate([corpus.features[stream][row] for row in experiment.train])
        np.testing.assert_allclose(scale.mean, frames.mean(0), atol=1e-6)
        np.testing.assert_allclose(scale.deviation, frames.std(0), atol=1e-6)
        every = corpus.features[stream].values
        assert np.abs(scale.mean - every.mean(0)).max() > 1e-4


def test_adapting_to_shots_weighs_by_the_rows_that_it_is_shown(corpus, fitted):
    experiment = few_shot.keep(folds.official(corpus), ["joy"], shots=5)
    _, (first, second) = fitted(
        experiment, name="few_shot", unseen=["joy"], method="joint", adapt_epochs=1
    )
    seen = corpus.labels[experiment.train][:, experiment.seen_columns]
    np.testing.assert_allclose(first["pos_weight"], negatives_per_positive(seen), rtol=1e-6)
    np.testing.assert_array_equal(first["valid"], experiment.valid)
    shown = np.union1d(experiment.train, experiment.shots)
    np.testing.assert_array_equal(second["train"], shown)
    expected = negatives_per_positive(corpus.labels[shown])
    np.testing.assert_allclose(second["pos_weight"], expected, rtol=1e-6)
