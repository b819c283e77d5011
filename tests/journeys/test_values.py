"""Valence, arousal and dominance, from a table of recordings to every form of the answer.

A look-alike is written, read, trained on, tested and predicted from, through the real command
line. Its dominance is brought to a scale from 1 to 5, so that the values differ in their ranges.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import moodal
from moodal.cli.main import main
from moodal.core.emotions import Value, Values
from moodal.core.errors import SpaceError
from moodal.evaluation import metrics
from moodal.evaluation.report import scores
from moodal.model import artefact
from moodal.model.evaluate import evaluate
from moodal.model.evaluate import rows_of as rows_of_corpus
from moodal.output import formats

RECIPE = Path(__file__).parents[2] / "recipes/table/values.toml"
VALUES = Values(["valence", "arousal", Value("dominance", 1, 5)])

SYSTEMS = {
    "eea": [
        "space.vectors=glove-50",
        "system.hidden={text=50, speech=8}",
        "train.loss=ccc",
        "train.select=ccc",
    ],
    "rnn": [
        'system={name="rnn", streams=["text", "speech"], layers=1, hidden={text=8, speech=8}}',
        "train.loss=mse",
        "train.select=pearson",
    ],
    "transformer": [
        'system={name="transformer", streams=["speech"], width=16, heads=2, layers=1}',
        "train.loss=l1",
        "train.select=mae",
    ],
    "mult": [
        'system={name="mult", streams=["text", "speech"], width=10, heads=2, layers=1}',
        "train.loss=ccc",
        "train.select=loss",
    ],
    "unimodal_baseline": ['system={name="unimodal_baseline", streams=["speech"]}'],
    "cai_sota": ['system={name="cai_sota", alpha=0.0}', "train.loss=mse"],
    "mmer": ['system={name="mmer", lambda=0.0, width=8}', "train.loss=l1"],
    "branch": [
        'system={name="branch", streams=["text"], width=8, joint=8}',
        "space.vectors=glove-50",
    ],
    "tfn": [
        'system={name="tfn", streams=["text", "speech"], hidden=8, width=8}',
        "train.loss=mse",
        "train.select=ccc",
    ],
    "self_mm": [
        'system={name="self_mm", streams=["text", "speech"]}',
        "train.loss=l1",
        "train.select=loss",
    ],
}
"""Name -> what makes the recipe one of this system."""


def run(*words):
    """Run a command of moodal."""
    main([*map(str, words)])


def rows_of(table):
    """Return the rows of a table."""
    with Path(table).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A look-alike with a file for each row, and dominance from 1 to 5: clips/values.csv."""
    talks, folder = tmp_path_factory.mktemp("talks"), tmp_path_factory.mktemp("clips")
    run("synthesise", "table-values", talks, "--utterances", 60, "--seed", 4)
    rows = rows_of(talks / "values.csv")
    for row in rows:
        sound, rate = soundfile.read(talks / row["audio"])
        first, last = (round(float(row.pop(key)) * rate) for key in ("start", "end"))
        row["audio"] = f"{row['id']}.wav"
        soundfile.write(folder / row["audio"], sound[first:last], rate)
        row["value:v[-1,1]"] = row.pop("valence")
        row["value:arousal"] = row.pop("arousal")
        row["value:Dominance[1..5]"] = f"{3 + 2 * float(row.pop('dominance')):.3f}"
    write(folder / "values.csv", rows)
    return folder


def write(path, rows):
    """Write the rows of a table."""
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


@pytest.fixture(scope="module")
def prepared(clips, tmp_path_factory):
    """The corpus, prepared."""
    folder = tmp_path_factory.mktemp("prepared") / "values"
    run("prepare", "table", clips, folder)
    return folder


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    """Return a function that trains a system once: trained(name) -> folder of its run."""
    folder = tmp_path_factory.mktemp("runs")

    def make(name):
        if not (folder / name).exists():
            small = ["train.epochs=3", "report.draws=20", "train.accelerator=cpu"]
            split = ["split.by=official", "split.folds=0", f"data.prepared={prepared}"]
            # a section that is given whole takes the place of the recipe's
            run("train", RECIPE, *SYSTEMS[name], *small, *split, "--out", folder / name)
        return folder / name

    return make


