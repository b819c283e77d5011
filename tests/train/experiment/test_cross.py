"""cross trains on each corpus and tests on each: the cells are the figures of the predictions."""

from __future__ import annotations

import csv
import dataclasses
import json

import numpy as np
import pytest

import moodal
from moodal.core.emotions import EmotionSpace, Value, Values
from moodal.core.errors import DataError, MoodalError, OutputError, SpaceError, UsageError
from moodal.core.manifest import Manifest, Ratings
from moodal.core.recipe import Recipe
from moodal.core.records import Frames, Utterance
from moodal.core.votes import HardRule
from moodal.evaluation.compare import read
from moodal.evaluation.metrics import balanced_accuracy, top
from moodal.train.experiment import cross as crossing
from moodal.train.experiment.cross import CrossOptions, cross
from moodal.train.experiment.crossed_corpora import read_corpora

NAMES = {
    "alpha": ("anger", "joy", "calm"),
    "beta": ("joy", "angry", "calm", "surprise"),
    "gamma": ("calm", "anger", "joy"),
}
COMMON = {"angry": "anger"}


def emotions(name, *, fingerprint="f", rows=48, official=False):
    """A corpus of four speakers whose speech tells the emotion."""
    rng = np.random.default_rng(len(name) + ord(name[0]))
    space = EmotionSpace(NAMES[name], "single")
    labels = np.eye(len(space), dtype=np.float32)[np.arange(rows) % len(space)]
    signs = {"anger": 0, "angry": 0, "joy": 1, "calm": 2, "surprise": 3}
    means = np.eye(4)[[signs[space.labels[i]] for i in labels.argmax(1)]]
    frames = Frames.from_list([m + rng.normal(0, 0.8, (4, 4)) for m in means])
    splits = ["train", "train", "valid", "test"]
    utterances = tuple(
        Utterance(f"u{i}", speaker=f"s{i // 4 % 4}", split=splits[i // 4 % 4] if official else None)
        for i in range(rows)
    )
    encoders = {"speech": {"name": "made-up", "fingerprint": fingerprint, "width": 4}}
    return Manifest(name, space, utterances, labels, {"speech": frames}, encoders)


def values(name, low, high):
    """A corpus whose speech tells its valence."""
    rng = np.random.default_rng(ord(name[0]))
    labels = rng.uniform(low, high, (48, 1)).astype(np.float32)
    share = (labels - low) / (high - low) - 0.5
    frames = Frames.from_list([s + rng.normal(0, 0.2, (3, 4)) for s in share])
    utterances = tuple(Utterance(f"u{i}", speaker=f"s{i % 4}") for i in range(48))
    space = Values([Value("valence", low, high)])
    encoders = {"speech": {"name": "made-up", "fingerprint": "f", "width": 4}}
    return Manifest(name, space, utterances, labels, {"speech": frames}, encoders)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The three corpora, prepared."""
    place = tmp_path_factory.mktemp("prepared")
    return {name: emotions(name).write(place / name) for name in NAMES}


def recipe(**sections):
    content = {
        "title": "a GRU",
        "data": {"prepared": "x"},
        "split": {"by": "speaker", "folds": 2},
        "system": {
            "name": "rnn",
            "streams": ["speech"],
            "hidden": {"speech": 4},
            "layers": 1,
            "bidirectional": False,
        },
        "train": {"epochs": 3, "lr": 0.05, "loss": "ce", "select": "loss", "accelerator": "cpu"},
        "report": {"draws": 30, "figures": False},
    }
    for name, section in sections.items():
        content[name] = {**content.get(name, {}), **section}
    return Recipe(**content)


def crossed(folders, out, names=("alpha", "beta"), maps=COMMON, *, using=None, **options):
    chosen = [folders[name] for name in names]
    settings = CrossOptions(maps=maps, **options)
    return cross(using or recipe(), chosen, out, load=moodal.load, options=settings)


@pytest.fixture(scope="module")
def result(folders, tmp_path_factory):
    """The matrix of two corpora, and its folder."""
    out = tmp_path_factory.mktemp("crossed") / "run"
    return crossed(folders, out), out


def cell_of(report, trained, tested):
    [cell] = [c for c in report["cells"] if (c["trained"], c["tested"]) == (trained, tested)]
    return cell


def test_a_cell_is_the_mean_over_the_models_of_the_figure_of_their_predictions(result):
    report, out = result
    assert (report["rows"], report["columns"]) == (["alpha", "beta"], ["alpha", "beta"])
    assert report["labels"] == ["anger", "joy", "calm"]
    cell = cell_of(report, "alpha", "beta")
    assert (cell["own"], cell["models"], cell["rows"]) == (False, 2, 36)  # without surprise
    figures = []
    for fold in ("fold-0", "fold-1"):
        one = read(out / "tested/alpha" / fold / "beta", "x").tested.scored
        assert set(one.labels) == {"anger", "joy", "calm"}
        figures.append(float(balanced_accuracy(one.targets, top(one.logits))))
    entry = cell["metrics"]["balanced_accuracy"]
    assert entry["value"] == pytest.approx(np.mean(figures))
    assert entry["models"]["values"] == pytest.approx(figures)
    assert entry["low"] < entry["value"] < entry["high"]
    assert cell["chance"]["balanced_accuracy"] == pytest.approx(1 / 3)
    assert entry["value"] > 0.6  # the same emotions sound the same there
    assert "names as declared: angry for anger" in cell["stamps"]


def test_the_diagonal_is_a_trainings_own_test(result):
    report, out = result
    cell = cell_of(report, "beta", "beta")
    assert (cell["own"], cell["rows"], cell["models"]) == (True, 36, 1)
    own = json.loads((out / "trained/beta/report.json").read_text())
    expected = own["metrics"]["balanced_accuracy"]["all"]
    assert cell["metrics"]["balanced_accuracy"]["value"] == pytest.approx(expected["value"])
    stored = json.loads((out / "trained/beta/recipe.json").read_text())
    assert stored["data"]["merges"] == {"angry": "anger"}
    assert stored["data"]["labels"] == ["anger", "joy", "calm"]


def test_the_matrix_is_written_as_table_csv_and_heat_map(result):
    report, out = result
    text = (out / "cross.md").read_text()
    assert "| trained on | on alpha | on beta |" in text
    assert "Of beta, as declared: angry as anger." in text
    with (out / "cross.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    [line] = [
        x
        for x in lines
        if (x["trained"], x["tested"], x["metric"]) == ("alpha", "beta", "balanced_accuracy")
    ]
    entry = cell_of(report, "alpha", "beta")["metrics"]["balanced_accuracy"]
    assert float(line["value"]) == entry["value"]
    assert float(line["high"]) == entry["high"]
    assert (line["own"], line["rows"], line["models"]) == ("no", "36", "2")
    assert (out / "cross.png").read_bytes().startswith(b"\x89PNG")


def test_a_second_call_trains_and_tests_nothing_again(result, folders):
    report, out = result
    # the report over all folds is written again from theirs
    files = [*out.rglob("fold-*/**/report.json"), *out.rglob("*.safetensors")]
    times = [path.stat().st_mtime_ns for path in files]
    lost = out / "tested/beta/fold-1/alpha/report.json"
    lost.unlink()  # as if the power had failed before it
    assert crossed(folders, out) == report
    again = [path.stat().st_mtime_ns for path in files]
    assert [p for p, a, b in zip(files, times, again, strict=True) if a != b] == [lost]


def test_another_test_in_the_same_folder_is_refused(result, folders, tmp_path):
    _, out = result
    with pytest.raises(UsageError, match="other corpora or other maps"):
        crossed(folders, out, maps={**COMMON, "joy": "happiness"})
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="holds no cross-corpus test"):
        crossed(folders, tmp_path)


def test_leave_one_out_trains_on_the_others(folders, tmp_path):
    report = crossed(folders, tmp_path / "run", tuple(NAMES), leave_one_out=True)
    assert report["rows"] == ["beta+gamma", "alpha+gamma", "alpha+beta"]
    assert report["columns"] == list(NAMES)
    own = {(c["trained"], c["tested"]): c["own"] for c in report["cells"]}
    assert own["beta+gamma", "alpha"] is False
    assert own["beta+gamma", "beta"]
    assert own["beta+gamma", "gamma"]
    assert cell_of(report, "alpha+beta", "alpha")["rows"] == 48
    assert cell_of(report, "alpha+beta", "beta")["rows"] == 36
    assert cell_of(report, "alpha+beta", "gamma")["models"] == 2


def test_values_are_measured_on_the_range_of_the_training(tmp_path):
    folders = {
        "up": values("up", -1, 1).write(tmp_path / "up"),
        "down": values("down", 0, 4).write(tmp_path / "down"),
    }
    using = recipe(train={"loss": "mse", "epochs": 12})
    report = crossed(folders, tmp_path / "run", ("up", "down"), {}, using=using)
    assert report["metric"] == "ccc"
    assert cell_of(report, "up", "down")["metrics"]["ccc"]["value"] > 0.5
    assert "valence (0 to 4) taken as -1 to 1" in cell_of(report, "up", "down")["stamps"]


def test_values_next_to_emotions_are_crossed_where_the_recipe_learns_them(tmp_path):
    folders = {}
    for name in ("up", "down"):
        valence = values(name, -1, 1)
        space = EmotionSpace(["low", "high"], "single")
        words = np.eye(2, dtype=np.float32)[(valence.labels[:, 0] > 0).astype(int)]
        ratings = Ratings(valence.space, valence.labels)
        both = dataclasses.replace(valence, space=space, labels=words, ratings=ratings)
        folders[name] = both.write(tmp_path / name)
    using = recipe(data={"targets": "values"}, train={"loss": "mse", "epochs": 1})
    report = crossed(folders, tmp_path / "run", ("up", "down"), {}, using=using)
    assert (report["labels"], report["metric"]) == (["valence"], "ccc")
    assert cell_of(report, "up", "down")["rows"] == 48
    using = recipe(train={"epochs": 1}, report={"draws": 0})
    report = crossed(folders, tmp_path / "words", ("up", "down"), {}, using=using)
    assert report["labels"] == ["low", "high"]


def test_lists_and_official_splits_choose_the_rows_of_another_corpus(tmp_path):
    folders = {
        name: emotions(name, official=True).write(tmp_path / name) for name in ("alpha", "gamma")
    }
    using = recipe(split={"by": "official", "folds": 0}, train={"epochs": 1})
    report = crossed(folders, tmp_path / "run", ("alpha", "gamma"), {}, using=using)
    assert cell_of(report, "alpha", "gamma")["rows"] == 12
    assert cell_of(report, "gamma", "gamma")["rows"] == 12
    lists = tmp_path / "lists.json"
    lists.write_text(json.dumps({"gamma": ["u0", "u1", "u2", "u4"]}))
    report = crossed(folders, tmp_path / "listed", ("alpha", "gamma"), {}, using=using, lists=lists)
    assert cell_of(report, "alpha", "gamma")["rows"] == 4
    assert cell_of(report, "gamma", "alpha")["rows"] == 12
    assert set(report["lists"]) == {"gamma"}


def test_seeds_and_folds_are_all_models(folders, tmp_path):
    using = recipe(train={"seed": [0, 1], "epochs": 1}, report={"draws": 0})
    report = crossed(folders, tmp_path / "run", using=using, metric="accuracy")
    cell = cell_of(report, "alpha", "beta")
    assert (report["metric"], cell["models"]) == ("accuracy", 4)
    assert cell_of(report, "alpha", "alpha")["models"] == 2
    assert cell["metrics"]["accuracy"]["low"] is None


def test_all_cells_have_one_rule_for_the_truth_of_votes(tmp_path):
    folders = {}
    for name in ("alpha", "gamma"):
        whole = emotions(name)
        shares = (0.15 + 0.3 * whole.labels) / 0.75
        shares[::4] = [0.4, 0.4, 0.2]
        corpus = dataclasses.replace(whole, labels=(shares / shares.sum(1, keepdims=True)))
        folders[name] = corpus.write(tmp_path / name)
    votes = {"truth": "plurality", "ties": "first"}
    using = recipe(votes=votes, train={"epochs": 1}, report={"draws": 0})
    report = crossed(folders, tmp_path / "run", ("alpha", "gamma"), {}, using=using)
    for trained, tested in (("alpha", "alpha"), ("alpha", "gamma")):
        assert cell_of(report, trained, tested)["rows"] == 48
    for place in ("trained/alpha", "tested/alpha/fold-0/gamma"):
        of_votes = json.loads((tmp_path / "run" / place / "report.json").read_text())["votes"]
        assert of_votes["truth"] == str(HardRule("plurality", "first")), place
        assert of_votes["without_truth"] == 0


def test_two_readings_of_the_same_clips_are_not_crossed(tmp_path):
    for name in ("crema-d", "crema-d-votes"):
        dataclasses.replace(emotions("alpha"), corpus=name).write(tmp_path / name)
    with pytest.raises(DataError, match="crema-d and crema-d-votes have the same utterances"):
        read_corpora(recipe(), [tmp_path / "crema-d", tmp_path / "crema-d-votes"], {})


@pytest.mark.parametrize(
    ("names", "maps", "more", "kind", "message"),
    [
        (("alpha",), COMMON, {}, UsageError, "two or more"),
        (("alpha", "alpha"), {}, {}, DataError, "Two of the folders hold alpha"),
        (("alpha", "beta"), {"sad": "calm"}, {}, UsageError, "no corpus has the label sad"),
        (("alpha", "beta"), {"beta:sad": "calm"}, {}, UsageError, "beta has no label sad"),
        (("alpha", "beta"), {"delta:joy": "calm"}, {}, UsageError, "no corpus is called delta"),
        (("alpha", "beta"), {"joy": "x", "beta:joy": "y", "calm": "z", "beta:calm": "w"}, {},
         SpaceError, "0 labels in common and need 2"),
        (("alpha", "beta"), COMMON, {"metric": "ccc"}, UsageError, "--metric ccc: these corpora"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence_and_nothing_is_trained(
    folders, tmp_path, names, maps, more, kind, message
):
    with pytest.raises(kind, match=message) as caught:
        crossed(folders, tmp_path / "run", names, maps, **more)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"protocol": {"name": "zero_shot", "unseen": ["joy"]}}, "protocol.name"),
        ({"train": {"select_on": "test"}}, "train.select_on"),
        ({"train": {"devices": 2}}, "train.devices=1"),
        ({"data": {"labels": ["anger", "joy", "surprise"]}}, "alpha has no surprise"),
        ({"split": {"by": "session"}}, "session"),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused_before_training(
    folders, tmp_path, sections, message
):
    with pytest.raises(MoodalError, match=message):
        crossed(folders, tmp_path / "run", using=recipe(**sections))
    assert not (tmp_path / "run").exists()


def test_corpora_that_were_prepared_otherwise_are_refused(folders, tmp_path):
    other = emotions("gamma", fingerprint="other").write(tmp_path / "gamma")
    with pytest.raises(DataError, match="different speech encoders"):
        crossed({**folders, "gamma": other}, tmp_path / "run", ("alpha", "gamma"), {})
    numbers = values("up", -1, 1).write(tmp_path / "up")
    with pytest.raises(DataError, match="task single, up of regression"):
        crossed({**folders, "up": numbers}, tmp_path / "run", ("alpha", "up"), {})
    with pytest.raises(UsageError, match="joy is calm in one corpus and joy in gamma"):
        crossed(
            folders,
            tmp_path / "run",
            tuple(NAMES),
            {"beta:angry": "anger", "beta:joy": "calm"},
            leave_one_out=True,
        )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "must be an object of lists"),
        ("{", "cannot be read"),
        ('{"delta": ["u0"]}', "lists rows of delta"),
        ('{"beta": ["nobody"]}', "'nobody', which is not in it"),
        ('{"beta": []}', "no row"),
    ],
)
def test_a_wrong_list_of_rows_is_one_sentence(folders, tmp_path, content, message):
    lists = tmp_path / "lists.json"
    lists.write_text(content)
    with pytest.raises(DataError, match=message):
        crossed(folders, tmp_path / "run", lists=lists)
    assert not (tmp_path / "run").exists()


def test_a_training_that_is_refused_names_its_corpus(folders, tmp_path, monkeypatch):
    def refuse(*asked, **more):
        raise DataError("fold 0: no train row has speech.")

    monkeypatch.setattr(crossing, "train_recipe", refuse)
    with pytest.raises(DataError, match=r"^Training on alpha: fold 0: no train row has speech\.$"):
        crossed(folders, tmp_path / "out")
