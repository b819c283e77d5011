"""Pseudonyms and no words: every output of `moodal predict` is searched for canaries."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import shutil
from pathlib import Path

import pytest

from moodal.cli.main import main

CLIP = Path(__file__).parents[2] / "examples" / "clip.mp4"
NAMES = (b"quux", b"zebulon", b"xanthippe", b"wilhelmina", b"oldfolder", b"vexatious")
WORDS = (b"marmalade", b"velvet", b"gooseberry")
FORMATS = ("json", "jsonl", "csv", "srt", "textgrid", "eaf", "rttm", "hume")

pytestmark = pytest.mark.skipif(not CLIP.exists(), reason="the example clip is not here")

SUBTITLES = """1
00:00:00,700 --> 00:00:02,156
XANTHIPPE: Marmalade, and I am so happy!

2
00:00:02,856 --> 00:00:03,833
WILHELMINA: How dare you touch that velvet!

3
00:00:03,900 --> vexatious gooseberry
"""


@pytest.fixture
def folder(tmp_path):
    """A recording with subtitles, one that is damaged, and a table that is no recording."""
    folder = tmp_path / "oldfolder quux"
    folder.mkdir()
    shutil.copy(CLIP, folder / "Zebulon Quux.mp4")
    (folder / "Zebulon Quux.srt").write_text(SUBTITLES)
    (folder / "damaged-quux.wav").write_bytes(b"RIFF, and then vexatious bytes")
    (folder / "vexatious.csv").write_text("a,b\n")
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def predict(capfd, *args):
    """Run `moodal predict`, and return all that it printed."""
    with contextlib.suppress(SystemExit):
        main(["predict", *map(str, args)])
    printed = capfd.readouterr()
    return (printed.out + printed.err).encode()


def written(folder):
    """All bytes of a folder's files, and their names."""
    files = [p for p in folder.rglob("*") if p.is_file()] if folder.exists() else []
    return b"\n".join([str(p.relative_to(folder)).encode() + b"\n" + p.read_bytes() for p in files])


def leaks(content, canaries):
    content = content.lower()
    return [canary for canary in canaries if canary in content]


@pytest.mark.parametrize("format", FORMATS)
def test_no_format_shows_a_name_or_a_word(folder, out, tmp_path, capfd, format):
    recording = folder / "Zebulon Quux.mp4"
    options = ("--pseudonyms", tmp_path / "key.csv", "--no-text", "--streams", "text")
    target = out / "answers.jsonl" if format == "jsonl" else f"{out}/"
    printed = predict(capfd, recording, "--format", format, "--out", target, *options)
    content = written(out)
    assert len(content) > 100
    assert leaks(printed + content, NAMES + WORDS) == []
    rows = list(csv.DictReader((tmp_path / "key.csv").open()))
    assert {"XANTHIPPE", "WILHELMINA"} <= {row["name"] for row in rows}
    speakers = [row["pseudonym"].encode() for row in rows if row["kind"] == "speaker"]
    assert all(name.lower() in content.lower() for name in speakers)


def test_the_canaries_are_there_without_the_options(folder, out, capfd):
    args = ("--format", "json", "--out", f"{out}/", "--streams", "text")
    content = predict(capfd, folder / "Zebulon Quux.mp4", *args) + written(out)
    shown = leaks(content, NAMES + WORDS)
    assert {b"quux", b"zebulon", b"xanthippe", b"wilhelmina", b"marmalade"} <= set(shown)


def test_live_answers_have_none(folder, out, tmp_path, capfd):
    recording = folder / "Zebulon Quux.mp4"
    subtitles = ("--subtitles", folder / "Zebulon Quux.srt", "--streams", "text,speech")
    hidden = ("--pseudonyms", tmp_path / "key.csv", "--no-text")
    args = ("--from", recording, "--fast", *subtitles, "--out", out / "live.jsonl", *hidden)
    with contextlib.suppress(SystemExit):
        main(["live", *map(str, args)])
    printed = capfd.readouterr()
    content = written(out) + (printed.out + printed.err).encode()
    assert content.count(b'"type": "final"') >= 2
    assert leaks(content, NAMES + WORDS) == []
    assert b"recording-" in content
    assert b"speaker-" in content


