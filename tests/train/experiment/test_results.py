"""The epoch that a report names is the one whose weights the training kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from moodal.core.recipe import Recipe
from moodal.core.strict import parse
from moodal.train.engine import checkpoint
from moodal.train.engine import fit as loop
from moodal.train.engine.fit import launch
from moodal.train.experiment.results import kept_epochs
from moodal.train.experiment.run import Run
from moodal.train.experiment.train import make_plan


def recipe(folder: Path, protocol: dict[str, Any] | None = None, **train: Any) -> Recipe:
    values: dict[str, Any] = {
        "title": "small",
        "data": {"prepared": str(folder), "trim_padding": False},
        "system": {"name": "rnn", "streams": ["text", "speech"], "hidden": {"text": 4}},
        "train": {"epochs": 6, "lr": 0.3, "accelerator": "cpu"} | train,
    }
    return parse(Recipe, values | ({"protocol": protocol} if protocol else {}), "test")


def best_of(folder: Path) -> int:
    """The epoch whose weights a checkpoint holds as the best."""
    return int(checkpoint.load(folder / "resume.pt")["state"]["best_epoch"])


@pytest.fixture
def run(corpus, tmp_path):
    """Return a factory of runs on a small corpus."""

    def make(**train: Any) -> Run:
        if not (tmp_path / "prepared").exists():
            corpus.write(tmp_path / "prepared")
        plan = make_plan(recipe(tmp_path / "prepared", **train))
        return plan.run(launch(plan.recipe.train), plan.experiments[0], tmp_path / "run")

    return make


@pytest.mark.parametrize(
    "train",
    [
        {"select": "loss", "early_stop": 0},
        {"select": "loss", "early_stop": 1, "epochs": 40},
        {"select": "last", "early_stop": 0},
        {"select": "auc", "early_stop": 0},
    ],
)
def test_the_kept_epoch_is_that_of_the_checkpoint(run, train) -> None:
    trained = run(**train).train()
    (about,) = kept_epochs(trained.run.recipe, trained.history)
    assert about["epoch"] == best_of(trained.run.folder)
    assert about["by"] == train["select"]
    assert (about["epochs"], about["planned"]) == (len(trained.history), train.get("epochs", 6))
    if train["early_stop"]:
        assert about["epoch"] == about["epochs"] - 2 < about["planned"] - 2
    if train["select"] == "last":
        assert about["epoch"] == 5


def test_the_kept_epoch_of_a_resumed_run_is_that_of_the_whole(run, monkeypatch) -> None:
    class Power(Exception):
        pass

    whole = loop._Loop.epoch

    def fails(self: Any, bar: Any) -> Any:
        if self.state.epoch == 4:
            raise Power
        return whole(self, bar)

    monkeypatch.setattr(loop._Loop, "epoch", fails)
    with pytest.raises(Power):
        run(select="loss", early_stop=0).train()
    monkeypatch.setattr(loop._Loop, "epoch", whole)
    trained = run(select="loss", early_stop=0).train()
    assert len(trained.history) == 6
    (about,) = kept_epochs(trained.run.recipe, trained.history)
    assert about["epoch"] == best_of(trained.run.folder)


def test_of_equal_epochs_the_first_is_kept_and_errors_are_best_when_low(tmp_path) -> None:
    history = [{"epoch": i, "valid_auc": a, "valid_mae": a} for i, a in enumerate([0.6, 0.7, 0.7])]
    assert kept_epochs(recipe(tmp_path, select="auc"), history)[0]["epoch"] == 1
    assert kept_epochs(recipe(tmp_path, select="mae"), history)[0]["epoch"] == 0


def test_a_second_training_keeps_its_last_epoch(tmp_path) -> None:
    few = {"name": "few_shot", "unseen": ["fear"], "method": "joint", "adapt_epochs": 2}
    first = [{"epoch": i, "valid_auc": a} for i, a in enumerate([0.6, 0.8, 0.7])]
    second = [{"epoch": i, "valid_loss": 0.5 + i} for i in range(2)]
    assert kept_epochs(recipe(tmp_path, few, select="auc"), [*first, *second]) == [
        {"epoch": 1, "by": "auc", "epochs": 3, "planned": 6},
        {"epoch": 1, "by": "last", "epochs": 2, "planned": 2},
    ]
