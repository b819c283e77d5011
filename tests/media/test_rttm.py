"""RTTM: who speaks when, from files of other tools."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.errors import DataError
from moodal.media.rttm import NamedTurn, parse_rttm, read_rttm

FILE = """;; made by hand
SPKR-INFO talk 1 <NA> <NA> <NA> unknown Anna <NA>
SPEAKER talk 1 3.5 1.25 <NA> <NA> Ben <NA> <NA>

SPEAKER talk 1 0.5 3.2 <NA> <NA> Anna 0.9
NON-SPEECH talk 1 4 1 <NA> noise <NA> <NA>
SPEAKER talk 1 9 0 <NA> <NA> Ben <NA> <NA>
"""
TURNS = [NamedTurn(0.5, 3.2, "Anna"), NamedTurn(3.5, 1.25, "Ben")]
OTHER = "SPEAKER other 1 1 1 <NA> <NA> Cleo <NA> <NA>\n"


def test_turns_are_sorted_and_other_lines_left_out():
    assert parse_rttm(FILE) == TURNS


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_change_nothing(tmp_path, encoding, end):
    path = tmp_path / "talk.rttm"
    path.write_bytes(FILE.replace("\n", end).encode(encoding))
    assert read_rttm(path) == TURNS


def test_the_recording_is_found_among_several():
    assert parse_rttm(FILE + OTHER, recording="other") == [NamedTurn(1, 1, "Cleo")]
    spaced = FILE + OTHER.replace("other", "my_talk")
    assert parse_rttm(spaced, recording="my talk") == [NamedTurn(1, 1, "Cleo")]
    with pytest.raises(DataError, match=r"x holds 2 recordings \('talk', 'other'\), and none is"):
        parse_rttm(FILE + OTHER, "x", "third")
    with pytest.raises(DataError, match="none was chosen"):
        parse_rttm(FILE + OTHER)


def test_the_only_recording_may_have_another_name():
    assert parse_rttm(FILE, recording="renamed") == TURNS


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("SPEAKER talk 1 nan 1 <NA> <NA> Anna", "x, line 2: the start 'nan' is no number"),
        ("SPEAKER talk 1 -1 1 <NA> <NA> Anna", "the start '-1' is no number of seconds"),
        ("SPEAKER talk 1 1 -2 <NA> <NA> Anna", "the duration '-2' is no number of seconds"),
        ("SPEAKER talk 1 1 inf <NA> <NA> Anna", "the duration 'inf' is no number"),
        ("SPEAKER talk 1 <NA> <NA> <NA> <NA> Anna", "the start '<NA>' is no number"),
        ("SPEAKER talk 1 1 2 <NA> <NA> <NA> <NA> <NA>", "the turn names no speaker"),
        ("SPEAKER talk 1 1 2", "has 8 to 10 fields, but here are 5"),
        ("hello there", "'hello' is no kind of line of RTTM"),
    ],
)
def test_a_wrong_line_is_named(line, message):
    with pytest.raises(DataError) as error:
        parse_rttm(f";; comment\n{line}\n", "x")
    assert message in str(error.value)
    assert str(error.value).startswith("x, line 2: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        (b";; nothing\n", "holds no turn"),
        (b"SPEAKER \xff\xfe\xfa", "is no text in UTF-8"),
        (b"RIFF\x00\x00", "is no RTTM file, but other data"),
    ],
)
def test_a_file_without_turns_is_refused(tmp_path, content, message):
    path = tmp_path / "talk.rttm"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_rttm(path)


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"Cannot read RTTM file .*none.rttm"):
        read_rttm(tmp_path / "none.rttm")


@settings(max_examples=200)
@given(st.text(alphabet="SPEAKER<NA>; 019.-\n\tétalk", max_size=120))
def test_any_text_is_turns_or_a_data_error(text):
    try:
        turns = parse_rttm(text)
    except DataError:
        return
    assert turns == sorted(turns)
    assert all(turn.start >= 0 and turn.duration > 0 and turn.name for turn in turns)


def test_a_recording_of_another_name_is_told():
    text = "SPEAKER my_talk 1 0.50 2.25 <NA> <NA> Anna <NA> <NA>"
    told = []
    parse_rttm(text, "a.rttm", "my talk", told.append)
    parse_rttm(text, "a.rttm", None, told.append)
    assert told == []
    parse_rttm(text, "a.rttm", "other", told.append)
    assert told == ["The turns of a.rttm are of a recording called 'my_talk', not 'other'."]
