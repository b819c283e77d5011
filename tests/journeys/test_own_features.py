"""A table of feature files becomes a tested artefact, which refuses to predict from recordings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from moodal.cli.main import main

RECIPE = """
title = "Own features"

[data]
prepared = "{prepared}"

[split]
by = "speaker"
folds = 3
only = [0]

[system]
name = "rnn"
fusion = "lf"
streams = ["speech"]
hidden = {{ speech = 4 }}

[train]
epochs = 2
loss = "ce"
select = "balanced_accuracy"
accelerator = "cpu"

[report]
draws = 20
figures = false
"""


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A prepared corpus of 36 rows that name arrays of 5 values a step, which tell the label."""
    rng, lines = np.random.default_rng(0), ["id,speech_features,speaker,label"]
    for i in range(36):
        label = ("happy", "sad")[i % 2]
        array = rng.normal(size=(rng.integers(4, 9), 5)) + 3 * (label == "sad")
        np.save(tmp_path / f"{i}.npy", array.astype(np.float32))
        lines.append(f"u{i},{i}.npy,s{i % 6},{label}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    option = ["--encoder", "speech=files:of=somebodys-encoder,width=5,rate=50"]
    main(["prepare", "table", str(tmp_path / "table.csv"), str(tmp_path / "prepared"), *option])
    return tmp_path / "prepared"


def test_own_features_are_trained_and_tested_on(prepared: Path, tmp_path: Path, capsys) -> None:
    pytest.importorskip("torch")
    recipe = tmp_path / "own.toml"
    recipe.write_text(RECIPE.format(prepared=prepared.as_posix()))
    main(["train", str(recipe), "--out", str(tmp_path / "run")])
    artefact = str(tmp_path / "run/artefact")
    about = json.loads((tmp_path / "run/artefact/artefact.json").read_text())
    assert about["encoders"]["speech"]["version"] == "somebodys-encoder"
    assert about["encoders"]["speech"]["parameters"] == {"rate": 50.0}
    main(["evaluate", artefact, str(prepared), "--out", str(tmp_path / "again")])
    report = json.loads((tmp_path / "again/report.json").read_text())
    assert report["rows"] == 36
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["predict", str(tmp_path / "table.csv"), "--artefact", artefact])
    assert "features that came in files" in capsys.readouterr().err


def test_folds_of_emobox_are_trained_on(prepared: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    recipe, folder = tmp_path / "own.toml", tmp_path / "emobox/table/fold_1"
    folder.mkdir(parents=True)
    tested = [f"u{i}" for i in range(36) if i % 6 < 2]
    lines = "".join(json.dumps({"wav": f"downloads/{name}.wav"}) + "\n" for name in tested)
    (folder / "table_test_fold_1.jsonl").write_text(lines)
    recipe.write_text(RECIPE.format(prepared=prepared.as_posix()))
    split = ["split.folds=0", "split.only=[]", f"split.file={tmp_path / 'emobox'}"]
    main(["train", str(recipe), "--out", str(tmp_path / "run"), *split])
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["rows"] == len(tested)
