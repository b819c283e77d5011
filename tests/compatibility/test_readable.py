"""Everything that moodal wrote to disk before: it is read, and gives the numbers that it gave.

The files beside this test were written by commit 14fc59d (README.md, make.py). Where one of them
can no longer be read, what users have on their disks cannot be read either.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moodal.cli.main import main
from moodal.core import manifest as manifests

pytest.importorskip("torch")
HERE = Path(__file__).parent
CLIP = HERE.parents[1] / "examples" / "clip.mp4"


def run(*words: Any) -> Any:
    """Run one command of moodal with --json and return what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        main([*map(str, words), "--json"])
    return json.loads(printed.getvalue())


def fingerprint(prepared: Path) -> str:
    """Compute the fingerprint of a prepared folder from what was read of it."""
    return manifests.read(prepared).fingerprint


# Nothing below this line uses a function of moodal's.


def stored(name: str) -> Any:
    """Read a JSON file of this folder."""
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def names(pattern: str) -> list[str]:
    """List the files of this folder that match, without their endings."""
    return sorted(path.stem for path in HERE.glob(pattern))


def logits_of(report: Path) -> dict[str, np.ndarray]:
    """Read the logits of an evaluation: utterance -> [C]."""
    ids = json.loads((report / "predictions.json").read_text(encoding="utf-8"))["ids"]
    with np.load(report / "predictions.npz") as arrays:
        return dict(zip(ids, arrays["logits"], strict=True))


SENTENCES = ("gap", "source", "title", "warning", "detail")
"""Keys of a report whose values are sentences, which may be worded differently."""


