"""inspect: damaged files are one sentence."""

import json
from pathlib import Path

import pytest

from moodal.cli.inspect import brief, describe
from moodal.core.errors import DataError


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe"])
def test_a_run_whose_recipe_is_damaged(tmp_path, content):
    (tmp_path / "recipe.json").write_bytes(content)
    with pytest.raises(DataError, match=r"recipe\.json cannot be read"):
        describe(tmp_path)


def test_a_fused_artefact_and_what_a_screen_holds_of_it(tiny_artefact):
    content, shown = describe(tiny_artefact), brief(tiny_artefact)
    assert content["kind"] == "artefact"
    assert content["body"]["kind"] == "fused"
    assert content["weights"]["text.map"] == [8, 384]
    assert shown["name"] == "tiny"
    assert shown["verified"]
    assert shown["parameters"] == 3 * (8 * 384 + 384 + 8 + 64)
    assert shown["thresholds"] == dict.fromkeys(content["labels"], 0.5)
    json.dumps([content, shown], allow_nan=False)


def test_only_metrics_with_an_interval_are_shown(tiny, tmp_path):
    metrics = {
        "auc": {"value": 0.75, "low": 0.7, "high": 0.8},
        "accuracy": {"value": 0.5, "low": None, "high": None},
        "text": {"rows": 7},
    }
    folder = tiny.write_tiny(tmp_path / "a", metrics=metrics)
    assert brief(folder)["test"] == {"auc": "0.750 [0.700, 0.800]"}


def test_both_kinds_of_recipes():
    recipes = Path(__file__).parents[2] / "recipes"
    assert describe(recipes / "mosei/eea.toml")["kind"] == "recipe"
    fused = describe(recipes / "artefact/default.toml")
    assert fused["kind"] == "recipe of a fused artefact"
    assert set(fused["parts"]) == {"text", "speech", "face"}
