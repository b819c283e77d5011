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

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.special import log_softmax

from moodal.core.errors import UsageError
from moodal.modalities.infos import info_of
from moodal.train.backbones.locate import find
from moodal.train.backbones.settings import Backbone
from moodal.train.experiment.run import Trained
from moodal.train.fuse.branch_scores import kept_array
from moodal.train.fuse.train_branch import Learned
from moodal.train.systems import branch

STRENGTHS = tuple(10.0**power for power in np.arange(-3.5, -0.5, 0.5))
"""The C that are tried."""


def fit_probe(first: Learned, backbone: Backbone, folder: Path) -> Learned:
    """Fit a probe on the rows that trained a branch.

    Args:
        first: the branch.
        backbone: the network, all of whose weights are kept.
        folder: keeps the probe's states.

    Raises:
        UsageError: see `require_probe`; or training has no row of a word.
    """
    space, experiment = first.space, first.experiment
    require_probe(backbone.path, backbone.layers, info_of(first.stream).medium, space.task)
    assert space.vectors is not None  # `branch_run` requires them
    vectors = np.asarray(space.vectors, np.float64)
    frozen = backbone.model_copy(update={"freeze": -1})
    config = branch.Config.model_validate(
        {"streams": (first.stream,), "backbone": frozen, "joint": vectors.shape[1]}
    )
    widths = {first.stream: experiment.manifest.features[first.stream].width}
    system = branch.build(config, widths, space)
    folder.mkdir(parents=True, exist_ok=True)
    run = replace(first.trained.run, folder=folder)
    probe = Learned(Trained(run, system, run.tensors(system, {}), {}, ()))
    labels = experiment.manifest.labels.argmax(1)
    shown = set(labels[experiment.train].tolist())
    if absent := [word for i, word in enumerate(space.labels) if i not in shown]:
        raise UsageError(
            f"The probe of {first.stream} has no training row of {', '.join(absent)}; leave the "
            "word out by data.labels, or the probe."
        )
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
    states: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], others: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the probe's head.

    Args:
        states: "train" and "valid" -> mean states [n, H].
        labels: "train" and "valid" -> [n] columns of the words; training has each of the C words.
        others: [n, C], the branch's logits of the validation rows.

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
        if weights.shape[1] == 1:  # of two words, the second against the first
            weights, constants = np.hstack([-weights, weights]) / 2, constants * [-0.5, 0.5]
        both = (states["valid"] @ weights + constants + others) / 2
        loss = -log_softmax(both, axis=1)[np.arange(len(both)), labels["valid"]].mean()
        if loss < best:
            best, chosen = loss, (weights, constants)
    return chosen


def _states(probe: Learned, rows: np.ndarray) -> np.ndarray:
    """Return the mean states of rows, computed once and kept in the folder of the probe."""
    weights = probe.system.body.state_dict().values()  # type: ignore[union-attr]
    content = b"".join(values.cpu().numpy().tobytes() for values in weights)
    key = probe.trained.run.fingerprint.encode() + content + rows.tobytes()
    return kept_array(probe.folder, "probe", key, lambda: probe.row_states(rows))


def require_probe(path: str, layers: int, medium: str, task: str) -> None:
    """Check the probe of a part before anything is trained.

    Args:
        path, layers: the network, and how many of its layers are used.
        medium: that of the modality.
        task: "single", "multi" or "regression", the corpus's.

    Raises:
        UsageError: there is no such network or layer, or it does not read the medium; or the rows
            of the corpus have several emotions.
    """
    files = find(path)
    most = int(files.config.get("encoder_layers") or files.config.get("num_hidden_layers") or 0)
    if layers > most > 0:
        raise UsageError(f"probe_layers = {layers}: {path} has {most} layers.")
    if medium != "sound" or files.family != "whisper":
        raise UsageError(
            f"A probe reads sound with whisper-tiny, whisper-base or a folder of one; {path} is a "
            f"{files.family} model, and the modality's medium is {medium}. Leave the probe out."
        )
    if task != "single":
        raise UsageError("A probe needs rows of one emotion each; leave it out.")
