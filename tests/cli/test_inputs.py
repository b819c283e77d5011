"""Names -> the recordings that they stand for."""

from __future__ import annotations

import io
import sys

import pytest

from moodal.cli.inputs import recordings, standard_input, tell_left_out
from moodal.core.errors import DataError, UsageError
from moodal.media.subtitles import subtitles_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in (
        "a/talk.mp4",
        "a/talk.srt",
        "a/alone.vtt",
        "a/deep/voice.WAV",
        "a/deep/voice.VTT",
        "a/photo.png",
        "a/photo.srt",
        "a/said.txt",
        "a/table.csv",
        "a/.hidden.wav",
        "a/.cache/old.wav",
        "b/other.mp3",
        "b/[1].wav",
        "c/notes.pdf",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*names):
    return [str(p) for p in recordings(names)]


def test_a_folder_stands_for_what_can_be_read_in_it_and_below(folder):
    assert found("a") == [
        "a/alone.vtt",
        "a/deep/voice.WAV",
        "a/photo.png",
        "a/photo.srt",
        "a/said.txt",
        "a/talk.mp4",
    ]


def test_a_hidden_folder_that_is_named_is_read(folder):
    assert found("a/.cache") == ["a/.cache/old.wav"]


def test_a_pattern_is_looked_up_and_a_name_is_not(folder):
    assert found("*/*.mp?") == ["a/talk.mp4", "b/other.mp3"]
    assert found("**/*.wav") == ["b/[1].wav"]
    assert found("b/[1].wav") == ["b/[1].wav"]
    assert found(f"{folder}/b/o*") == [f"{folder}/b/other.mp3"]


def test_a_file_that_is_named_may_be_called_anything(folder):
    assert found("a/table.csv", "a/.hidden.wav") == ["a/table.csv", "a/.hidden.wav"]


def test_names_keep_their_order_and_none_comes_twice(folder):
    assert found("b/other.mp3", "a/talk.mp4", "./b/../b/other.mp3", "b") == [
        "b/other.mp3",
        "a/talk.mp4",
        "b/[1].wav",
    ]
    assert found("a/talk.mp4", str(folder / "a/talk.mp4")) == ["a/talk.mp4"]


def test_subtitles_go_with_the_recording_of_their_name(folder):
    assert subtitles_of(folder / "a/talk.mp4") == folder / "a/talk.srt"
    assert subtitles_of(folder / "a/deep/voice.WAV") == folder / "a/deep/voice.VTT"
    for none in ("b/other.mp3", "a/photo.png", "a/talk.srt", "a/said.txt"):
        assert subtitles_of(folder / none) is None
    assert found("a/talk.*") == ["a/talk.mp4"]
    assert found("a/talk.srt", "a/talk.mp4") == ["a/talk.mp4"]
    assert found("a/talk.srt") == ["a/talk.srt"]


@pytest.mark.parametrize("name", ["none.wav", "*.ogg", "a/no/", "nul\0.wav", "", "so " * 200])
def test_what_stands_for_nothing_is_an_error(folder, name):
    with pytest.raises(DataError, match="There is no file") as caught:
        recordings([name])
    assert len(str(caught.value)) < 200
    assert ("--text" in str(caught.value)) == (" " in name)


def test_a_folder_without_recordings_is_an_error(folder):
    with pytest.raises(DataError, match="c contains no recording"):
        recordings(["a", "c"])


class Pipe(io.TextIOWrapper):
    def __init__(self, content, terminal=False):
        super().__init__(io.BytesIO(content))
        self.terminal = terminal

    def isatty(self):
        return self.terminal


def test_standard_input_is_a_file_while_it_is_needed(monkeypatch):
    content = bytes(range(256)) * 9000
    monkeypatch.setattr(sys, "stdin", Pipe(content))
    with standard_input() as path:
        assert path.read_bytes() == content
    assert not path.parent.exists()


def test_a_terminal_or_nothing_is_no_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", Pipe(b"", terminal=True))
    with pytest.raises(UsageError, match="pipe"), standard_input():
        pass
    monkeypatch.setattr(sys, "stdin", None)  # closed
    with pytest.raises(UsageError, match="pipe"), standard_input():
        pass
    monkeypatch.setattr(sys, "stdin", Pipe(b""))
    with pytest.raises(DataError, match="Standard input is empty"), standard_input():
        pass


def test_a_folder_is_read_by_content_and_what_is_left_out_is_named(tmp_path):
    (tmp_path / "a.caf").write_bytes(b"caff\x00\x01")
    (tmp_path / "b.webp").write_bytes(b"RIFF\x00\x00\x00\x00WEBP")
    (tmp_path / "c.weird").write_bytes(b"\x00\x01\x02")
    (tmp_path / "d.txt").write_text("so good")
    (tmp_path / "notes.csv").write_text("a,b\n")
    (tmp_path / ".DS_Store").write_bytes(b"\x00")
    left_out = []
    names = [p.name for p in recordings([str(tmp_path)], left_out)]
    assert names == ["a.caf", "b.webp", "c.weird", "d.txt"]
    assert left_out == [tmp_path / "notes.csv"]
    assert tell_left_out(left_out).endswith(f"was left out: {tmp_path / 'notes.csv'}.")
    assert tell_left_out([]) == ""
    assert " and 2 more." in tell_left_out([tmp_path / str(i) for i in range(12)])


def test_a_url_is_read_by_an_engine_alone():
    with pytest.raises(
        UsageError, match=r"s3://b/calls is a URL, which only predict --engine ray reads"
    ):
        recordings(["s3://b/calls"], [])
