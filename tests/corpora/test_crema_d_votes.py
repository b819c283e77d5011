"""CREMA-D's votes: of each person, counted, or the winners of each panel."""

import json
from pathlib import Path

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.core.votes import RATERS, VOTES
from moodal.corpora import crema_d_votes

NAMES = ("1001_IEO_NEU_XX", "1001_IEO_HAP_LO", "1002_IEO_SAD_XX")
COUNTS = """"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"
"100001",0,0,0,1,10,0,"1001_IEO_NEU_XX",11,0.909,"N"
"100002",0,0,0,3,6,0,"1001_IEO_HAP_LO",9,0.667,"N"
"300001",0,0,0,9,1,0,"1001_IEO_HAP_LO",10,0.9,"H"
"""
RESPONSES = """"","localid","ans","queryType","clipName","respEmo","respLevel"
"1","p1","N_80",1,"1001_IEO_NEU_XX","N",80
"2","p2","S_20",1,"1001_IEO_NEU_XX","S",20
"3","p1","H_50",3,"1001_IEO_HAP_LO","H",50
"""
WINNERS = """"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote"
"1","1001_IEO_NEU_XX","N","70","N","70","N"
"2","1001_IEO_HAP_LO","N:S","70:20","H","70","H"
"3","1002_IEO_SAD_XX","A","70","D","70","S"
"""


@pytest.fixture
def release(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / "AudioWAV").mkdir(exist_ok=True)
        (tmp_path / "AudioWAV" / f"{name}.wav").touch()
    (tmp_path / "processedResults").mkdir()
    (tmp_path / "processedResults" / "summaryTable.csv").write_text(WINNERS)
    return tmp_path


def test_counts_of_a_panel_are_shares(release: Path) -> None:
    (release / "processedResults" / "tabulatedVotes.csv").write_text(COUNTS)
    voice = crema_d_votes.read_voice(release)
    assert voice.corpus == "crema-d-voice-votes"
    shares = {u.id: row for u, row in zip(voice.utterances, voice.labels, strict=True)}
    np.testing.assert_allclose(shares[NAMES[0]], [0, 0, 0, 1 / 11, 10 / 11, 0], rtol=1e-6)
    np.testing.assert_allclose(shares[NAMES[1]], [0, 0, 0, 3 / 9, 6 / 9, 0], rtol=1e-6)
    votes = {u.id: json.loads(u.extra[VOTES]) for u in voice.utterances}
    assert votes[NAMES[1]] == {"happiness": 3, "neutral": 6}
    assert "1 clips without votes were left out." in voice.notes
    both = crema_d_votes.read(release)
    assert [u.id for u in both.utterances] == [NAMES[1]]
    assert both.labels[0].argmax() == 3
    with pytest.raises(DataError, match="has no votes: put CREMA-D's"):
        crema_d_votes.read_face(release)


def test_what_each_person_chose_comes_first(release: Path) -> None:
    (release / "processedResults" / "tabulatedVotes.csv").write_text(COUNTS)
    (release / "finishedResponses.csv").write_text(RESPONSES)
    voice = crema_d_votes.read_voice(release)
    assert [u.id for u in voice.utterances] == [NAMES[0]]
    assert voice.labels.tolist() == [[0, 0, 0, 0, 0.5, 0.5]]
    raters = json.loads(voice.utterances[0].extra[RATERS])
    assert raters == {"p1": ["neutral"], "p2": ["sadness"]}


def test_winners_alone_are_shares_of_ties_without_raters(release: Path) -> None:
    voice = crema_d_votes.read_voice(release)
    assert voice.labels[0].tolist() == [0, 0, 0, 0, 0.5, 0.5]
    assert not voice.utterances[0].extra.keys() & {RATERS, VOTES}
    assert any("winners alone" in note for note in voice.notes)


def test_panels_are_three_raters(release: Path) -> None:
    panels = crema_d_votes.read_panels(release)
    shares = {u.id: row for u, row in zip(panels.utterances, panels.labels, strict=True)}
    np.testing.assert_allclose(shares[NAMES[1]], [0, 0, 0, 2 / 3, 1 / 6, 1 / 6], rtol=1e-6)
    np.testing.assert_allclose(shares[NAMES[2]], [1 / 3, 1 / 3, 0, 0, 0, 1 / 3], rtol=1e-6)
    raters = {u.id: json.loads(u.extra[RATERS]) for u in panels.utterances}
    assert raters[NAMES[1]] == {
        "voice": ["neutral", "sadness"],
        "face": ["happiness"],
        "both": ["happiness"],
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("finishedResponses.csv", RESPONSES.replace('"S",20', '"Q",20')),
        ("finishedResponses.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        ("processedResults/tabulatedVotes.csv", COUNTS.replace('"100002"', '""')),
        ("processedResults/tabulatedVotes.csv", COUNTS.replace(",3,6,", ",many,6,")),
    ],
)
def test_damaged_files_are_named_with_the_row(release: Path, name: str, content: str) -> None:
    (release / name).write_text(content)
    with pytest.raises(DataError, match=r"row \d.*take the file from CREMA-D's release") as caught:
        crema_d_votes.read_voice(release)
    assert "\n" not in str(caught.value)
