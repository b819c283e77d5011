"""The basic installation predicts with its own packages alone, and has few of them."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

packaging = pytest.importorskip("packaging.requirements")

ROOT = Path(__file__).parents[2]

GUARD = """
import importlib.abc, sys

class Refused(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {refused!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refused())
from moodal.cli.main import main
main({arguments!r})
"""


def normal(name):
    return name.lower().replace("_", "-")


def closure(requirements):
    """Return the names of packages, and of all that they need."""
    names, waiting = set(), [packaging.Requirement(text) for text in requirements]
    while waiting:
        one = waiting.pop()
        if (one.marker and not one.marker.evaluate({"extra": ""})) or normal(one.name) in names:
            continue
        names.add(normal(one.name))
        try:
            waiting += [packaging.Requirement(text) for text in requires(one.name) or ()]
        except PackageNotFoundError:
            pytest.skip(f"{one.name} is not installed")
    return names


@pytest.fixture(scope="module")
def base():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return closure(project["dependencies"])


def test_it_has_at_most_forty_packages(base):
    assert len(base) + 1 <= 40
    assert not base & {"torch", "transformers", "tokenizers", "huggingface-hub", "h5py", "scipy"}


@pytest.mark.parametrize("format", ["json", "csv"])
def test_it_predicts_a_film_without_the_packages_of_extras(base, tmp_path, format):
    owners = packages_distributions()
    refused = {
        module for module, names in owners.items() if not {normal(n) for n in names} & base
    } - {"moodal", *sys.stdlib_module_names}
    assert {"h5py", "tokenizers"} <= refused | {"h5py", "tokenizers"} - owners.keys()
    clip, plot, out = ROOT / "examples/clip.mp4", tmp_path / "p.png", tmp_path / f"a.{format}"
    options = ["--text", "I am so angry!", "--no-asr", "--format", format]
    arguments = ["predict", str(clip), *options, "--out", str(out), "--plot", str(plot)]
    done = subprocess.run(
        [sys.executable, "-c", GUARD.format(refused=refused, arguments=arguments)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "anger" in out.read_text()
    assert plot.stat().st_size > 10_000
