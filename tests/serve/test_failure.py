"""Sentences for clients hold no path of the server."""

import pytest

from moodal.core.errors import DataError
from moodal.serve import decision
from moodal.serve.failure import Failure, sentence_of


@pytest.mark.parametrize(
    "path",
    [
        "/home/user/data/x.bin",
        "/home/My User/data/x.bin",
        "/home/My User/my data/my file.csv",
        "/srv/data/file",
        "C:\\Users\\My User\\data\\x.bin",
        "C:/Users/data/x.bin",
        "\\\\server\\share\\My data\\x.bin",
    ],
)
def test_a_path_is_left_out(path):
    assert sentence_of(DataError(f"{path}: it is damaged."), {}) == (
        "a file of the server: it is damaged."
    )
    assert sentence_of(DataError(f"{path} is damaged."), {}).startswith("a file of the server")
    for part in ("User", "user", "data", "share", "x.bin", "my"):
        assert part not in sentence_of(DataError(f"Row 3 of {path} is damaged."), {})


def test_what_is_no_path_stays():
    for text in ("Give words and/or a file.", "See https://example.org/a/b for 3 m/s.", "Why: no."):
        assert sentence_of(DataError(text), {}) == text


def test_a_damaged_file_of_corrections_names_no_path():
    with pytest.raises(Failure) as failure, decision.mistakes():
        raise DataError("/home/My User/data/corrections.csv, row 3: it is damaged.")
    assert failure.value.sentence == "a file of the server, row 3: it is damaged."


def test_options_of_the_command_line_are_named_as_fields():
    for text, sentence in (
        ("Say who speaks, for example with --speakers auto.", "speakers=auto."),
        ("Leave --text and --face-actions out.", "Leave the field text and the field face_actions"),
        ("A dash--and 3 -- 4.", "A dash--and 3 -- 4."),
    ):
        assert sentence in sentence_of(DataError(text), {})
