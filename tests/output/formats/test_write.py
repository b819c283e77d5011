"""Files and folders of timelines."""

from __future__ import annotations

import pytest

from moodal.core.errors import OutputError, UsageError
from moodal.output.formats import FORMATS, from_json, render, write


@pytest.mark.parametrize("format", FORMATS)
def test_one_recording_to_a_file_in_one_piece(format, made, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    out = tmp_path / "deep" / "a.out"
    timeline = made.named(made.timeline())
    assert write(timeline, format, out) == [out]
    assert out.read_text(encoding="utf-8") == render([timeline], format)
    assert [p.name for p in out.parent.iterdir()] == ["a.out"]


@pytest.mark.parametrize("format", FORMATS)
def test_several_recordings(format, made, tmp_path):
    paths = ("x/a.mp4", "x/a.wav", "y/a.wav", "b.c.mp4", "-")
    several = [made.named(made.timeline(path)) for path in paths]
    end = FORMATS[format].ending
    written = write(several, format, f"{tmp_path}/out/")
    names = ["a.mp4", "a.wav", "a.wav-2", "b.c", "recording"]
    assert [p.name for p in written] == [n + end for n in names]
    if FORMATS[format].several:
        assert write(several, format, tmp_path / "all") == [tmp_path / "all"]
    else:
        with pytest.raises(UsageError, match=f"{format} holds one recording, but there are 5"):
            write(several, format, tmp_path / "all")
        assert not (tmp_path / "all").exists()


def test_all_but_those_without_times_are_written(made, tmp_path):
    several = [made.text_timeline("a.txt"), made.timeline("b.mp4"), made.text_timeline("c.txt")]
    with pytest.raises(UsageError, match=r"a.txt has no times.* The same holds for 1 more."):
        write(several, "srt", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["b.moodal.srt"]


def test_a_recording_is_not_overwritten(made, tmp_path):
    given = tmp_path / "talk.srt"
    given.write_text("mine")
    with pytest.raises(UsageError, match="is the recording itself"):
        write(made.timeline(str(given)), "srt", given)
    assert given.read_text() == "mine"


def test_unknown_formats_and_places_that_cannot_be(made, tmp_path):
    with pytest.raises(UsageError, match="no format 'xml'; there are json, jsonl, csv, srt"):
        write(made.timeline(), "xml", tmp_path / "a")
    with pytest.raises(UsageError, match="no format 'xml'"):
        render(made.timeline(), "xml")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write(made.timeline(), "json", tmp_path / "file" / "a.json")


def test_no_recordings_are_an_empty_document():
    assert from_json(render([], "json")) == []
    assert render([], "csv").startswith("recording,id,")
