"""The heads of dimensions and intensity: fitted on training rows, chosen on validation rows."""

import numpy as np
import pytest
from safetensors.numpy import load, save

from moodal.model.heads import SHAPES, outputs
from moodal.train.fuse import fit_heads
from moodal.train.fuse.fit_heads import HeadRows, correlations, fit_head, intensity_of


def rows(function, seed=0, sizes=(600, 150, 150), width=6):
    """Features and the numbers that a function of them gives, with a little noise."""
    rng = np.random.default_rng(seed)
    features = {
        p: rng.normal(2, 3, (n, width)) for p, n in zip(fit_heads.PARTS, sizes, strict=True)
    }
    numbers = {p: function(x) + rng.normal(0, 0.01, (len(x), 2)) for p, x in features.items()}
    return HeadRows(features, numbers)


def test_what_is_linear_gets_a_linear_head():
    weights = np.random.default_rng(1).normal(size=(6, 2)) / 10
    linear = rows(lambda x: x @ weights + 0.1)
    head = fit_head(linear)
    assert "project" not in head
    wide = {name: values.astype(float) for name, values in head.items()}
    assert correlations(outputs(wide, linear.features["test"]), linear.numbers["test"]).min() > 0.99


def test_what_bends_gets_a_hidden_layer(monkeypatch):
    monkeypatch.setattr(fit_heads, "EPOCHS", 40)
    monkeypatch.setattr(fit_heads, "DROPOUT", 0.0)
    monkeypatch.setattr(fit_heads, "RATE", 1e-2)
    bent = rows(lambda x: np.abs(x[:, :2] - 2))
    head = fit_head(bent)
    assert set(head) == set(SHAPES)
    wide = {name: values.astype(float) for name, values in head.items()}
    predicted = outputs(wide, bent.features["test"])
    assert correlations(predicted, bent.numbers["test"]).min() > 0.7
    # the numbers are on the scale of the corpus, not only correlated with it
    assert predicted.mean(0) == pytest.approx(bent.numbers["test"].mean(0), abs=0.5)


@pytest.mark.parametrize("function", [lambda x: x[:, :2] / 9, lambda x: np.abs(x[:, :2] - 2)])
def test_a_head_is_the_same_in_its_file(function, monkeypatch):
    monkeypatch.setattr(fit_heads, "RATE", 1e-2)
    head = fit_head(rows(function))
    for name, values in load(save(head)).items():
        np.testing.assert_array_equal(values, head[name], err_msg=name)


def test_the_same_rows_give_the_same_head():
    one, other = (fit_head(rows(lambda x: x[:, :2] / 9)) for _ in range(2))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_test_rows_choose_nothing():
    first = rows(lambda x: x[:, :2] / 9)
    numbers = {**first.numbers, "test": first.numbers["test"] * -5}
    one, other = fit_head(first), fit_head(HeadRows(first.features, numbers))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_correlations_equal_numpys_and_are_0_where_nothing_varies():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(50, 2)), rng.normal(size=(50, 2))
    expected = [np.corrcoef(a[:, c], b[:, c])[0, 1] for c in range(2)]
    np.testing.assert_allclose(correlations(a, b), expected)
    assert correlations(np.ones((50, 2)), b).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("level", "vote", "expected"),
    [
        ("73.5", "A", 0.735),
        ("73.5", "N", 0.0),
        ("80:60", "A:N", 0.4),
        ("80:60:10", "D:F:S", 0.5),
        ("", "A", None),
    ],
)
def test_neutral_has_no_intensity_and_ties_are_averaged(level, vote, expected):
    number = intensity_of({"voice_level": level, "voice_vote": vote}, "voice_level")
    assert number == (None if expected is None else pytest.approx(expected))