def test_what_is_wrong_with_the_numbers_is_a_sentence_each(clips, tmp_path, fails):
    rows = rows_of(clips / "values.csv")
    rows[1]["value:arousal"] = ""
    rows[4]["value:Dominance[1..5]"] = "0.5"
    write(tmp_path / "values.csv", rows)
    code, sentence = fails("prepare", "table", tmp_path / "values.csv", tmp_path / "p")
    assert code == 3
    assert f"1 utterance has no arousal: {rows[1]['id']} (row 2);" in sentence
    assert "And 2 more such findings" in sentence
    rows[1]["value:arousal"] = "0.1"
    write(tmp_path / "values.csv", rows)
    code, sentence = fails("prepare", "table", tmp_path / "values.csv", tmp_path / "p")
    assert f"a dominance outside of 1 to 5 (0.5): {rows[4]['id']} (row 5);" in sentence
    assert not (tmp_path / "p").exists()


def test_prepare_shows_means_and_ranges(clips, tmp_path, answer, capsys):
    about = answer("prepare", "table", clips, tmp_path / "p", "--encoder", "speech=none")
    assert about["values"] == VALUES.ranges()
    assert about["splits"]["train"]["labels"]["dominance"] == pytest.approx(3, abs=0.5)
    run("prepare", "table", clips, tmp_path / "p", "--encoder", "speech=none")
    shown = capsys.readouterr()
    assert "dominance (1 to 5)" in shown.out + shown.err


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_trains_on_several_values_at_once(name, trained):
    folder = trained(name)
    report = json.loads((folder / "report.json").read_text())
    assert report["values"] == VALUES.ranges()
    assert report["headlines"] == ["ccc", "pearson", "mae"]
    assert set(report["metrics"]) == {"ccc", "pearson", "mae", "rmse"}
    tested = scores.load(folder)
    for column, label in enumerate(VALUES.labels):
        entry = report["metrics"]["ccc"]["emotions"][label]
        expected = metrics.ccc(tested.targets[:, column], tested.logits[:, column])
        assert entry["value"] == pytest.approx(float(expected))
        assert (entry["low"], entry["high"]) == (None, None)  # a single speaker is tested
        assert entry["baselines"]["train-mean"] == pytest.approx(0, abs=1e-9)
    assert tested.logits.std(0).min() > 0
    assert (folder / "figures/values.png").exists()
    text = (folder / "report.md").read_text()
    assert "dominance (1 to 5)" in text
    assert "The values have different ranges" in text
    info = artefact.read(folder / "artefact").info
    assert (info.task, info.body.name) == ("regression", name)
    assert artefact.read(folder / "artefact").space.values == VALUES.values
    assert set(info.data.trained.means) == set(VALUES.labels)
    history = (folder / "epochs.csv").read_text().splitlines()
    assert len(history) == 4


def test_words_tell_values_of_speakers_that_training_did_not_hear(tmp_path, answer):
    run("synthesise", "table-values", tmp_path / "talks", "--utterances", 300, "--seed", 1)
    text = ("--encoder", "speech=none")
    run("prepare", "table", tmp_path / "talks", tmp_path / "prepared", *text)
    report = answer(
        *("train", RECIPE, *SYSTEMS["eea"], 'system.streams=["text"]', "train.epochs=20"),
        *("split.by=official", "split.folds=0", f"data.prepared={tmp_path / 'prepared'}"),
        *("train.accelerator=cpu", "report.draws=200", "report.figures=false"),
        *("train.lr=5e-3", "--out", tmp_path / "run"),
    )
    valence = report["metrics"]["ccc"]["emotions"]["valence"]
    assert valence["value"] > 0.3
    assert valence["low"] > 0
    assert valence["value"] > valence["baselines"]["train-mean"] + 0.3


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_clip_is_predicted_as_it_is_evaluated(name, trained, clips, prepared, tmp_path, answer):
    folder = trained(name) / "artefact"
    where = ("--split", "all", "--out")
    raw = answer("evaluate", folder, clips / "values.csv", *where, tmp_path / "raw")
    given = answer("evaluate", folder, prepared, *where, tmp_path / "given")
    assert raw["rows"] == given["rows"] == 60
    assert any("were trained on" in stamp for stamp in raw["protocol"]["stamps"])
    tested, again = scores.load(tmp_path / "raw"), scores.load(tmp_path / "given")
    np.testing.assert_allclose(tested.logits, again.logits, atol=1e-4)
    assert tested.values == VALUES.values
    assert (tested.probabilities >= VALUES.low).all()
    assert (tested.probabilities <= VALUES.high).all()
    told = dict(zip(tested.ids, tested.probabilities, strict=True))
    model = moodal.load(folder, threads=1)
    for row in rows_of(clips / "values.csv")[:3]:
        path = clips / row["audio"]
        [utterance] = model.predict(path, text=row["text"], whole=True)
        assert list(utterance.values) == list(VALUES.labels)
        assert (utterance.probabilities, utterance.decided, utterance.shares) == ({}, (), {})
        np.testing.assert_allclose(list(utterance.values.values()), told[row["id"]], atol=1e-4)
        words = ("--artefact", folder, "--whole", "--text", row["text"])
        [recording] = answer("predict", path, *words)["recordings"]
        assert recording["values"] == VALUES.ranges()
        [written] = recording["utterances"]
        np.testing.assert_allclose(list(written["values"].values()), told[row["id"]], atol=2e-4)


