"""The cosine baseline compares texts and words of one source, which the recipe names."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from moodal.core.errors import UsageError
from moodal.core.recipe import Recipe
from moodal.core.strict import parse
from moodal.evaluation.protocols.folds import official
from moodal.modalities.build import build
from moodal.train.experiment.null_tests import CosineSource, _texts, require_cosine


def recipe(cosine: str, name: str = "zero_shot") -> Recipe:
    values = {
        "title": "small",
        "data": {"prepared": "nowhere"},
        "space": {"vectors": "glove-50", "capitalised": True},
        "protocol": {"name": name, "unseen": ["fear"]},
        "system": {"name": "eea"},
        "report": {"cosine": cosine},
    }
    return parse(Recipe, values, "test")


def test_features_are_compared_with_the_vectors_of_the_recipe() -> None:
    assert CosineSource.of(recipe("features")) == CosineSource("glove-50", capitalised=True)
    other = CosineSource.of(recipe("minilm"))
    assert (other.words, other.capitalised) == ("minilm", False)
    assert other.encoder == build("minilm:pool=true")


def test_stored_features_serve_where_they_are_the_encoders(corpus) -> None:
    stored = np.stack([x.mean(0) for x in corpus.features["text"]])[official(corpus).test]
    np.testing.assert_allclose(_texts(None, official(corpus)), stored, rtol=1e-5)
    encoder = build("minilm:pool=true")
    assert _texts(encoder, official(corpus)) is None  # other features, and no texts
    same = dataclasses.replace(corpus, encoders={"text": encoder.spec()})
    np.testing.assert_allclose(_texts(encoder, official(same)), stored, rtol=1e-5)


def test_a_baseline_that_cannot_be_computed_is_refused(corpus, space) -> None:
    require_cosine(recipe("features"), corpus, space)
    require_cosine(recipe(""), corpus, corpus.space)
    require_cosine(recipe("features", "supervised"), corpus, corpus.space)
    with pytest.raises(UsageError, match="text features as wide as the emotion vectors"):
        require_cosine(recipe("features"), corpus, corpus.space)
    with pytest.raises(UsageError, match="No encoder is called 'minilms'"):
        require_cosine(recipe("minilms"), corpus, space)
