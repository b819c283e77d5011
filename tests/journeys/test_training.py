"""From files to a report and an artefact, through the real command line."""

import dataclasses
import json
import os
import signal
import socket
import time
from pathlib import Path

import numpy as np
import pytest

from moodal.cli.main import main
from moodal.core import manifest as manifests
from moodal.core.records import Frames
from moodal.evaluation.report.write import again
from moodal.model import artefact
from moodal.train.engine import checkpoint
from moodal.train.experiment import train as training

RECIPES = Path(__file__).parents[2] / "recipes"


def test_zero_shot_from_end_to_end(mosei, small_eea, tmp_path, answer):
    out = tmp_path / "run"
    recipe = RECIPES / "mosei/zero-shot/anger.toml"
    report = answer("train", recipe, *small_eea, "train.epochs=6", "--out", out)
    assert report["protocol"]["unseen"] == ["anger"]
    assert report["train"]["counts"]["anger"] == 0
    null = report["extras"]["nulls"]["anger"]
    assert null["other_words"]["draws"] == 20
    assert 0 < null["other_words"]["p"] <= 1
    assert report["metrics"]["auc"]["mean_seen"]["value"] > 0.6
    for name in ("report.md", "report.json", "predictions.csv", "epochs.csv", "figures/auc.png"):
        assert (out / name).exists(), name
    assert "anger (unseen)" in (out / "report.md").read_text()
    trained = artefact.read(out / "artefact")
    assert "anger" not in trained.info.trained
    assert trained.space.labels[0] == "anger"

    shown = answer("inspect", out / "artefact")
    assert shown["verified"]
    again = answer("evaluate", out / "artefact", mosei / "prepared", "--out", tmp_path / "again")
    assert again["protocol"]["unseen"] == ["anger"]
    assert "never trained on: anger" in again["protocol"]["stamps"]
    assert null["cosine"]["encoder"] == "features"
    before = report["metrics"]["auc"]["emotions"]["anger"]["value"]
    assert again["metrics"]["auc"]["emotions"]["anger"]["value"] == pytest.approx(before, abs=1e-5)


def test_emotions_that_the_artefact_never_heard_of(mosei, small_eea, tmp_path, answer, fails):
    out = tmp_path / "run"
    answer(
        "train",
        RECIPES / "mosei/eea.toml",
        *small_eea,
        'data.labels=["happy", "sad"]',
        "--out",
        out,
    )
    code, message = fails("evaluate", out / "artefact", mosei / "prepared", "--out", tmp_path / "e")
    assert code == 5
    assert "was not trained on anger" in message
    vectors = mosei / "mosei" / "glove.emotions.840B.300d.pt"
    report = answer(
        "evaluate",
        out / "artefact",
        mosei / "prepared",
        "--out",
        tmp_path / "e",
        "--vectors",
        vectors,
        "--emotions",
        "happy,fear",
    )
    assert report["protocol"]["unseen"] == ["fear"]


def test_iemocap_zero_shot_appends_a_class(iemocap, tmp_path, answer):
    report = answer(
        "train",
        RECIPES / "iemocap/zero-shot/excited.toml",
        f"data.prepared={iemocap / 'prepared/iemocap'}",
        f"protocol.append_from={iemocap / 'prepared/iemocap9'}",
        f"space.vectors={iemocap / 'iemocap/glove.emotions.840B.300d.pt'}",
        "train.epochs=1",
        "report.draws=20",
        "system.hidden={text=300, speech=8, face=8}",
        "--out",
        tmp_path / "run",
    )
    assert report["labels"][-1] == "excited"
    assert report["train"]["counts"]["excited"] == 0
    assert report["test"]["counts"]["excited"] > 0


