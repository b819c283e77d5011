"""The authors' command line runs its examples as written, and writes and reads their files."""

import argparse
import json
import os
import pickle
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from moodal.cli import main as cli
from moodal.corpora.unpickle import load
from moodal.model import artefact

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
EXAMPLES = {
    "mosei": "--cuda=0 -bs=64 -lr=1e-3 -ep=100 --model=eea --data-folder=./data/cmu-mosei/seq_length_20/data --data-seq-len=20 --dataset=mosei_emo --loss=ce --clip=1.0 --early-stop=8 --hidden-sizes 300 200 100 -mod=tav --patience=5 --aligned -bi --num-layers=2 --dropout=0.15",  # noqa: E501
    "iemocap": "--cuda=0 -bs=64 -lr=1e-3 -ep=100 --model=eea --data-folder=./data/iemocap/seq_length_20/data --data-seq-len=20 --dataset=iemocap --loss=ce --clip=1.0 --early-stop=8 --hidden-sizes 300 200 100 -mod=tav --patience=5 --aligned -bi --num-layers=2 --dropout=0.15",  # noqa: E501
    "ef": "--cuda=0 -bs=64 -lr=1e-3 -ep=100 --model=rnn --fusion=ef --data-folder=./data/iemocap/seq_length_20/data --data-seq-len=20 --dataset=iemocap --loss=ce --clip=1.0 --early-stop=8 --hidden-sizes 300 200 100 -mod=tav --patience=5 --aligned -bi --num-layers=2 --dropout=0.15",  # noqa: E501
}
VECTORS = "data/glove.emotions.840B.300d.pt"
SMALL = "--cuda=0 -bs=64 -lr=2e-3 -ep=2 --aligned --data-seq-len=20 -es=9"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Make a working folder with the data where the authors' README puts it."""
    folder = tmp_path_factory.mktemp("authors")
    for corpus, where in {
        "mosei": "cmu-mosei",
        "iemocap": "iemocap",
        "iemocap9": "iemocap",
    }.items():
        data = folder / "data" / where / "seq_length_20" / "data"
        cli.main(["synthesise", corpus, str(data), "--utterances", "60"])
    vectors = folder / "data/cmu-mosei/seq_length_20/data/glove.emotions.840B.300d.pt"
    (folder / "data/glove.emotions.840B.300d.pt").write_bytes(vectors.read_bytes())
    return folder


def main_py(place: Path, words: str) -> subprocess.CompletedProcess[str]:
    """Run `python main.py` with these words in ``place``."""
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *shlex.split(words)],
        cwd=place,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def the_same(done: subprocess.CompletedProcess[str]) -> argparse.Namespace:
    """Parse the moodal command that it printed."""
    _, *words = shlex.split(done.stdout.partition("The same with moodal: ")[2])
    return cli.parser().parse_args(words)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_run_as_they_are_written(place, name):
    done = main_py(place, EXAMPLES[name])
    assert done.returncode == 0, done.stderr
    assert "the CPU does it" in done.stderr or "cuda" in done.stderr
    written = [Path(p) for p in re.findall(r"Written: (.+)", done.stdout)]
    assert [p.parent.name for p in written] == ["models", "stats", "csv"]
    state = load.load_state(place / written[0])
    if name == "ef":
        assert state["out.weight"].shape == (4, 600)
    else:
        assert state["textEmoEmbs.weight"].shape == (6 if name == "mosei" else 4, 300)
        assert state["modality_weights.weight"].shape == (3,)
        assert state["RNNs.2.weight_ih_l0"].shape == (400, 35)
    assert str(the_same(done).recipe).startswith("savings/")


def test_its_own_checkpoint_is_loaded_scored_and_imported(place, tmp_path):
    model = "--model=eea --dataset=mosei_emo --data-folder=data/cmu-mosei --loss=bce -hss 300 12 8"
    trained = main_py(place, f"{SMALL} {model}")
    assert trained.returncode == 0, trained.stderr
    path = re.findall(r"Written: (.+models.+)", trained.stdout)[0]
    for flag in ("--valid", "--test"):
        scored = main_py(place, f"{SMALL} {model} {flag} --ckpt='{path}'")
        assert scored.returncode == 0, scored.stderr
        assert "AUC" in scored.stdout
        same = the_same(scored)
        assert (same.split, same.vectors) == (flag[2:], VECTORS)
    numbers = (place / path.replace("models", "csv")).with_suffix(".csv").read_text().splitlines()
    assert len(numbers[0].rstrip(",").split(",")) == 24
    assert numbers[0] in scored.stdout.splitlines()  # as written after training
    scored = main_py(place, f"{SMALL} {model} --test --ckpt='{path}' --threshold=0.97")
    assert numbers[0] not in scored.stdout
    report = json.loads((place / the_same(scored).out / "report.json").read_text())
    assert set(report["thresholds"]["values"].values()) == {0.97}
    wrong = main_py(place, f"{SMALL} {model} --test --ckpt='{path}' --threshold=97")
    assert (wrong.returncode, "A threshold is a probability" in wrong.stderr) == (2, True)
    out = tmp_path / "artefact"
    labels = "anger,disgust,fear,happy,sad,surprise"
    cli.main(["import", str(place / path), str(out), "--labels", labels])
    assert artefact.read(out).system.config["last_column"] is True
    more = main_py(place, f"{SMALL} {model} --seed=1 --ckpt='{path}'")
    assert more.returncode == 0, more.stderr
    assert "moodal train does not start from a checkpoint" in more.stdout


