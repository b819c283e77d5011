"""People beside the system: each rater against the others, counted by hand and by brute force."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.core.votes import Choices, HardRule
from moodal.evaluation.report import scores, summary, tables
from moodal.evaluation.report.people import people, votes_entry
from moodal.evaluation.report.rated_rows import RatedRows, join_rated
from moodal.evaluation.report.scores import Scored, softmax
from moodal.evaluation.report.stored import context_of

LABELS = ("anger", "fear", "joy")


def rated(votes: list[list[int]], names: tuple[str, ...] = (), **more: object) -> Scored:
    """Predictions of rows whose raters chose these emotions, in the order of ``names``."""
    n = len(votes)
    rows = np.repeat(np.arange(n), [len(own) for own in votes])
    raters = np.concatenate([np.arange(len(own)) for own in votes])
    columns = np.array([x for own in votes for x in own])
    counts = np.zeros((n, 3))
    np.add.at(counts, (rows, columns), 1)
    shares = (counts / counts.sum(1, keepdims=True)).astype(np.float32)
    rule = HardRule()
    targets, clear = rule.decide(shares, ["x"] * n)
    logits = np.random.default_rng(1).normal(size=(n, 3)) + 2 * shares
    values = {
        "ids": tuple(f"u{i}" for i in range(n)),
        "probabilities": softmax(logits),
        "logits": logits,
        "targets": targets,
        "labels": LABELS,
        "task": "single",
        "clusters": tuple(f"s{i % 4}" for i in range(n)),
        "cluster_kind": "speaker",
        "rated": RatedRows(
            shares, clear, rule, Choices(rows, raters, columns, names), shares.mean(0)
        ),
    }
    return Scored(**{**values, **more})


@pytest.fixture
def crowd() -> Scored:
    rng = np.random.default_rng(3)
    mood = rng.integers(3, size=40)
    votes = [
        [int(m if rng.random() < 0.7 else rng.integers(3)) for _ in range(rng.integers(1, 7))]
        for m in mood
    ]
    return rated(votes)


def test_each_rater_is_compared_with_the_others(crowd: Scored) -> None:
    """Brute force: leave one rater out, take the others' most frequent emotion, ties left out."""
    ratings = crowd.rated.ratings
    right = total = system = 0.0
    for row in range(len(crowd)):
        own = ratings.columns[ratings.rows == row].tolist()
        for place, chosen in enumerate(own):
            rest = Counter(own[:place] + own[place + 1 :]).most_common()
            if not rest or (len(rest) > 1 and rest[0][1] == rest[1][1]):
                continue
            total += 1 / len(own)
            right += (rest[0][0] == chosen) / len(own)
            system += (rest[0][0] == crowd.logits[row].argmax()) / len(own)
    entry = people(crowd, draws=50)["accuracy"]
    assert entry["value"] == pytest.approx(right / total)
    assert entry["system"]["value"] == pytest.approx(system / total)
    assert entry["low"] <= entry["value"] <= entry["high"]
    assert 0.3 < entry["value"] < 0.9


def test_people_who_all_agree_are_always_right() -> None:
    agreed = rated([[0, 0, 0], [1, 1], [2, 2, 2, 2]])
    entries = people(agreed, draws=0)
    assert {entries[k]["value"] for k in ("accuracy", "balanced_accuracy", "macro_f1")} == {1.0}
    assert entries["jsd"]["value"] == pytest.approx(0)


def test_a_rater_who_never_agrees_is_named() -> None:
    votes = [[0, 0, 0, 1], [1, 1, 1, 2], [2, 2, 2, 0]] * 5
    report = votes_entry(rated(votes, ("ann", "ben", "cat", "dan")))
    assert report["raters"]["dan"] == {"rows": 15, "accuracy": 0.0}
    assert report["raters"]["ann"] == {"rows": 15, "accuracy": 1.0}
    assert report["votes_per_row"] == 4
    assert report["without_truth"] == 0


def test_a_rater_with_two_emotions_is_left_out_whole() -> None:
    """Of ann: joy; ben: joy and fear; cat: fear. Without ben, the others are tied: no truth."""
    one = rated([[2, 2, 1, 1]])
    ratings = dataclasses.replace(one.rated.ratings, raters=np.array([0, 1, 1, 2]))
    one = dataclasses.replace(one, rated=dataclasses.replace(one.rated, ratings=ratings))
    # without ann: fear 1.5, joy 0.5; without cat: joy 1.5, fear 0.5; each of the two is wrong
    assert people(one, draws=0)["accuracy"]["value"] == 0
    assert votes_entry(one)["votes_per_row"] == 3


