"""The loop learns, resumes after a stop, and weights uneven batches as one."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from moodal.core.errors import UsageError
from moodal.core.recipe import Train
from moodal.train.data.dataset import TensorData
from moodal.train.engine.fit import fit, launch
from moodal.train.engine.gem import Gem
from moodal.train.engine.scoring import score
from moodal.train.engine.training import Training
from moodal.train.systems import eea

ROWS = {"train": np.arange(200), "valid": np.arange(200, 250), "test": np.arange(250, 300)}


def build(space, dropout=0.2):
    torch.manual_seed(7)
    config = eea.Config(
        streams=("text", "speech"), hidden={"text": 4, "speech": 6}, dropout=dropout
    )
    return eea.build(config, {"text": 4, "speech": 5}, space)


def trained(corpus, space, folder, config, *, dropout=0.2, signature="s", **more):
    system = build(space, dropout)
    data = TensorData(corpus, ("text", "speech"))
    config = config.model_copy(update={"accelerator": "cpu"})
    history = fit(
        Training(
            launch(config),
            system,
            space,
            data,
            ROWS["train"],
            ROWS["valid"],
            config,
            folder,
            signature=signature,
            **more,
        )
    )
    return system, data, history


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_it_learns(corpus, space, tmp_path):
    system, data, history = trained(corpus, space, tmp_path, Train(epochs=25, lr=0.02))
    assert history[-1]["train_loss"] < history[0]["train_loss"] - 0.1
    logits = score(system, space, data, ROWS["test"])
    hits = ((logits > 0) == (corpus.labels[ROWS["test"]] > 0)).mean()
    assert hits > 0.75
    assert (tmp_path / "epochs.csv").read_text().count("\n") == len(history) + 1


def test_the_best_epoch_is_kept_not_the_last(corpus, space, tmp_path):
    config = Train(epochs=16, lr=0.2, select="loss")
    system, data, history = trained(corpus, space, tmp_path, config)
    losses = [row["valid_loss"] for row in history]
    assert losses.index(min(losses)) < len(losses) - 1, "the case must tell best from last"
    from moodal.train.layers.losses import loss

    logits = torch.from_numpy(score(system, space, data, ROWS["valid"]))
    now = float(loss("bce", logits, data.targets[200:250]))
    assert now == pytest.approx(min(losses), abs=1e-5)


def test_early_stop_and_plateau(corpus, space, tmp_path):
    config = Train(epochs=60, lr=0.2, early_stop=3, patience=1)
    _, _, history = trained(corpus, space, tmp_path, config)
    assert len(history) < 60


def test_a_resumed_training_ends_with_the_same_weights(corpus, space, tmp_path):
    config = Train(epochs=6, save_steps=1)
    whole, _, _ = trained(corpus, space, tmp_path / "whole", config)

    class Power(Exception):
        pass

    def fails_later(count=[0]):  # noqa: B006
        def constrain(fabric, model):
            count[0] += 1
            if count[0] == 9:  # in the middle of the third epoch
                raise Power

        return constrain

    with pytest.raises(Power):
        trained(corpus, space, tmp_path / "cut", config, constrain=fails_later())
    again, _, _ = trained(corpus, space, tmp_path / "cut", config)
    assert same(whole, again)


def test_a_resumed_training_with_gem_ends_with_the_same_weights(corpus, space, tmp_path):
    def gem():
        data = TensorData(corpus, ("text", "speech"))
        return Gem(space, data, ROWS["train"], size=16, loss="bce", margin=0.01)

    config = Train(epochs=4, select="last")
    whole, _, _ = trained(corpus, space, tmp_path / "whole", config, constrain=gem())
    first = config.model_copy(update={"epochs": 2})
    trained(corpus, space, tmp_path / "cut", first, constrain=gem())
    again, _, _ = trained(corpus, space, tmp_path / "cut", config, constrain=gem())
    assert same(whole, again)


def test_another_trainings_folder_is_refused(corpus, space, tmp_path):
    trained(corpus, space, tmp_path, Train(epochs=1))
    with pytest.raises(UsageError, match="another recipe"):
        trained(corpus, space, tmp_path, Train(epochs=1), signature="other")


def test_accumulated_batches_are_one_batch(corpus, space, tmp_path):
    one, _, _ = trained(corpus, space, tmp_path / "1", Train(epochs=1, batch_size=200), dropout=0.0)
    four, _, _ = trained(
        corpus, space, tmp_path / "4", Train(epochs=1, batch_size=64, accumulate=4), dropout=0.0
    )
    for a, b in zip(one.parameters(), four.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("loss", ["bce", "ce", "l1", "mse"])
@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
def test_every_loss_and_optimiser_lowers_it(corpus, space, tmp_path, loss, optimiser):
    lr = 0.3 if optimiser == "sgd" else 0.01
    config = Train(epochs=4, loss=loss, optimiser=optimiser, lr=lr, select="last")
    _, _, history = trained(corpus, space, tmp_path, config)
    assert history[-1]["train_loss"] < history[0]["train_loss"]


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_bf16_learns_too(corpus, space, tmp_path, precision):
    config = Train(epochs=8, lr=0.02, precision=precision)
    _, _, history = trained(corpus, space, tmp_path, config)
    assert history[-1]["train_loss"] < history[0]["train_loss"] - 0.02


@pytest.mark.parametrize(
    "update", [{"accelerator": "tpu"}, {"accelerator": "abacus"}, {"precision": "7-bit"}]
)
def test_a_missing_device_is_one_sentence(update):
    with pytest.raises(UsageError, match=r"train\.accelerator"):
        launch(Train(**update))


def test_scores_do_not_depend_on_the_batch(corpus, space):
    system, data = build(space).eval(), TensorData(corpus, ("text", "speech"))
    rows = np.arange(60)
    whole = score(system, space, data, rows, size=60)
    alone = score(system, space, data, rows, size=1)
    np.testing.assert_allclose(whole, alone, atol=1e-5)


PROGRAM = """
import resource, sys
import numpy as np
from moodal.train.engine.fit import keep_freed
if sys.argv[1] == "keep":
    assert keep_freed()
def use():
    for _ in range(20):
        np.ones(4 << 20)  # 32 MiB, taken and freed
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator only")
def test_pages_are_not_fetched_again() -> None:
    assert faults("keep") < 0.2 * faults("default")
