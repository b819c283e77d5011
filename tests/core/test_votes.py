"""Votes of raters: shares, the rules that make one emotion of them, and who chose what."""

import json
from dataclasses import replace

import numpy as np
import pytest

from moodal.core.concatenation import concatenate
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Utterance
from moodal.core.votes import (
    RATERS,
    VOTES,
    Choices,
    HardRule,
    is_soft,
    modes,
    ratings_of,
    shares_of,
    tally,
)

LABELS = ("anger", "fear", "joy")
SHARES = np.array([[0.6, 0.4, 0], [0.5, 0, 0.5], [0.4, 0.3, 0.3], [0, 1, 0]], np.float32)
IDS = ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("rule", "emotions"),
    [
        (HardRule("plurality"), [0, None, 0, 1]),
        (HardRule("majority"), [0, None, None, 1]),
        (HardRule("majority", "first"), [0, None, None, 1]),
        (HardRule("plurality", "first"), [0, 0, 0, 1]),
    ],
)
def test_a_rule_makes_one_emotion_or_none(rule: HardRule, emotions: list[int | None]) -> None:
    rows, decided = rule.decide(SHARES, IDS)
    assert decided.tolist() == [x is not None for x in emotions]
    assert [int(r.argmax()) if r.any() else None for r in rows] == emotions
    assert set(rows.ravel().tolist()) <= {0.0, 1.0}


def test_ties_are_drawn_by_the_id_among_the_tied_alone() -> None:
    tied = np.tile(np.array([[0.5, 0, 0.5]], np.float32), (400, 1))
    ids = [f"clip {i}" for i in range(400)]
    rows, decided = HardRule("plurality", "draw").decide(tied, ids)
    assert decided.all()
    assert rows[:, 1].sum() == 0
    assert 150 < rows[:, 0].sum() < 250
    again = HardRule("plurality", "draw").decide(tied[::-1], ids[::-1])[0]
    assert (again == rows[::-1]).all()


def test_thirds_that_were_rounded_are_ties() -> None:
    third = shares_of([{"anger": 1, "fear": 1, "joy": 1}], LABELS)
    assert modes(third).all()
    assert not modes(np.zeros((1, 3))).any()
    assert is_soft(third)
    assert not is_soft(np.eye(3))


def test_a_rater_with_two_emotions_gives_each_half() -> None:
    counts = tally({"ann": ["joy"], "ben": ["joy", "fear"]})
    assert counts == {"joy": 1.5, "fear": 0.5}
    np.testing.assert_allclose(shares_of([counts], LABELS), [[0, 0.25, 0.75]])


def named(name: str, **raters: list[str]) -> Utterance:
    return Utterance(name, extra={RATERS: json.dumps(raters)})


def test_choices_keep_their_rater_through_rows_columns_and_joins() -> None:
    people = [named("a", ann=["joy"], ben=["fear"]), Utterance("b"), named("c", ben=["anger"])]
    ratings = ratings_of(people, LABELS)
    assert ratings is not None
    assert ratings.names == ("ann", "ben")
    assert ratings.rows.tolist() == [0, 0, 2]
    assert ratings.columns.tolist() == [2, 1, 0]
    turned = ratings.select(np.array([2, 0, 2]))
    assert turned.rows.tolist() == [0, 1, 1, 2]
    assert turned.raters.tolist() == [1, 0, 1, 1]
    assert ratings.select_columns([2]).columns.tolist() == [0]
    other = ratings_of([named("d", ben=["joy"], cat=["joy"])], LABELS)
    assert other is not None
    joined = ratings.join(other, 3)
    assert joined.names == ("ann", "ben", "cat")
    assert joined.raters.tolist() == [0, 1, 1, 1, 2]
    assert joined.rows.tolist() == [0, 0, 2, 3, 3]


def test_counts_are_raters_without_names() -> None:
    people = [Utterance("a", extra={VOTES: '{"joy": 2, "fear": 1, "other": 4}'})]
    ratings = ratings_of(people, LABELS)
    assert ratings is not None
    assert ratings.names == ()
    assert ratings.columns.tolist() == [2, 2, 1]
    assert len(set(ratings.raters.tolist())) == 3
    assert ratings_of([Utterance("a")], LABELS) is None


def test_damaged_votes_are_one_sentence() -> None:
    with pytest.raises(DataError, match=r"The votes of a are damaged .* prepare the corpus again"):
        ratings_of([Utterance("a", extra={RATERS: '{"ann": '})], LABELS)


