"""A table of raters, from its columns to reports, through the real command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from moodal.cli.main import main

RECIPE = Path(__file__).parents[2] / "recipes/table/votes.toml"
SAID = {"joy": "What a lovely day!", "anger": "I hate this!", "sadness": "I miss her so much."}
SMALL = (
    "split.folds=2",
    'system={name="unimodal_baseline", streams=["text"]}',
    'space.vectors=""',
    "train.epochs=12",
    "train.lr=0.02",
    "train.accelerator=cpu",
    "report.draws=50",
)


def run(*words: object) -> None:
    """Run a command of moodal."""
    main([*map(str, words)])


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """36 sentences of six speakers, each judged by two or three of three raters."""
    rng = np.random.default_rng(2)
    emotions = list(SAID)
    rows = []
    for i in range(36):
        shown = emotions[i % 3]
        row = {"id": f"u{i}", "text": f"{SAID[shown]} {i}", "speaker": f"s{i % 6}"}
        for who, care in (("anna", 0.95), ("ben", 0.9), ("carla", 0.3)):
            said = shown if rng.random() < care else str(rng.choice(emotions))
            row[f"rater:{who}"] = "" if who == "carla" and i % 5 == 0 else said
        rows.append(row)
    path = tmp_path_factory.mktemp("table") / "table.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_from_a_table_of_raters_to_a_comparison(table: Path, tmp_path: Path, capsys) -> None:
    prepared = tmp_path / "prepared"
    run("prepare", "table", table, prepared, "--encoder", "text=e5:pool=true")
    common = (RECIPE, f"data.prepared={prepared}", *SMALL)
    run("train", *common, "--out", tmp_path / "soft")
    shown = capsys.readouterr().out
    assert "one rater against" in " ".join(shown.split())
    run("train", *common, "votes.targets=majority", "train.loss=ce", "--out", tmp_path / "hard")
    run("compare", tmp_path / "hard", tmp_path / "soft", "--out", tmp_path / "compared")
    report = json.loads((tmp_path / "soft" / "report.json").read_text())
    raters = report["votes"]["raters"]
    assert raters["carla"]["accuracy"] < raters["anna"]["accuracy"]
    assert raters["carla"]["rows"] < 36
    text = (tmp_path / "soft" / "report.md").read_text()
    assert "Jensen-Shannon divergence (lower is better)" in text
    compared = json.loads((tmp_path / "compared" / "compare.json").read_text())
    assert compared["people"]["accuracy"]["value"] > 0.4
    assert compared["runs"][1]["difference"]["cross_entropy"]["value"] is not None


def test_a_share_row_of_two_is_one_sentence_on_the_command_line(tmp_path: Path, capsys) -> None:
    table = tmp_path / "table.csv"
    table.write_text("id,text,share:joy,share:fear\na,x,0.5,0.5\nb,y,1,1\n")
    with pytest.raises(SystemExit) as ended:
        run("prepare", "table", table, tmp_path / "never")
    error = capsys.readouterr().err.strip()
    assert ended.value.code == 3
    assert "row 2 (b) has shares that sum to 2, not 1; correct them" in " ".join(error.split())
    assert "Traceback" not in error
    assert not (tmp_path / "never").exists()
