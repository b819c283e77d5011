"""The MMER systems equal their authors' published code, to 1e-5.

Each ``.safetensors`` holds small random weights under the authors' names, three clips of unequal
length, and what their code computed of them (float32, CPU, eval mode): of the padded batch, as
published, and of each clip alone, without padding.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from moodal.core.emotions import EmotionSpace
from moodal.published.import_checkpoint import recognise
from moodal.published.mmer_weights import to_authors
from moodal.train.backbones.speech import build_speech
from moodal.train.data.batch import Batch, Stream, Transcripts
from moodal.train.layers.losses import loss
from moodal.train.systems import SYSTEMS

HERE = Path(__file__).parent
CASES = ["unimodal_baseline", "cai_sota", "mmer_2022", "mmer_2023"]
CLOSE: dict[str, Any] = {"atol": 1e-5, "rtol": 1e-5}
SPACE = EmotionSpace(["happy", "angry", "neutral", "sad"], "single")
PART = {"cls": "ce", "ctc_sum": "ctc"} | {
    f"contrastive_{theirs}": ours
    for theirs, ours in {"augmented": "augmentation", "supervised": "supervised"}.items()
}
"""The authors' losses -> our parts."""


class Case:
    """One file: its tensors, and the system that is imported from its weights, in one mode."""

    def __init__(self, name: str, mode: str):
        with safe_open(HERE / f"{name}.safetensors", "pt") as file:
            about: dict[str, Any] = json.loads(file.metadata()["json"])
            self.tensors: dict[str, Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        self.name, self.mode = name, mode
        self.imported = recognise(self.part("weights."), heads=4)
        config = {**self.imported.config, "mode": mode}
        if about.get("alpha_used"):
            config["alpha"] = about["alpha_used"]
        entry = SYSTEMS[self.imported.name]
        self.system: nn.Module = entry.build(
            entry.Config(**config), self.imported.widths, SPACE
        ).eval()
        self.system.load_state_dict(self.imported.state)

    def part(self, prefix: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(prefix): value
            for name, value in self.tensors.items()
            if name.startswith(prefix)
        }

    def streams(self, what: str = "") -> dict[str, Stream]:
        """The padded batch ("" or "_augmented"), samples beyond a clip's end set to zero."""
        text = self.tensors[f"inputs.text{what}"]
        wave = self.tensors[f"inputs.wave{what}"][..., None]
        return {
            "speech": Stream(wave, self.tensors[f"inputs.wave{what}_lengths"]),
            "text": Stream(text, self.tensors[f"inputs.text{what}_mask"].sum(1)),
        }

    def batch(self, rows: list[int] | None = None) -> Batch:
        """All three clips, or some of them, alone: cut to the longest."""
        rows = [0, 1, 2] if rows is None else rows
        streams = {
            m: Stream(s.values[rows, : int(s.lengths[rows].max())], s.lengths[rows])
            for m, s in self.streams().items()
        }
        spelled = self.tensors["targets.ctc"][rows]
        transcripts = Transcripts(spelled.clamp(min=0), (spelled >= 0).sum(1))
        targets = F.one_hot(self.tensors["targets.emotion"][rows], 4).float()
        views = self.streams("_augmented") if self.name == "mmer_2023" and len(rows) == 3 else None
        return Batch(streams, targets, torch.tensor(rows), transcripts, views)

    def logits(self, batch: Batch) -> Tensor:
        return self.system(batch.streams, SPACE)

    def losses(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Each utterance's loss [B], and the terms under the authors' names."""
        if not self.system.multitask:
            each = loss("ce", self.logits(batch), batch.targets).expand(len(batch.targets))
            return each, {"cls": each.mean()}
        each, parts = self.system.objective(batch, SPACE)
        named = {theirs: parts[ours] for theirs, ours in PART.items() if ours in parts}
        named["ctc_sum"] = named["ctc_sum"] * len(each)
        return each, named


@pytest.fixture(scope="module", params=CASES)
def published(request: pytest.FixtureRequest) -> Case:
    return Case(request.param, "faithful")


@pytest.fixture(scope="module", params=CASES)
def corrected(request: pytest.FixtureRequest) -> Case:
    return Case(request.param, "corrected")


def test_faithful_mode_gives_the_published_logits(published: Case) -> None:
    expected = published.tensors.get("logits.padded_batch", published.tensors.get("logits"))
    with torch.no_grad():
        torch.testing.assert_close(published.logits(published.batch()), expected, **CLOSE)


def test_faithful_mode_gives_every_published_loss_and_gradient(published: Case) -> None:
    published.system.zero_grad()
    each, named = published.losses(published.batch())
    theirs = {name: value.squeeze() for name, value in published.part("loss.").items()}
    total = theirs.pop("total")
    for name, value in theirs.items():
        actual = named.get(name, torch.zeros(()))  # the baseline has no CTC
        torch.testing.assert_close(actual, value, **CLOSE, msg=lambda m, n=name: f"{n}: {m}")
    torch.testing.assert_close(each.mean(), total, **CLOSE)
    each.mean().backward()
    ours = gradients(published)
    for name, value in published.part("grads.").items():
        torch.testing.assert_close(
            ours.pop(name), value, **CLOSE, msg=lambda m, n=name: f"{n}: {m}"
        )
    assert not any(value.any() for value in ours.values())


def gradients(case: Case) -> dict[str, Tensor]:
    """Gradients under the authors' names; zero for what is never read or never trains."""
    named = dict(case.system.named_parameters())
    gradients_by_name = {
        name: torch.zeros_like(value) if named[name].grad is None else named[name].grad
        for name, value in case.system.state_dict().items()
    }
    case.system.load_state_dict(gradients_by_name)
    try:
        return {name: value.clone() for name, value in to_authors(case.system).items()}
    finally:
        case.system.load_state_dict(case.imported.state)


@pytest.mark.parametrize("what", ["", "_augmented"])
def test_faithful_mmer_gives_the_published_vectors(what: str) -> None:
    case = Case("mmer_2023", "faithful")
    with torch.no_grad():
        f = case.system.read(case.streams(what)).f  # type: ignore[operator]
    torch.testing.assert_close(f, case.tensors[f"fused{what}"], **CLOSE)


def test_corrected_mode_gives_each_clip_what_it_has_alone(corrected: Case) -> None:
    with torch.no_grad():
        logits = corrected.logits(corrected.batch())
        for i in range(3):
            alone = corrected.tensors[f"alone.{i}.logits"]
            torch.testing.assert_close(logits[i : i + 1], alone, **CLOSE)
        if corrected.name == "mmer_2023":
            f = corrected.system.read(corrected.streams()).f  # type: ignore[operator]
            for i in range(3):
                alone = corrected.tensors[f"alone.{i}.fused"]
                torch.testing.assert_close(f[i : i + 1], alone, **CLOSE)


def test_corrected_losses_are_those_of_each_clip_alone(corrected: Case) -> None:
    batch = corrected.batch()
    with torch.no_grad():
        each, named = corrected.losses(batch)
        alone = [corrected.part(f"alone.{i}.") for i in range(3)]
        cls = torch.cat([clip["loss_cls"] for clip in alone])
        spelled = torch.cat([clip["loss_ctc_sum"] for clip in alone])
        torch.testing.assert_close(named["cls"], cls.mean(), **CLOSE)
        if corrected.name == "unimodal_baseline":
            return
        torch.testing.assert_close(named["ctc_sum"], spelled.sum(), **CLOSE)
        if corrected.name != "mmer_2023":  # whose contrastive terms depend on the batch
            weight = corrected.system.portable.alpha  # type: ignore[union-attr]
            torch.testing.assert_close(each, cls + weight * spelled, **CLOSE)
        for i in range(3):
            _, single = corrected.losses(corrected.batch([i]))
            torch.testing.assert_close(single["cls"], cls[i], **CLOSE)
            torch.testing.assert_close(single["ctc_sum"], spelled[i], **CLOSE)


def test_corrected_mode_from_kept_front_end_frames(corrected: Case) -> None:
    """The front-end once per clip, and the system on its frames: the same numbers."""
    speech = build_speech(
        corrected.system.portable.speech,  # type: ignore[union-attr]
        1,
    )
    held = "backbone" if corrected.name == "unimodal_baseline" else "speech"
    speech.load_state_dict(getattr(corrected.system, held).state_dict())
    streams = corrected.streams()
    frames, lengths = speech.front_end(streams["speech"].values[..., 0], streams["speech"].lengths)
    entry = SYSTEMS[corrected.imported.name]
    widths = {**corrected.imported.widths, "speech": frames.shape[2]}
    config = {**corrected.imported.config, "mode": "corrected"}
    on_frames = entry.build(entry.Config(**config), widths, SPACE).eval()
    on_frames.load_state_dict(corrected.imported.state)
    with torch.no_grad():
        logits = on_frames({**streams, "speech": Stream(frames, lengths)}, SPACE)
    for i in range(3):
        alone = corrected.tensors[f"alone.{i}.logits"]
        torch.testing.assert_close(logits[i : i + 1], alone, **CLOSE)


def test_state_dict_goes_back_to_the_authors_names(corrected: Case) -> None:
    theirs = corrected.part("weights.")
    back = to_authors(corrected.system)
    assert back.keys() == theirs.keys()
    for name, value in theirs.items():
        assert back[name].shape == value.shape, name
        unread = name.startswith("self_attention.") or name == "model_mmi.weights"
        assert unread or torch.equal(back[name], value), name


def test_every_case_of_these_systems_is_here() -> None:
    assert all((HERE / f"{name}.safetensors").exists() for name in CASES)
