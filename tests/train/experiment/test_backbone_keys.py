"""A recipe's keys on backbones: adapters end in a plain artefact, and what cannot be is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import UsageError
from moodal.core.manifest import Manifest
from moodal.core.recipe import Recipe
from moodal.core.records import Frames, Utterance
from moodal.core.strict import parse
from moodal.modalities.build import build
from moodal.train.backbones.locate import find
from moodal.train.backbones.pretrained import from_files
from moodal.train.encoders import ENCODERS
from moodal.train.experiment.train import make_plan, train_recipe
from moodal.train.export.artefact import load

TEXTS = ["What a lovely day", "I am so happy", "I hate this", "Go away now"]


def prepared(folder: Path, encoder_name: str) -> Path:
    """A corpus of 48 short texts of two emotions, in three official parts."""
    encoder = build(encoder_name, ENCODERS)
    each = [encoder.encode(text) for text in TEXTS]
    labels = np.eye(2, dtype=np.float32)[[0, 0, 1, 1] * 12]
    parts = ["train"] * 24 + ["valid"] * 12 + ["test"] * 12
    manifest = Manifest(
        "made up",
        EmotionSpace(["joy", "anger"], "single"),
        tuple(Utterance(f"u{i}", split=part) for i, part in enumerate(parts)),
        labels,
        {"text": Frames.from_list([np.asarray(x, np.float32) for x in each * 12])},
        {"text": encoder.spec()},
    )
    manifest.write(folder)
    return folder


def recipe(folder: Path, text: dict[str, Any], **train: Any) -> Recipe:
    values = {
        "title": "small",
        "data": {"prepared": str(folder), "trim_padding": False},
        "system": {"name": "emobox", "streams": ["text"], "text": text, "hidden": 8},
        "train": {"epochs": 2, "loss": "ce", "select": "loss", "accelerator": "cpu", **train},
        "report": {"draws": 0, "figures": False},
    }
    return parse(Recipe, values, "test")


def test_adapters_train_and_the_artefact_holds_a_plain_network(tmp_path) -> None:
    pytest.importorskip("peft")
    folder = prepared(tmp_path / "prepared", "tokens:path=minilm")
    text = {"path": "minilm", "layers": 2, "layer_sum": True, "lora": {"rank": 2}, "freeze": 1}
    settings = recipe(folder, text, lr=0.05, backbone_lr=0.01, layer_decay=0.5)
    train_recipe(settings, tmp_path / "run")
    system, read, _ = load(tmp_path / "run" / "artefact")
    assert not [name for name in system.state_dict() if "lora" in name or "base_layer" in name]
    assert "lora" not in json.dumps(read.system.config)
    before = from_files(find("minilm")).state_dict()
    after = {k.removeprefix("backbone.model."): v for k, v in system.state_dict().items()}
    changed = {k for k, v in after.items() if k in before and not torch.equal(v, before[k])}
    attention = "encoder.layer.1.attention.self"
    assert changed == {f"{attention}.query.weight", f"{attention}.value.weight"}
    assert system.backbone.layer_sum.weights.abs().max() > 0  # type: ignore[operator, union-attr]


def test_what_a_backbone_cannot_is_refused_before_training(tmp_path) -> None:
    folder = prepared(tmp_path / "prepared", "text-layers:path=minilm")
    with pytest.raises(UsageError, match=r"train.layer_decay is for a backbone that trains"):
        make_plan(recipe(folder, {"stored_layers": 7}, layer_decay=0.9))
    with pytest.raises(UsageError, match=r"which stores 7; set stored_layers = 7"):
        make_plan(recipe(folder, {"stored_layers": 6}))
    plan = make_plan(recipe(folder, {"stored_layers": 7}))
    assert plan.inputs == ("text",)