@pytest.mark.parametrize(
    "words",
    [
        "--model=eea --dataset=mosei_emo --data-folder=data/cmu-mosei --loss=bce --zsl=2 -hss 300 8 8",  # noqa: E501
        "--model=eea --dataset=mosei_emo --data-folder=data/cmu-mosei --fsl=0 --loss=bce --cap -hss 300 8 8 --gru",  # noqa: E501
        "--model=eea --dataset=iemocap --data-folder=data/iemocap --zsl=5 --loss=bce -hss 300 8 8 -mod=ta",  # noqa: E501
        "--model=rnn --fusion=lf --dataset=mosei_emo --data-folder=data/cmu-mosei --loss=bce --optim=sgd --verbose",  # noqa: E501
        "--model=mult --dataset=iemocap --data-folder=data/iemocap --loss=bce --zsl=2",
    ],
)
def test_the_other_flags(place, words):
    done = main_py(place, f"{SMALL} {words}")
    assert done.returncode == 0, done.stderr
    path = Path(re.findall(r"Written: (.+stats.+)", done.stdout)[0])
    stats = pickle.loads((place / path).read_bytes())  # written a moment ago by the test itself
    parts = ("train_stats", "valid_stats", "test_stats", "best_valid_stats")
    assert set(stats) == {"args", "best_epoch", *parts}
    kept = stats["best_epoch"] - 1
    assert len(stats["valid_stats"]) == len(stats["test_stats"]) == 2
    rows = stats["test_stats"][kept], stats["valid_stats"][kept], stats["best_valid_stats"]
    assert {len(row) for row in rows} == {4 if "mosei" in words else 3}
    select = stats["valid_stats"][kept][0][-1]
    assert select == stats["best_valid_stats"][0][-1]  # by which the epoch was chosen
    if "--zsl=2" in words:
        assert path.stem.endswith("zsl2")
        state = load.load_state(next((place / path).parents[1].glob("models/*zsl2.pt")))
        # of MOSEI's six without fear, of IEMOCAP's four with it
        assert len(state["textEmoEmbs.weight" if "eea" in words else "out_layer.bias"]) == 5


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("--model=eea --dataset=mosei_emo --data-folder=nowhere", 3, "nowhere is not there"),
        ("--model=eea --dataset=mosei_emo --data-folder=data/cmu-mosei --zsl=9", 2, "5 (surprise)"),
        ("--model=eea --dataset=mosei_emo --data-folder=data/cmu-mosei --test", 2, "--ckpt"),
        ("--model=eea --dataset=mosei_emo --data-folder=data/cmu-mosei -mod=tx", 2, "letters of t"),
        ("--model=eea --dataset=mosei_emo --data-folder=data/cmu-mosei --seed -1", 2, "0 or more"),
    ],
)
def test_mistakes_are_one_sentence(place, words, code, message):
    done = main_py(place, f"{SMALL} {words}")
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_set_checkpoint_and_a_space_in_a_path(place):
    model = "--model=rnn --fusion=lf --dataset=iemocap --data-folder=data/iemocap --loss=bce"
    trained = main_py(place, f"{SMALL} {model} -ep=1")
    path = place / re.findall(r"Written: (.+models.+)", trained.stdout)[0]
    moved = path.with_name("my model.pt")
    moved.write_bytes(path.read_bytes())
    scored = main_py(place, f"{SMALL} {model} --test --ckpt='{moved}'")
    assert scored.returncode == 0, scored.stderr
    same = the_same(scored)
    assert same.artefact.name == "my model"
    assert (same.vectors, same.emotions) == (None, "neutral,happy,sad,angry")


def test_without_torch_it_says_what_to_install(tmp_path):
    code = "import runpy, sys; sys.modules['torch'] = None; runpy.run_path(sys.argv.pop(1), run_name='__main__')"  # noqa: E501
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "main.py"), "-bs=1"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert done.stderr.splitlines() == [
        "main.py: this needs the package torch; `pip install '.[train]'` in the clone of moodal "
        "brings it."
    ]