@pytest.mark.parametrize("method", ["scratch", "finetune", "gem", "joint"])
def test_few_shot_in_every_way(small_eea, tmp_path, answer, method):
    report = answer(
        "train",
        RECIPES / "mosei/few-shot/sad.toml",
        *small_eea,
        f"protocol.method={method}",
        "protocol.shots=4",
        "protocol.adapt_epochs=3",
        "--out",
        tmp_path / "run",
    )
    assert (tmp_path / "run/adapted").exists() == (method != "scratch")
    kept = report["extras"]["kept"]
    folders = [tmp_path / "run", *[tmp_path / "run/adapted"] * (method != "scratch")]
    best = [checkpoint.load(x / "resume.pt")["state"]["best_epoch"] for x in folders]
    assert [about["epoch"] for about in kept] == best
    assert [about["by"] for about in kept][1:] == ["last"] * (method != "scratch")
    assert "few-shot: training was shown 4 rows of sad" in report["protocol"]["stamps"]
    assert report["protocol"]["unseen"] == []
    assert report["train"]["counts"]["sad"] == 4
    assert "sad" in artefact.read(tmp_path / "run/artefact").info.trained
    assert np.isfinite(report["metrics"]["auc"]["emotions"]["sad"]["value"])


BASELINES = ["rnn-ef", "rnn-lf", "rnn-eflf", "rnn-ts", "transformer", "mult", "tfn", "self-mm"]


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_trains_and_refuses_the_unseen(small, tmp_path, answer, fails, name):
    tiny = {
        "transformer": ["system.width=16", "system.heads=2", "system.layers=1"],
        "mult": ["system.width=10", "system.heads=2", "system.layers=1"],
        "self-mm": ["system.width=16"],
    }.get(name, ["system.layers=1"])
    recipe = RECIPES / f"mosei/{name}.toml"
    report = answer("train", recipe, *small, *tiny, "--out", tmp_path / "run")
    assert report["rows"] > 0
    unseen = ["protocol.name=zero_shot", 'protocol.unseen=["anger"]']
    code, message = fails("train", recipe, *small, *tiny, *unseen, "--out", tmp_path / "other")
    assert code == 5
    assert "closed-set" in message


def test_folds_by_speaker_with_intervals(tmp_path, answer):
    main(["synthesise", "crema-d", str(tmp_path / "c"), "--utterances", "60"])
    main(["prepare", "crema-d", str(tmp_path / "c"), str(tmp_path / "p"), "--encoder", "text=none"])
    out = tmp_path / "run"
    report = answer(
        "train",
        RECIPES / "crema-d/eea.toml",
        f"data.prepared={tmp_path / 'p'}",
        "split.folds=3",
        "train.epochs=2",
        "report.draws=50",
        "system.layers=1",
        "system.hidden={speech=8}",
        "--out",
        out,
    )
    assert report["rows"] == 60
    assert len(report["folds"]) == 3
    assert report["clusters"]["kind"] == "speaker"
    assert (out / "fold-1/artefact/artefact.json").exists()
    figure = report["metrics"]["balanced_accuracy"]["all"]
    assert figure["low"] <= figure["value"] <= figure["high"]
    assert again(out) == report
    assert again(out / "fold-1") == json.loads((out / "fold-1/report.json").read_text())


def test_validation_rows_are_marked_as_such(small_eea, tmp_path, answer, mosei):
    prepared = next(x for x in small_eea if x.startswith("data.prepared=")).partition("=")[2]
    answer("train", RECIPES / "mosei/eea.toml", *small_eea, "--out", tmp_path / "run")
    tested = ("evaluate", tmp_path / "run/artefact", prepared, "--out")
    mark = "validation rows, on which the epoch was chosen"  # the recipe's thresholds are fixed
    valid = answer(*tested, tmp_path / "valid", "--split", "valid")["protocol"]["stamps"]
    assert mark in valid
    every = answer(*tested, tmp_path / "all", "--split", "all")["protocol"]["stamps"]
    assert any(stamp.endswith(f"rows are {mark}") for stamp in every)
    test = answer(*tested, tmp_path / "test")["protocol"]["stamps"]
    assert not any("validation rows" in stamp for stamp in test)


def test_selection_on_test_is_stamped(small_eea, tmp_path, answer):
    out = tmp_path / "run"
    report = answer(
        "train", RECIPES / "mosei/eea.toml", *small_eea, "train.select_on=test", "--out", out
    )
    assert any("selected on the test" in stamp for stamp in report["protocol"]["stamps"])
    assert report["thresholds"]["source"].startswith("fixed")
    assert "valid" not in report
    assert "selected on the test" in (out / "report.md").read_text()
    assert "selected on the test" in (out / "artefact/README.md").read_text()


