"""Logits, losses and gradients of the authors' published code, to 1e-5.

Each ``.safetensors`` beside this file holds one case: small random weights under
the authors' names, inputs, and what their code computed (float32, CPU, eval mode).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from moodal.core.emotions import EmotionSpace
from moodal.published.eea_weights import to_authors
from moodal.published.import_checkpoint import recognise
from moodal.published.imported import Imported
from moodal.train.data.batch import Stream
from moodal.train.layers.losses import loss
from moodal.train.systems import SYSTEMS

HERE = Path(__file__).parent
EEA = sorted(path.stem for path in HERE.glob("eea_*.safetensors"))
BASELINES = ["ef_rnn", "lf_rnn", "eflf_rnn", "ts_rnn", "mult"]
STREAM = {"text": "t", "speech": "a", "face": "v"}
INPUT = {"text": "text", "speech": "audio", "face": "visual"}
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


class Case:
    """One file: its tensors, and the system that is imported from its weights."""

    def __init__(self, name: str):
        with safe_open(HERE / f"{name}.safetensors", "pt") as file:
            self.about: dict[str, Any] = json.loads(file.metadata()["json"])
            self.tensors: dict[str, Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        letters = self.about.get("modalities", "tav")
        self.chosen = tuple(m for m, letter in STREAM.items() if letter in letters)
        sizes = self.about.get("input_sizes", [12, 9, 6])
        widths = dict(zip(STREAM, sizes, strict=True))
        self.imported: Imported = recognise(
            self.part("weights."),
            streams=self.chosen,
            widths=widths,
            heads=self.about.get("num_heads", 1),
        )
        vectors = self.imported.vectors
        self.space = EmotionSpace(
            [f"emotion {i}" for i in range(self.imported.outputs)],
            vectors=None if vectors is None else vectors.numpy(),
        )
        entry = SYSTEMS[self.imported.name]
        config = entry.Config(**self.imported.config)
        self.system: nn.Module = entry.build(config, self.imported.widths, self.space).eval()
        self.system.load_state_dict(self.imported.state)
        self.streams = {
            m: Stream(values, torch.full((len(values),), values.shape[1]))
            for m, name in INPUT.items()
            for values in [self.tensors[f"inputs.{name}"]]
        }

    def part(self, prefix: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(prefix): value
            for name, value in self.tensors.items()
            if name.startswith(prefix)
        }


@pytest.fixture(scope="module", params=[*EEA, *BASELINES])
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def test_logits_equal_the_authors(case: Case) -> None:
    logits = case.system(case.streams, case.space)
    torch.testing.assert_close(logits, case.tensors["logits"], **CLOSE)


def test_corrected_mode_gives_the_same_where_nothing_is_padded(case: Case) -> None:
    case.system.last_column = False
    try:
        logits = case.system(case.streams, case.space)
    finally:
        case.system.last_column = True
    torch.testing.assert_close(logits, case.tensors["logits"], **CLOSE)


def test_loss_and_gradients_equal_the_authors(case: Case) -> None:
    case.system.zero_grad()
    logits = case.system(case.streams, case.space)
    value = loss("bce", logits, case.tensors["targets"], case.tensors["pos_weight"])
    torch.testing.assert_close(value, case.tensors["loss"].squeeze(), **CLOSE)
    value.backward()
    theirs = case.part("grads.")
    ours = _gradients(case)
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, **CLOSE, msg=lambda m, n=name: f"{n}: {m}")
    if case.imported.name != "mult":  # the file of mult holds a few of its gradients only
        assert all(not value.any() for name, value in ours.items() if name not in theirs)


def _gradients(case: Case) -> dict[str, Tensor]:
    """Gradients under the authors' names; zero for what is never read."""
    weights = case.system.state_dict()
    named = dict(case.system.named_parameters())
    gradients = {
        name: torch.zeros_like(value) if named[name].grad is None else named[name].grad
        for name, value in weights.items()
    }
    case.system.load_state_dict(gradients)
    try:
        out = to_authors(case.system, case.space)
        skipped = ("textEmoEmbs.weight", "version", "_float_tensor")
        alone = len(case.chosen) == 1
        return {
            name: value.clone()
            for name, value in out.items()
            if not name.endswith(skipped) and not (alone and name == "modality_weights.weight")
        }
    finally:
        case.system.load_state_dict(case.imported.state)


def test_state_dict_goes_back_to_the_authors_names(case: Case) -> None:
    theirs = case.part("weights.")
    hidden = dict(zip(STREAM, case.about.get("hidden_sizes", [12, 8, 5]), strict=True))
    if case.imported.name != "mult":
        case.system.hidden = hidden
    widths = dict(zip(STREAM, case.about.get("input_sizes", [12, 9, 6]), strict=True))
    back = to_authors(case.system, case.space, widths)
    assert back.keys() == theirs.keys()
    assert all(back[name].shape == value.shape for name, value in theirs.items())
    read = [n for n in theirs if not n.startswith("RNNs") or n.split(".")[1] in _used(case)]
    constant = ("modality_weights.weight", "version", "_float_tensor")
    for name in read:
        if not name.endswith(constant) and _affine_is_used(case, name):
            assert torch.equal(back[name], theirs[name]), name


def _used(case: Case) -> set[str]:
    return {str(i) for i, m in enumerate(STREAM) if m in case.chosen}


def _affine_is_used(case: Case, name: str) -> bool:
    needed = {"affineAudio": "speech", "affineVisual": "face"}.get(name.split(".")[0])
    return needed is None or needed in case.chosen


@pytest.mark.parametrize("name", EEA)
def test_unseen_emotion_is_appended_and_the_others_keep_their_logits(name: str) -> None:
    case = Case(name)
    wider = case.space.add("unseen", case.tensors["unseen_vector"].numpy())
    logits = case.system(case.streams, wider)
    torch.testing.assert_close(logits, case.tensors["logits_with_unseen"], **CLOSE)
    torch.testing.assert_close(logits[:, :-1], case.system(case.streams, case.space))


def test_every_case_of_these_systems_is_here() -> None:
    assert len(EEA) == 7
    assert all((HERE / f"{name}.safetensors").exists() for name in BASELINES)
