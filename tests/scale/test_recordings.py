"""Recordings of long jobs: from folders, lists, tables and URLs, in blocks of alike size."""

from __future__ import annotations

import pytest

from moodal.core.errors import DataError, OutputError
from moodal.scale.recordings import (
    BLOCKS_EACH,
    LARGEST_BLOCK,
    MOST_RECORDINGS,
    Entry,
    blocks_of,
    entries_of_table,
    entry_of,
    on_disk,
)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "calls").mkdir()
    for name in ("a.wav", "b.wav"):
        (tmp_path / "calls" / name).write_bytes(b"12345")
    return tmp_path


def test_a_list_names_paths_from_its_folder_and_urls(files):
    path = files / "calls.txt"
    path.write_text("\ncalls/a.wav\ns3://bucket/c.wav\n  calls/b.wav\ncalls/a.wav\n")
    entries = entries_of_table(path)
    assert [e.name for e in entries] == [
        str(files / "calls/a.wav"),
        "s3://bucket/c.wav",
        str(files / "calls/b.wav"),
    ]
    assert [e.bytes for e in entries] == [5, 0, 5]


def test_a_table_may_give_the_words(files):
    path = files / "calls.csv"
    path.write_text("path,text,who\ncalls/a.wav,So good.,Anna\ncalls/b.wav,,Ben\n")
    assert [e.text for e in entries_of_table(path)] == ["So good.", None]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "file\na.wav\n", r"no column 'path'"),
        ("t.csv", "path,text\ncalls/a.wav,x\n,y\n", r"row 2: the cell of 'path' is empty"),
        ("t.csv", "path\ncalls/c.wav\n", r"row 1: there is no file .*calls/c.wav"),
        ("t.csv", "path,text\ncalls/a.wav,x\ncalls/a.wav,y\n", r"row 2: calls/a.wav has two texts"),
        ("t.txt", "\n\n", r"names no recording"),
        ("t.txt", "So good. " * 90, r"this is read as a list of paths; a text goes in a folder"),
        ("t.txt", "So\0good.", r"row 1: there is no file"),
    ],
)
def test_wrong_tables_name_the_row(files, name, content, message):
    (files / name).write_text(content)
    with pytest.raises(DataError, match=message):
        entries_of_table(files / name)


def test_text_that_is_none_is_refused(files):
    (files / "t.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(DataError, match="not UTF-8"):
        entries_of_table(files / "t.txt")


@pytest.mark.parametrize("workers", [1, 4, 50])
def test_blocks_hold_everything_once_and_are_bounded(workers):
    entries = [Entry(f"{i}.mp4", f"/{i}.mp4", (i * 7919) % 97 << 20) for i in range(500)]
    blocks = blocks_of(entries, workers)
    assert sorted(e.name for b in blocks for e in b) == sorted(e.name for e in entries)
    for block in blocks:
        assert len(block) <= MOST_RECORDINGS
        assert len(block) == 1 or sum(e.bytes for e in block) <= LARGEST_BLOCK
    assert len(blocks) >= workers * BLOCKS_EACH
    sizes = [sum(e.bytes for e in b) for b in blocks]
    assert sizes[0] == max(sizes)  # the longest work begins first


def test_recordings_of_unknown_size_are_divided_too():
    blocks = blocks_of([Entry(f"s3://b/{i}", f"s3://b/{i}") for i in range(100)], 2)
    assert len(blocks) >= 2 * BLOCKS_EACH


def test_another_file_of_the_same_path_is_not_taken(files):
    here = entry_of(files / "calls/a.wav")
    (files / "calls/a.wav").write_bytes(b"another machine's")
    with on_disk([here], lambda path, target: target.write_bytes(b"12345")) as paths:
        path = next(paths)
        assert str(path) != here.path
        assert path.read_bytes() == b"12345"


def test_a_full_disk_of_a_worker_leaves_a_recording_unread(files):
    def missing(path, target):
        raise OutputError(f"Cannot write {target}: the disk is full.")

    with on_disk([Entry("far/b.wav", "/far/b.wav", 5)], missing) as paths:
        assert "the disk is full" in str(next(paths))


def test_what_is_not_here_is_copied_and_deleted(files):
    (files / "calls/b.srt").write_text("1\n00:00:00,100 --> 00:00:00,900\nSo good.\n")
    here = entry_of(files / "calls/a.wav")
    elsewhere = Entry("far/b.wav", "/far/b.wav", 5, "/far/b.en.srt")
    lost = Entry("far/c.wav", "/far/c.wav")

    def missing(path, target):
        if "c.wav" in path:
            raise PermissionError(13, "Permission denied")
        name = "b.srt" if path.endswith(".srt") else "b.wav"
        target.write_bytes((files / "calls" / name).read_bytes())

    with on_disk([here, elsewhere, lost, here], missing) as paths:
        first, second = next(paths), next(paths)
        assert str(first) == here.path
        assert second.name == "b.wav"
        assert second.read_bytes() == b"12345"
        assert second.with_suffix(".srt").exists()
        third = next(paths)
        assert isinstance(third, DataError)
        assert "far/c.wav cannot be brought here: Permission denied" in str(third)
        assert not second.exists()
        assert str(next(paths)) == here.path
