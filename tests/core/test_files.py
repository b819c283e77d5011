"""Writing in one piece: whole or not at all, whoever else writes, whatever fails."""

import os
from pathlib import Path

import pytest

from moodal.core.errors import OutputError
from moodal.core.files import load_json, load_text, load_toml, replacing, replacing_folder


def filled(folder: Path, text: str) -> Path:
    with replacing_folder(folder, "marker") as part:
        (part / "marker").write_text(text)
    return folder


def test_a_file_has_a_temporary_name_of_its_process(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "file.txt"
    with replacing(path) as mine:
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with replacing(path) as theirs:
            theirs.write_text("theirs")
        mine.write_text("mine")
    assert mine != theirs
    assert path.read_text() == "mine"
    with pytest.raises(ZeroDivisionError), replacing(path) as part:
        part.write_text(str(1 / 0))
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_the_old_folder_stays_until_the_new_one_stands(tmp_path, monkeypatch):
    folder = filled(tmp_path / "a", "old")
    replace = os.replace

    def fails_once(source, target):
        if Path(target) == folder and not Path(source).name.endswith("-old"):
            raise PermissionError(13, "Permission denied")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails_once)
        with pytest.raises(OutputError, match="may not write there"):
            filled(folder, "new")
    assert (folder / "marker").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    filled(folder, "new")
    assert (folder / "marker").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_link_stays_a_link(tmp_path):
    filled(tmp_path / "disk", "old")
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    filled(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "marker").read_text() == "new"


def deep(opening: str, closing: str) -> str:
    return opening * 100_000 + closing * 100_000


@pytest.mark.parametrize("load", [load_text, load_json, load_toml])
def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path, load):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="a pipe or a device"):
            load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


def test_files_are_read_within_bounds(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(" " * 2000 + "1")
    assert load_json(path, 2001) == 1
    with pytest.raises(OSError, match="larger"):
        load_json(path, 2000)


@pytest.mark.parametrize(
    ("load", "content"), [(load_json, deep("[", "]")), (load_toml, "a=" + deep("[", "]"))]
)
def test_what_is_nested_by_the_thousand_is_a_value_error(tmp_path, load, content):
    (tmp_path / "deep").write_text(content)
    with pytest.raises(ValueError, match="nested too deep"):
        load(tmp_path / "deep")
