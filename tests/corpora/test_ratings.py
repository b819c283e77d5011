"""Ratings in tables, ELAN documents and TextGrids, among them those that moodal writes."""

import csv

import pytest

from moodal.core.errors import DataError, UsageError
from moodal.corpora.ratings import of_one_recording, read_raters
from moodal.output.formats import FORMATS, write


def rows_of(rater):
    return [(r.recording, r.start, r.end, r.label) for r in rater.ratings]


def table(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("format", ["csv", "textgrid", "eaf"])
def test_moodals_answers_are_read_back(format, made, tmp_path):
    timeline = made.timeline("calls/talk.mp4")
    path = tmp_path / f"talk{FORMATS[format].ending}"
    write(timeline, format, path)
    [rater] = read_raters([path])
    assert rater.name == "talk"
    expected = [
        ("talk", p.start, p.end, p.label if p.decided else None)
        for p in timeline
        if format == "csv" or p.label
    ]
    assert rows_of(rater) == expected
    assert None in [row[3] for row in expected]  # an utterance on which the model abstains


@pytest.mark.parametrize("format", ["textgrid", "eaf"])
def test_a_tier_of_numbers_holds_values(format, made, tmp_path):
    path = tmp_path / f"talk{FORMATS[format].ending}"
    write(made.dimensioned(made.timeline()), format, path)
    [rater] = read_raters([path], tier="Valence")
    assert {r.label for r in rater.ratings} == {None}
    assert [r.values["valence"] for r in rater.ratings][:2] == [-0.5, -0.25]


def test_a_table_of_several_raters(tmp_path):
    rows = [
        {"recording": "x/a.wav", "start": 0, "end": 1.5, "label": "Joy", "annotator": "Ann"},
        {"recording": "x/a.wav", "start": 0, "end": 1.5, "label": "happy", "annotator": "Ben"},
        {"recording": "b.wav", "start": "", "end": "", "label": "", "annotator": "Ben"},
    ]
    raters = read_raters([table(tmp_path / "all.csv", rows)], names={"Happy": "joy"})
    assert [r.name for r in raters] == ["Ann", "Ben"]
    assert rows_of(raters[0]) == [("a", 0.0, 1.5, "joy")]
    assert rows_of(raters[1]) == [("a", 0.0, 1.5, "joy"), ("b", None, None, None)]


def test_values_and_ids(tmp_path):
    rows = [{"id": "u1", "valence": 0.5, "value:trust[0,4]": 3}, {"id": "u2", "valence": ""}]
    rows[1]["value:trust[0,4]"] = 1
    [rater] = read_raters([table(tmp_path / "v.csv", rows)])
    assert [(r.unit, dict(r.values)) for r in rater.ratings] == [
        ("u1", {"valence": 0.5, "trust": 3.0}),
        ("u2", {"trust": 1.0}),
    ]


def test_a_folder_is_one_rater_and_equal_names_are_told_apart(made, tmp_path):
    for person in ("ann", "ben"):
        for name in ("a.wav", "b.wav"):
            write(made.timeline(name), "textgrid", tmp_path / person / f"{name[0]}.TextGrid")
    raters = read_raters([tmp_path / "ann", tmp_path / "ben"])
    assert [r.name for r in raters] == ["ann", "ben"]
    assert {r.recording for r in raters[0].ratings} == {"a", "b"}
    files = [tmp_path / person / "a.TextGrid" for person in ("ann", "ben")]
    assert [r.name for r in read_raters(files)] == list(map(str, files))


LATE = """File type = "ooTextFile"
Object class = "TextGrid"

0
1000000000000
<exists>
1
"IntervalTier"
"emotion"
0
1000000000000
1
0
1000000000000
"joy"
"""
"""A TextGrid, in Praat's short form, with a mistyped end."""


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "recording,label,start,end\na.wav,joy,2,1\n", r"row 1: start and end are sec"),
        ("a.csv", "recording,label,start,end\na.wav,joy,2,\n", r"row 1: start and end are sec"),
        (
            "a.csv",
            "recording,label,start,end\na.wav,joy,0,1e12\n",
            r"row 1: a rating ends at 1e\+12",
        ),
        (
            "a.TextGrid",
            LATE,
            "tier emotion: a rating ends at 1e[+]12 seconds, after more than 7 days",
        ),
        ("a.csv", "label\njoy\n", r"row 1: the row names neither a recording nor an id"),
        ("a.csv", "recording,mood\na.wav,joy\n", r"no column of emotions .* are recording, mood"),
        ("a.csv", "recording,valence\na.wav,high\n", r"row 1: valence is a number; got 'high'"),
        ("a.eaf", "<ANNOTATION", "is no ELAN document"),
        ("a.eaf", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "declares XML entities"),
        ("a.eaf", "<A><TIER TIER_ID='x'/><TIER TIER_ID='y'/></A>", "its tiers are x, y. Name one"),
        ("a.TextGrid", "no grid", "is no Praat TextGrid"),
        ("a.docx", "", "is none of .csv"),
    ],
)
def test_wrong_files_are_named(name, content, message, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message) as refusal:
        read_raters([tmp_path / name])
    assert str(tmp_path / name) in str(refusal.value)


def test_missing_files_and_empty_folders(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_raters([tmp_path / "none.csv"])
    with pytest.raises(DataError, match="holds no table, ELAN document or TextGrid"):
        read_raters([tmp_path])


def test_values_of_answers_are_read(tmp_path):
    rows = [{"recording": "a.wav", "start": 0, "end": 1, "decided": "", "value_trust": 3.5}]
    [rater] = read_raters([table(tmp_path / "answers.csv", rows)])
    assert [dict(r.values) for r in rater.ratings] == [{"trust": 3.5}]


def test_another_name_of_an_emotion_that_nobody_chose(tmp_path):
    rows = [{"recording": "a.wav", "start": 0, "end": 1, "label": "happiness"}]
    path = table(tmp_path / "ann.csv", rows)
    with pytest.raises(UsageError, match=r"--map happines: no rating .*; there are happiness\."):
        read_raters([path], names={"happines": "joy"})


def test_documents_named_by_raters_are_of_one_recording(made, tmp_path):
    files = [tmp_path / "ann.TextGrid", tmp_path / "ben.TextGrid", tmp_path / "x" / "ben.TextGrid"]
    for file in files:
        write(made.timeline(), "textgrid", file)
    together = of_one_recording(files[:2], read_raters(files[:2]))
    assert [{r.recording for r in rater.ratings} for rater in together] == [{"ann"}, {"ann"}]
    assert of_one_recording(files[1:], read_raters(files[1:])) is None  # already have one name
    folders = [tmp_path / "x", files[0]]
    assert of_one_recording(folders, read_raters(folders)) is None