def assert_holds(actual: Any, expected: Any, tolerance: float, where: str = "") -> None:
    """Assert that every key and number of ``expected`` is in ``actual``, which may hold more."""
    if isinstance(expected, dict):
        missing = expected.keys() - actual.keys()
        assert not missing, f"{where} lacks {missing}"
        for key, value in expected.items():
            if key in SENTENCES:
                assert bool(actual[key]) == bool(value), f"{where}.{key}"
                continue
            assert_holds(actual[key], value, tolerance, f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(actual) == len(expected), where
        for number, value in enumerate(expected):
            assert_holds(actual[number], value, tolerance, f"{where}[{number}]")
    elif isinstance(expected, float):
        assert actual == pytest.approx(expected, abs=tolerance), where
    else:
        assert actual == expected, where


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    """A copy of this folder, in which a command may write."""
    return shutil.copytree(HERE, tmp_path_factory.mktemp("compatibility") / "files")


@pytest.fixture(autouse=True)
def place(copied, monkeypatch) -> Path:
    """The working folder: the paths in the stored files are relative to it."""
    monkeypatch.chdir(copied)
    return copied


@pytest.mark.parametrize("name", names("logits/*.json"))
def test_an_artefact_gives_the_logits_that_it_gave(name, tmp_path) -> None:
    expected = stored(f"logits/{name}.json")
    report = run(*expected["argv"], tmp_path)
    assert report["labels"] == expected["labels"]
    logits = logits_of(tmp_path)
    assert logits.keys() == expected["logits"].keys()
    for utterance, values in expected["logits"].items():
        assert logits[utterance] == pytest.approx(values, abs=1e-5), utterance


@pytest.mark.parametrize("name", names("predictions/*.json"))
def test_a_fused_artefact_predicts_what_it_predicted(name) -> None:
    expected = stored(f"predictions/{name}.json")
    [recording] = run(*(word.format(clip=CLIP) for word in expected.pop("argv")))["recordings"]
    assert_holds(recording, expected, tolerance=2e-4)


@pytest.mark.parametrize("name", names("expected/prepared/*.json"))
def test_a_prepared_folder_has_the_fingerprint_that_it_had(name, place) -> None:
    expected = stored(f"expected/prepared/{name}.json")
    assert fingerprint(place / "prepared" / name) == expected["fingerprint"]
    assert_holds(run("inspect", f"prepared/{name}"), expected["inspected"], tolerance=0)


@pytest.mark.parametrize("name", names("expected/recipes/*.json"))
def test_a_recipe_says_what_it_said(name) -> None:
    expected = stored(f"expected/recipes/{name}.json")
    assert_holds(run("inspect", f"recipes/{name}.toml"), expected, tolerance=0)


def test_a_recipe_with_every_key_trains(tmp_path) -> None:
    report = run("train", "recipes/every-key.toml", "--out", tmp_path / "run")
    assert_holds(report["test"], stored("expected/every-key.json")["test"], tolerance=0)
    expected = stored("expected/every-key.json")["metrics"]
    assert_holds(report["metrics"], expected, tolerance=2e-3)


def test_a_stopped_training_goes_on_from_its_epoch(place) -> None:
    before = (place / "runs/stopped/epochs.csv").read_text().splitlines()
    assert len(before) == 1 + 2
    report = run("train", "recipes/resumed.toml", "--out", "runs/stopped")
    after = (place / "runs/stopped/epochs.csv").read_text().splitlines()
    assert after[:3] == before, "the first epochs were trained again: their seconds differ"
    assert [line.partition(",")[0] for line in after[1:]] == ["0", "1", "2", "3"]
    whole = (HERE / "expected/epochs.csv").read_text().splitlines()
    for line, other in zip(after[1:], whole[1:], strict=True):  # but for the seconds
        values, others = ([float(x) for x in row.split(",")[:-1]] for row in (line, other))
        assert values == pytest.approx(others, abs=1e-4)
    expected = stored("expected/report.json")
    assert_holds(report["metrics"], expected["metrics"], tolerance=1e-4)


def test_a_stopped_training_of_another_recipe_is_still_refused(tmp_path, capsys) -> None:
    shutil.copytree(HERE / "runs/stopped", tmp_path / "stopped")
    with pytest.raises(SystemExit) as caught:
        run("train", "recipes/resumed.toml", "train.lr=0.5", "--out", tmp_path / "stopped")
    assert caught.value.code == 2
    assert (tmp_path / "stopped/resume.pt").read_bytes() == (
        HERE / "runs/stopped/resume.pt"
    ).read_bytes()


def test_a_finished_run_is_not_trained_again(place) -> None:
    before = {p: p.stat().st_mtime_ns for p in place.glob("runs/finished/fold-*/**/*")}
    report = run("train", "recipes/folds.toml", "--out", "runs/finished")
    assert_holds(report, stored("runs/finished/report.json"), tolerance=1e-9)
    assert {p: p.stat().st_mtime_ns for p in place.glob("runs/finished/fold-*/**/*")} == before
    assert run("inspect", "runs/finished")["finished"] is True
    assert run("inspect", "runs/finished/fold-0/artefact")["verified"] is True


def test_runs_are_compared_by_their_kept_predictions(tmp_path) -> None:
    shutil.copytree("runs/finished", tmp_path / "again")
    pair = ["runs/finished", tmp_path / "again"]
    report = run("compare", *pair, "--out", tmp_path / "compared", "--draws", 0)
    rows = stored("runs/finished/report.json")["rows"]
    assert len(report["runs"]) == 2
    assert report["rows"] == rows


@pytest.mark.parametrize("name", names("imports/*.json"))
def test_a_checkpoint_of_the_authors_becomes_the_artefact_that_it_became(name, tmp_path) -> None:
    asked, expected = stored(f"imports/{name}.json"), stored(f"logits/{name}.json")
    run(*asked["argv"], tmp_path / "artefact", *asked["options"])
    command, _, *rest = expected["argv"]
    run(command, tmp_path / "artefact", *rest, tmp_path / "report")
    logits = logits_of(tmp_path / "report")
    assert logits.keys() == expected["logits"].keys()
    for utterance, values in expected["logits"].items():
        assert logits[utterance] == pytest.approx(values, abs=1e-5), utterance