@pytest.mark.parametrize("what", ["terminal", "json", "plot", "faces", "summary", "level"])
def test_nothing_that_is_shown_or_drawn_has_one(folder, out, tmp_path, capfd, what):
    options = {
        "terminal": (),
        "json": ("--json",),
        "plot": ("--plot", out / "plot.svg"),
        "faces": ("--face-actions", out / "faces.csv"),
        "summary": ("--format", "csv", "--summary"),
        "level": ("--level", "--step", "0.5"),
    }[what]
    hidden = ("--pseudonyms", tmp_path / "key.csv", "--no-text")
    streams = () if what in ("plot", "faces") else ("--streams", "text")
    printed = predict(capfd, folder / "Zebulon Quux.mp4", *options, *hidden, *streams)
    assert len(printed) > 30
    assert leaks(printed + written(out), NAMES + WORDS) == []
    assert b"recording-" in printed + written(out)


def test_errors_of_a_batch_and_what_is_left_out_have_none(folder, out, tmp_path, capfd):
    hidden = ("--pseudonyms", tmp_path / "key.csv", "--no-text")
    for more in (("--strict",), ("--jobs", "2"), ("--json",)):
        printed = predict(capfd, folder, "--streams", "text", *more, *hidden)
        assert b"skipped: recording-" in printed
        assert b"path-" in printed  # the table
        assert leaks(printed, NAMES + WORDS) == []
    for wrong in (folder / "damaged-quux.wav", folder / "absent-quux.wav"):
        assert leaks(predict(capfd, wrong, *hidden), NAMES + WORDS) == []


def test_a_stopped_run_goes_on_under_the_same_names(folder, out, tmp_path, capfd):
    second = folder / "second-quux.mp4"
    shutil.copy(CLIP, second)
    file = out / "answers.jsonl"
    args = ("--streams", "text", "--format", "jsonl", "--out", file, "--resume", "--no-asr")
    hidden = ("--pseudonyms", tmp_path / "key.csv", "--no-text")
    first = folder / "Zebulon Quux.mp4"
    predict(capfd, first, *args, *hidden)
    before = file.read_bytes()
    printed = predict(capfd, first, second, *args, *hidden)
    content = file.read_bytes()
    assert content.startswith(before)
    paths = [json.loads(line)["path"] for line in content.splitlines()]
    assert len(paths) == len(set(paths)) >= 1
    assert leaks(printed + content, NAMES + WORDS) == []
    predict(capfd, first, "--streams", "text", "--format", "jsonl", "--out", file)
    printed = predict(capfd, first, second, *args, *hidden)
    assert b"name another --out" in printed  # it holds names and words
    assert leaks(printed, NAMES + WORDS) == []


def test_the_order_of_rows_and_the_numbers_stay(folder, tmp_path, capfd):
    recording = folder / "Zebulon Quux.mp4"
    args = ("--streams", "text", "--format", "csv")
    tables = [
        list(csv.DictReader(io.StringIO(predict(capfd, recording, *args, *more).decode())))
        for more in ((), ("--pseudonyms", tmp_path / "key.csv", "--no-text"))
    ]
    changed = {"recording", "id", "speaker", "person", "text"}
    for row, hidden in itertools.zip_longest(*tables):
        assert {k: v for k, v in row.items() if k not in changed} == {
            k: v for k, v in hidden.items() if k not in changed
        }
        assert hidden["text"] == ""


def test_a_damaged_key_stops_everything_before_it_begins(folder, tmp_path, capfd):
    key = tmp_path / "key.csv"
    key.write_text("some notes\n")
    printed = predict(capfd, folder / "Zebulon Quux.mp4", "--pseudonyms", key)
    assert b"is no key of pseudonyms" in printed
    assert key.read_text() == "some notes\n"
