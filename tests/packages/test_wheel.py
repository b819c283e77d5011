"""The wheel carries the artefact, the licences and the types, and answers where it is installed."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build")
pytest.importorskip("setuptools", minversion="77")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel of a copy of what git has, so that nothing else gets in."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no checkout")
    wanted = ("moodal/", "LICENSE", "THIRD-PARTY", "pyproject", "README", "MANIFEST", "REUSE")
    for name in filter(None, names.split("\0")):
        if name.startswith(wanted) and (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).symlink_to(ROOT / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*build, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return next(folder.glob("*.whl"))


def test_it_is_for_every_platform(wheel):
    assert wheel.name.endswith("-py3-none-any.whl")
    assert wheel.stat().st_size < 100e6  # the limit of PyPI


def test_it_carries_all_that_it_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    code = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "moodal").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert code <= names
    inside = {name.partition(".dist-info/")[2] for name in names}
    licences = {"LICENSE", "THIRD-PARTY.md", "LICENSES/MIT.txt", "LICENSES/ODbL-1.0.txt"}
    assert {f"licenses/{name}" for name in licences} <= inside
    assert "moodal/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "artefacts/"))]


def test_it_states_its_licences_and_that_it_is_typed(wheel):
    with zipfile.ZipFile(wheel) as file:
        name = next(n for n in file.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = file.read(name).decode()
    assert "License-Expression: Apache-2.0 AND MIT AND ODbL-1.0 AND CC-BY-SA-4.0" in metadata
    assert "Classifier: Typing :: Typed" in metadata
    assert "Requires-Python: >=3.11" in metadata


def test_it_answers_where_it_is_installed(wheel, tmp_path):
    place = tmp_path / "site"
    with zipfile.ZipFile(wheel) as file:
        file.extractall(place)
    code = (
        "import moodal; print(moodal.__file__);"
        "print(moodal.load().predict(text='I am so angry at you!')[0].top)"
    )
    environment = {**os.environ, "PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    where, answer = done.stdout.splitlines()
    assert Path(where).is_relative_to(place)
    assert answer == "anger"
