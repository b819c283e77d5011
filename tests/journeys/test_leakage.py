"""Neither test rows nor a hidden emotion reach what training learns or chooses.

Each experiment is trained twice: on a look-alike, and on a copy of it with some rows corrupted.
The weights, scales, thresholds, learning curves and selected epochs are compared bit by bit.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from moodal.core import manifest as manifests
from moodal.core import recipe as config
from moodal.core.manifest import Manifest
from moodal.core.records import Frames
from moodal.evaluation.report import scores
from moodal.model import artefact
from moodal.train.engine import checkpoint
from moodal.train.experiment import assemble

RECIPES = Path(__file__).parents[2] / "recipes"
SMALL = ["system.hidden={text=300, speech=12, face=8}", "system.layers=1"]
WEIGHTED = ["train.loss=bce", "train.weighted=true", "report.thresholds=validation"]
CASES: dict[str, tuple[str, str, list[str]]] = {
    "multi-label": ("mosei", "mosei/eea.toml", [*SMALL, *WEIGHTED]),
    "single-label": (
        "iemocap",
        "iemocap/rnn-lf.toml",
        ["system.layers=1", "train.loss=ce", "train.select=balanced_accuracy"],
    ),
    "folds": ("iemocap", "iemocap/eea.toml", [*SMALL, "split.by=session", "split.only=[0, 1]"]),
    "zero-shot": ("mosei", "mosei/zero-shot/anger.toml", [*SMALL, *WEIGHTED]),
    "few-shot": (
        "mosei",
        "mosei/few-shot/sad.toml",
        [*SMALL, *WEIGHTED, "protocol.method=joint", "protocol.shots=4", "protocol.adapt_epochs=2"],
    ),
}
"""Name -> look-alike, recipe and overrides."""
UNCHOSEN = ["train.select=last", "train.early_stop=0", "train.patience=0"]
"""Overrides by which validation decides nothing about the weights."""


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Use one thread, so that sums are rounded in the same order in every training."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclasses.dataclass(frozen=True)
class Case:
    """A recipe with small settings, and the look-alike that it is trained on."""

    recipe: Path
    overrides: list[str]
    prepared: Path
    corpus: Manifest

    def rows(self, part: str) -> np.ndarray:
        """Return the rows of "train", "valid" or "test" of the recipe's last experiment."""
        recipe = config.load(self.recipe, [*self.overrides, f"data.prepared={self.prepared}"])
        rows: np.ndarray = getattr(assemble.experiments(recipe, self.corpus)[-1], part)
        return rows


@pytest.fixture
def case(request, mosei, iemocap) -> Case:
    """The entry of CASES that a test names by indirect parametrisation."""
    lookalike, recipe, overrides = CASES[request.param]
    prepared = {"mosei": mosei / "prepared", "iemocap": iemocap / "prepared/iemocap"}[lookalike]
    settings = [
        "data.standardise=true",
        "train.epochs=4",
        "train.lr=5e-3",
        "train.accelerator=cpu",
        "report.figures=false",
        "report.draws=0",
        "protocol.null_draws=0",
        *overrides,
        f"space.vectors={mosei / 'mosei/glove.emotions.840B.300d.pt'}",
    ]
    return Case(RECIPES / recipe, settings, prepared, manifests.read(prepared))


@pytest.fixture
def train(answer, tmp_path):
    """Train a case on its look-alike, or on a given corpus in its place; return the run's folder.

    Where there are several folds, it is the folder of the last one.
    """

    def run(case: Case, name: str, corpus: Manifest | None = None, *more: str) -> Path:
        prepared = case.prepared
        if corpus is not None:
            prepared = corpus.write(tmp_path / f"{name}-prepared")
        out = tmp_path / name
        settings = [*case.overrides, *more, f"data.prepared={prepared}"]
        answer("train", case.recipe, *settings, "--out", out)
        return max(out.glob("fold-*"), default=out)

    return run


def corrupt(corpus: Manifest, rows: np.ndarray) -> Manifest:
    """Return the corpus with wrong labels in ``rows``, and noise in place of their features.

    Every label is negated; a single-label row gets the next emotion instead.
    """
    labels = corpus.labels.copy()
    single = corpus.space.task == "single"
    labels[rows] = np.roll(labels[rows], 1, axis=1) if single else 1 - labels[rows]
    features = {stream: noise(frames, rows) for stream, frames in corpus.features.items()}
    return dataclasses.replace(corpus, labels=labels, features=features)


def noise(frames: Frames, rows: np.ndarray) -> Frames:
    """Return the frames with those of ``rows`` replaced by large noise far from zero."""
    values = np.array(frames.values)
    steps = np.isin(np.repeat(np.arange(len(frames)), frames.lengths), rows)
    values[steps] = 5 + 9 * np.random.default_rng(0).normal(size=(steps.sum(), frames.width))
    return Frames(values, frames.lengths, frames.rate)


