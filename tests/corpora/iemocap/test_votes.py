"""IEMOCAP's evaluators: each has a vote, the speakers have none."""

import json
from pathlib import Path

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.core.votes import RATERS
from moodal.corpora.iemocap import release, votes
from moodal.lookalikes import LOOKALIKES

SHEET = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[1.0 - 2.0]\tSes01F_impro01_F000\tang\t[2.5, 2.5, 2.5]
C-E2:\tAnger;\t()
C-E3:\tAnger; Frustration;\t()
C-E4:\tNeutral state;\t()
C-F1:\tSadness;\t()

[3.0 - 4.0]\tSes01F_impro01_F001\txxx\t[2.5, 2.5, 2.5]
C-E2:\tExcited;\t()
C-E3:\tBoredom;\t()

[5.0 - 6.0]\tSes01F_impro01_F002\tneu\t[2.5, 2.5, 2.5]
C-F1:\tNeutral;\t()
"""


def sheet(root: Path, text: str) -> Path:
    place = root / "Session1" / "dialog" / "EmoEvaluation"
    place.mkdir(parents=True)
    (place / "Ses01F_impro01.txt").write_text(text)
    return root


def test_evaluators_vote_and_speakers_do_not(tmp_path: Path) -> None:
    manifest = votes.read(sheet(tmp_path, SHEET))
    assert [u.id[-4:] for u in manifest.utterances] == ["F000", "F001"]
    assert "undecided" not in manifest.space.labels
    first = dict(zip(manifest.space.labels, manifest.labels[0].tolist(), strict=True))
    expected = {"angry": 0.5, "frustrated": 1 / 6, "neutral": 1 / 3}
    np.testing.assert_allclose([first[x] for x in expected], list(expected.values()), rtol=1e-6)
    assert json.loads(manifest.utterances[0].extra[RATERS]) == {
        "E2": ["angry"],
        "E3": ["angry", "frustrated"],
        "E4": ["neutral"],
    }
    assert json.loads(manifest.utterances[1].extra[RATERS]) == {"E2": ["excited"]}
    assert any("none of the release's were left out: 'Boredom' (1)" in x for x in manifest.notes)
    assert any("1 turns without a vote were left out." in x for x in manifest.notes)


def test_merged_emotions_share_their_votes(tmp_path: Path) -> None:
    merged = votes.read(sheet(tmp_path, SHEET)).merged({"frustrated": "angry"})
    assert merged.labels[0, merged.space.index("angry")] == pytest.approx(2 / 3)


def test_a_release_without_evaluators_is_refused(tmp_path: Path) -> None:
    bare = "\n".join(line for line in SHEET.splitlines() if not line.startswith("C-"))
    with pytest.raises(DataError, match="no label file has the lines of evaluators"):
        votes.read(sheet(tmp_path, bare))


def test_the_look_alike_has_the_label_that_most_evaluators_chose(tmp_path: Path) -> None:
    LOOKALIKES["iemocap-release"](tmp_path / "made", 40, 0)
    voted = votes.read(tmp_path / "made")
    plain = release.read(tmp_path / "made")
    label = {
        u.id: plain.space.labels[int(row.argmax())]
        for u, row in zip(plain.utterances, plain.labels, strict=True)
    }
    decided = [
        (label[u.id], voted.space.labels[int(row.argmax())])
        for u, row in zip(voted.utterances, voted.labels, strict=True)
        if row.max() > 0.5
    ]
    assert len(decided) > 20
    assert all(a == b for a, b in decided)