def test_a_finished_run_is_not_run_again_and_another_recipe_is_refused(
    small_eea, tmp_path, answer, fails
):
    command = ["train", RECIPES / "mosei/eea.toml", *small_eea, "--out", tmp_path / "run"]
    first = answer(*command)
    began = time.perf_counter()
    assert answer(*command) == first
    assert time.perf_counter() - began < 5
    code, message = fails(*command, "train.lr=0.5")
    assert code == 2
    assert "another recipe" in message


def test_a_killed_run_goes_on_to_the_very_same_weights(small_eea, tmp_path, process):
    words = [
        "train",
        RECIPES / "mosei/eea.toml",
        *small_eea,
        "train.epochs=12",
        "train.early_stop=0",
        "train.save_steps=1",
        "report.figures=false",
    ]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    # each in a process with one thread: another number of threads rounds otherwise
    uninterrupted = process(*words, "--out", whole)
    assert uninterrupted.wait(timeout=300) == 0
    running = process(*words, "--out", cut)
    deadline = time.monotonic() + 120
    while not (cut / "epochs.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert not (cut / "report.json").exists(), "the run ended before it could be killed"
    assert process(*words, "--out", cut).wait(timeout=300) == 0
    for name in ("weights.safetensors", "vectors.safetensors"):
        assert (whole / "artefact" / name).read_bytes() == (cut / "artefact" / name).read_bytes()


def test_two_processes_give_what_one_gives(small_eea, tmp_path, process, answer):
    words = [
        "train",
        RECIPES / "mosei/eea.toml",
        *small_eea,
        "system.dropout=0.0",
        "train.batch_size=33",
        "report.figures=false",
    ]
    one = answer(*words, "--out", tmp_path / "one")
    running = process(*words, "train.devices=2", "--out", tmp_path / "two", "--json")
    out, message = running.communicate(timeout=300)
    assert running.returncode == 0, message
    two = json.loads(out[out.index("{") : out.rindex("}") + 1])
    a, b = (artefact.read(tmp_path / x / "artefact").weights() for x in ("one", "two"))
    for name in a:
        np.testing.assert_allclose(a[name], b[name], atol=2e-5, err_msg=name)
    key = one["metrics"]["auc"]["mean"]["value"]
    assert two["metrics"]["auc"]["mean"]["value"] == pytest.approx(key, abs=0.01)


def test_two_machines_give_what_one_gives(small_eea, tmp_path, process, answer):
    words = [
        "train",
        RECIPES / "mosei/eea.toml",
        *small_eea,
        "system.dropout=0.0",
        "train.batch_size=33",
        "report.figures=false",
    ]
    answer(*words, "--out", tmp_path / "one")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    together = ["--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1"]
    running = [
        process(
            *(*together, f"--master-port={port}", f"--node-rank={rank}", "-m", "moodal"),
            *(*words, "--out", tmp_path / "two"),
            module="torch.distributed.run",
        )
        for rank in (0, 1)
    ]
    for machine in running:
        _, message = machine.communicate(timeout=300)
        assert machine.returncode == 0, message
    a, b = (artefact.read(tmp_path / x / "artefact").weights() for x in ("one", "two"))
    for name in a:
        np.testing.assert_allclose(a[name], b[name], atol=2e-5, err_msg=name)


def test_scores_of_training_rows_are_stamped_and_never_land_in_a_run(
    mosei, small_eea, tmp_path, answer, fails
):
    out = tmp_path / "run"
    answer("train", RECIPES / "mosei/eea.toml", *small_eea, "--out", out)
    words = ["evaluate", out / "artefact", mosei / "prepared", "--split", "all"]
    report = answer(*words, "--out", tmp_path / "all")
    assert "168 of these 240 rows were trained on" in report["protocol"]["stamps"]
    for place in (out, out / "artefact", mosei / "prepared"):
        code, message = fails(*words, "--out", place)
        assert code == 2
        assert "choose another --out" in message


def test_folds_of_a_zero_shot_protocol_keep_their_nulls(small_eea, tmp_path, mosei, answer):
    report = answer(
        "train",
        RECIPES / "mosei/zero-shot/anger.toml",
        *small_eea,
        "split.by=id",
        "split.folds=3",
        "split.only=[0, 1]",
        "train.epochs=1",
        "report.figures=false",
        "--out",
        tmp_path / "run",
    )
    assert set(report["extras"]["nulls"]) == {"anger, fold 0", "anger, fold 1"}


def test_a_row_of_padding_only_is_left_out_and_counted(mosei, small, tmp_path, answer):
    corpus = manifests.read(mosei / "prepared")
    speech = corpus.features["speech"]
    values = np.array(speech.values)
    values[speech.offsets[3] : speech.offsets[4]] = 0
    blank = dataclasses.replace(
        corpus, features={**corpus.features, "speech": Frames(values, speech.lengths)}
    )
    blank.write(tmp_path / "blank")
    report = answer(
        "train",
        RECIPES / "mosei/rnn-lf.toml",
        *small,
        f"data.prepared={tmp_path / 'blank'}",
        "system.layers=1",
        "--out",
        tmp_path / "run",
    )
    assert any("rows without one of text, speech, face" in s for s in report["protocol"]["stamps"])


def test_a_run_that_never_began_does_not_hold_its_folder(small_eea, tmp_path, answer, fails):
    words = ["train", RECIPES / "mosei/eea.toml", *small_eea, "--out", tmp_path / "run"]
    assert fails(*words, "train.accelerator=abacus")[0] == 2
    assert not (tmp_path / "run").exists()
    assert fails(*words, "train.lr=1e30", "train.clip=0")[0] == 1
    assert answer(*words)["rows"] > 0


def test_a_recipe_with_several_seeds(mosei, small_eea, tmp_path, answer, fails):
    recipe, out = RECIPES / "mosei/eea.toml", tmp_path / "run"
    words = (*small_eea, "train.epochs=1", "report.draws=50")
    report = answer("train", recipe, *words, "train.seed=[3,5]", "--out", out)
    assert report["seeds"] == [3, 5]
    alone = answer("train", recipe, *words, "train.seed=5", "--out", tmp_path / "alone")
    values = report["metrics"]["auc"]["seeds"]["values"]
    assert values[1] == pytest.approx(alone["metrics"]["auc"]["mean"]["value"])
    assert values[0] != values[1]
    before = (out / "seed-3" / "report.json").stat().st_mtime_ns
    assert answer("train", recipe, *words, "train.seed=[3,5]", "--out", out) == report
    assert (out / "seed-3" / "report.json").stat().st_mtime_ns == before  # it was not trained again
    code, said = fails("train", recipe, *words, "train.seed=[3,3]", "--out", out)
    assert (code, "seed names 3 twice" in said) == (2, True)


def test_a_strict_audit_trains_nothing(mosei, small_eea, tmp_path, fails):
    corpus = manifests.read(mosei / "prepared")
    known = tuple(dataclasses.replace(u, speaker="Ann") for u in corpus.utterances)
    dataclasses.replace(corpus, utterances=known).write(tmp_path / "known")
    words = (*small_eea, f"data.prepared={tmp_path / 'known'}", "--out", tmp_path / "run")
    code, said = fails("train", RECIPES / "mosei/eea.toml", *words, "--strict-audit")
    assert (code, "The audit refuses this split (--strict-audit)" in said) == (3, True)
    assert "train and test share 1 speaker" in said
    assert not (tmp_path / "run").exists()


def test_a_strict_audit_examines_a_split_once(mosei, small_eea, tmp_path, answer, monkeypatch):
    audited: list[int] = []

    def audit(manifest, *rows):
        audited.append(len(manifest))
        return []

    monkeypatch.setattr(training, "audit", audit)
    words = (f"data.prepared={mosei / 'prepared'}", "train.epochs=1", "report.draws=0")
    out = ("--strict-audit", "--out", tmp_path / "run")
    answer("train", RECIPES / "mosei/eea.toml", *small_eea, *words, *out)
    assert len(audited) == 1
