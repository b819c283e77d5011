"""A branch of a fused artefact chooses among emotions."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.core.emotions import Values
from moodal.core.errors import UsageError
from moodal.core.manifest import Manifest
from moodal.core.records import Frames, Utterance
from moodal.train.fuse.train_branch import learn_branch

RECIPE = """
title = "values"
[data]
prepared = "{prepared}"
trim_padding = false
[space]
vectors = "e5"
[system]
name = "branch"
streams = ["face"]
[train]
epochs = 1
loss = "mse"
select = "mae"
"""


def test_values_are_refused_before_anything_is_trained(tmp_path):
    splits = ("train", "valid", "test") * 4
    pictures = np.random.default_rng(0).random((12, 1, 2304), np.float32)
    corpus = Manifest(
        "ratings",
        Values(["valence", "arousal"]),
        tuple(Utterance(f"u{i}", split) for i, split in enumerate(splits)),
        np.linspace(-1, 1, 24, dtype=np.float32).reshape(12, 2),
        {"face": Frames.from_list(pictures)},
        {"face": {"name": "as-given", "fingerprint": "x"}},
    )
    corpus.write(tmp_path / "prepared")
    (tmp_path / "face.toml").write_text(RECIPE.format(prepared=tmp_path / "prepared"))
    with pytest.raises(UsageError, match="ratings has the values valence, arousal"):
        learn_branch(tmp_path / "face.toml", tmp_path / "run")
    assert not (tmp_path / "run").exists()