@pytest.mark.parametrize(
    "extra",
    [
        {RATERS: "3"},
        {RATERS: '{"ann": "joy"}'},
        {RATERS: "joy"},
        {VOTES: "[1]"},
        {VOTES: '{"joy": 0.5}'},
        {VOTES: '{"joy": -1}'},
    ],
)
def test_damaged_votes_are_no_traceback_in_a_merge_either(extra: dict[str, str]) -> None:
    people = [Utterance("a", extra=extra)]
    with pytest.raises(DataError, match=r"The votes of a are damaged .* prepare the corpus again"):
        corpus(SHARES[:1], *people).merged({"fear": "anger"})
    with pytest.raises(DataError, match="The votes of a are damaged"):
        ratings_of(people, LABELS)


def test_raters_with_and_without_names_are_different_people() -> None:
    counted = Utterance("n", extra={VOTES: '{"joy": 2, "fear": 1}'})
    both = ratings_of([named("a", ann=["joy"], ben=["fear"]), counted], LABELS)
    assert both is not None
    assert both.raters[:2].tolist() == [0, 1]
    assert len(set(both.raters.tolist())) == 5
    assert (both.raters[2:] < 0).all()
    with_names, without = (
        ratings_of([named("a", ann=["joy"])], LABELS),
        ratings_of([counted], LABELS),
    )
    assert with_names is not None
    assert without is not None
    older = Choices(without.rows, np.arange(3), without.columns)
    for nameless in (without, older):
        for joined in (with_names.join(nameless, 1), nameless.join(with_names, 1)):
            assert joined.names == ("ann",)
            assert (joined.raters == 0).sum() == 1
            assert joined.columns[joined.raters == 0].tolist() == [LABELS.index("joy")]
            assert len(set(joined.raters.tolist())) == 4
            again = joined.join(ratings_of([named("b", cat=["joy"])], LABELS) or joined, 2)
            assert again.names == ("ann", "cat")
            assert (again.raters < 0).sum() == 3


def test_raters_of_two_corpora_are_different_people() -> None:
    parts = [
        replace(corpus(SHARES[:1], named(name, E1=["joy"])), corpus=name) for name in ("x", "y")
    ]
    ratings = ratings_of(concatenate(parts).utterances, LABELS)
    assert ratings is not None
    assert ratings.names == ("x:E1", "y:E1")


def test_a_merge_changes_raters_as_it_changes_shares() -> None:
    chosen = {"E1": ["fear", "anger", "joy"]}
    shares = shares_of([tally(chosen)], LABELS)
    merged = corpus(shares, named("a", **chosen)).merged({"fear": "anger"})
    raters = json.loads(merged.utterances[0].extra[RATERS])
    np.testing.assert_allclose(merged.labels, [[2 / 3, 1 / 3]], rtol=1e-6)
    np.testing.assert_allclose(shares_of([tally(raters)], merged.space.labels), merged.labels)


def corpus(labels: np.ndarray, *people: Utterance) -> Manifest:
    return Manifest("votes", EmotionSpace(LABELS, "single"), people, labels.astype(np.float32))


def test_merged_emotions_add_their_shares_and_keep_who_chose_them() -> None:
    people = [named("a", ann=["joy"], ben=["fear", "anger"], cat=["anger"]), Utterance("b")]
    merged = corpus(SHARES[:2], *people).merged({"fear": "anger"})
    np.testing.assert_allclose(merged.labels, [[1, 0], [0.5, 0.5]])
    raters = json.loads(merged.utterances[0].extra[RATERS])
    assert raters == {"ann": ["joy"], "ben": ["anger", "anger"], "cat": ["anger"]}
    counted = corpus(SHARES[:1], Utterance("a", extra={VOTES: '{"fear":2,"anger":1}'}))
    votes = counted.merged({"fear": "anger"}).utterances[0].extra[VOTES]
    assert json.loads(votes) == {"anger": 3}


def test_rows_with_most_votes_elsewhere_are_dropped_and_the_rest_sum_to_one() -> None:
    people = [Utterance(name) for name in (*IDS, "e")]
    mostly_fear = np.array([[0.4, 0.6, 0]], np.float32)
    kept = corpus(np.concatenate([SHARES, mostly_fear]), *people).only(["anger", "joy"])
    assert [u.id for u in kept.utterances] == ["a", "b", "c"]
    np.testing.assert_allclose(kept.labels, [[1, 0], [0.5, 0.5], [4 / 7, 3 / 7]], rtol=1e-6)
