"""Held-out sessions, disjoint scripts, the authors' protocol, and subsets of corpora."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.records import Utterance
from moodal.evaluation.protocols import folds
from moodal.evaluation.protocols.audit import audit
from moodal.evaluation.protocols.disjoint import disjoint_by
from moodal.evaluation.protocols.select_on_test import SELECTED_ON_TEST, select_on_test
from moodal.evaluation.protocols.subset import only

SCRIPTS = ("script01_1", "script01_2", "")


def iemocap(per_dialogue=4):
    """Five sessions of two speakers, who read two scripts and improvise once in each."""
    utterances = [
        Utterance(
            f"Ses0{s}_{script or 'impro'}_{i}",
            session=f"Ses0{s}",
            speaker=f"Ses0{s}{'FM'[i % 2]}",
            dialogue=f"Ses0{s}_{script or 'impro'}",
            media={"text": f"line {i} of {script}" if script else f"turn {s} {i}"},
            extra={"style": "scripted", "script": script} if script else {"style": "improvised"},
        )
        for s in range(1, 6)
        for script in SCRIPTS
        for i in range(per_dialogue)
    ]
    labels = np.eye(2, dtype=np.float32)[np.arange(len(utterances)) % 2]
    return Manifest("made up", EmotionSpace(["sad", "angry"], "single"), tuple(utterances), labels)


def test_folds_of_a_session_each_are_named_by_it_and_tell_their_groups():
    experiments = list(folds.grouped(iemocap(), "session"))
    assert [e.name for e in experiments] == [f"fold Ses0{i}" for i in range(1, 6)]
    for i, e in enumerate(experiments, 1):
        assert e.split["test"] == [f"Ses0{i}"]
        assert len(e.split["valid"]) == 1  # a whole session, which is a speaker pair
        assert len(e.valid) == 12
        assert {e.manifest.utterances[r].session for r in e.valid} == set(e.split["valid"])
        json.dumps(e.split)
    assert [e.name for e in folds.grouped(iemocap(), "speaker", 3)] == [
        "fold 0",
        "fold 1",
        "fold 2",
    ]


def test_names_that_cannot_name_folders_are_numbered():
    utterances = [Utterance(f"u{i}", speaker="ab/AB"[i : i + 1]) for i in range(5)]
    corpus = Manifest("made up", EmotionSpace(["sad"]), tuple(utterances), np.ones((5, 1)))
    assert [e.name for e in folds.grouped(corpus, "speaker")] == [f"fold {i}" for i in range(5)]


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["session", "speaker", "dialogue"]), st.integers(0, 100))
def test_validation_by_another_column_keeps_its_groups_whole(valid_by, seed):
    corpus = iemocap()
    column = np.array(corpus.column(valid_by))
    for e in folds.grouped(corpus, "session", valid_by=valid_by, seed=seed):
        assert e.split["valid_by"] == valid_by
        assert not set(column[e.valid]) & set(column[e.train])
        assert set(column[e.valid]) == set(e.split["valid"])
        everything = np.sort(np.concatenate([e.train, e.valid, e.test]))
        assert everything.tolist() == list(range(60))
        assert 1 <= len(e.valid) <= 24


def test_published_folds_may_validate_by_another_column(tmp_path):
    corpus = iemocap()
    path = tmp_path / "folds.json"
    path.write_text(json.dumps({"one": [u.id for u in corpus.utterances if u.session == "Ses01"]}))
    (fold,) = folds.from_file(corpus, path, "speaker", valid_by="dialogue")
    assert fold.split == {
        "by": "file",
        "test": ["one"],
        "valid_by": "dialogue",
        "valid": fold.split["valid"],
    }
    with pytest.raises(DataError, match=r"no 'script'; choose another column for split\.valid_by"):
        next(folds.grouped(corpus, "session", valid_by="script"))


def test_scripts_are_disjoint_and_every_row_is_tested_once():
    corpus = iemocap()
    script = np.array([x or "" for x in corpus.column("script")])
    for fold in folds.grouped(corpus, "session"):
        parts = disjoint_by(fold, "script")
        assert [p.name for p in parts] == [
            f"{fold.name} script01_1",
            f"{fold.name} script01_2",
            f"{fold.name} without script",
        ]
        tested = np.sort(np.concatenate([p.test for p in parts]))
        np.testing.assert_array_equal(tested, fold.test)
        for part, value in zip(parts, SCRIPTS, strict=True):
            assert part.split["apart"] == {"script": value}
            assert set(script[part.test]) == {value}
            if value:
                assert value not in {*script[part.train], *script[part.valid]}
                lost = len(fold.train) + len(fold.valid) - len(part.train) - len(part.valid)
                assert lost == 16
                findings = audit(corpus, part.train, part.valid, part.test)
                shared = {f.what for f in findings if f.between != "train and valid"}
                assert not shared & {"scripts", "texts"}
            else:
                np.testing.assert_array_equal(part.train, fold.train)
                np.testing.assert_array_equal(part.valid, fold.valid)


def test_values_that_cannot_name_folders_get_unique_names():
    texts = ["It's one/two", "It's one two", "IT'S ONE TWO"] * 4
    corpus = Manifest(
        "made up",
        EmotionSpace(["sad"]),
        tuple(
            Utterance(f"u{i}", speaker=f"s{i // 3}", media={"text": t}) for i, t in enumerate(texts)
        ),
        np.ones((12, 1)),
    )
    names = [p.name for p in disjoint_by(next(folds.grouped(corpus, "speaker")), "text")]
    assert len({name.casefold() for name in names}) == 3
    assert not any("/" in name for name in names)


def test_missing_columns_and_empty_sides_are_refused():
    fold = next(folds.grouped(iemocap(), "session"))
    with pytest.raises(DataError, match=r"no utterance has a 'play'; .* split\.apart"):
        disjoint_by(fold, "play")
    script = np.array(fold.manifest.column("script"))
    few = dataclasses.replace(fold, valid=fold.valid[script[fold.valid] == "script01_2"])
    with pytest.raises(DataError, match="without script 'script01_2' no valid row is left"):
        disjoint_by(few, "script")


def test_the_authors_train_on_all_other_sessions_and_select_on_the_test():
    fold = next(folds.grouped(iemocap(), "session"))
    theirs = select_on_test(fold)
    assert theirs.stamps == (SELECTED_ON_TEST,)
    np.testing.assert_array_equal(theirs.train, np.union1d(fold.train, fold.valid))
    np.testing.assert_array_equal(theirs.valid, fold.test)
    assert "valid" not in theirs.split
    findings = audit(iemocap(), theirs.train, theirs.valid, theirs.test)
    errors = [f for f in findings if f.level == "error"]
    assert [(f.what, f.between, f.share) for f in errors] == [("ids", "valid and test", 1.0)]
    assert all(f.between == "train and test" for f in findings if f.level != "error")


def test_only_some_rows():
    corpus = iemocap()
    assert only(corpus, {}) is corpus
    free = only(corpus, {"style": "improvised", "session": "Ses02"})
    assert [u.id for u in free.utterances] == [f"Ses02_impro_{i}" for i in range(4)]
    with pytest.raises(UsageError, match=r"has no column 'mood'; it has .*session, .*style"):
        only(corpus, {"mood": "good"})
    with pytest.raises(UsageError, match="has session 'Ses06'; choose one of Ses01, Ses02"):
        only(corpus, {"session": "Ses06"})
    with pytest.raises(UsageError, match="has style 'improvised' and script 'script01_1' together"):
        only(corpus, {"style": "improvised", "script": "script01_1"})


def test_scripts_of_every_session_are_found_with_their_share():
    corpus = iemocap()
    fold = next(folds.grouped(corpus, "session"))

    def scripts(streams):
        findings = audit(corpus, fold.train, fold.valid, fold.test, streams)
        return next(f for f in findings if (f.what, f.between) == ("scripts", "train and test"))

    assert scripts(["text", "speech"]).level == "warning"
    assert scripts(["speech"]).level == "note"
    assert (scripts(["text"]).count, scripts(["text"]).share) == (2, pytest.approx(2 / 3))
