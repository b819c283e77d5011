"""Agreement of raters, against published examples, the package krippendorff and scikit-learn."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.errors import DataError, UsageError
from moodal.core.rating import Rater, Rating
from moodal.evaluation import agreement
from moodal.evaluation.agreement import agree, align

# the example of the package krippendorff: * is missing
EXAMPLE = (
    "*    *    *    *    *    3    4    1    2    1    1    3    3    *    3",
    "1    *    2    1    3    3    4    3    *    *    *    *    *    *    *",
    "*    *    2    1    3    4    4    *    2    1    1    3    4    *    4",
)
# Shrout and Fleiss (1979), table 2: four judges of six targets
JUDGES = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)


def table(rows):
    """The ratings of each row of [raters, items]; NaN is missing."""
    return [
        Rater(
            f"r{i}",
            tuple(
                Rating(f"item{j}", label=f"{x:g}", values={"v": float(x)})
                for j, x in enumerate(row)
                if np.isfinite(x)
            ),
        )
        for i, row in enumerate(np.asarray(rows, float))
    ]


def example():
    return [[np.nan if c == "*" else float(c) for c in row.split()] for row in EXAMPLE]


def test_the_published_example_of_krippendorff():
    krippendorff = pytest.importorskip("krippendorff")
    report = agree(table(example()))
    for level, value in (
        ("nominal", report["groups"]["people"]["alpha"]["value"]),
        ("interval", report["values"]["v"]["people"]["alpha"]["value"]),
    ):
        same = krippendorff.alpha(reliability_data=example(), level_of_measurement=level)
        assert value == pytest.approx(same, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([1.0, 2.0, 3.0, np.nan]), min_size=8, max_size=8),
        min_size=2,
        max_size=4,
    )
)
def test_alpha_is_that_of_krippendorff(rows):
    krippendorff = pytest.importorskip("krippendorff")
    rated = np.isfinite(rows).sum(0)
    pairable = np.asarray(rows)[:, rated > 1]
    if len(np.unique(pairable[np.isfinite(pairable)])) < 2:
        return
    whole = align(table(rows))
    everyone = range(len(rows))
    alpha = agreement.alpha_of_labels(agreement.coincidences(whole, everyone).sum(0))
    same = krippendorff.alpha(reliability_data=rows, level_of_measurement="nominal")
    assert alpha == pytest.approx(same, abs=1e-9)
    sums = [part.sum(0) for part in agreement.value_sums(whole, "v", everyone)]
    same = krippendorff.alpha(reliability_data=rows, level_of_measurement="interval")
    assert agreement.alpha_of_values(sums) == pytest.approx(same, abs=1e-9)


def test_kappa_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 3, (2, 40))
    rows[1, :25] = rows[0, :25]
    [pair] = agree(table(rows))["pairs"]
    assert pair["kappa"]["value"] == pytest.approx(metrics.cohen_kappa_score(*rows), abs=1e-12)
    assert pair["confusion"] == metrics.confusion_matrix(*rows).tolist()
    assert pair["kappa"]["low"] < pair["kappa"]["value"] < pair["kappa"]["high"]


def test_the_published_example_of_icc():
    figures = agree(table(JUDGES.T))["values"]["v"]["people"]
    assert figures["icc"]["value"] == pytest.approx(0.29, abs=0.005)
    assert figures["icc_consistency"]["value"] == pytest.approx(0.71, abs=0.005)


def test_ratings_are_compared_in_time():
    first = Rater("first", (Rating("a", 0, 2, "joy"), Rating("a", 2, 4, "anger")))
    other = Rater("other", (Rating("a", 0, 3, "joy"), Rating("a", 3, 5, "anger")))
    [pair] = agree([first, other], step=0.5)["pairs"]
    assert (pair["units"], pair["agreement"]) == (8, 0.75)
    assert pair["share"] == 0.8  # the last second is one rater's alone
    assert pair["confusion"] == [[2, 2], [0, 4]]


def test_the_rating_that_begins_last_counts_where_they_overlap():
    first = Rater("first", (Rating("a", 1, 2, "anger"), Rating("a", 0, 4, "joy")))
    other = Rater("other", (Rating("a", None, None, "joy"),))
    whole = align([first, other], step=1.0)
    assert [whole.emotions[i] for i in whole.labels[0]] == ["joy", "anger", "joy", "joy"]
    assert [whole.emotions[i] for i in whole.labels[1]] == ["joy"] * 4


def test_a_model_is_compared_beside_the_people():
    rows = np.array([[0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 1], [0, 1, 1, 1, 1, 1]])
    report = agree(table(rows), model="r2")
    assert report["groups"]["people"]["raters"] == ["r0", "r1"]
    assert report["groups"]["people and model"]["raters"] == ["r0", "r1", "r2"]
    pairs = {tuple(p["raters"]): p["kappa"]["value"] for p in report["pairs"]}
    mean = (pairs["r0", "r2"] + pairs["r1", "r2"]) / 2
    assert report["with_model"]["kappa"]["value"] == pytest.approx(mean)
    assert report["groups"]["people"]["kappa"]["value"] == pytest.approx(pairs["r0", "r1"])
    # people by row, the model by column
    assert report["with_model"]["confusion"] == [[2, 2, 0], [0, 5, 0], [0, 3, 0]]
    json.dumps(report, allow_nan=False)


def test_intervals_draw_whole_recordings():
    rows = [Rating("a", 0, 100, "joy"), Rating("b", 0, 1, "anger"), Rating("b", 1, 2, "joy")]
    other = [Rating("a", 0, 100, "joy"), Rating("b", 0, 2, "joy")]
    report = agree([Rater("x", tuple(rows)), Rater("y", tuple(other))])
    assert report["clusters"]["count"] == 2
    alone = agree([Rater("x", tuple(rows[1:])), Rater("y", tuple(other[1:]))])
    assert alone["pairs"][0]["kappa"]["low"] is None
    assert "Only 1 recording" in alone["clusters"]["warning"]


def test_a_mistyped_time_is_one_sentence_and_takes_no_memory(monkeypatch):
    def full(*args):
        raise AssertionError("units were made")

    pair = [Rater("ann", (Rating("talk", 0, 2, "joy"),)), Rater("ben", (Rating("talk", 0, 1e12),))]
    monkeypatch.setattr(np, "full", full)
    with pytest.raises(DataError, match=r"ben rates talk until 1e\+12 seconds, more than 7 days"):
        align(pair)
    short = [Rater(name, (Rating("talk", 0, 60.0, "joy"),)) for name in ("ann", "ben")]
    with pytest.raises(UsageError, match="60,000,000 moments, and 20,000,000 at most"):
        align(short, step=1e-6)
    with pytest.raises(UsageError, match="choose a longer step"):
        align(short, step=1e-310)


def test_what_cannot_be_compared():
    with pytest.raises(DataError, match="at least two raters; there is x"):
        agree([Rater("x", (Rating("a", label="joy"),))])
    apart = [Rater("x", (Rating("a", label="joy"),)), Rater("y", (Rating("b", label="joy"),))]
    with pytest.raises(DataError, match=r"No recording .* x rated for instance 'a', and y 'b'; "):
        agree(apart)
    with pytest.raises(UsageError, match="--step is above 0 seconds; got 0"):
        agree(table(JUDGES.T), step=0)
    with pytest.raises(UsageError, match="no rater z; there are r0, r1"):
        agree(table(JUDGES.T), model="z")
