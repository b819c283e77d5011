"""A step: a system's own objective is computed in the precision that the recipe asks for."""

import numpy as np
import pytest
import torch

from moodal.core.emotions import EmotionSpace, Values
from moodal.core.manifest import Manifest
from moodal.core.recipe import Train
from moodal.core.records import Frames, Utterance
from moodal.core.targets import JointTargets
from moodal.train.data.dataset import TensorData
from moodal.train.engine.fit import fit, launch
from moodal.train.engine.step import set_rates
from moodal.train.engine.training import Training
from moodal.train.layers.losses import per_utterance
from moodal.train.systems import cai_sota


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16), ("bf16-true", torch.bfloat16)],
)
def test_an_objective_is_computed_in_the_precision_asked_for(tmp_path, precision, dtype):
    rng = np.random.default_rng(0)
    frames = Frames.from_list([rng.normal(size=(20, 6)) for _ in range(8)])
    space = EmotionSpace(["a", "b"], "single")
    corpus = Manifest(
        "made up",
        space,
        tuple(Utterance(str(i), media={"text": "oh"}) for i in range(8)),
        np.eye(2, dtype=np.float32)[[0, 1] * 4],
        {"speech": frames},
    )
    system = cai_sota.build(cai_sota.Config(), {"speech": 6}, space)
    dtypes = []
    system.ctc.register_forward_hook(lambda module, inputs, output: dtypes.append(output.dtype))
    config = Train(
        epochs=1, batch_size=4, loss="ce", select="last", accelerator="cpu", precision=precision
    )
    data = TensorData(corpus, ("speech",), transcripts=True)
    rows = np.arange(8)
    fit(Training(launch(config), system, space, data, rows[:6], rows[6:], config, tmp_path))
    assert set(dtypes) == {dtype}


class _Optimiser:
    """Two groups of parameters: new layers, and a backbone."""

    def __init__(self) -> None:
        self.new, self.backbone = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
        self.param_groups = [
            {"params": [self.new], "lr": 1.0, "full_lr": 1.0, "backbone": False},
            {"params": [self.backbone], "lr": 0.1, "full_lr": 0.1, "backbone": True},
        ]


def test_a_late_backbone_computes_no_gradients_until_its_start_and_then_warms_up():
    optimiser = _Optimiser()
    config = Train(backbone_start=0.2, warmup=0.1, decay="linear")
    trains, rates = [], []
    for number in range(20):
        set_rates(optimiser, number, 20, config)
        assert optimiser.new.requires_grad
        trains.append(optimiser.backbone.requires_grad)
        rates.append(optimiser.param_groups[1]["lr"])
    assert trains == [False] * 4 + [True] * 16
    assert rates[4:8] == pytest.approx([0.05, 0.1, 0.1, 0.1 * 13 / 14])
    assert rates[-1] == pytest.approx(0.1 / 14)


def test_a_late_backbone_keeps_the_rate_that_a_plateau_has_lowered():
    optimiser = _Optimiser()
    config = Train(backbone_start=0.5)
    optimiser.param_groups[1]["lr"] = 0.01
    set_rates(optimiser, 15, 20, config)
    assert optimiser.param_groups[1]["lr"] == 0.01


def test_the_loss_of_both_is_the_sum_of_its_parts(tmp_path):
    both = JointTargets(EmotionSpace(["a", "b"], "single"), Values(["valence", "arousal"]))
    values = {"loss": "ce", "value_loss": "mse", "value_weight": 0.3, "accelerator": "cpu"}
    weight = torch.tensor([1.0, 1.0, 2.0, 0.5])
    logits, targets = torch.randn(5, 4), torch.rand(5, 4)
    for own in (None, weight):
        training = Training(
            None, None, both, None, None, None, Train(**values), tmp_path, weight=own
        )
        factor = 1 if own is None else own[2:]
        words = per_utterance("ce", logits[:, :2], targets[:, :2])
        errors = ((logits - targets)[:, 2:] * factor).square().mean(1)
        torch.testing.assert_close(training.losses(logits, targets), words + 0.3 * errors)
