"""Tables as spreadsheets, pandas, R and databases write them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from moodal.core.errors import DataError
from moodal.core.table_rows import read_rows, read_table

ROWS = [["id", "text", "label"], ["1", "So good, really", "happy"], ["2", "No; never", "angry"]]
EXPECTED = [
    {"id": "1", "text": "So good, really", "label": "happy"},
    {"id": "2", "text": "No; never", "label": "angry"},
]


def written(mark: str) -> str:
    """Write the rows with a separator, and quotes where a cell holds it."""
    return "".join(
        mark.join(f'"{cell}"' if mark in cell else cell for cell in row) + "\r\n" for row in ROWS
    )


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_separator_is_found_in_the_header(tmp_path: Path, name: str, mark: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\xef\xbb\xbf" + written(mark).encode())
    assert read_rows(path) == EXPECTED


@pytest.mark.parametrize("mark", [";", ",", "\t", ":"])
def test_a_first_line_may_name_the_separator(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"sep={mark}\r\n" + written(mark), encoding="utf-8-sig", newline="")
    assert read_rows(path) == EXPECTED


def test_unicode_text_of_excel_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(written("\t"), encoding="utf-16", newline="")
    assert read_rows(path) == EXPECTED


def test_commas_within_a_range_or_quotes_separate_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('"a,b,c,d";value:trust[0,4];value:joy[0,4]\nx;1;2\n')
    assert read_rows(path) == [{"a,b,c,d": "x", "value:trust[0,4]": "1", "value:joy[0,4]": "2"}]


def test_padding_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with pytest.raises(DataError, match="two columns 'id'"):
        read_rows(_with(path, "id,id\n1,2\n"))
    assert read_rows(_with(path, "\n,Unnamed: 0,id,label,,\n0,0,a,sad,,,\n,,,,,\n1,1,,,,\n")) == [
        {"id": "a", "label": "sad"}
    ]


def _with(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("word", ["nan", "NaN", "NA", "N/A", "n/a", "#N/A", "NULL", "<NA>"])
def test_a_word_for_a_missing_value_is_an_empty_cell(tmp_path: Path, word: str) -> None:
    table = read_table(_with(tmp_path / "t.csv", f"id,label,end\na,{word},{word}\nb,none,1\n"))
    assert table.rows == [
        {"id": "a", "label": None, "end": None},
        {"id": "b", "label": "none", "end": "1"},
    ]
    assert repr(word) + " (2)" in table.notes[0]
    path = _with(tmp_path / "t.jsonl", f'{{"id": "a", "label": "{word}"}}\n')
    assert read_rows(path) == [{"id": "a", "label": None}]


def test_decimal_commas_are_read_in_columns_of_numbers_alone(tmp_path: Path) -> None:
    path = _with(tmp_path / "t.csv", "id;text;end;place\n1,5;2,5;0,5;1,5 m\n2;3;12,25;x\n")
    assert read_rows(path) == [
        {"id": "1,5", "text": "2,5", "end": "0.5", "place": "1,5 m"},
        {"id": "2", "text": "3", "end": "12.25", "place": "x"},
    ]
    ambiguous = _with(tmp_path / "t.csv", 'id,end\na,"1,234"\nb,5\n')
    assert [row["end"] for row in read_rows(ambiguous)] == ["1,234", "5"]
    milliseconds = _with(tmp_path / "t.csv", "id;end\na;1,234\nb;5\n")
    assert [row["end"] for row in read_rows(milliseconds)] == ["1.234", "5"]


def test_what_is_no_table_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    (tmp_path / "t.jsonl").write_text("[" * 100_000)
    (tmp_path / "t.tsv").mkdir()
    for name, words in (("t.csv", "a pipe"), ("t.tsv", "a folder"), ("t.jsonl", "nested too deep")):
        with pytest.raises(DataError, match=words):
            read_rows(tmp_path / name)
    with pytest.raises(DataError, match=r"Cannot read .*gone\.csv: No such file"):
        read_rows(tmp_path / "gone.csv")