def test_answers_stay_within_the_range_and_figures_do_not(trained, clips, prepared, tmp_path):
    model = moodal.load(trained("rnn") / "artefact", threads=1)
    with torch.no_grad():
        model.scorer.system.out.bias += 9
    row = rows_of(clips / "values.csv")[0]
    [utterance] = model.predict(clips / row["audio"], text=row["text"], whole=True)
    assert utterance.values == {"valence": 1, "arousal": 1, "dominance": 5}
    report = evaluate(model, rows_of_corpus(prepared), tmp_path / "report")
    tested = scores.load(tmp_path / "report")
    assert (tested.probabilities == VALUES.high).all()
    assert (tested.logits > VALUES.high).all()
    error = np.abs(tested.logits - tested.targets).mean(0)
    assert report["metrics"]["mae"]["emotions"]["valence"]["value"] == pytest.approx(error[0])


def test_the_report_of_training_is_that_of_the_test(trained, prepared, tmp_path, answer):
    folder = trained("eea")
    before = json.loads((folder / "report.json").read_text())
    after = answer("evaluate", folder / "artefact", prepared, "--out", tmp_path / "again")
    for name in ("ccc", "pearson", "mae", "rmse"):
        value = before["metrics"][name]["mean"]["value"]
        assert after["metrics"][name]["mean"]["value"] == pytest.approx(value, abs=1e-4)
    assert "baselines are of the tested rows" in " ".join(after["protocol"]["stamps"])


def test_a_corpus_on_another_scale_is_brought_to_the_models(trained, clips, tmp_path, answer):
    rows = rows_of(clips / "values.csv")
    for row in rows:
        row["value:activation[0,10]"] = f"{5 + 5 * float(row.pop('value:arousal')):.3f}"
        del row["value:v[-1,1]"], row["value:Dominance[1..5]"]
        row["audio"] = str(clips / row["audio"])
    write(tmp_path / "other.csv", rows)
    folder = trained("eea") / "artefact"
    plain = ("--emotions", "arousal", "--split", "all", "--out")
    own = answer("evaluate", folder, clips / "values.csv", *plain, tmp_path / "own")
    named = ("--map", "activation=arousal", "--split", "all", "--out")
    other = answer("evaluate", folder, tmp_path / "other.csv", *named, tmp_path / "other")
    assert "arousal (0 to 10) taken as -1 to 1" in other["protocol"]["stamps"]
    for name in ("ccc", "mae"):
        value = own["metrics"][name]["mean"]["value"]
        assert other["metrics"][name]["mean"]["value"] == pytest.approx(value, abs=2e-3)


@pytest.mark.parametrize("kind", [name for name in formats.FORMATS if name not in ("rttm", "hume")])
def test_every_format_of_answers_tells_the_values(kind, trained, clips, tmp_path):
    row = rows_of(clips / "values.csv")[0]
    out = tmp_path / f"clip{formats.FORMATS[kind].ending}"
    words = ("--artefact", trained("eea") / "artefact", "--whole", "--text", row["text"])
    run("predict", clips / row["audio"], *words, "--format", kind, "--out", out)
    text = out.read_text(encoding="utf-8")
    [utterance] = moodal.load(trained("eea") / "artefact").predict(
        clips / row["audio"], text=row["text"], whole=True
    )
    for name, number in utterance.values.items():
        assert name in text
        assert re.search(rf"{abs(number):.2f}|{round(abs(number), 4)}".replace(".", r"\."), text)


def test_a_text_is_answered_in_the_terminal_as_a_plot_and_a_frame(trained, tmp_path, capsys):
    folder = trained("eea") / "artefact"
    plot = tmp_path / "text.svg"
    run("predict", "--text", "I love this. He died.", "--artefact", folder, "--plot", plot)
    shown = capsys.readouterr().out
    assert "dominance (1 to 5)" in shown
    assert "decided" not in shown
    assert ">valence" in plot.read_text()
    pytest.importorskip("pandas")
    frame = moodal.load(folder).predict(text="I love this. He died.").to_frame()
    assert list(frame.columns[-3:]) == [f"value_{name}" for name in VALUES.labels]
    assert len(frame) == 2