def test_single_raters_and_bare_shares_have_no_agreement(crowd: Scored) -> None:
    assert people(rated([[0], [1]])) == {}
    bare = dataclasses.replace(crowd, rated=dataclasses.replace(crowd.rated, ratings=None))
    assert people(bare) == {}
    text = tables.markdown(summary.summarise(bare, draws=0, context=summary.ReportContext()))
    assert "What each rater chose is unknown" in text


def test_rows_with_ties_count_only_against_the_shares(crowd: Scored) -> None:
    report = summary.summarise(crowd, train_targets=crowd.targets[crowd.clear], draws=100)
    clear = crowd.clear
    assert 0 < (~clear).sum() < 40
    assert report["votes"]["without_truth"] == (~clear).sum()
    hit = crowd.logits.argmax(1) == crowd.targets.argmax(1)
    assert report["metrics"]["accuracy"]["all"]["value"] == pytest.approx(hit[clear].mean())
    squared = report["metrics"]["jsd"]["all"]
    assert squared["low"] < squared["value"] < squared["high"]
    without = crowd.rows(np.flatnonzero(clear))
    other = summary.summarise(without, train_targets=crowd.targets[clear], draws=0)
    assert other["metrics"]["jsd"]["all"]["value"] != pytest.approx(squared["value"])
    for key in ("balanced_accuracy", "auc", "auc_each", "macro_f1"):
        a, b = (summary.overall(r["metrics"][key])["value"] for r in (report, other))
        assert a == pytest.approx(b), key
    assert report["calibration"]["ece"] == pytest.approx(other["calibration"]["ece"])
    uniform = squared["baselines"]["uniform"]
    assert squared["value"] < squared["baselines"]["prior"] <= uniform + 0.05
    entropy = report["metrics"]["cross_entropy"]["all"]["baselines"]["entropy"]
    assert entropy == pytest.approx(report["votes"]["entropy"])
    text = tables.markdown(report)
    assert "one rater against the others" in text
    assert "rows with ties left out" in text


def test_stored_predictions_keep_shares_and_raters(crowd: Scored, tmp_path) -> None:
    crowd.save(tmp_path)
    back = scores.load(tmp_path)
    assert people(back, draws=0) == people(crowd, draws=0)
    np.testing.assert_array_equal(back.rated.shares, crowd.rated.shares)
    assert back.rated.rule == crowd.rated.rule
    header = (tmp_path / "predictions.csv").read_text().splitlines()[0]
    assert "share:anger" in header


def test_joined_folds_are_the_whole(crowd: Scored) -> None:
    parts = [crowd.rows(range(25)), crowd.rows(range(25, 40))]
    assert people(scores.join(parts), draws=0) == people(crowd, draws=0)
    assert join_rated([crowd.rated, None]) is None
    reports = [summary.summarise(p, train_targets=crowd.targets, draws=0) for p in parts]
    stored = [
        dataclasses.replace(p, context=context_of(r)) for p, r in zip(parts, reports, strict=True)
    ]
    whole = summary.combine(reports, stored, draws=20)
    alone = summary.summarise(crowd, train_targets=crowd.targets, draws=0)
    for key in ("jsd", "accuracy", "top2_accuracy"):
        value = alone["metrics"][key]["all"]["value"]
        assert whole["metrics"][key]["all"]["value"] == pytest.approx(value)
    assert whole["metrics"]["accuracy"]["people"]["value"] is not None
    assert whole["metrics"]["jsd"]["folds"]["values"][0] is not None
    assert "prior" in whole["metrics"]["jsd"]["all"]["baselines"]


def test_groups_without_a_clear_row_have_gaps_and_no_error() -> None:
    groups = {"style": ("calm", "calm", "tied", "tied")}
    votes = rated([[0, 0], [1, 1], [0, 1], [1, 2]], groups=groups)
    report = summary.summarise(votes, train_targets=votes.targets, draws=20)
    tied = report["groups"]["style"]["tied"]["metrics"]
    assert tied["accuracy"]["all"]["value"] is None
    assert tied["jsd"]["all"]["value"] is not None


def test_shares_of_another_size_are_refused(crowd: Scored) -> None:
    with pytest.raises(DataError, match=r"need shares \[40, 3\]; got \[39, 3\]"):
        dataclasses.replace(crowd, rated=crowd.rated.rows(np.arange(39)))
