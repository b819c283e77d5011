"""What an objective keeps of each row is part of a checkpoint, and of nothing else."""

import dataclasses

import numpy as np
import pytest
import torch

from moodal.core.emotions import EmotionSpace, Values
from moodal.core.errors import UsageError
from moodal.core.manifest import Manifest
from moodal.core.recipe import Data, Recipe, Train
from moodal.core.records import Frames, Utterance
from moodal.train.data.dataset import TensorData
from moodal.train.engine import checkpoint
from moodal.train.engine.fit import fit, launch
from moodal.train.engine.training import Training
from moodal.train.experiment import checks
from moodal.train.experiment.checks import require_objective
from moodal.train.systems import self_mm

SPACE = Values(["sentiment"])
STREAMS = ("text", "speech")


class Interruption(Exception):
    """Power that fails."""


@pytest.fixture(scope="module")
def corpus():
    """120 utterances whose text and speech tell their sentiment."""
    rng = np.random.default_rng(0)
    labels = rng.uniform(-3, 3, (120, 1)).astype(np.float32)
    features = {
        stream: Frames.from_list(
            [rng.normal(size=(rng.integers(2, 6), 4)) + y * np.linspace(-1, 1, 4) for y in labels]
        )
        for stream in STREAMS
    }
    utterances = tuple(Utterance(str(i)) for i in range(120))
    return Manifest("made up", SPACE, utterances, labels, features)


def trained(corpus, folder, interrupted=0, **more):
    """Train a Self-MM, its power failing before the step of this number (0: never)."""
    torch.manual_seed(0)
    system = self_mm.build(self_mm.Config(streams=STREAMS), dict.fromkeys(STREAMS, 4), SPACE)
    steps = []

    def constrain(fabric, model):
        steps.append(1)
        if len(steps) == interrupted:
            raise Interruption

    config = Train(
        epochs=6, batch_size=16, lr=0.01, loss="l1", select="last", save_steps=1, accelerator="cpu"
    )
    config = config.model_copy(update=more)
    rows = np.arange(120)
    data = TensorData(corpus, STREAMS)
    training = Training(launch(config), system, SPACE, data, rows[:96], rows[96:], config, folder)
    history = fit(dataclasses.replace(training, constrain=constrain))
    return system, history


def test_a_resumed_training_has_the_same_labels_and_weights(corpus, tmp_path):
    whole, history = trained(corpus, tmp_path / "whole")
    with pytest.raises(Interruption):
        trained(corpus, tmp_path / "cut", interrupted=21)  # in the fourth of six epochs
    cut, again = trained(corpus, tmp_path / "cut")
    for name, rows in whole.rows.items():
        assert torch.equal(rows, cut.rows[name]), name
    for a, b in zip(whole.parameters(), cut.parameters(), strict=True):
        assert torch.equal(a, b)
    labels = [row["train_text_shift"] for row in history]
    assert labels == [row["train_text_shift"] for row in again]
    assert labels[0] == 0
    assert labels[-1] > 0.05
    saved = checkpoint.load(tmp_path / "cut/resume.pt")
    assert set(saved["state"]["rows"]) == set(whole.rows)
    assert not set(saved["model"]) & set(whole.rows)


def test_rows_that_do_not_train_are_not_remembered(corpus, tmp_path):
    system, history = trained(corpus, tmp_path, epochs=3)
    assert system.rows["visits"].tolist() == [3.0] * 96 + [0.0] * 24
    assert not system.rows["label m"][96:].any()
    assert not system.rows["features m"][96:].any()
    assert history[-1]["valid_loss"] < history[0]["valid_loss"]


def test_pieces_of_a_step_visit_each_row_once(corpus, tmp_path):
    system, _ = trained(corpus, tmp_path, epochs=2, max_frames=20, accumulate=2)
    assert set(system.rows["visits"][:96].tolist()) == {2.0}


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_the_memory_has_32_bits_in_any_precision(corpus, tmp_path, precision):
    system, history = trained(corpus, tmp_path, epochs=2, precision=precision)
    assert {kept.dtype for kept in system.rows.values()} == {torch.float32}
    assert np.isfinite(history[-1]["train_loss"])


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"loss": "mse"}, r"defines its own objective; set train\.loss=l1"),
        ({"loss": "l1", "devices": 2}, r"compares each row with all others .* train\.devices=1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(train, message):
    system = self_mm.build(self_mm.Config(streams=STREAMS), dict.fromkeys(STREAMS, 4), SPACE)
    recipe = Recipe(
        title="x", data=Data(prepared="p"), system={"name": "self_mm"}, train=Train(**train)
    )
    with pytest.raises(UsageError, match=message):
        require_objective(recipe, system, SPACE)


def test_several_machines_are_refused(monkeypatch):
    monkeypatch.setattr(checks, "machines", lambda: 2)
    system = self_mm.build(self_mm.Config(streams=STREAMS), dict.fromkeys(STREAMS, 4), SPACE)
    train = Train(loss="l1", devices=1)
    recipe = Recipe(title="x", data=Data(prepared="p"), system={"name": "self_mm"}, train=train)
    with pytest.raises(UsageError, match="and train on one machine"):
        require_objective(recipe, system, SPACE)


def test_words_are_trained_without_weights_of_positives():
    words = EmotionSpace(["joy", "anger"])
    system = self_mm.build(self_mm.Config(streams=STREAMS), dict.fromkeys(STREAMS, 4), words)
    recipe = Recipe(title="x", data=Data(prepared="p"), system={"name": "self_mm"})
    with pytest.raises(UsageError, match=r"set train\.weighted=false"):
        require_objective(recipe, system, words)
    train = Train(weighted=False)
    require_objective(recipe.model_copy(update={"train": train}), system, words)
