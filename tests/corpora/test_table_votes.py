"""Votes in a table: shares, counts, or what each rater chose, and what is wrong with them."""

import json
from pathlib import Path

import numpy as np
import pytest

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.votes import RATERS, VOTES
from moodal.corpora import table


def read(folder: Path, text: str) -> Manifest:
    path = folder / "table.csv"
    path.write_text(text)
    return table.read(path)


def test_shares_are_labels(tmp_path: Path) -> None:
    shares = read(tmp_path, "id,text,age,share:Joy,share:fear\na,x,44,0.25,0.75\nb,y,31,1,\n")
    assert shares.space == EmotionSpace(["joy", "fear"], "single")
    assert shares.labels.tolist() == [[0.25, 0.75], [1, 0]]
    assert [u.extra for u in shares.utterances] == [{"age": "44"}, {"age": "31"}]


def test_rounded_shares_are_scaled_to_one(tmp_path: Path) -> None:
    text = "id,text,share:a,share:b,share:c\na,x,0.33,0.33,0.33\n"
    np.testing.assert_allclose(read(tmp_path, text).labels, [[1 / 3] * 3], rtol=1e-6)


def test_counts_become_shares_and_are_kept(tmp_path: Path) -> None:
    counted = read(tmp_path, "id,text,votes:joy,votes:fear\na,x,1,3\nb,y,2,0\n")
    assert counted.labels.tolist() == [[0.25, 0.75], [1, 0]]
    assert json.loads(counted.utterances[0].extra[VOTES]) == {"joy": 1, "fear": 3}
    assert json.loads(counted.utterances[1].extra[VOTES]) == {"joy": 2}


def test_raters_keep_their_names_and_may_be_absent(tmp_path: Path) -> None:
    text = "id,text,rater:Ann,rater:ben\na,x,Sad; Angry,sad\nb,y,,joy\n"
    rated = read(tmp_path, text)
    assert rated.space == EmotionSpace(["angry", "joy", "sad"], "single")
    assert rated.labels.tolist() == [[0.25, 0, 0.75], [0, 1, 0]]
    assert json.loads(rated.utterances[0].extra[RATERS]) == {
        "ann": ["sad", "angry"],
        "ben": ["sad"],
    }
    assert json.loads(rated.utterances[1].extra[RATERS]) == {"ben": ["joy"]}


def test_ordinary_columns_called_raters_or_votes_are_no_votes(tmp_path: Path) -> None:
    text = "id,text,label,raters,votes\na,x,joy,3,12\nb,y,fear,2,9\n"
    plain = read(tmp_path, text)
    assert plain.utterances[0].extra == {"table:raters": "3", "table:votes": "12"}
    assert len([n for n in plain.notes if "is kept as table:" in n]) == 2
    assert plain.merged({"fear": "joy"}).space.labels == ("joy",)
    assert read(tmp_path, text.replace("raters,votes", "age,sex")).notes == ()


def test_fractions_of_emotions_are_shares_where_rows_sum_to_one(tmp_path: Path) -> None:
    """They were all taken as present, from .1 to .5 alike."""
    text = "id,text,emotion:joy,emotion:fear,emotion:rage\na,x,0.5,0.4,0.1\nb,y,0.2,0.3,0.5\n"
    shares = read(tmp_path, text)
    assert shares.space == EmotionSpace(["joy", "fear", "rage"], "single")
    np.testing.assert_allclose(shares.labels, [[0.5, 0.4, 0.1], [0.2, 0.3, 0.5]], rtol=1e-6)
    [note] = shares.notes
    assert note.startswith("Taken as shares of raters, as every row sums to 1")
    plain = read(tmp_path, text.replace("emotion:", ""))
    assert plain.space == shares.space
    assert "Taken as emotions" in plain.notes[0]
    assert "Taken as shares of raters" in plain.notes[0]


def test_one_soft_cell_does_not_make_shares_of_several_emotions(tmp_path: Path) -> None:
    cells = "a,x,1,0\nb,x,0,1\nc,x,1,0\nd,x,.5,0\ne,x,1,1\n"
    several = read(tmp_path, f"id,text,emotion:happy,emotion:sad\n{cells}")
    assert several.space.task == "multi"
    assert several.labels.tolist() == [[1, 0], [0, 1], [1, 0], [1, 0], [1, 1]]
    assert "Name columns share:NAME if the shares of a row sum to 1." in several.notes[0]


def test_fractions_that_do_not_sum_to_one_need_a_half(tmp_path: Path) -> None:
    text = "id,text,emotion:joy,emotion:fear\na,x,0.9,0.6\nb,y,0.5,0.4\nc,z,0.1,0\n"
    several = read(tmp_path, text)
    assert several.space.task == "multi"
    assert several.labels.tolist() == [[1, 1], [1, 0], [0, 0]]
    assert "present from a half on (emotion:joy, emotion:fear)" in several.notes[0]
    # an intensity may be any number, and whole labels need no note
    strong = read(tmp_path, text.replace("0.9", "2"))
    assert strong.labels.tolist() == [[1, 1], [1, 1], [1, 0]]
    assert strong.notes == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "share:joy,share:fear\na,x,1,1\n",
            "row 1 (a) has shares that sum to 2, not 1; correct them, or name the columns "
            "votes:joy and so on if they count raters",
        ),
        ("share:,share:fear\na,x,0.5,0.5\n", "a column 'share:' without the name of its emotion"),
        ("rater:ann,rater:\na,x,joy,fear\n", "a column 'rater:' without the name of its rater"),
        ("rater:ann,rater: ann\na,x,joy,fear\n", "has two columns rater:ann; keep one"),
        ("share:joy,share:fear\na,x,50,50\n", "sum to 100, not 1"),
        ("share:joy,share:fear\na,x,-1,2\n", "has share:joy '-1', which is not a share"),
        ("share:joy,share:fear\na,x,much,1\n", "has share:joy 'much', which is not a share"),
        ("votes:joy,votes:fear\na,x,0.5,1\n", "'0.5', which is not a number of raters"),
        ("votes:joy,votes:fear\na,x,0,0\n", "row 1 (a) has no vote at all; leave it out"),
        ("rater:ann,rater:ben\na,x,joy,\nb,y,,\n", "row 2 (b) has no rating in rater:ann"),
        ("label,votes:joy\na,x,joy,1\n", "both a column label and votes:joy"),
        ("emotion:joy,rater:ann\na,x,1,joy\n", "both a column rater:ann and emotion:joy"),
    ],
)
def test_faults_are_one_sentence_with_row_and_cure(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, f"id,text,{text}")
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)
