"""moodal cross on the command line: a matrix, resumed, and what is wrong in one sentence."""

import json
from pathlib import Path

import pytest

from moodal.cli.main import main

RECIPE = Path(__file__).parents[2] / "recipes/crema-d/cross.toml"
SMALL = [
    *("split.folds=2", "train.epochs=1", "train.select=loss", "system.hidden={speech=8}"),
    *("report.draws=20", "report.figures=false", "train.accelerator=cpu"),
]
MAPS = ["happy=happiness", "sad=sadness", "angry=anger", "fearful=fear"]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Look-alikes of CREMA-D and RAVDESS, prepared."""
    place = tmp_path_factory.mktemp("corpora")
    for name in ("crema-d", "ravdess"):
        main(["synthesise", name, str(place / f"{name}-files"), "--utterances", "48"])
        encoders = ["--encoder", "speech=egemaps", "--encoder", "text=none"]
        main(["prepare", name, str(place / f"{name}-files"), str(place / name), *encoders])
    return ",".join(str(place / name) for name in ("crema-d", "ravdess"))


def test_a_matrix_of_two_corpora(corpora, tmp_path, answer, fails, capsys):
    maps = [word for text in MAPS for word in ("--map", text)]
    words = ["cross", RECIPE, *SMALL, "--corpora", corpora, *maps, "--out", tmp_path / "run"]
    report = answer(*words)
    assert report["columns"] == ["crema-d", "ravdess"]
    assert set(report["labels"]) == {"anger", "disgust", "fear", "happiness", "neutral", "sadness"}
    assert report["maps"] == {"ravdess": dict(text.split("=") for text in MAPS)}
    assert any("look-alike" in stamp for stamp in report["stamps"])
    assert json.loads((tmp_path / "run/cross.json").read_text()) == report
    main([*map(str, words)])
    shown = capsys.readouterr().out
    assert "Of ravdess, as declared: happy as happiness" in shown
    assert "Matrix: " in shown
    code, message = fails(*words, "train.lr=0.5")
    assert code == 2
    assert "choose another --out" in message
    code, message = fails(*words[:-1], tmp_path / "other", "--map", "glad=happiness")
    assert code == 2
    assert "no corpus has the label glad" in message
    code, message = fails(*words[:-1], tmp_path / "other", "split.by=session")
    assert code in (2, 3)
    assert "session" in message
    assert not (tmp_path / "other").exists()