def test_values_are_chosen_and_emotions_refused(trained, clips, tmp_path, answer, fails):
    folder = trained("eea") / "artefact"
    words = ("predict", "--text", "I love this.", "--artefact", folder, "--emotions")
    [recording] = answer(*words, "dominance,valence")["recordings"]
    assert [v["name"] for v in recording["values"]] == ["dominance", "valence"]
    every = answer(*words[:-1])["recordings"][0]["utterances"][0]["values"]
    chosen = recording["utterances"][0]["values"]
    assert chosen == {name: every[name] for name in ("dominance", "valence")}
    code, sentence = fails(*words, "joy")
    assert code == 5
    assert "answers with the values valence, arousal, dominance, not with joy" in sentence
    with pytest.raises(SpaceError, match="not with joy"):
        moodal.load(folder).predict(text="I love this.", emotions=["valence", "joy"])
    frames = moodal.load(folder).encoders["text"].encode("I love this.")
    found = moodal.load(folder).scores({"text": scores_of(frames)}, ["arousal"])
    assert found.probabilities.tolist() == [[pytest.approx(every["arousal"], abs=1e-4)]]


def scores_of(frames):
    """Return the frames of one utterance as a model takes them."""
    from moodal.core.records import Frames

    return Frames.from_list([frames])


def test_values_and_emotions_are_not_tested_on_each_other(
    trained, clips, tiny_artefact, tmp_path, fails
):
    folder = trained("eea") / "artefact"
    run("synthesise", "table", tmp_path / "talks", "--utterances", 12)
    emotions = tmp_path / "talks/table.csv"
    code, sentence = fails("evaluate", folder, emotions, "--out", tmp_path / "a")
    assert code == 5
    assert "answers with values (valence, arousal, dominance), and table has emotions" in sentence
    code, sentence = fails(
        *("evaluate", tiny_artefact, clips / "values.csv", "--emotions", "valence"),
        *("--out", tmp_path / "b"),
    )
    assert code == 5
    assert "table has values (valence, arousal, dominance)" in sentence


def test_rows_without_a_number_are_not_tested(trained, clips, tmp_path, fails):
    rows = rows_of(clips / "values.csv")
    for row in rows:
        row["audio"] = str(clips / row["audio"])
    rows[0]["value:arousal"] = ""
    write(tmp_path / "values.csv", rows)
    words = (trained("eea") / "artefact", tmp_path / "values.csv", "--split", "all")
    code, sentence = fails("evaluate", *words, "--out", tmp_path / "a")
    assert code == 3
    assert f"1 utterance has no arousal: {rows[0]['id']}" in sentence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["train.loss=bce"], "values take l1, mse, ccc"),
        (["train.select=auc"], "corpus of valence, arousal, dominance; choose: ccc, pearson, mae"),
        (["train.select=acc7"], "choose: ccc, pearson, mae, rmse."),
        (["protocol.name=zero_shot", 'protocol.unseen=["valence"]'], "holds out emotions"),
        (['data.merges={valence="joy", arousal="joy"}'], "twice in one space: joy"),
        (['system={name="mmer", width=8}'], "contrasts utterances of different emotions"),
    ],
)
def test_recipes_that_are_for_emotions_are_refused(prepared, tmp_path, fails, changes, said):
    words = [*SYSTEMS["eea"], f"data.prepared={prepared}", *changes, "--out", tmp_path / "run"]
    code, sentence = fails("train", RECIPE, *words)
    assert code in (2, 5)
    assert said in sentence


def test_runs_of_values_are_compared(trained, tmp_path, answer):
    made = answer("compare", trained("eea"), trained("rnn"), "--draws", 20, "--out", tmp_path / "c")
    assert made["headlines"] == ["ccc", "pearson", "mae"]
    assert set(made["runs"][1]["difference"]) == {"ccc", "pearson", "mae"}


def test_it_is_inspected(trained, prepared, answer, capsys):
    folder = trained("eea") / "artefact"
    shown = answer("inspect", folder)
    assert shown["verified"]
    assert shown["values"] == VALUES.ranges()
    run("inspect", folder)
    brief = capsys.readouterr().out
    assert "dominance: 1 to 5" in brief
    assert "thresholds" not in brief
    corpus = answer("inspect", prepared)
    assert corpus["values"] == VALUES.ranges()
    assert corpus["means"]["dominance"] == pytest.approx(3, abs=0.5)
    assert "positives" not in corpus
