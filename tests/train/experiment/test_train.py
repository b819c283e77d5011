"""train: a recipe becomes runs; a run's folder is claimed by its recipe and data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from moodal.core.errors import OutputError, SpaceError, UsageError
from moodal.core.recipe import Recipe
from moodal.core.strict import parse
from moodal.train.engine.fit import launch
from moodal.train.experiment.train import Plan, claim, make_plan, train_recipe


def recipe(prepared: Path, **sections: object) -> Recipe:
    values = {
        "title": "small",
        "data": {"prepared": str(prepared), "trim_padding": False},
        "system": {"name": "rnn", "streams": ["text", "speech"], "hidden": {"text": 4}},
        "train": {"epochs": 2, "select": "loss", "accelerator": "cpu"},
        "report": {"draws": 0, "figures": False},
    }
    return parse(Recipe, values | sections, "test")


@pytest.fixture
def prepared(corpus, tmp_path) -> Path:
    corpus.write(tmp_path / "prepared")
    return tmp_path / "prepared"


def test_a_plan_has_a_run_for_each_fold_and_training_is_repeatable(prepared, tmp_path) -> None:
    plan = make_plan(recipe(prepared, split={"by": "speaker", "folds": 3}))
    assert [e.name for e in plan.experiments] == ["fold 0", "fold 1", "fold 2"]
    assert plan.inputs == ("text", "speech")
    fabric = launch(plan.recipe.train)
    runs = [plan.run(fabric, plan.experiments[0], tmp_path / name) for name in ("a", "b")]
    assert runs[0].signature("x") == runs[1].signature("x") != runs[0].signature("y")
    a, b = (run.train() for run in runs)
    rows = plan.experiments[0].test
    np.testing.assert_array_equal(a.scores(rows), b.scores(rows))
    assert a.scores(rows).shape == (len(rows), 3)


def test_what_cannot_be_trained_is_refused_before_anything_is_written(prepared, tmp_path) -> None:
    unseen = recipe(prepared, protocol={"name": "zero_shot", "unseen": ["fear"]})
    with pytest.raises(SpaceError, match="rnn is a closed-set system and cannot score fear"):
        train_recipe(unseen, tmp_path / "run")
    with pytest.raises(UsageError, match="one of the two may be above 1"):
        train_recipe(recipe(prepared), tmp_path / "run", jobs=0)
    assert not (tmp_path / "run").exists()


def test_a_folder_is_claimed_by_one_recipe_and_its_data(prepared, tmp_path) -> None:
    plan, out = make_plan(recipe(prepared)), tmp_path / "run"
    claim(plan, out)
    (out / "resume.pt").touch()
    claim(plan, out)
    with pytest.raises(UsageError, match="another recipe or other data"):
        claim(make_plan(recipe(prepared, train={"epochs": 3, "select": "loss"})), out)
    stored = json.loads((out / "recipe.json").read_text())
    (out / "recipe.json").write_text(json.dumps({**stored, "data": "other"}))
    with pytest.raises(UsageError, match="another recipe or other data"):
        claim(plan, out)
    (out / "recipe.json").write_text("damaged")
    with pytest.raises(UsageError, match="another recipe or other data"):
        claim(plan, out)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "photo.jpg").touch()
    with pytest.raises(OutputError, match="holds no run"):
        claim(plan, tmp_path / "other")


def test_a_run_of_mmer_with_a_form_is_a_run_of_the_system_it_is_now(prepared, tmp_path) -> None:
    plan, out = make_plan(recipe(prepared)), tmp_path / "run"

    def named(system: dict[str, object]) -> Plan:
        changed = plan.recipe.model_copy(update={"system": system})
        return Plan(changed, plan.manifest, "f", plan.space, plan.experiments, plan.inputs)

    claim(named({"name": "mmer", "form": "2022", "alpha": 0.1}), out)
    (out / "resume.pt").touch()
    claim(named({"name": "mmer_2022", "alpha": 0.1}), out)
    with pytest.raises(UsageError, match="another recipe"):
        claim(named({"name": "mmer", "form": "2023"}), out)
