"""search: trials see training and validation rows alone, resume, and are told with their cost."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from moodal.core import recipe as recipes
from moodal.core.errors import DataError, MissingDependencyError, OutputError, UsageError
from moodal.core.search_space import assignments
from moodal.train.engine import fit as fitting
from moodal.train.experiment import run as runs
from moodal.train.experiment import search as searches
from moodal.train.experiment.search import search
from moodal.train.experiment.train import train

optuna = pytest.importorskip("optuna")

RECIPE = """
title = "small"
[data]
prepared = "{prepared}"
trim_padding = false
[system]
name = "rnn"
streams = ["text"]
hidden = {{ text = 4 }}
[train]
epochs = 2
select = "auc"
accelerator = "cpu"
[report]
draws = 20
figures = false
"""
SPACE = """
[train]
lr = { low = 1e-3, high = 1e-1, log = true }
batch_size = { low = 16, high = 64, step = 16 }
optimiser = { choices = ["adam", "adamw"] }
"""


@pytest.fixture
def files(corpus, tmp_path) -> tuple[Path, Path]:
    # an artefact describes no encoder that has no width
    dataclasses.replace(corpus, encoders={}).write(tmp_path / "prepared")
    recipe, space = tmp_path / "recipe.toml", tmp_path / "space.toml"
    recipe.write_text(RECIPE.format(prepared=tmp_path / "prepared"))
    space.write_text(SPACE)
    return recipe, space


@pytest.fixture
def scored(monkeypatch) -> list[tuple[str, set[int]]]:
    """Which rows are scored, in order: by the training loop, and by whoever else asks."""
    calls: list[tuple[str, set[int]]] = []
    for name, module in (("loop", fitting), ("run", runs)):

        def record(model, space, data, rows, *, name=name, score=module.score, **options):
            calls.append((name, set(np.asarray(rows).tolist())))
            return score(model, space, data, rows, **options)

        monkeypatch.setattr(module, "score", record)
    return calls


def test_the_test_rows_are_never_scored_before_the_choice(files, tmp_path, scored, corpus):
    chosen = []
    testing = searches.FoldSearch.test
    before: list[int] = []

    def test(self, choice):
        before.append(len(scored))
        chosen.append(choice["chosen"])
        return testing(self, choice)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searches.FoldSearch, "test", test)
        report = search(*files, [], tmp_path / "out", trials=3)
    rows = {i for i, u in enumerate(corpus.utterances) if u.split == "test"}
    during, after = scored[: before[0]], scored[before[0] :]
    assert len(during) == 3 * 2  # each epoch of each trial
    assert not any(own & rows for _, own in during)
    # once, with the weights of the trial: nothing is trained again
    assert [(name, own == rows) for name, own in after] == [("run", True), ("run", False)]
    assert report["searches"][0]["chosen"] == chosen[0]


def test_each_fold_is_searched_by_itself(files, tmp_path, scored, corpus):
    overrides = ["split.by=speaker", "split.folds=2", "train.epochs=1"]
    report = search(*files, overrides, tmp_path / "out", trials=2)
    assert [s["experiment"] for s in report["searches"]] == ["fold 0", "fold 1"]
    assert report["trials"] == 4
    assert report["test"]["rows"] == 300
    plan = searches.ready_plan(recipes.load(files[0], overrides))
    own = [set(e.test.tolist()) for e in plan.experiments]
    trials = [rows for name, rows in scored if name == "loop"]
    for fold, test in enumerate(own):
        assert not any(rows & test for rows in trials[2 * fold : 2 * fold + 2])
    assert "in 2 folds, each with a search of its own" in (tmp_path / "out/search.md").read_text()


def test_the_chosen_trial_is_the_best_and_its_run_is_that_of_train(files, tmp_path):
    out = tmp_path / "out"
    report = search(*files, ["train.clip=2.0"], out, trials=3, seed=1)
    [fold] = report["searches"]
    valid = [t["valid"] for t in fold["trials"]]
    assert fold["best_valid"] == max(valid) == valid[fold["chosen"]]
    assert fold["median_valid"] == sorted(valid)[1]
    assert report["seconds"] == pytest.approx(sum(t["seconds"] for t in fold["trials"]), abs=0.01)
    assert all(16 <= t["values"]["train.batch_size"] <= 64 for t in fold["trials"])
    assert all(1e-3 <= t["values"]["train.lr"] <= 1e-1 for t in fold["trials"])
    assert len({t["values"]["train.lr"] for t in fold["trials"]}) == 3
    chosen = fold["trials"][fold["chosen"]]["values"]
    overrides = ["train.clip=2.0", *assignments(chosen)]
    again = train(files[0], overrides, tmp_path / "again")
    for key, entry in report["test"]["metrics"].items():
        assert entry["value"] == again["metrics"][key]["mean"]["value"]
        assert entry["low"] < entry["value"] < entry["high"]
    stored = json.loads((out / "report.json").read_text())
    assert stored["metrics"] == again["metrics"]
    assert (out / "artefact").is_dir()
    # the weights of other trials are not kept
    assert not list((out / "trials").rglob("resume.pt"))
    assert len(list((out / "trials").rglob("epochs.csv"))) == 3
    text = (out / "search.md").read_text()
    assert "# small: a search of 3 trials" in text
    assert "is the best of 3 and therefore optimistic" in text
    assert f"moodal train {shlex.join([str(files[0]), *overrides])} --out RUN" in text


def test_a_search_that_was_stopped_ends_as_one_that_was_not(files, tmp_path, monkeypatch):
    whole = search(*files, [], tmp_path / "whole", trials=3)
    epochs = []
    validate = fitting._Loop.validate

    def stopped(self):
        epochs.append(1)
        if len(epochs) == 4:  # in the second epoch of the second trial
            raise KeyboardInterrupt
        return validate(self)

    monkeypatch.setattr(fitting._Loop, "validate", stopped)
    with pytest.raises(KeyboardInterrupt):
        search(*files, [], tmp_path / "parts", trials=3)
    assert not (tmp_path / "parts" / "search.json").exists()
    report = search(*files, [], tmp_path / "parts", trials=3)

    def figures(report):
        return [(t["values"], t["valid"], t["epochs"]) for t in report["searches"][0]["trials"]]

    assert figures(report) == figures(whole)
    assert report["test"] == whole["test"]
    assert len(epochs) == 1 + 3 * 2  # the first epoch of the second trial was not trained again
    # a finished search is read, and not extended after its test
    assert search(*files, [], tmp_path / "parts", trials=3) == report
    with pytest.raises(UsageError, match="finished search of 3 trials, whose test has been scored"):
        search(*files, [], tmp_path / "parts", trials=4)
    with pytest.raises(UsageError, match="holds another search"):
        search(*files, [], tmp_path / "parts", trials=3, seed=1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "photo.jpg").touch()
    with pytest.raises(OutputError, match="holds no search"):
        search(*files, [], tmp_path / "other", trials=3)


def test_few_combinations_are_each_tried_once(files, tmp_path):
    files[1].write_text("[train]\nbatch_size = { choices = [16, 32] }\nlr = { choices = [0.1] }\n")
    report = search(*files, ["train.epochs=1"], tmp_path / "out", trials=9)
    tried = [t["values"] for t in report["searches"][0]["trials"]]
    assert tried == [{"train.batch_size": n, "train.lr": 0.1} for n in (16, 32)]
    assert report["sampler"] == "every combination once"
    assert search(*files, ["train.epochs=1"], tmp_path / "out", trials=9) == report


def test_a_trial_that_fails_is_counted_and_named(files, tmp_path, monkeypatch):
    seen = []
    train_one = searches.FoldSearch._train

    def failing(self, number, values):
        seen.append(number)
        if number == 0:
            raise DataError("The training loss is not finite.")
        return train_one(self, number, values)

    monkeypatch.setattr(searches.FoldSearch, "_train", failing)
    report = search(*files, ["train.epochs=1"], tmp_path / "out", trials=2)
    first, second = report["searches"][0]["trials"]
    assert (first["state"], first["valid"]) == ("failed", None)
    assert first["reason"] == "The training loss is not finite."
    assert second["state"] == "complete"
    assert "2 trials, of which 1 failed" in (tmp_path / "out/search.md").read_text()
    with pytest.raises(DataError, match="All 1 trials failed; the last one: The training loss"):
        search(*files, [], tmp_path / "none", trials=1)


@pytest.mark.parametrize(
    ("overrides", "space", "message"),
    [
        (['train.select_on="test"'], SPACE, "train.select_on: a search chooses on validation rows"),
        (["train.select=last"], SPACE, "train.select: a search chooses by a validation figure"),
        (["train.seed=[0,1]"], SPACE, "train.seed: a search has one seed"),
        ([], "train.lrr = { low = 1, high = 2 }", r"train.lrr: .* did you mean 'lr'\?"),
        ([], "train.lr = { low = -1.0, high = 2.0 }", "train.lr = -1.0: input should be greater"),
        ([], "train.epochs = { low = 0, high = 2 }", "train.epochs = 0"),
        ([], 'train.optimiser = { choices = ["adam", "adan"] }', "train.optimiser = 'adan'"),
        ([], "system.hiden = { low = 1, high = 2 }", r"unknown key 'hiden'"),
        (
            ["train.select=loss"],
            'train.loss = { choices = ["bce"] }',
            "train.loss cannot be varied",
        ),
    ],
)
def test_what_cannot_be_searched_is_one_sentence(files, tmp_path, overrides, space, message):
    files[1].write_text(space)
    with pytest.raises(UsageError, match=message) as caught:
        search(*files, overrides, tmp_path / "out", trials=1)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_without_optuna_it_is_one_sentence(files, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDependencyError, match=r"optuna; `pip install '\.\[search\]'"):
        search(*files, [], tmp_path / "out", trials=1)


def test_a_damaged_journal_is_one_sentence(files, tmp_path):
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searches.FoldSearch, "run", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            search(*files, [], out, trials=1)
    (out / "trials.log").write_text("no journal\nof a search\n")
    with pytest.raises(DataError, match=r"trials\.log is damaged"):
        search(*files, [], out, trials=1)


def test_the_command_prints_what_was_tried(files, tmp_path, capsys):
    from moodal.cli.main import main

    command = ["search", *map(str, files), "train.epochs=1", "--trials", "2"]
    main([*command, "--out", str(tmp_path / "out")])
    text = " ".join(capsys.readouterr().out.split())
    assert "2 trials," in text
    assert "therefore optimistic" in text
    main([*command, "--out", str(tmp_path / "out"), "--json"])
    assert json.loads(capsys.readouterr().out)["schema"] == "moodal.search/1"
