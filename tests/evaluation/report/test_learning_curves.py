"""Learning curves mark the epoch that was kept, and the report names it."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from moodal.core.errors import DataError
from moodal.evaluation.protocols.select_on_test import SELECTED_ON_TEST
from moodal.evaluation.report.learning_curves import (
    _curves,
    kept_lines,
    learning_curves,
    trainings,
)

EPOCHS = [
    {"epoch": 0, "train_loss": 0.9, "valid_loss": 0.8, "valid_auc": 0.6},
    {"epoch": 1, "train_loss": 0.7, "valid_loss": float("nan"), "valid_auc": 0.7},
    {"epoch": 2, "train_loss": 0.5, "valid_loss": 0.9, "valid_auc": 0.65},
]
SHOTS = [{"epoch": i, "train_loss": 0.4 - 0.1 * i, "valid_loss": 0.3} for i in range(2)]


def kept(epoch, by, epochs=3, planned=3):
    return {"epoch": epoch, "by": by, "epochs": epochs, "planned": planned}


def report(*about, epochs=EPOCHS, stamps=()):
    return {"protocol": {"stamps": stamps}, "extras": {"kept": about, "epochs": epochs}}


def test_each_training_counts_its_epochs_from_the_start():
    assert trainings([*EPOCHS, *SHOTS]) == [EPOCHS, SHOTS]
    assert trainings(EPOCHS) == [EPOCHS]
    assert trainings(SHOTS[:1] * 2) == [SHOTS[:1], SHOTS[:1]]
    assert trainings([]) == []


@pytest.mark.parametrize("epoch", [0, 2])
def test_the_kept_epoch_is_marked_in_each_curve_and_by_a_line(epoch):
    axis = Figure().subplots()
    _curves(axis, EPOCHS, ["train_loss", "valid_loss"], "validation", kept(epoch, "auc"))
    stars = [line for line in axis.lines if line.get_marker() == "*" and line.get_ls() == "None"]
    assert [(x.get_xdata()[0], x.get_ydata()[0]) for x in stars] == [
        (epoch + 1, EPOCHS[epoch][key]) for key in ("train_loss", "valid_loss")
    ]
    assert list(axis.lines[-1].get_xdata()) == [epoch + 1] * 2
    assert f"kept: epoch {epoch + 1}, highest AUC" in axis.get_legend_handles_labels()[1]


def test_a_kept_epoch_without_a_figure_has_its_line_alone():
    axis = Figure().subplots()
    _curves(axis, EPOCHS, ["valid_loss"], "validation", kept(1, "auc"))
    assert [x.get_marker() for x in axis.lines[:-1]] == ["o"]
    assert axis.lines[-1].get_xdata()[0] == 2


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("last", "kept: epoch 2, the last"),
        ("loss", "kept: epoch 2, lowest loss"),
        ("auc", "kept: epoch 2, highest AUC"),
        ("mae", "kept: epoch 2, lowest Mean absolute error"),
    ],
)
def test_the_figure_says_why_an_epoch_was_kept(tmp_path, by, words):
    path = learning_curves(EPOCHS, tmp_path / "a.svg", kept=[kept(1, by)])
    text = path.read_text()
    assert text.count(f">{words}<") == 2  # losses, and validation metrics


def test_a_second_training_is_drawn_below_the_first(tmp_path):
    both = [kept(1, "auc"), kept(1, "last", 2, 2)]
    text = learning_curves([*EPOCHS, *SHOTS], tmp_path / "a.svg", kept=both).read_text()
    for words in ("second training: loss", "loss on the shots", "kept: epoch 2, the last"):
        assert text.count(f">{words}<") == 1, words
    assert ">second training: the shots<" not in text  # it has no metrics
    assert ">validation loss<" in text


def test_without_a_kept_epoch_nothing_is_marked(tmp_path):
    text = learning_curves(EPOCHS, tmp_path / "a.svg").read_text()
    assert "kept" not in text
    assert not list(kept_lines({"extras": {}, "protocol": {"stamps": []}}))


@pytest.mark.parametrize(
    ("about", "stamps", "line"),
    [
        (
            kept(1, "auc"),
            (),
            "Training: 3 epochs; epoch 2, the best on validation (AUC 0.700), was kept and tested.",
        ),
        (
            kept(0, "loss", planned=9),
            (),
            "Training: 3 epochs of at most 9, stopped early; epoch 1, the best on validation "
            "(loss 0.800), was kept and tested.",
        ),
        (kept(2, "last"), (), "Training: 3 epochs; epoch 3, the last, was kept and tested."),
        (
            kept(1, "auc"),
            (SELECTED_ON_TEST,),
            "Training: 3 epochs; epoch 2, the best on test (AUC 0.700), was kept and tested.",
        ),
    ],
)
def test_the_report_names_the_kept_epoch(about, stamps, line):
    assert list(kept_lines(report(about, stamps=stamps))) == [line]


def test_the_report_names_the_kept_epochs_of_both_trainings():
    epochs = [*EPOCHS, *SHOTS]
    lines = list(kept_lines(report(kept(1, "auc"), kept(1, "last", 2, 2), epochs=epochs)))
    assert lines == [
        "Training: 3 epochs; epoch 2, the best on validation (AUC 0.700), was kept and trained "
        "further.",
        "Second training, on the shots: 2 epochs; epoch 2, the last, was kept and tested.",
    ]


def test_curves_are_reproducible_and_need_epochs(tmp_path):
    first, second = (
        learning_curves(EPOCHS, tmp_path / f"{x}.svg", kept=[kept(1, "auc")]) for x in "ab"
    )
    assert first.read_text() == second.read_text()
    with pytest.raises(DataError, match="no epochs"):
        learning_curves([], tmp_path / "c.png")
    with pytest.raises(DataError, match="neither"):
        learning_curves([{"epoch": 0, "lr": np.float64(1)}], tmp_path / "c.png")
    assert len(list(tmp_path.iterdir())) == 2
