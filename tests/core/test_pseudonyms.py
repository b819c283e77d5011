"""Pseudonyms: random, kept in a key, and in place of every name."""

from __future__ import annotations

import csv
import dataclasses
import stat

import pytest

from moodal.core.errors import DataError, OutputError
from moodal.core.privacy import Privacy
from moodal.core.pseudonyms import Pseudonyms, without_quotes
from moodal.core.timeline import SpeakerTurn
from moodal.output.formats import from_json, render

KEY = "kind,name,pseudonym\nrecording,anna.mp4,R1\nspeaker,ANNA,S1\n"


def key(tmp_path, text=KEY):
    path = tmp_path / "key.csv"
    path.write_text(text, encoding="utf-8")
    return path


def named(made, path="data/Anna Berg.mp4"):
    whole = made.timeline(path=path)
    names = ["ANNA", "BEN, ANNA", "speaker 2", None, "BEN"]
    predictions = tuple(
        dataclasses.replace(
            p, id=f"Anna Berg.mp4#{i + 1}", speaker=name, person=name, flags=("ANNA is quiet.",)
        )
        for i, (p, name) in enumerate(zip(whole, names, strict=True))
    )
    return dataclasses.replace(
        whole,
        predictions=predictions,
        notes=("data/Anna Berg.srt, line 3: 'So what' is no span of time.",),
        absent={"face": "/srv/anna/x.mp4 holds no pictures"},
        turns=(SpeakerTurn(0, 1, "BEN"),),
    )


def test_every_name_is_replaced_and_the_key_holds_all(made, tmp_path):
    pseudonyms = Pseudonyms(tmp_path / "new" / "key.csv")
    other = pseudonyms.timeline(named(made))
    pseudonyms.save()
    text = render([other], "json")
    for name in ("Anna", "ANNA", "BEN", "data/", "srv", "So what"):
        assert name not in text
    assert other.path.startswith("recording-")
    assert [p.id for p in other] == [f"{other.path}#{n}" for n in range(1, 6)]
    assert other[2].speaker == "speaker 2"
    assert other[1].speaker == f"{other[4].speaker}, {other[0].speaker}"
    assert other.turns[0].speaker == other[4].speaker == other[4].person
    assert other[0].flags == (f"{other[0].speaker} is quiet.",)
    assert not other.thumbnails  # they show faces
    rows = list(csv.DictReader(pseudonyms.path.open(encoding="utf-8")))
    assert {row["name"] for row in rows} == {"data/Anna Berg.mp4", "ANNA", "BEN"}
    assert stat.S_IMODE(pseudonyms.path.stat().st_mode) == 0o600
    again = Pseudonyms(pseudonyms.path)
    assert again.timeline(named(made)).predictions == other.predictions
    [back] = from_json(text)
    assert back[0].probabilities == from_json(render([named(made)], "json"))[0][0].probabilities


def test_pseudonyms_are_random(made, tmp_path):
    first, second = (Pseudonyms(tmp_path / n).speaker("ANNA") for n in ("a.csv", "b.csv"))
    assert first != second


def test_a_key_is_extended_and_keeps_its_rows(tmp_path):
    pseudonyms = Pseudonyms(key(tmp_path))
    assert pseudonyms.speaker("ANNA") == "S1"
    assert pseudonyms.recording("some/folder/anna.mp4") == "R1"  # by the file's name
    new = pseudonyms.speaker("BEN")
    pseudonyms.save()
    assert pseudonyms.path.read_text(encoding="utf-8") == f"{KEY}speaker,BEN,{new}\n"


def test_a_recording_is_one_by_whatever_path(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.wav").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    pseudonyms = Pseudonyms("key.csv")
    assert pseudonyms.recording("a/x.wav") == pseudonyms.recording(str(tmp_path / "a" / "x.wav"))
    assert pseudonyms.recording("b/x.wav") != pseudonyms.recording("a/x.wav")
    assert pseudonyms.recording("-") == "-"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name,pseudonym\na,b\n", "is no key"),
        ("", "is empty"),
        ("\x00\x01", "is no key"),
        (KEY + "person,x,y\n", "row 3"),
        (KEY + "speaker,x\n", "row 3"),
        (KEY + "speaker,x,\n", "row 3"),
        (KEY + "speaker,ANNA,S2\n", "occurs twice"),
        (KEY + "speaker,BEN,S1\n", "occurs twice"),
        (KEY + "speaker,BEN,../x\n", "without slashes"),
        (KEY + 'speaker,"BEN,S2\n', "quote"),
    ],
)
def test_a_damaged_key_is_refused_and_stays_as_it_is(tmp_path, text, problem):
    path = key(tmp_path, text)
    with pytest.raises(DataError, match=problem):
        Pseudonyms(path)
    assert path.read_text(encoding="utf-8") == text


def test_a_key_that_another_program_changed_is_not_overwritten(tmp_path):
    path = key(tmp_path)
    pseudonyms = Pseudonyms(path)
    pseudonyms.speaker("BEN")
    path.write_text(KEY + "speaker,BEN,S9\n", encoding="utf-8")
    with pytest.raises(OutputError, match="another program"):
        pseudonyms.save()
    assert "S9" in path.read_text(encoding="utf-8")


def test_messages_lose_known_names_strange_paths_and_quotes(tmp_path):
    pseudonyms = Pseudonyms(key(tmp_path))
    pseudonyms.recording("study/anna.mp4")
    said = pseudonyms.message(
        "study/anna.mp4 is empty; anna's bananas; /home/anna/x y.txt; C:\\anna\\x; 'secret'; "
        "it isn't and can't; 3 and/or 4; ANNA speaks."
    )
    assert said == (
        "R1 is empty; R1's bananas; a file; a file; …; it isn't and can't; 3 and/or 4; S1 speaks."
    )


def test_without_text_no_quote_is_left(made):
    whole = dataclasses.replace(named(made), notes=("Line 3, 'velvet', isn't one.",))
    silent = Privacy(text=False).timeline(whole)
    assert silent.notes == ("Line 3, …, isn't one.",)
    assert silent[0].speaker == "ANNA"  # names are another matter
    assert not any(p.text or p.words for p in silent)
    assert without_quotes('a "b" c') == "a … c"


def test_a_participant_who_speaks_has_one_pseudonym(tmp_path):
    pseudonyms = Pseudonyms(key(tmp_path))
    assert pseudonyms.participant("ANNA") == "S1"
    ben = pseudonyms.participant("BEN")
    assert ben.startswith("participant-")
    assert pseudonyms.speaker("BEN, ANNA") == f"{ben}, S1"
    assert pseudonyms.participant("speaker 2") == "speaker 2"
    assert [pseudonyms.session(name) for name in ("", "12")] == ["", "12"]
    assert pseudonyms.session("first") == pseudonyms.session("first") != "first"


def test_a_participant_named_by_a_number_or_letter_leaves_figures_and_words_alone(tmp_path):
    pseudonyms = Pseudonyms(key(tmp_path))
    assert {pseudonyms.participant(name) for name in ("7", "A")}.isdisjoint({"7", "A"})
    assert pseudonyms.message("A voice, 7 dB above the noise.") == "A voice, 7 dB above the noise."
