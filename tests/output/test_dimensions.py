"""Dimensions and intensity in every form of an answer."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from moodal.core.errors import DataError
from moodal.output import formats
from moodal.output.formats import from_json
from moodal.output.plot import plot
from moodal.output.terminal import show


@pytest.fixture(scope="module")
def timeline(made):
    return made.dimensioned(made.timeline())


@pytest.fixture(scope="module")
def text(made):
    return made.dimensioned(made.text_timeline())


def shown(timeline, width=100):
    out = io.StringIO()
    show(timeline, Console(file=out, width=width))
    return out.getvalue()


def test_json_has_every_row_and_the_headline(timeline):
    document = formats.render([timeline], "json")
    first = json.loads(document)["recordings"][0]["utterances"][0]
    assert first["headline"] == "answer"
    assert first["dimensions"]["text"] == {
        "valence": -0.4,
        "arousal": 0.0,
        "dominance": 0.05,
        "known": "learned",
    }
    assert first["intensity"] == {"speech": 0.0}
    (back,) = from_json(document)
    for there, here in zip(back, timeline, strict=True):
        assert there.headline == here.headline
        assert there.intensity == pytest.approx(here.intensity)
        for name, row in here.dimensions.items():
            assert there.dimensions[name].numbers == pytest.approx(row.numbers)
            assert there.dimensions[name].known == row.known


def test_json_outside_of_the_range_is_refused(timeline):
    document = json.loads(formats.render([timeline], "json"))
    document["recordings"][0]["utterances"][0]["dimensions"]["text"]["valence"] = 1.5
    with pytest.raises(DataError, match=r"dimensions\.text\.valence"):
        from_json(json.dumps(document))


def test_json_without_dimensions_has_no_key(made):
    utterance = json.loads(formats.render([made.timeline()], "json"))["recordings"][0]
    assert not {"dimensions", "headline", "intensity"} & set(utterance["utterances"][0])
    assert "dimensions" not in utterance["summary"]


def test_csv_has_the_headline_and_every_stream(timeline):
    rows = list(csv.DictReader(io.StringIO(formats.render([timeline], "csv"))))
    assert [rows[0][x] for x in ("valence", "arousal", "dominance")] == ["-0.5", "0.3", "0.0"]
    assert rows[0]["dimensions"] == "mapped from answer"
    assert rows[1]["valence_text"] == "-0.2"
    assert rows[3]["valence_face"] == ""  # the face was not seen
    assert rows[2]["intensity_speech"] == "0.4"


def test_csv_of_a_text_tells_that_it_is_learned(text):
    rows = list(csv.DictReader(io.StringIO(formats.render([text], "csv"))))
    assert rows[0]["dimensions"] == "learned from text"
    assert "intensity_speech" not in rows[0]


def test_the_summary_averages_each_stream_by_itself(timeline, made):
    summary = timeline.summary()
    seconds = [p.end - p.start for p in timeline]
    expected = sum(s * p.dimensions["text"].valence for s, p in zip(seconds, timeline, strict=True))
    assert summary.dimensions["text"].valence == pytest.approx(expected / sum(seconds))
    assert summary.dimensions["text"].known == "learned"
    assert summary.dimensions["answer"].known == "mapped"
    assert 0 < summary.intensity["speech"] < 0.8
    row, *_ = csv.DictReader(io.StringIO(formats.render([timeline], "csv", summary=True)))
    assert float(row["valence_text"]) == pytest.approx(expected / sum(seconds), abs=1e-4)
    assert not made.timeline().summary().dimensions


def test_tiers_for_praat_and_elan(timeline, made):
    grid = formats.render([timeline], "textgrid")
    for name in ("valence", "arousal", "dominance", "dimensions", "intensity (speech)"):
        assert f'name = "{name}"' in grid
    assert 'text = "mapped from answer"' in grid
    assert "valence" not in formats.render([made.timeline()], "textgrid")
    root = ET.fromstring(formats.render([timeline], "eaf"))
    tier = root.find("TIER[@TIER_ID='valence']")
    values = [value.text for value in tier.iter("ANNOTATION_VALUE")]
    assert values[:2] == ["-0.50", "-0.25"]
    kinds = {kind.get("LINGUISTIC_TYPE_ID") for kind in root.iter("LINGUISTIC_TYPE")}
    assert tier.get("LINGUISTIC_TYPE_REF") in kinds


def test_the_terminal_tells_how_they_are_known(timeline, text):
    lines = shown(timeline)
    for part in ("dimensions", "V −0.50", "A +0.30", "I 0.40", "Intensity (I; 0 to 1): of the"):
        assert part in lines, part
    assert "mapped from probabilities" in lines
    assert "mean dimensions (answer, mapped)" in lines
    assert "mean dimensions (text" not in lines
    assert "learned from ratings" in shown(text)


def test_plots_have_them(timeline, text, made, tmp_path):
    drawn = plot(timeline, tmp_path / "a.svg").read_text()
    assert "(dots: mapped)" in drawn
    assert "(dots: mapped)" not in plot(made.timeline(), tmp_path / "b.svg").read_text()
    assert "V −0.40" in plot(text, tmp_path / "c.svg").read_text()


def test_a_table_in_pandas_has_the_headline(timeline, made):
    pytest.importorskip("pandas")
    frame = timeline.to_frame()
    assert frame["valence"].tolist() == pytest.approx([-0.5, -0.25, 0.0, 0.25, 0.5])
    assert "valence" not in made.timeline().to_frame()
