"""A recipe's use of votes: what training learns, what the test counts, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.recipe import Recipe
from moodal.core.records import Frames, Utterance
from moodal.core.strict import parse
from moodal.core.votes import RATERS, shares_of, tally
from moodal.evaluation.compare import compare
from moodal.evaluation.report.tables import markdown
from moodal.evaluation.report.write import again
from moodal.train.experiment.train import train_recipe

LABELS = ("anger", "joy", "fear")


@pytest.fixture(scope="module")
def voted(tmp_path_factory) -> Path:
    """240 clips of eight speakers; two, three or four raters mostly agree with the sound."""
    rng = np.random.default_rng(0)
    utterances, chosen, frames = [], [], []
    for i in range(240):
        mood = int(rng.integers(3))
        raters = {
            f"r{k}": [LABELS[mood if rng.random() < 0.65 else int(rng.integers(3))]]
            for k in range(int(rng.integers(2, 5)))
        }
        split = ("train", "train", "valid", "test")[i % 4]
        extra = {RATERS: json.dumps(raters)}
        utterances.append(Utterance(f"u{i}", split=split, speaker=f"s{i % 8}", extra=extra))
        chosen.append(tally(raters))
        steps = np.eye(3)[mood] * 2 + rng.normal(size=(4, 3))
        frames.append(steps.astype(np.float32))
    manifest = Manifest(
        "voted",
        EmotionSpace(LABELS, "single"),
        tuple(utterances),
        shares_of(chosen, LABELS),
        {"speech": Frames.from_list(frames)},
        {"speech": {"name": "as-given", "fingerprint": "0", "width": 3}},
    )
    folder = tmp_path_factory.mktemp("voted") / "prepared"
    manifest.write(folder)
    return folder


def recipe(folder: Path, votes: dict[str, Any] | None = None, **train: Any) -> Recipe:
    values: dict[str, Any] = {
        "title": "small",
        "data": {"prepared": str(folder)},
        "system": {"name": "unimodal_baseline", "streams": ["speech"]},
        "train": {"epochs": 8, "lr": 0.05, "loss": "ce", "select": "loss", "accelerator": "cpu"}
        | train,
        "report": {"draws": 50},
    }
    return parse(Recipe, values | ({"votes": votes} if votes else {}), "test")


def test_soft_and_hard_targets_are_tested_on_the_same_rows(voted: Path, tmp_path: Path) -> None:
    soft = train_recipe(recipe(voted), tmp_path / "soft")
    hard = train_recipe(recipe(voted, {"targets": "plurality"}), tmp_path / "hard")
    assert soft is not None
    assert hard is not None
    assert soft["protocol"]["stamps"] == ["trained on the shares of raters"]
    assert (
        "trained on one emotion a row: the emotion with the most" in (hard["protocol"]["stamps"][0])
    )
    assert soft["rows"] == hard["rows"] == 60
    assert soft["votes"] == hard["votes"]
    assert soft["metrics"]["accuracy"]["people"] is not None
    for report in (soft, hard):
        jsd = report["metrics"]["jsd"]["all"]
        assert jsd["low"] <= jsd["value"] <= jsd["high"] < jsd["baselines"]["prior"]
        cross = report["metrics"]["cross_entropy"]["all"]
        assert cross["baselines"]["entropy"] < cross["value"]
        assert report["metrics"]["accuracy"]["all"]["value"] > 0.6
    # the entropy of shares keeps a soft network less certain
    assert (
        soft["metrics"]["cross_entropy"]["all"]["value"]
        < hard["metrics"]["cross_entropy"]["all"]["value"]
    )
    compared = compare([tmp_path / "hard", tmp_path / "soft"], tmp_path / "compared", draws=50)
    assert "jsd" in compared["headlines"]
    assert (
        compared["people"]["accuracy"]["value"] == (soft["metrics"]["accuracy"]["people"]["value"])
    )
    assert compared["runs"][1]["differs"] == {"votes.targets": ["plurality", None]}
    text = (tmp_path / "compared" / "compare.md").read_text()
    assert "one rater against the others" in text


def test_a_report_made_again_is_the_same(voted: Path, tmp_path: Path) -> None:
    report = train_recipe(recipe(voted, {"ties": "first"}), tmp_path / "run")
    assert report is not None
    assert again(tmp_path / "run") == report
    assert report["votes"]["without_truth"] == 0
    assert "of ties the first in the order of the labels" in markdown(report)


def test_several_seeds_have_the_agreement_of_people(voted: Path, tmp_path: Path) -> None:
    own = recipe(voted, seed=[0, 1], epochs=2)
    report = train_recipe(own, tmp_path / "seeds")
    assert report is not None
    assert report["metrics"]["jsd"]["seeds"]["deviation"] > 0
    assert report["metrics"]["accuracy"]["people"]["value"] > 0.5
    assert "one rater against the others" in (tmp_path / "seeds" / "seeds.md").read_text()


@pytest.mark.parametrize(("loss", "select"), [("kl", "jsd"), ("bce", "mode_accuracy")])
def test_every_loss_of_emotions_takes_shares(
    voted: Path, tmp_path: Path, loss: str, select: str
) -> None:
    report = train_recipe(recipe(voted, loss=loss, select=select), tmp_path / loss)
    assert report is not None
    assert report["metrics"]["accuracy"]["all"]["value"] > 0.6
    assert report["extras"]["epochs"][0][f"valid_{select}"] > 0


def test_a_majority_leaves_more_rows_without_truth(voted: Path, tmp_path: Path) -> None:
    majority = {"targets": "majority", "truth": "majority", "ties": "first"}
    report = train_recipe(recipe(voted, majority, epochs=1), tmp_path / "majority")
    assert report is not None
    assert 0 < report["votes"]["without_truth"] < 30
    assert report["rows"] == 60
    assert report["test"]["rows"] == 60
    counts = report["test"]["counts"]
    assert sum(counts.values()) == 60 - report["votes"]["without_truth"]


def test_an_unseen_emotion_is_ranked_by_its_true_rows(voted: Path, tmp_path: Path) -> None:
    pytest.importorskip("moodal.modalities.text.glove")
    own = recipe(voted, epochs=2, select="loss").model_dump(mode="json")
    own["space"] = {"vectors": "glove-50"}
    own["system"] = {"name": "eea", "streams": ["speech"], "hidden": {"speech": 4}, "layers": 1}
    own["protocol"] = {"name": "zero_shot", "unseen": ["fear"], "null_draws": 5}
    report = train_recipe(parse(Recipe, own, "test"), tmp_path / "run")
    assert report is not None
    null = report["extras"]["nulls"]["fear"]
    assert 0 <= null["auc"] <= 1
    assert 0 <= null["other_words"]["mean"] <= 1


def relabelled(voted: Path, folder: Path, labels: np.ndarray, but: str = "") -> Path:
    """The corpus with other labels, but for a split."""
    from moodal.core import manifest as manifests

    manifest = manifests.read(voted)
    values = np.tile(np.asarray(labels, np.float32), (len(manifest), 1))
    values[manifest.rows(but)] = manifest.labels[manifest.rows(but)]
    copy = Manifest(
        manifest.corpus,
        manifest.space,
        manifest.utterances,
        values,
        manifest.features,
        manifest.encoders,
    )
    copy.write(folder)
    return folder


def test_whole_labels_take_no_votes(voted: Path, tmp_path: Path) -> None:
    whole = relabelled(voted, tmp_path / "whole", np.array([0, 1, 0]))
    with pytest.raises(UsageError, match="every row of voted has whole labels, no shares"):
        train_recipe(recipe(whole, {"targets": "plurality"}), tmp_path / "run")


def test_rows_that_are_all_tied_are_one_sentence(voted: Path, tmp_path: Path) -> None:
    tied = relabelled(voted, tmp_path / "tied", np.array([0.5, 0.5, 0]))
    with pytest.raises(DataError, match=r"no test row has one true emotion .* or set votes.ties"):
        train_recipe(recipe(tied, epochs=1), tmp_path / "other")


def test_training_rows_that_are_all_tied_are_one_sentence(voted: Path, tmp_path: Path) -> None:
    tied = relabelled(voted, tmp_path / "tied", np.array([0.5, 0.5, 0]), "test")
    with pytest.raises(DataError, match=r'no train row has one emotion by votes.targets = "plur'):
        train_recipe(recipe(tied, {"targets": "plurality"}), tmp_path / "run")


def test_kl_needs_one_emotion_a_row(voted: Path) -> None:
    from moodal.train.engine.selection import require

    with pytest.raises(UsageError, match="'kl' compares with shares that sum to 1"):
        require("auc", "kl", EmotionSpace(LABELS, "multi"))
