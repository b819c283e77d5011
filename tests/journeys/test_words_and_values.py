"""Emotions and values at once, from a look-alike of MSP-Podcast to the answers of an artefact."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import moodal
from moodal.cli.main import main
from moodal.core import manifest as manifests
from moodal.core.emotions import Value, Values
from moodal.core.targets import JointTargets
from moodal.evaluation import metrics
from moodal.evaluation.report import scores
from moodal.evaluation.report.write import again
from moodal.model import artefact

RECIPE = Path(__file__).parents[2] / "recipes/msp-podcast/both.toml"
VALUES = Values([Value(name, 1, 7) for name in ("valence", "arousal", "dominance")])
SMALL = ("train.epochs=2", "report.draws=20", "report.figures=false", "train.accelerator=cpu")

SYSTEMS = {
    "eea": ["space.vectors=glove-50", 'system={name="eea", hidden={text=50, speech=8}, layers=1}'],
    "rnn": ['system={name="rnn", fusion="lf", layers=1, hidden={text=8, speech=8}}'],
    "transformer": ['system={name="transformer", streams=["text"], width=16, heads=2, layers=1}'],
    "tfn": ['system={name="tfn", hidden=8, embedding={text=8, speech=4}, width=8}'],
    "cai_sota": ['system={name="cai_sota", alpha=0.0}'],
    "mmer": ['system={name="mmer", losses=["supervised"], width=8}'],
}
"""Name -> what makes the recipe one of this system."""


def run(*words):
    """Run a command of moodal."""
    main([*map(str, words)])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The look-alike, prepared."""
    folder = tmp_path_factory.mktemp("msp")
    run("synthesise", "msp-podcast", folder / "msp", "--utterances", 120, "--seed", 2)
    run("prepare", "msp-podcast", folder / "msp", folder / "prepared")
    return folder / "prepared"


def train(name, prepared, out, *changes):
    """Train one of the systems on both for a moment, and return the folder of its run."""
    system = SYSTEMS[name][-1]
    streams = 'streams=["text", "speech"], ' if name in ("eea", "rnn", "tfn") else ""
    words = [*SYSTEMS[name][:-1], system.replace("{", "{" + streams, 1)]
    run("train", RECIPE, f"data.prepared={prepared}", *words, *SMALL, *changes, "--out", out)
    return out


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_learns_both_and_each_part_has_its_report(name, prepared, tmp_path):
    drawn = ["report.figures=true"] if name == "rnn" else []
    folder = train(name, prepared, tmp_path / "run", *drawn)
    words = json.loads((folder / "report.json").read_text())
    values = json.loads((folder / "values/report.json").read_text())
    assert (words["task"], values["task"]) == ("single", "regression")
    assert values["values"] == VALUES.ranges()
    assert "valence" not in words["labels"]
    corpus = manifests.read(prepared)
    tested = scores.load(folder / "values")
    numbers = corpus.rated.labels[corpus.rows("test")]
    np.testing.assert_array_equal(tested.targets, numbers)
    for column, label in enumerate(VALUES.labels):
        entry = values["metrics"]["ccc"]["emotions"][label]
        expected = metrics.ccc(tested.targets[:, column], tested.logits[:, column])
        assert entry["value"] == pytest.approx(float(expected))
        assert entry["low"] < entry["high"]
    assert words["extras"]["values"]["ccc"]["value"] == values["metrics"]["ccc"]["mean"]["value"]
    assert "Values learned at the same time: Concordance" in (folder / "report.md").read_text()
    for figure in ("values.png", "calibration.png", "ccc.png"):
        assert (folder / "values/figures" / figure).exists() == (name == "rnn")
    space = artefact.read(folder / "artefact").space
    assert isinstance(space, JointTargets)
    assert space.values.values == VALUES.values
    assert space.words.labels == corpus.space.labels


