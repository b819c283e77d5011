"""Mistakes: one sentence with the place and the cure, an exit code by kind, no leftovers."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from moodal.cli import main as cli
from moodal.core.errors import OutputError, writing

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def broken(mosei, tmp_path):
    """A copy of the look-alike, to be damaged."""
    return Path(shutil.copytree(mosei / "mosei", tmp_path / "broken"))


def rewrite(path, change):
    with h5py.File(path, "r+") as file:
        values = file["d1"][()]
        del file["d1"]
        change(file, values)


def test_damaged_corpora(broken, tmp_path, fails):
    def prepare():
        return fails("prepare", "mosei", broken, tmp_path / "out")

    path = broken / "text_valid_emb.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    assert prepare()[0] == 3
    assert "text_valid_emb.h5" in prepare()[1]
    path.write_bytes(whole)

    rewrite(path, lambda f, v: f.create_dataset("other", data=v))
    code, said = prepare()
    assert (code, "'d1'" in said or "d1" in said, "text_valid_emb.h5" in said) == (3, True, True)
    path.write_bytes(whole)

    rewrite(path, lambda f, v: f.create_dataset("d1", data=v[:, 0]))
    assert prepare()[0] == 3
    path.write_bytes(whole)

    def spoil(file, values):
        values[2, 1, 3] = np.nan
        file.create_dataset("d1", data=values)

    rewrite(path, spoil)
    code, said = prepare()
    assert code == 3
    assert "text_valid_emb.h5" in said or "row 2" in said
    path.write_bytes(whole)
    (broken / "ey_valid.h5").unlink()
    assert prepare()[0] == 3
    assert "ey_valid" in prepare()[1]
    assert not (tmp_path / "out").exists()
    assert [p for p in tmp_path.iterdir() if p.name != "broken"] == []


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_hostile_files_are_named_and_not_run(iemocap, tmp_path, fails):
    marker = tmp_path / "it-ran"
    folder = tmp_path / "iemocap"
    folder.mkdir()
    (folder / "iemocap_data.pkl").write_bytes(pickle.dumps({"train": Hostile(marker)}))
    code, said = fails("prepare", "iemocap", folder, tmp_path / "out")
    assert code == 4
    assert "iemocap_data.pkl" in said
    checkpoint = tmp_path / "model.pt"
    checkpoint.write_bytes(pickle.dumps({"w": Hostile(marker)}))
    assert fails("import", checkpoint, tmp_path / "a", "--labels", "a")[0] == 4
    assert fails("inspect", checkpoint)[0] == 4
    assert not marker.exists()


@pytest.mark.parametrize(
    ("override", "code", "said"),
    [
        ("train.epoch=3", 2, "did you mean 'epochs'"),
        ("train.epochs=soon", 2, "train.epochs = 'soon'"),
        ("system.name=eeea", 2, "no system 'eeea'"),
        ("system.hiden={}", 2, "unknown key 'hiden'"),
        ("system.hidden={text=200}", 5, "system.hidden.text=300"),
        ('system.streams=["speech", "smell"]', 3, "smell"),
        ("data.prepared=nowhere", 3, "not a prepared corpus"),
        ("space.vectors=nowhere.pt", 2, "nowhere.pt"),
        ('space.synonyms={anger=["qwzx"]}', 5, "qwzx"),
        ('protocol.unseen=["boredom"]', 5, "boredom"),
        ("protocol.unseen=[]", 2, "needs protocol.unseen"),
        ("split.by=speaker", 3, "have no 'speaker'"),
        ("split.by=weather", 3, "have no 'weather'"),
        ("train.select=accuracy", 2, "not for a multi corpus"),
        ("train.accelerator=abacus", 2, "abacus"),
        ("train.lr=1e30", 1, "not finite"),
    ],
)
def test_wrong_recipes(small_eea, tmp_path, fails, override, code, said):
    given = fails(
        "train",
        RECIPES / "mosei/zero-shot/anger.toml",
        *small_eea,
        "train.clip=0",
        override,
        "--out",
        tmp_path / "run",
    )
    assert given[0] == code, given[1]
    assert said in given[1]


def test_wrong_commands(tmp_path, fails, mosei):
    assert fails("prepare", "moseii", mosei, tmp_path / "x")[0] == 2
    assert "mosei" in fails("prepare", "moseii", mosei, tmp_path / "x")[1]
    assert fails("synthesise", "nothing", tmp_path / "x")[0] == 2
    assert fails("synthesise", "mosei", tmp_path / "x", "--utterances", "1")[0] == 2
    assert fails("inspect", tmp_path / "gone")[0] == 3
    assert fails("train", tmp_path / "gone.toml", "--out", tmp_path / "x")[0] == 2
    assert fails("train", "a", "--out", "b", "--colour", "blue")[0] == 2
    assert fails("evaluate", tmp_path, mosei / "prepared", "--out", tmp_path / "x")[0] == 3
    (tmp_path / "notes.txt").write_text("mine")
    assert fails("prepare", "mosei", mosei / "mosei", tmp_path)[0] == 6
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_checkpoint_of_another_shape_or_kind(tmp_path, fails):
    path = tmp_path / "list.pt"
    path.write_bytes(pickle.dumps([1, 2, 3]))
    assert fails("import", path, tmp_path / "a", "--labels", "a")[0] == 3
    path.write_bytes(pickle.dumps({"weight": np.zeros(3)}))
    assert fails("import", path, tmp_path / "a", "--labels", "a")[0] == 3
    assert not (tmp_path / "a").exists()


def test_a_damaged_checkpoint_of_a_run(small_eea, tmp_path, answer, fails):
    command = ["train", RECIPES / "mosei/eea.toml", *small_eea, "--out", tmp_path / "run"]
    answer(*command)
    (tmp_path / "run/report.json").unlink()
    (tmp_path / "run/resume.pt").write_bytes(b"not a checkpoint")
    code, said = fails(*command)
    assert code == 3
    assert "delete it" in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_said_so():
    def fill():
        with writing("x"), open("/dev/full", "w") as file:
            file.write("x" * 100_000)
            file.flush()

    with pytest.raises(OutputError, match="disk is full"):
        fill()


def test_a_disk_that_fills_leaves_nothing_half_written(mosei, tmp_path, fails, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    code, said = fails("prepare", "mosei", mosei / "mosei", tmp_path / "deep" / "out")
    assert code == 6
    assert "disk is full" in said
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_folder_that_cannot_be_made(mosei, tmp_path, fails):
    (tmp_path / "file").write_text("")
    code, said = fails("prepare", "mosei", mosei / "mosei", tmp_path / "file" / "out")
    assert code == 6
    assert str(tmp_path / "file") in said


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(mosei, tmp_path, fails):
    tmp_path.chmod(0o500)
    assert fails("prepare", "mosei", mosei / "mosei", tmp_path / "out")[0] == 6
    tmp_path.chmod(0o700)


def test_help_is_quick_and_needs_no_torch():
    code = "import sys; from moodal.cli.main import parser; parser().format_help(); print([m for m in ('torch', 'numpy', 'pydantic', 'rich') if m in sys.modules])"  # noqa: E501
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_light_side_runs_where_torch_is_not(mosei, tmp_path):
    """prepare, synthesise and inspect with torch hidden; train says what to install."""
    hide = (
        "import sys; sys.modules['torch'] = None; "
        "from moodal.cli.main import main; main(sys.argv[1:])"
    )

    def run(*words):
        return subprocess.run(
            [sys.executable, "-c", hide, *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
        )

    prepared = run("prepare", "mosei", mosei / "mosei", tmp_path / "p", "--json")
    assert prepared.returncode == 0, prepared.stderr
    assert json.loads(prepared.stdout)["utterances"] == 240
    assert run("inspect", tmp_path / "p").returncode == 0
    train = run("train", RECIPES / "mosei/eea.toml", "--out", tmp_path / "run")
    assert train.returncode == 7
    assert "pip install '.[train]'" in train.stderr


def test_interrupting_says_how_to_go_on(small_eea, tmp_path, process):
    running = process(
        "train",
        RECIPES / "mosei/eea.toml",
        *small_eea,
        "train.epochs=500",
        "train.early_stop=0",
        "--out",
        tmp_path / "run",
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "run/epochs.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(2)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "run the same command again to resume" in said
    assert "Traceback" not in said


def test_json_is_json(mosei, answer):
    assert answer("inspect", mosei / "prepared")["utterances"] == 240
    assert cli.parser().prog == "moodal"


def test_real_data_is_never_overwritten_by_a_look_alike(tmp_path, fails):
    (tmp_path / "text_train_emb.h5").write_bytes(b"years of permissions")
    code, said = fails("synthesise", "mosei", tmp_path, "--utterances", "12")
    assert code == 6
    assert "text_train_emb.h5 exists" in said
    assert (tmp_path / "text_train_emb.h5").read_bytes() == b"years of permissions"
    assert [p.name for p in tmp_path.iterdir()] == ["text_train_emb.h5"]


def test_a_look_alike_is_marked_wherever_its_figures_go(mosei, small_eea, tmp_path, answer):
    report = answer("train", RECIPES / "mosei/eea.toml", *small_eea, "--out", tmp_path / "run")
    assert any(stamp.startswith("Made-up data") for stamp in report["protocol"]["stamps"])
    assert "Made-up data" in (tmp_path / "run/report.md").read_text()
    assert "Made-up data" in (tmp_path / "run/artefact/README.md").read_text()


def test_another_corpus_is_not_prepared_over_one(mosei, tmp_path, fails):
    shutil.copytree(mosei / "prepared", tmp_path / "p")
    cli.main(["synthesise", "iemocap", str(tmp_path / "i"), "--utterances", "30"])
    code, said = fails("prepare", "iemocap", tmp_path / "i", tmp_path / "p")
    assert code == 6
    assert "holds mosei" in said
