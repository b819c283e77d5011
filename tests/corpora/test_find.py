"""Files by the paths that tables give."""

from __future__ import annotations

from pathlib import Path

import pytest

from moodal.corpora.find import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Make folders with names that systems spell differently."""
    (tmp_path / "clips" / "Zo\u00eb").mkdir(parents=True)
    (tmp_path / "clips" / "Zo\u00eb" / "re\u0301sume\u0301.wav").touch()
    (tmp_path / "odd\\name.wav").touch()
    return Paths(tmp_path)


@pytest.mark.parametrize(
    "spelling",
    [
        "clips/Zo\u00eb/r\u00e9sum\u00e9.wav",
        "clips/Zoe\u0308/re\u0301sume\u0301.wav",
        "clips\\Zoe\u0308\\r\u00e9sum\u00e9.wav",
        ".\\clips\\Zo\u00eb\\re\u0301sume\u0301.wav",
    ],
)
def test_a_path_is_found_in_other_spellings(paths: Paths, spelling: str) -> None:
    assert paths.resolve(spelling) == "clips/Zo\u00eb/re\u0301sume\u0301.wav"


@pytest.mark.parametrize(
    "name", ["odd\\name.wav", "clips\\gone.wav", "a\0b", "n" * 5000, "C:\\x.wav"]
)
def test_other_names_stay_as_they_are(paths: Paths, name: str) -> None:
    assert paths.resolve(name) == name


def test_an_absolute_path_is_found(paths: Paths, tmp_path: Path) -> None:
    composed = str(tmp_path / "clips" / "Zo\u00eb" / "r\u00e9sum\u00e9.wav")
    assert Path(paths.resolve(composed)).is_file()