def test_an_artefact_of_both_answers_with_emotions_or_values(prepared, tmp_path, answer, fails):
    folder = train("rnn", prepared, tmp_path / "run") / "artefact"
    model = moodal.load(folder, threads=1)
    row = manifests.read(prepared).utterances[0]
    clip = prepared.parent / "msp" / row.media["speech"].path
    [plain] = model.predict(clip, text=row.text, whole=True)
    assert set(plain.probabilities) == set(model.artefact.space.words.labels)
    assert sum(plain.probabilities.values()) == pytest.approx(1)
    [rated] = model.predict(clip, text=row.text, whole=True, emotions=["arousal", "valence"])
    assert list(rated.values) == ["arousal", "valence"]
    assert all(1 <= number <= 7 for number in rated.values.values())
    words = ("predict", clip, "--artefact", folder, "--text", row.text, "--emotions")
    code, sentence = fails(*words, "valence,anger")
    assert code == 5
    assert "ask for anger and valence, arousal, dominance separately" in sentence
    for part, others, name in (("", (), "accuracy"), ("values", VALUES.labels, "ccc")):
        before = json.loads((tmp_path / "run" / part / "report.json").read_text())
        asked = ("--emotions", ",".join(others)) if others else ()
        report = answer("evaluate", folder, prepared, *asked, "--out", tmp_path / f"by-{name}")
        place = "all" if "all" in before["metrics"][name] else "mean"
        value = before["metrics"][name][place]["value"]
        assert report["metrics"][name][place]["value"] == pytest.approx(value, abs=1e-4)


def test_folds_and_seeds_have_reports_of_both(prepared, tmp_path, fails):
    folds = ("split.by=speaker", "split.folds=3", "train.epochs=1")
    folder = train("rnn", prepared, tmp_path / "folds", *folds)
    pooled = json.loads((folder / "values/report.json").read_text())
    assert pooled["rows"] == 120
    assert len(pooled["folds"]) == 3
    assert again(folder / "values") == pooled
    fold = next(path.parent for path in sorted(folder.glob("*/values")))
    (fold / "values/report.json").unlink()
    (folder / "report.json").unlink()
    system = SYSTEMS["rnn"][0].replace("{", '{streams=["text", "speech"], ', 1)
    words = (RECIPE, f"data.prepared={prepared}", system, *SMALL, *folds, "--out", folder)
    code, sentence = fails("train", *words)
    assert code == 3
    assert f"{fold / 'values'} has no report" in sentence
    folder = train("rnn", prepared, tmp_path / "seeds", "train.seed=[0,1]", "train.epochs=1")
    seeds = json.loads((folder / "values/seeds.json").read_text())
    assert (seeds["task"], seeds["seeds"]) == ("regression", [0, 1])
    assert (folder / "values" / seeds["folders"][1] / "report.json").exists()
    each = [seeds["values"][label]["ccc"]["value"] for label in VALUES.labels]
    assert seeds["metrics"]["ccc"]["value"] == pytest.approx(np.mean(each))
    assert "## dominance" in (folder / "values/seeds.md").read_text()


def test_values_alone_are_chosen_by_the_recipe(prepared, tmp_path):
    changes = (
        "data.targets=values",
        "train.loss=ccc",
        "train.select=ccc",
        'data.labels=["valence"]',
    )
    folder = train("rnn", prepared, tmp_path / "run", *changes)
    report = json.loads((folder / "report.json").read_text())
    assert report["values"] == VALUES.select(["valence"]).ranges()
    assert not (folder / "values").exists()


def test_the_loss_of_values_is_weighed(prepared, tmp_path):
    shares = {}
    for weight in (0.001, 1):
        out = train("rnn", prepared, tmp_path / str(weight), f"train.value_weight={weight}")
        rows = (out / "epochs.csv").read_text().splitlines()
        shares[weight] = float(rows[1].split(",")[rows[0].split(",").index("train_loss")])
    assert shares[1] - shares[0.001] == pytest.approx(1, abs=0.2)  # 1 - ccc is about 1 at first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["train.loss=ccc"], "train.loss = 'ccc' is for values"),
        (["train.select=nonsense"], "balanced_accuracy"),
        (["protocol.name=zero_shot", 'protocol.unseen=["anger"]'], "data.targets = 'both' does"),
        (['system={name="self_mm", streams=["text", "speech"]}'], "not both at once"),
    ],
)
def test_what_does_not_fit_both_is_refused(prepared, tmp_path, fails, changes, message):
    words = [f"data.prepared={prepared}", *SMALL, *changes, "--out", tmp_path / "run"]
    code, sentence = fails("train", RECIPE, *words)
    assert code in (2, 5)
    assert message in sentence


def test_a_corpus_without_values_is_refused(tmp_path, fails):
    run("synthesise", "table", tmp_path / "talks", "--utterances", 30)
    run("prepare", "table", tmp_path / "talks", tmp_path / "prepared", "--encoder", "speech=none")
    for targets in ("values", "both"):
        words = (f"data.targets={targets}", f"data.prepared={tmp_path / 'prepared'}")
        code, sentence = fails("train", RECIPE, *words, "--out", tmp_path / "run")
        assert code == 3
        assert "has the emotions angry, happy, neutral, sad and no values" in sentence
