"""MMER from files to reports, through the real commands, on look-alikes and a tiny wav2vec2."""

import json
import os
import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from moodal.cli.main import main
from moodal.evaluation.report import scores

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
RELEASE = ROOT / "recipes" / "iemocap-release"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Write a wav2vec2 of the smallest size with random weights."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    sizes = {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2}
    convs = {"conv_dim": [8] * 7, "num_conv_pos_embeddings": 4, "intermediate_size": 16}
    folder = tmp_path_factory.mktemp("tiny")
    convs |= {"num_conv_pos_embedding_groups": 2}
    drops = dict.fromkeys(
        ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout"), 0.0
    )
    config = Wav2Vec2Config(**sizes, **convs, **drops, layerdrop=0.0)
    Wav2Vec2Model(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def release(tmp_path_factory, tiny):
    """Prepare a look-alike of the IEMOCAP release with the front-end's frames and views."""
    folder = tmp_path_factory.mktemp("release")
    main(["synthesise", "iemocap-release", str(folder / "raw"), "--utterances", "100"])
    main(
        [
            "prepare",
            "iemocap-release",
            str(folder / "raw"),
            str(folder / "prepared"),
            "--encoder",
            f"speech=speech-backbone:path={tiny}",
            "--encoder",
            "text=minilm",
            "--views",
            "1",
        ]
    )
    return folder / "prepared"


@pytest.fixture
def small(release, tiny):
    """List overrides that make a recipe of the release small enough for a test."""
    return [
        f"data.prepared={release}",
        f'system.speech.path="{tiny}"',
        "train.epochs=2",
        "report.draws=20",
        "train.accelerator=cpu",
        "report.figures=false",
        "system.width=24",
        "system.heads=2",
    ]


def test_sessions_are_held_out_in_turn_and_pooled(answer, small, tmp_path):
    report = answer("train", RELEASE / "mmer.toml", *small, "--out", tmp_path / "run")
    assert [fold["name"] for fold in report["folds"]] == [f"fold Ses0{i}" for i in range(1, 6)]
    assert set(report["groups"]["style"]) == {"scripted", "improvised"}
    rows = sum(about["rows"] for about in report["groups"]["style"].values())
    assert rows == report["rows"] == sum(fold["rows"] for fold in report["folds"])
    assert report["extras"]["ctc"]["character_error_rate"] >= 0
    assert report["extras"]["words"]["metrics"]["balanced_accuracy"]["value"] > 0.25
    assert any("look-alike" in stamp for stamp in report["protocol"]["stamps"])
    columns = (tmp_path / "run" / "fold-Ses03" / "epochs.csv").read_text().splitlines()[0]
    for name in ("train_ce", "train_ctc", "train_supervised", "train_augmentation"):
        assert name in columns.split(",")
    about = json.loads((tmp_path / "run/fold-Ses01/artefact/artefact.json").read_text())
    assert about["body"]["config"]["speech"]["architecture"]["hidden_size"] == 12

    # again: nothing is trained again; and the artefact scores a session by itself
    again = answer("train", RELEASE / "mmer.toml", *small, "--out", tmp_path / "run")
    assert again == report
    prepared = small[0].removeprefix("data.prepared=")
    names = ["--map", "excited=happy", "--emotions", "happy,angry,neutral,sad"]
    one = answer(
        "evaluate",
        tmp_path / "run/fold-Ses01/artefact",
        prepared,
        "--split",
        "all",
        "--where",
        "session=Ses01",
        *names,
        "--out",
        tmp_path / "evaluated",
    )
    fold = json.loads((tmp_path / "run/fold-Ses01/report.json").read_text())
    assert one["metrics"]["balanced_accuracy"]["all"]["value"] == pytest.approx(
        fold["metrics"]["balanced_accuracy"]["all"]["value"]
    )


def test_folds_at_once_are_the_folds_in_turn(answer, small, tmp_path):
    words = [RELEASE / "unimodal_baseline.toml", *small[:-2], "train.epochs=1", "split.folds=3"]
    one = answer("train", *words, "--out", tmp_path / "one")
    two = answer("train", *words, "--out", tmp_path / "two", "--jobs", "2")
    assert one["metrics"]["auc"] == two["metrics"]["auc"]


def test_the_gap_of_selecting_on_the_test(answer, small, tmp_path):
    words = [*small[:-2], "split.only=[0]"]
    answer("train", RELEASE / "cai_sota.toml", *words, "--out", tmp_path / "honest")
    published = answer(
        "train", RELEASE / "selected-on-test/cai_sota.toml", *words, "--out", tmp_path / "theirs"
    )
    assert any("selected on the test" in stamp for stamp in published["protocol"]["stamps"])
    gap = answer("compare", tmp_path / "honest", tmp_path / "theirs", "--out", tmp_path / "gap")
    message = (tmp_path / "gap" / "compare.md").read_text()
    assert "selected on the test" in message
    assert len(gap["runs"]) == 2

    # the artefact keeps the stamp, and a part of its emotions is scored on their rows alone
    prepared = small[0].removeprefix("data.prepared=")
    part = answer(
        "evaluate",
        tmp_path / "theirs/artefact",
        prepared,
        "--out",
        tmp_path / "part",
        "--split",
        "all",
        "--where",
        "session=Ses01",
        "--emotions",
        "angry,sad",
        "--by",
        "style",
    )
    stamps = part["protocol"]["stamps"]
    assert any("selected on the test" in stamp for stamp in stamps)
    assert any("look-alike" in stamp for stamp in stamps)
    assert part["labels"] == ["angry", "sad"]
    counted = published["test"]["counts"]
    assert part["rows"] == counted["angry"] + counted["sad"]
    assert sum(about["rows"] for about in part["groups"]["style"].values()) == part["rows"]
    assert part["extras"]["ctc"]["rows"] == part["rows"]


def test_a_loss_that_cannot_be_is_refused_before_training(fails, small, tmp_path):
    words = [RELEASE / "mmer.toml", *small, "--out", tmp_path / "x"]
    code, message = fails("train", *words, "data.views=none")
    assert (code, "second views" in message) == (2, True)
    code, message = fails("train", *words, "train.loss=bce")
    assert (code, "train.loss=ce" in message) == (2, True)
    code, message = fails("train", *words, "system.mode=faithful")
    assert (code, "train.max_frames=0" in message) == (2, True)
    assert not (tmp_path / "x").exists()


def test_two_processes_are_one(small, tmp_path, process, answer):
    words = [
        RELEASE / "cai_sota.toml",
        *small[:-2],
        "split.only=[0]",
        "system.dropout=0.0",
        "report.words=false",
        "train.epochs=1",
    ]
    one = answer("train", *words, "--out", tmp_path / "one")
    two = process("train", *words, "train.devices=2", "--out", tmp_path / "two")
    _, message = two.communicate(timeout=300)
    assert two.returncode == 0, message
    other = json.loads((tmp_path / "two" / "report.json").read_text())
    ours, theirs = (report["extras"]["epochs"][0] for report in (one, other))
    for name in ("train_loss", "train_ce", "train_ctc", "valid_loss"):
        assert theirs[name] == pytest.approx(ours[name], rel=1e-4), name
    a, b = scores.load(tmp_path / "one"), scores.load(tmp_path / "two")
    np.testing.assert_allclose(a.logits, b.logits, atol=1e-4)


def test_a_backbone_that_does_not_fit_the_frames_is_one_sentence(fails, small, tmp_path):
    words = [RELEASE / "embedded/mmer.toml", small[0], "--out", tmp_path / "x"]
    code, message = fails("train", *words)
    assert (code, "speech=speech-backbone:path=whisper-tiny" in message) == (2, True)
    code, message = fails("train", RELEASE / "mmer.toml", small[0], "--out", tmp_path / "x")
    assert "facebook/wav2vec2-base" in message


@pytest.fixture(scope="session")
def authors_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mmer")
    main(["synthesise", "mmer", str(folder), "--utterances", "80"])
    return folder


def test_best_run_runs_as_the_authors_wrote_it(authors_files, tiny, tmp_path, answer):
    """The four words of the README, then our backbone and one epoch."""
    save = tmp_path / "save"
    words = [
        "sh",
        ROOT / "best_run.sh",
        authors_files / "audio",
        authors_files / "roberta",
        authors_files / "iemocap.csv",
        save,
        "--config",
        tiny,
        "--num_workers",
        "1",
        "--epochs",
        "1",
        "--device",
        "cpu",
        "--sessions",
        "1",
        "3",
    ]
    done = subprocess.run(
        [*map(str, words)], capture_output=True, text=True, env=ENVIRONMENT, timeout=600
    )
    assert done.returncode == 0, done.stderr
    files = save / "mmer"
    metrics = pickle.loads((files / "metric_report.pkl").read_bytes())
    assert [set(row) for row in metrics] == [{"wa", "ua"}, {"wa", "ua"}]
    for session, measured in zip((1, 3), metrics, strict=True):
        state = torch.load(files / f"{session}_model.pt", weights_only=True)
        assert "gate.weight" in state["state_dict"]
        lines = (files / f"{session}_stats.txt").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == [0]
        line = json.loads(lines[0])
        assert line["report_accuracy"] == pytest.approx(measured)
        assert line["key_accuracy"] == line["report_accuracy"]["wa"]
    report = json.loads((save / "run/report.json").read_text())
    assert "the epoch was selected on the test rows" in report["protocol"]["stamps"]

    # their checkpoint comes back as an artefact, and scores the session as the run did
    answer(
        "import",
        files / "1_model.pt",
        tmp_path / "artefact",
        "--labels",
        "happy,angry,neutral,sad",
        "--heads",
        "2",
    )
    answer("prepare", "mmer", authors_files, tmp_path / "waves", "--encoder", "speech=wave")
    answer(
        "evaluate",
        tmp_path / "artefact",
        tmp_path / "waves",
        "--out",
        tmp_path / "e",
        "--split",
        "all",
        "--where",
        "session=Ses01",
        "--map",
        "excited=happy",
        "--emotions",
        "happy,angry,neutral,sad",
    )
    theirs, ours = scores.load(tmp_path / "e"), scores.load(save / "run/fold-Ses01")
    assert theirs.ids == ours.ids
    # the run read half-precision frames of scaled samples, the checkpoint reads the samples
    np.testing.assert_allclose(theirs.probabilities, ours.probabilities, atol=0.01)


def test_unusable_utterances_are_reported_before_training(authors_files, tmp_path):
    for wav in sorted((authors_files / "audio").glob("*.wav"))[:2]:
        wav.rename(wav.with_suffix(".away"))
    try:
        words = [
            "sh",
            ROOT / "best_run.sh",
            authors_files / "audio",
            authors_files / "roberta",
            authors_files / "iemocap.csv",
            tmp_path / "save",
        ]
        done = subprocess.run([*map(str, words)], capture_output=True, text=True, env=ENVIRONMENT)
        assert done.returncode == 3
        assert "2 have no recording" in done.stderr
        assert "Traceback" not in done.stderr
    finally:
        for away in (authors_files / "audio").glob("*.away"):
            away.rename(away.with_suffix(".wav"))
