"""Everything in the package has a licence that is named, whose text is there."""

import fnmatch
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REUSE = tomllib.loads((ROOT / "REUSE.toml").read_text(encoding="utf-8"))["annotations"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = "2026 The moodal authors"

MADE_HERE = {
    "moodal/model/default/face.onnx",
    "moodal/model/default/vectors.safetensors",
    "moodal/model/default/weights.safetensors",
}
"""Weights and graphs that no work of others lies in but the data that they learned from."""


def annotation(path: str) -> dict:
    """Return the last annotation that matches a file."""
    return [one for one in REUSE if fnmatch.fnmatch(path, one["path"])][-1]


def carried() -> list[str]:
    """List the files of the package that are no source of moodal: graphs, weights, libraries."""
    endings = (".onnx", ".safetensors", ".npz", ".bin", ".woff2", ".ttf", ".min.js", ".min.css")
    files = [p.relative_to(ROOT).as_posix() for p in (ROOT / "moodal").rglob("*") if p.is_file()]
    return sorted(name for name in files if name.endswith(endings))


def test_there_is_something_to_check():
    assert len(carried()) > 12


@pytest.mark.parametrize("path", carried())
def test_what_others_made_is_annotated_and_listed(path):
    if path in MADE_HERE:
        assert annotation(path)["SPDX-FileCopyrightText"] == OURS
        return
    assert annotation(path)["SPDX-FileCopyrightText"] != OURS
    listed = re.findall(r"^\| (moodal/\S+)", (ROOT / "THIRD-PARTY.md").read_text("utf-8"), re.M)
    assert any(fnmatch.fnmatch(path, pattern) for pattern in listed)


def identifiers(expression: str) -> set[str]:
    """Return the licences of an SPDX expression."""
    return set(expression.split(" AND "))


def test_every_licence_has_its_text():
    named = set().union(*(identifiers(one["SPDX-License-Identifier"]) for one in REUSE))
    texts = {path.stem for path in (ROOT / "LICENSES").iterdir()}
    assert named == texts
    assert all(len(p.read_text("utf-8")) > 1000 for p in (ROOT / "LICENSES").iterdir())


def test_the_package_states_the_licences_of_all_that_is_inside():
    inside = [one for one in REUSE if not one["path"].startswith("artefacts/")]
    named = set().union(*(identifiers(one["SPDX-License-Identifier"]) for one in inside))
    assert identifiers(PROJECT["license"]) == named
    texts = {f"LICENSES/{name}.txt" for name in named}
    assert texts | {"LICENSE", "THIRD-PARTY.md"} == set(PROJECT["license-files"])


def test_annotations_match_files():
    names = [
        path.relative_to(ROOT).as_posix()
        for folder in ("moodal", "artefacts")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    ]
    assert not [one["path"] for one in REUSE if not fnmatch.filter(names, one["path"])]
