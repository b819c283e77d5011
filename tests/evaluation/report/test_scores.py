"""Predictions are stored without loss, and invalid ones are refused."""

from __future__ import annotations

import csv
import dataclasses
import json

import numpy as np
import pytest

from moodal.core.emotions import Value, Values
from moodal.core.errors import DataError, OutputError
from moodal.core.records import Utterance
from moodal.evaluation.report import scores
from moodal.evaluation.report.scores import Scored, ScoredRows, clusters_of, join, load


@pytest.mark.parametrize("task", ["multi", "single", "regression"])
def test_saved_and_read_back(predictions, task, tmp_path):
    before = predictions(task)
    before.save(tmp_path / "run")
    after = load(tmp_path / "run")
    for name in ("ids", "labels", "task", "clusters", "cluster_kind", "subset", "info"):
        assert getattr(after, name) == getattr(before, name), name
    for name in ("probabilities", "logits", "targets"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert names == {"predictions.npz", "predictions.json", "predictions.csv"}


def test_the_same_predictions_make_the_same_files(predictions, tmp_path):
    for folder in ("a", "b"):
        predictions("multi").save(tmp_path / folder)
    for name in ("predictions.npz", "predictions.json", "predictions.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_values_are_kept_with_their_ranges(tmp_path):
    values = (Value.of("valence"), Value("trust", 0, 4))
    numbers = np.array([[0.5, 5.0], [-2.0, 1.0]])
    before = Scored.from_logits(numbers, numbers, Values(values), ScoredRows(["a", "b"]))
    before.save(tmp_path)
    after = load(tmp_path)
    assert after.values == values
    assert after.columns == ["valence (-1 to 1)", "trust (0 to 4)"]
    assert after.probabilities.tolist() == [[0.5, 4.0], [-1.0, 1.0]]
    np.testing.assert_array_equal(after.logits, numbers)
    assert after.select(["trust"]).values == values[1:]
    assert "value:trust" in (tmp_path / "predictions.csv").read_text()
    assert scores.join([after, after]).values == values
    other = dataclasses.replace(after, values=(values[0], Value("trust", 0, 5)))
    with pytest.raises(DataError, match="same labels, ranges and task"):
        scores.join([after, other])


def test_values_kept_without_ranges_have_the_built_in_ones(tmp_path):
    numbers = np.array([[0.5], [-2.0]])
    Scored.from_logits(numbers, numbers, Values(["sentiment"]), ScoredRows(["a", "b"])).save(
        tmp_path
    )
    head = json.loads((tmp_path / "predictions.json").read_text())
    assert head.pop("values") == [{"name": "sentiment", "low": -3.0, "high": 3.0}]
    (tmp_path / "predictions.json").write_text(json.dumps(head))
    assert load(tmp_path).values == (Value.of("sentiment"),)


def test_the_csv_has_names_and_probabilities(predictions, tmp_path):
    test = predictions("single", n=3)
    test.save(tmp_path)
    with open(tmp_path / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1]["id"] == "test 1"
    assert rows[1]["speaker"] == "speaker 1"
    assert float(rows[1]["probability:joy"]) == pytest.approx(test.probabilities[1, 2], abs=1e-5)
    assert sum(float(rows[1][f"true:{x}"]) for x in test.labels) == 1


def test_probabilities_are_those_of_the_task(predictions):
    single, multi, value = predictions("single"), predictions("multi"), predictions("regression")
    np.testing.assert_allclose(single.probabilities.sum(1), 1)
    np.testing.assert_allclose(single.each, 1 / (1 + np.exp(-single.logits)))
    np.testing.assert_allclose(multi.probabilities, 1 / (1 + np.exp(-multi.logits)))
    np.testing.assert_array_equal(value.probabilities, value.logits.clip(-3, 3))
    assert (value.logits > 3).any()
    with np.errstate(over="raise", invalid="raise"):
        assert scores.sigmoid(np.array([-1e4, 0, 1e4])).tolist() == [0, 0.5, 1]
        assert scores.softmax(np.array([[1e4, 0.0]])).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"logits": np.zeros((2, 2))}, r"need logits \[2, 1\]; got \[2, 2\]"),
        ({"targets": np.array([[1.0], [np.nan]])}, "targets of 'b' contain NaN"),
        ({"clusters": ("x",)}, "2 utterances, but 1 clusters"),
        ({"task": "many"}, "Unknown task 'many'"),
        ({"task": "regression"}, "range of joy is not known"),
        (
            {"task": "regression", "values": (Value("x", 0, 1),)},
            "ranges belong to x, but the numbers to",
        ),
    ],
)
def test_wrong_sizes_and_numbers_are_refused(change, words):
    good = {
        "ids": ("a", "b"),
        "probabilities": np.zeros((2, 1)),
        "logits": np.zeros((2, 1)),
        "targets": np.zeros((2, 1)),
        "labels": ("joy",),
        "task": "multi",
        "clusters": ("x", "y"),
    }
    Scored(**good)
    with pytest.raises(DataError, match=words):
        Scored(**(good | change))


def test_missing_and_damaged_files_are_refused(predictions, tmp_path):
    with pytest.raises(DataError, match="has no stored predictions"):
        load(tmp_path)
    path = predictions("multi").save(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="damaged"):
        load(tmp_path)


def test_a_folder_that_cannot_be_written_is_refused(predictions, tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(OutputError):
        predictions("multi").save(tmp_path / "file")


def test_pickled_arrays_are_refused(predictions, tmp_path):
    path = predictions("multi").save(tmp_path)
    np.savez(path, probabilities=np.array([{}], dtype=object), logits=0, targets=0)
    with pytest.raises(DataError, match="damaged"):
        load(tmp_path)


def test_clusters_of_speakers_else_dialogues_else_rows():
    known = [Utterance("a", speaker="x", dialogue="1"), Utterance("b", speaker="y", dialogue="1")]
    assert clusters_of(known) == (("x", "y"), "speaker")
    assert clusters_of([*known, Utterance("c", dialogue="2")]) == (("1", "1", "2"), "dialogue")
    assert clusters_of([*known, Utterance("c")]) == (("a", "b", "c"), "utterance")


def test_folds_are_joined_and_columns_selected(predictions):
    both = join([predictions("multi", seed=1), predictions("multi", seed=2)])
    assert len(both) == 240
    assert both.cluster_kind == "speaker"
    assert len(set(both.clusters)) == 12
    part = both.select(["joy", "anger"])
    np.testing.assert_array_equal(part.logits, both.logits[:, [2, 0]])
    with pytest.raises(DataError, match="same labels"):
        join([predictions("multi"), predictions("multi", c=3)])
