"""Probe: a linear classifier on a frozen pre-trained network, beside a branch that was trained.

A pre-trained network that keeps its weights forgets nothing of the voices (or texts) that it has
heard, and a linear probe on it (Alain & Bengio, "Understanding intermediate layers using linear
classifier probes", ICLR workshop 2017) errs on other rows than a network that was fine-tuned. So
the mean of both (`moodal.train.fuse.ensemble`) is more often right than either.

With h the mean state of a row, standardised on the training rows, the probe's logits are
W h + b, fitted by logistic regression with a penalty of |W|^2 / 2C. C is the one of `STRENGTHS`
with the least cross-entropy of the mean of both on validation rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import torch

from moodal.core.errors import UsageError
from moodal.core.files import replacing
from moodal.train.backbones.settings import Backbone
from moodal.train.experiment.run import Run, Trained
from moodal.train.fuse.train_branch import FusedBranch, Learned
from moodal.train.systems import branch

STRENGTHS = tuple(10.0**power for power in np.arange(-3.5, -0.5, 0.5))
"""The C that are tried."""


def fit_probe(first: FusedBranch, run: Run, backbone: Backbone) -> Learned:
    """Fit a probe on the rows that trained a branch.

    Args:
        first: the branch.
        run: the run of its recipe, in the folder that keeps the probe's states.
        backbone: the network, all of whose weights are kept.

    Raises:
        UsageError: there is no such network, or rows have several emotions.
    """
    space, experiment = first.space, first.experiment
    if space.task != "single":
        raise UsageError(
            f"The probe of {first.stream} needs rows of one emotion each; leave it out."
        )
    assert space.vectors is not None  # `branch_run` requires them
    vectors = np.asarray(space.vectors, np.float64)
    frozen = backbone.model_copy(update={"freeze": -1})
    config = branch.Config.model_validate(
        {"streams": (first.stream,), "backbone": frozen, "joint": vectors.shape[1]}
    )
    widths = {first.stream: experiment.manifest.features[first.stream].width}
    system = branch.build(config, widths, space)
    run.folder.mkdir(parents=True, exist_ok=True)
    probe = Learned(Trained(run, system, run.tensors(system, {}), {}, ()))
    labels = experiment.manifest.labels.argmax(1)
    rows = {"train": experiment.train, "valid": experiment.valid}
    states = {part: _states(probe, chosen) for part, chosen in rows.items()}
    weights, constants = fit_head(
        states,
        {part: labels[chosen] for part, chosen in rows.items()},
        first.logits(first.row_states(rows["valid"])),
    )
    # the maps with which words of these vectors have these weights, and others none of their own
    inverse = np.linalg.pinv(vectors)
    with torch.no_grad():
        system.words.weight.copy_(torch.eye(vectors.shape[1]))
        system.states.weight.copy_(torch.from_numpy(inverse @ weights.T))
        system.states.bias.copy_(torch.from_numpy(inverse @ constants))
    return probe


def fit_head(
    states: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], beside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the probe's head.

    Args:
        states: "train" and "valid" -> mean states [n, H].
        labels: "train" and "valid" -> [n] columns of the words; training has each of the C words.
        beside: [n, C], the other network's logits of the validation rows.

    Returns:
        Weights [H, C] and constants [C] of the states as they are.
    """
    from sklearn.linear_model import LogisticRegression

    mean, deviation = states["train"].mean(0), states["train"].std(0) + 1e-6
    x = {part: (own - mean) / deviation for part, own in states.items()}
    best, chosen = np.inf, (np.zeros((0, 0)), np.zeros(0))
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=3000)
        model.fit(x["train"], labels["train"])
        weights = model.coef_.T / deviation[:, None]
        constants = model.intercept_ - mean @ weights
        both = (states["valid"] @ weights + constants + beside) / 2
        loss = -_log_softmax(both)[np.arange(len(both)), labels["valid"]].mean()
        if loss < best:
            best, chosen = loss, (weights, constants)
    return chosen


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    return np.asarray(logits - np.logaddexp.reduce(logits, axis=1)[:, None])


def _states(probe: Learned, rows: np.ndarray) -> np.ndarray:
    """Return the mean states of rows, computed once and kept in the folder of the probe."""
    weights = probe.system.body.state_dict().values()  # type: ignore[union-attr]
    content = b"".join(values.cpu().numpy().tobytes() for values in weights)
    key = hashlib.sha256(content + rows.tobytes()).hexdigest()[:16]
    path = probe.folder / f"probe-{key}.npy"
    if path.exists():
        return np.asarray(np.load(path, allow_pickle=False))
    states = probe.row_states(rows)
    with replacing(path) as new:
        np.save(new, states)
    return states
