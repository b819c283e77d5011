"""A fused artefact from corpora to predictions, in the small; and made again from what was kept."""

import csv
import json

import numpy as np
import pytest

import moodal
from moodal.core.errors import UsageError
from moodal.corpora import fer2013
from moodal.lookalikes import LOOKALIKES
from moodal.model.evaluate import evaluate, rows_of
from moodal.train.fuse.build import compose

BASICS = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
TRAIN = 'epochs = 1\nbatch_size = 16\nlr = 1e-3\nselect = "loss"\npatience = 0\n'
BRANCH = """
title = "{stream}"
[data]
prepared = "unused"
trim_padding = false
{data}
[space]
vectors = "minilm"
{space}
[split]
{split}
[system]
name = "branch"
streams = ["{stream}"]
{system}
[train]
{train}
"""


def faces(folder, n=90):
    """Faces whose brightness by quarter tells the emotion."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    with (
        open(folder / "fer2013.csv", "w", newline="") as own,
        open(folder / "fer2013new.csv", "w", newline="") as plus,
    ):
        csv.writer(own).writerow(["emotion", "pixels", "Usage"])
        csv.writer(plus).writerow(["Usage", "Image name", *fer2013.VOTES, "unknown", "NF"])
        for i in range(n):
            k = i % 7
            picture = rng.integers(40, 90, (48, 48))
            picture[(k // 3) * 16 : (k // 3) * 16 + 16, (k % 3) * 16 : (k % 3) * 16 + 16] += 120
            usage = ["Training", "Training", "PublicTest", "PrivateTest"][i // 7 % 4]
            votes = np.zeros(10, int)
            votes[fer2013.VOTES.index(fer2013.EMOTIONS[k])] = 10
            csv.writer(own).writerow([k, " ".join(map(str, picture.ravel())), usage])
            csv.writer(plus).writerow([usage, "x.png", *votes])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("compose")
    LOOKALIKES["goemotions"](root / "data/goemotions", 220, 1)
    LOOKALIKES["crema-d"](root / "data/crema_d", 60, 1)
    faces(root / "data/fer2013")
    own = "\n".join(f'"FER2013 {w}" = ["{w} face"]' for w in fer2013.EMOTIONS)
    recipes = {
        "text": {
            "data": 'merges = { joy = "happiness" }',
            "space": "",
            "split": "",
            "system": 'backbone = { path = "minilm", layers = 1, freeze = -1 }',
            "train": TRAIN + 'loss = "bce"\nweighted = false\n',
        },
        "speech": {
            "data": "",
            "space": "",
            "split": 'by = "speaker"\nfolds = 3\nonly = [0]\nvalid_share = 0.3',
            "system": 'backbone = { path = "whisper-tiny", layers = 1 }',
            "train": TRAIN + 'loss = "ce"\n',
        },
        "face": {
            "data": "",
            "space": f"[space.synonyms]\n{own}",
            "split": "",
            "system": "width = 8",
            "train": TRAIN + 'loss = "ce"\n',
        },
    }
    for stream, parts in recipes.items():
        (root / f"{stream}.toml").write_text(BRANCH.format(stream=stream, **parts))
    (root / "tiny.toml").write_text(
        f"name = 'tiny'\nabout = 'A test.'\nlicence = 'none'\nbasics = {json.dumps(BASICS)}\n"
        "[synonyms]\njoy = 'happiness'\n"
        + "".join(
            f"[parts.{stream}]\nrecipe = '{stream}.toml'\ncorpus = '{corpus}'\n"
            f"root = '{folder}'\nencoder = '{encoder}'\nprefix = '{prefix}'\nlicence = 'none'\n"
            f"bits = {bits}\n"
            for stream, corpus, folder, encoder, prefix, bits in (
                ("text", "goemotions", "goemotions", "pieces", "", 8),
                ("speech", "crema-d", "crema_d", "spoken", "", 8),
                ("face", "fer2013-both", "fer2013", "", "FER2013 ", 32),
            )
        )
    )
    told = []
    where = {"data": root / "data", "work": root / "work"}
    compose(root / "tiny.toml", root / "artefact", **where, tell=told.append)
    return root, where, told


def test_it_predicts(made):
    root, _, told = made
    assert told == [
        "text: goemotions",
        "speech: crema-d",
        "face: fer2013-both",
        "fusing",
        "exporting",
    ]
    model = moodal.load(root / "artefact", threads=1)
    assert set(model.modalities) == {"text", "speech", "face"}
    answer = model.predict(text="I am so happy today!", emotions=["joy", "gratitude", "bored"])
    [utterance] = answer
    assert utterance.sources["gratitude"] == {"text": "learned"}
    assert utterance.sources["bored"] == {"text": "guess"}
    rng = np.random.default_rng(0)
    heard = model.predict(rng.normal(size=16000).astype(np.float32) / 20, rate=16000, whole=True)
    assert heard[0].sources["surprise"] == {"speech": "absent"} or "guess" in str(heard[0].sources)
    assert sum(heard[0].probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_the_card_and_the_sets(made):
    root, _, _ = made
    about = json.loads((root / "artefact/artefact.json").read_text())
    assert len(about["body"]["fusion"]) == 7
    assert about["body"]["fusion"]["text+face"]["measured"]["made_up"]
    assert "FER2013 anger" in about["body"]["words"]
    card = (root / "artefact/README.md").read_text()
    for words in ("Not to be used for", "reliability.png", "goemotions", "made up", "sex: female"):
        assert words in card, words
    assert (root / "artefact/reliability.png").stat().st_size > 1000


def test_what_is_kept_is_not_done_again(made):
    root, where, _ = made
    first = json.loads((root / "artefact/artefact.json").read_text())
    before = (root / "work/text/resume.pt").stat().st_mtime_ns
    compose(root / "tiny.toml", root / "again", **where, tell=lambda _: None)
    assert (root / "work/text/resume.pt").stat().st_mtime_ns == before
    again = json.loads((root / "again/artefact.json").read_text())
    for name in ("text.onnx", "speech.onnx", "face.onnx"):  # to the last digit
        assert again["files"][name] == first["files"][name]
    # sums of several threads differ in their last digits
    for name, weights in first["body"]["fusion"].items():
        for part in ("weights", "neutral", "bias"):
            assert again["body"]["fusion"][name][part] == pytest.approx(weights[part], abs=1e-5)


def test_rows_that_were_trained_on_are_told(made, tmp_path):
    root, _, _ = made
    model = moodal.load(root / "artefact", threads=1)
    corpus = rows_of("crema-d", root / "data/crema_d")
    where = {"streams": ["speech"], "store": tmp_path / "store"}
    every = evaluate(model, corpus, tmp_path / "all", split="all", **where)
    assert any("rows were trained or calibrated on" in s for s in every["protocol"]["stamps"])
    held = evaluate(model, corpus, tmp_path / "held", split="held-out", **where)
    assert not any("rows were trained or calibrated on" in s for s in held["protocol"]["stamps"])
    assert 0 < held["rows"] < every["rows"]


def test_fer2013s_own_names(made, tmp_path):
    root, _, _ = made
    names = {w: f"FER2013 {w}" for w in fer2013.EMOTIONS}
    model = moodal.load(root / "artefact", threads=1)
    corpus = rows_of("fer2013", root / "data/fer2013")
    report = evaluate(model, corpus, tmp_path / "own", names=names)
    assert report["rows"] > 5
    assert set(report["labels"]) == set(names.values())


def test_recipes_are_checked(tmp_path):
    head = "name='a'\nabout='b'\nlicence='c'\nbasics=['joy','neutral']\n"
    part = "recipe='r'\ncorpus='c'\nroot='d'\nlicence='e'\n"
    recipe = tmp_path / "a.toml"
    where = {"data": tmp_path, "work": tmp_path / "work"}
    for parts, named in (
        ("[parts.text]\n" + part + "bist = 8\n", "bist"),
        ("[parts.smell]\n" + part, "smell"),
        ("", "parts"),
    ):
        recipe.write_text(head + parts)
        with pytest.raises(UsageError, match=named):
            compose(recipe, tmp_path / "out", **where)
    recipe.write_text(head.replace("'neutral'", "'anger'") + "[parts.text]\n" + part)
    with pytest.raises(UsageError, match="neutral"):
        compose(recipe, tmp_path / "out", **where)
    assert not (tmp_path / "work").exists()


def test_features_of_another_encoder_are_not_taken(made, tmp_path):
    root, where, _ = made
    text = (root / "tiny.toml").read_text().replace("'spoken'", "'spoken:longest=9000'")
    (root / "other.toml").write_text(text)
    with pytest.raises(UsageError, match="encoded by spoken, not by spoken:longest=9000"):
        compose(root / "other.toml", tmp_path / "other", **where)
    assert not (tmp_path / "other").exists()
