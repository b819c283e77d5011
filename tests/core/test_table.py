"""Tables of timelines: a DataFrame has the columns and cells of CSV, as numbers and in full."""

from __future__ import annotations

import csv
import dataclasses
import io
import sys

import pytest

import moodal
from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.core.table import summary_table, to_frame, utterance_table
from moodal.output.formats import to_csv, to_summary_csv

pandas = pytest.importorskip("pandas")


def every(made):
    """Timelines of every kind: emotions, values, dimensions, slices, faces, and nothing."""
    film = made.timeline()
    odd = dataclasses.replace(film[0], text="=1+1\x1b[31m\nno", track=None, end=float("nan"))
    faces = tuple(dataclasses.replace(p, track=1 + i % 2) for i, p in enumerate(film))
    return [
        dataclasses.replace(film, predictions=(odd, *film[1:]), path="-odd.mp4"),
        made.named(made.text_timeline(emotions=("anger", "jealous"))),
        made.valued(film),
        made.dimensioned(made.sliced()),
        dataclasses.replace(film, predictions=faces),
        dataclasses.replace(film, path="silent.wav", predictions=(), absent={"speech": "silence"}),
    ]


def assert_same_cells(frame, text, texts):
    """Assert that a frame and a CSV file have the same columns, rows and cells."""
    names, *rows = csv.reader(io.StringIO(text))
    assert list(frame.columns) == names
    assert len(frame) == len(rows) > 0
    for place, row in enumerate(rows):
        for column, (name, written) in enumerate(zip(names, row, strict=True)):
            value = frame.iloc[place, column]
            if pandas.isna(value):
                assert written == "", (place, name)
            elif isinstance(value, str):
                assert written in (value, f"'{value}"), (place, name)
            else:
                assert float(written) == pytest.approx(value, abs=6e-4), (place, name)
                assert name not in texts


def test_a_frame_has_the_columns_rows_and_cells_of_csv(made):
    several = every(made)
    frame = moodal.to_frame(several)
    texts = ("recording", "id", "text", "speaker", "decided", "streams", "absent", "flags")
    assert_same_cells(frame, to_csv(several), (*texts, "dimensions"))
    assert {"speaker", "p_jealous", "value_trust", "dimensions", "intensity_speech"} < set(frame)
    assert frame["text"][0] == "=1+1[31m no"  # no apostrophe, and nothing that moves a cursor
    assert frame["recording"][0] == "-odd.mp4"
    last = frame.iloc[-1]
    assert (last["recording"], last["absent"]) == ("silent.wav", "speech: silence")
    assert last.drop(["recording", "absent"]).isna().all()


def test_a_frame_of_summaries_has_the_columns_rows_and_cells_of_csv(made):
    several = every(made)
    frame = moodal.to_frame(several, summary=True)
    assert_same_cells(frame, to_summary_csv(several), ("recording", "telling"))
    assert frame["track"].dropna().tolist() == [1, 2]
    assert made.timeline().to_frame(summary=True)["utterances"].tolist() == [5]


def test_numbers_are_numbers_and_not_rounded(made):
    timeline = made.dimensioned(made.text_timeline())
    frame = timeline.to_frame()
    for emotion in made.BASICS:
        assert frame[f"p_{emotion}"].tolist() == [p.probabilities[emotion] for p in timeline]
        shares = [p.shares["text"][emotion] for p in timeline]
        assert frame[f"share_text_{emotion}"].tolist() == shares
    assert frame["start"].dtype == frame["p_anger"].dtype == "float64"  # though none has a start
    assert frame["track"].dtype == "Int64"
    summary = made.timeline().to_frame(summary=True)
    assert summary["first_anger"].tolist() == [0.4]
    assert summary["first_fear"].dtype == "float64"
    assert timeline.to_frame(summary=True)["first_happiness"].tolist() == ["letter.txt#3"]


def test_one_timeline_several_and_as_they_come(made):
    timeline, text = made.timeline(), made.text_timeline()
    pandas.testing.assert_frame_equal(to_frame(timeline), to_frame([timeline]))
    pandas.testing.assert_frame_equal(to_frame(timeline), timeline.to_frame())
    frame = to_frame(one for one in (timeline, text))
    assert frame["recording"].tolist() == ["clip.mp4"] * 5 + ["letter.txt"] * 5
    assert list(to_frame([])) == list(to_frame(timeline))[:11]


def test_what_is_no_timeline_is_refused(made):
    several = [made.timeline(), DataError("a.wav is \x1b[31mempty.")]
    for table in (utterance_table, summary_table, to_frame):
        with pytest.raises(UsageError, match=r"but there is DataError\('a.wav is .*leave out"):
            table(several)


def test_words_of_one_name_are_two_columns(made):
    frame = made.text_timeline(emotions=("anger", "anger\x07")).to_frame()
    assert list(frame)[11:13] == ["p_anger", "p_anger"]


def test_pandas_is_asked_for_where_it_lacks(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependencyError, match="pip install pandas"):
        made.timeline().to_frame()
