"""Rows that say the same, in any language, are one line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.records import Utterance
from moodal.features import same_lines
from moodal.features.same_lines import LINE, leaders, with_same_lines
from moodal.features.store import FeatureStore


def corpus(*texts, labels=None):
    utterances = tuple(Utterance(f"u{i}", media={"text": t}) for i, t in enumerate(texts))
    given_labels = np.ones((len(texts), 1)) if labels is None else np.array(labels)
    space = EmotionSpace(["anger", "fear"][: given_labels.shape[1]], "multi")
    return Manifest("lines", space, utterances, given_labels.astype(np.float32))


def test_translations_are_one_line(tmp_path):
    manifest = corpus(
        "Where have you been all night?",
        "I have lost my keys again.",
        "Wo bist du die ganze Nacht gewesen?",
        "¿Dónde has estado toda la noche?",
    )
    named = with_same_lines(manifest, 0.9, FeatureStore(tmp_path))
    assert named.column(LINE) == ["u0", "u1", "u0", "u0"]


def test_rows_of_other_labels_are_other_lines(tmp_path):
    manifest = corpus("Go away!", "Go away!", labels=[[1, 0], [0, 1]])
    assert with_same_lines(manifest, 0.9, FeatureStore(tmp_path)).column(LINE) == ["u0", "u1"]


@given(arrays(float, (7, 3), elements=st.floats(-1, 1)), st.floats(0.1, 0.99))
def test_each_belongs_to_the_nearest_leader_before_it(vectors, least):
    vectors = vectors + 0.01
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    belongs = leaders(vectors, least)
    begun = []
    for row, leader in enumerate(belongs):
        cosines = vectors[begun] @ vectors[row] if begun else np.array([-1.0])
        if leader == row:
            assert cosines.max() < least + 1e-9
            begun.append(row)
        else:
            assert vectors[leader] @ vectors[row] == pytest.approx(cosines.max())
            assert cosines.max() >= least - 1e-9


def test_blocks_do_not_matter(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(50, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    whole = leaders(vectors, 0.8)
    monkeypatch.setattr(same_lines, "BLOCK", 7)
    np.testing.assert_array_equal(leaders(vectors, 0.8), whole)


def test_what_cannot_be_compared_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"cosine between 0 and 1, such as 0\.9; got 9"):
        with_same_lines(corpus("Oh."), 9, FeatureStore(tmp_path))
    bare = Manifest("bare", EmotionSpace(["anger"]), (Utterance("a"),), np.ones((1, 1), np.float32))
    with pytest.raises(DataError, match="has no texts"):
        with_same_lines(bare, 0.9, FeatureStore(tmp_path))