def learned(run: Path) -> dict[str, Any]:
    """Return what a training learned and chose, as values to be compared exactly."""
    trained = artefact.read(run / "artefact")
    report = json.loads((run / "report.json").read_text())
    vectors = {name: array.tobytes() for name, array in trained.vectors().items()}
    scales = {k: v for k, v in vectors.items() if k.endswith((".mean", ".deviation"))}
    assert len(scales) == 2 * len(trained.info.widths), "the features were to be standardised"
    return {
        "epoch": checkpoint.load(run / "resume.pt")["state"]["best_epoch"],
        "curves": [
            {k: v for k, v in row.items() if k != "seconds"} for row in report["extras"]["epochs"]
        ],
        "weights": {name: array.tobytes() for name, array in trained.weights().items()},
        "scales": scales,
        "trained utterances": vectors["trained.ids"],
        "thresholds": dict(zip(trained.space.labels, trained.info.thresholds.values, strict=True)),
    }


def differing(one: Path, other: Path) -> list[str]:
    """Return the names of the parts in which two runs learned or chose differently."""
    ours, theirs = learned(one), learned(other)
    return [part for part in ours if ours[part] != theirs[part]]


def require_corrupted_tests(one: Path, other: Path) -> None:
    """Check that the two runs tested the same rows, each with other labels and other scores."""
    before, after = scores.load(one), scores.load(other)
    assert before.ids == after.ids
    assert (before.targets != after.targets).any(axis=1).all()
    assert (before.logits != after.logits).any(axis=1).all()


@pytest.mark.parametrize(
    "case", ["multi-label", "single-label", "zero-shot", "few-shot"], indirect=True
)
def test_corrupted_test_rows_change_nothing_that_is_learned(case, train):
    whole = train(case, "whole")
    spoilt = train(case, "spoilt", corrupt(case.corpus, case.rows("test")))
    require_corrupted_tests(whole, spoilt)
    assert differing(whole, spoilt) == []


@pytest.mark.parametrize("case", ["folds"], indirect=True)
def test_a_fold_is_not_changed_by_its_test_rows_though_another_fold_learns_from_them(case, train):
    whole = train(case, "whole")
    spoilt = train(case, "spoilt", corrupt(case.corpus, case.rows("test")))
    require_corrupted_tests(whole, spoilt)
    assert differing(whole, spoilt) == []
    first = min(whole.parent.glob("fold-*")).name
    assert first != whole.name
    changed = differing(whole.parent / first, spoilt.parent / first)
    assert {"curves", "weights", "scales"} <= set(changed)


@pytest.mark.parametrize("case", ["multi-label"], indirect=True)
def test_selection_on_the_test_is_seen_when_it_is_asked_for(case, train):
    asked = ["train.select_on=test"]
    whole = train(case, "whole", None, *asked)
    spoilt = train(case, "spoilt", corrupt(case.corpus, case.rows("test")), *asked)
    assert "curves" in differing(whole, spoilt)


@pytest.mark.parametrize("case", ["zero-shot"], indirect=True)
def test_a_hidden_emotion_changes_nothing_that_is_learned(case, train):
    corpus, hidden = case.corpus, case.corpus.space.index("anger")
    carries = corpus.labels[:, hidden] > 0
    test = corpus.rows("test")
    carriers = np.setdiff1d(np.flatnonzero(carries), test)
    for part in ("train", "valid"):
        assert carries[corpus.rows(part)].any(), f"{part} must have rows to hide"
    spoilt = corrupt(corpus, carriers)
    spoilt.labels[carriers, hidden] = 3.0  # still there, or these rows would be trained on
    spoilt.labels[test, hidden] = 1 - corpus.labels[test, hidden]
    assert differing(train(case, "whole"), train(case, "spoilt", spoilt)) == []


@pytest.mark.parametrize("case", ["multi-label"], indirect=True)
def test_validation_rows_change_neither_scales_nor_weights_where_no_epoch_is_chosen(case, train):
    whole = train(case, "whole", None, *UNCHOSEN)
    spoilt = train(case, "spoilt", corrupt(case.corpus, case.rows("valid")), *UNCHOSEN)
    assert differing(whole, spoilt) == ["curves", "thresholds"]
    losses = [[row["train_loss"] for row in learned(run)["curves"]] for run in (whole, spoilt)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("case", ["multi-label"], indirect=True)
def test_validation_labels_choose_the_epoch(case, train):
    labels, rows = case.corpus.labels.copy(), case.rows("valid")
    labels[rows] = 1 - labels[rows]  # the better a system is, the higher its loss
    opposite = dataclasses.replace(case.corpus, labels=labels)
    chosen = ["train.select=loss", "train.early_stop=0", "train.patience=0", "train.lr=5e-4"]
    whole, other = train(case, "whole", None, *chosen), train(case, "other", opposite, *chosen)
    assert learned(other)["epoch"] < learned(whole)["epoch"]
    assert {"epoch", "weights"} <= set(differing(whole, other))
    assert "scales" not in differing(whole, other)
