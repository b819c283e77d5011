"""inspect: damaged files are one sentence."""

import argparse
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from moodal.cli.inspect import brief, describe, inspect
from moodal.core.errors import DataError
from moodal.model import artefact
from moodal.model.artefact import DEFAULT
from moodal.model.graph import graph_parameters
from moodal.model.info import ArtefactInfo, DataInfo, ProtocolInfo, SystemBody, ThresholdInfo


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
    assert shown["parameters"].keys() == content["body"]["branches"].keys()
    assert shown["decides"]["text"].startswith("from ")
    assert shown["licence"].keys() == {"weights", "text", "speech", "face"}
    json.dumps([content, shown], allow_nan=False)


def test_the_summary_of_the_artefact_in_the_package_has_what_its_card_has(capsys):
    inspect(argparse.Namespace(path=Path("default"), json=False))
    text = " ".join(capsys.readouterr().out.split())
    card = (DEFAULT / "README.md").read_text(encoding="utf-8")
    figures = re.findall(
        r"macro F1 \(thresholds of validation\) 0\.\d{3}|accuracy 0\.\d{3}, UA 0\.\d{3}", card
    )
    assert len(figures) >= 3
    for figure in figures:
        assert figure in text
    assert re.search(r"decided \d\d% of 2,000 rows", text)
    assert "text+speech+face: from 50%" in text
    thresholds = artefact.read(DEFAULT).fused.branches["text"].thresholds
    assert f"gratitude {thresholds['gratitude']:.2f}" in text
    assert "{" not in text


def test_the_weights_of_a_graph_are_counted_without_onnx(tiny_artefact):
    onnx = pytest.importorskip("onnx")
    for path in (*tiny_artefact.glob("*.onnx"), DEFAULT / "speech.onnx"):
        weights = [
            tensor
            for tensor in onnx.load(path).graph.initializer
            if not tensor.name.endswith(("_scale", "_zero_point"))
        ]
        assert graph_parameters(path) == sum(math.prod(tensor.dims) for tensor in weights)


def test_only_metrics_with_an_interval_are_shown(tmp_path):
    metrics = {
        "auc": {"value": 0.75, "low": 0.7, "high": 0.8},
        "accuracy": {"value": 0.5, "low": None, "high": None},
        "text": {"rows": 7},
    }
    info = ArtefactInfo(
        body=SystemBody(name="eea", config={}),
        widths={"text": 4},
        labels=("a", "b"),
        task="multi",
        vectors="made up",
        trained=("a", "b"),
        encoders={},
        activation="sigmoid",
        thresholds=ThresholdInfo(values=(0.5, 0.5)),
        protocol=ProtocolInfo(),
        metrics=metrics,
        data=DataInfo(),
        licence="CC0",
    )
    vectors = {"emotions": np.eye(2, dtype=np.float32)}
    weights = {"w": np.zeros((2, 3), np.float32)}
    folder = artefact.write(tmp_path / "a", info, weights, vectors, "# card\n")
    assert brief(folder)["parameters"] == 6
    assert brief(folder)["test"] == {"auc": "0.750 [0.700, 0.800]"}


def test_both_kinds_of_recipes():
    recipes = Path(__file__).parents[2] / "recipes"
    assert describe(recipes / "mosei/eea.toml")["kind"] == "recipe"
    fused = describe(recipes / "artefact/default.toml")
    assert fused["kind"] == "recipe of a fused artefact"
    assert set(fused["parts"]) == {"text", "speech", "face"}
