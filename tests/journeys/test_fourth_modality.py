"""A fourth modality is one folder (tests/pulse) and one line in each table of `moodal.modalities`.

It is prepared, trained, fused, predicted, drawn, written in every format and evaluated, like the
modalities that come with moodal. The words of the corpus say nothing; the pulse tells all.
"""

from __future__ import annotations

import csv
import json
import sys
import xml.etree.ElementTree as ET
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import soundfile

import moodal
from moodal.cli.main import main
from moodal.core import manifest as manifests
from moodal.modalities import ENCODERS, MODALITIES
from moodal.model import artefact

RATES = {"anger": 130, "neutral": 75, "sadness": 52}
"""Emotion -> beats a minute."""
TEXT = "We met {} people there at noon."
"""Three recordings in a row, one of each emotion, share their words."""


def run(*words):
    """Run a command of moodal."""
    main([*map(str, words)])


def write_beats(path, *stretches, seed=0):
    """Write beats: (emotion, seconds) stretches, one after the other."""
    rng = np.random.default_rng(seed)
    at, end, beats = 0.0, 0.0, []
    for emotion, seconds in stretches:
        end += seconds
        while at < end:
            beats.append(at)
            at += 60 / (RATES[emotion] * rng.normal(1, 0.03))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("seconds\n" + "\n".join(f"{beat:.3f}" for beat in beats) + "\n")
    return path


@pytest.fixture(scope="module", autouse=True)
def pulse():
    """The folder is found, and one line stands in each table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1]))
        from pulse.beats import Beats
        from pulse.observe import Pulse

        patch.setitem(MODALITIES, "pulse", Pulse)
        patch.setitem(ENCODERS, "beats", Beats)
        yield Pulse
    for name in [name for name in sys.modules if name.split(".")[0] == "pulse"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corpus of texts and pulses, a recording, its cues and its pulse."""
    root = tmp_path_factory.mktemp("pulse")
    rows = []
    for i in range(90):
        emotion = list(RATES)[i % 3]
        write_beats(root / f"corpus/beats/{i}.csv", (emotion, 6), seed=i)
        split = ("train", "train", "train", "valid", "test")[i // 3 % 5]
        text = TEXT.format(i // 3)
        rows.append([f"u{i}", text, f"beats/{i}.csv", emotion, split, f"p{i % 10}"])
    with open(root / "corpus/table.csv", "w", newline="") as file:
        head = ["id", "text", "media:pulse", "label", "split", "speaker"]
        csv.writer(file).writerows([head, *rows])
    hum = 0.1 * np.sin(np.arange(16 * 16000) / 20).astype(np.float32)
    soundfile.write(root / "call.wav", hum, 16000)
    write_beats(root / "call.csv", ("anger", 8), ("sadness", 8), seed=99)
    (root / "call.srt").write_text(
        f"1\n00:00:00,500 --> 00:00:07,500\n{TEXT.format(7)}\n\n"
        f"2\n00:00:08,500 --> 00:00:15,500\n{TEXT.format(7)}\n"
    )
    return root


@pytest.fixture(scope="module")
def prepared(folder):
    run("prepare", "table", folder / "corpus", folder / "prepared", "--encoder", "pulse=beats")
    return folder / "prepared"


RECIPE = """
title = "test"
[data]
prepared = "{prepared}"
standardise = true
[space]
vectors = "{vectors}"
[system]
{system}
[train]
epochs = 25
batch_size = 16
lr = 1e-2
loss = "ce"
select = "balanced_accuracy"
accelerator = "cpu"
[report]
draws = 20
figures = false
"""


def train(folder, prepared, name, system, vectors="glove-50"):
    """Train a recipe and return the run's folder."""
    recipe = folder / f"{name}.toml"
    recipe.write_text(RECIPE.format(prepared=prepared, system=system, vectors=vectors))
    run("train", recipe, "--out", folder / name)
    return folder / name


@pytest.fixture(scope="module")
def eea(folder, prepared):
    """EEA of the words and the pulse."""
    system = 'name = "eea"\nstreams = ["text", "pulse"]\nhidden = { text = 50, pulse = 12 }\n'
    return train(folder, prepared, "eea", system + "layers = 1\nbidirectional = false")


@pytest.fixture(scope="module")
def fused(folder):
    """A fused artefact of the words and the pulse."""
    parts = {
        "text": ("pieces", 'backbone = { path = "minilm", layers = 1, freeze = -1 }'),
        "pulse": ("beats", "width = 12"),
    }
    head = "name = 'two'\nabout = 'A test.'\nlicence = 'none'\n"
    lines = [head + f"basics = {json.dumps(list(RATES))}\n"]
    for stream, (encoder, system) in parts.items():
        own = f'name = "branch"\nstreams = ["{stream}"]\n{system}'
        text = RECIPE.format(prepared="unused", system=own, vectors="e5")
        if stream == "text":
            text = text.replace("standardise = true", "trim_padding = false")
        (folder / f"{stream}.toml").write_text(text)
        lines.append(
            f"[parts.{stream}]\nrecipe = '{stream}.toml'\ncorpus = 'table'\nroot = 'corpus'\n"
            f"encoder = '{encoder}'\nlicence = 'none'\n"
        )
    (folder / "fused.toml").write_text("".join(lines))
    places = {"--data": folder, "--work": folder / "work", "--out": folder / "fused"}
    run("compose", folder / "fused.toml", *chain(*places.items()))
    return folder / "fused"


def predict(folder, artefact_folder, *words):
    """Predict the recording with its cues and its pulse, on the command line."""
    run(
        *("predict", folder / "call.wav", "--subtitles", folder / "call.srt"),
        *("--artefact", artefact_folder, "--media", f"pulse={folder / 'call.csv'}"),
        *words,
    )


def test_it_is_prepared_where_it_is_asked_for(folder, prepared, capsys):
    manifest = manifests.read(prepared)
    assert manifest.features["pulse"].width == 2
    assert manifest.encoders["pulse"]["name"] == "beats"
    slow, fast = manifest.features["pulse"][2], manifest.features["pulse"][0]
    assert slow[:, 0].mean() == pytest.approx(0.52, abs=0.05)
    assert fast[:, 0].mean() == pytest.approx(1.30, abs=0.1)
    run("prepare", "table", folder / "corpus", folder / "without", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert "pulse" not in manifests.read(folder / "without").features
    [left_out] = [f["detail"] for f in answer["findings"] if f["what"] == "pulse"]
    assert "--encoder pulse=NAME" in left_out


def test_it_is_trained_in_an_open_set_system(folder, eea):
    report = json.loads((eea / "report.json").read_text())
    accuracy = report["metrics"]["balanced_accuracy"]["all"]["value"]
    assert accuracy > 0.9
    info = artefact.read(eea / "artefact").info
    assert list(info.widths) == ["text", "pulse"]
    assert info.modalities["pulse"].label == "heartbeat"
    first, second = moodal.load(eea / "artefact").predict(
        folder / "call.wav", subtitles=folder / "call.srt", media={"pulse": folder / "call.csv"}
    )
    assert (first.top, second.top) == ("anger", "sadness")
    assert first.shares["pulse"]["anger"] - second.shares["pulse"]["anger"] > 1
    assert first.shares["text"] == pytest.approx(second.shares["text"])


def test_it_is_trained_alone_as_a_branch(folder, prepared):
    system = 'name = "branch"\nstreams = ["pulse"]\nwidth = 12\njoint = 16'
    trained = train(folder, prepared, "branch", system)
    report = json.loads((trained / "report.json").read_text())
    assert report["metrics"]["balanced_accuracy"]["all"]["value"] > 0.9
    beats = folder / "call.csv"
    [utterance] = moodal.load(trained / "artefact").predict(
        folder / "call.wav", media={"pulse": beats}, whole=True
    )
    assert utterance.streams == ("pulse",)
    assert utterance.quality["pulse"]["rate_per_minute"] > RATES["sadness"]


def test_it_is_fused(fused):
    found = artefact.read(fused)
    assert set(found.fused.fusion) == {"text", "pulse", "text+pulse"}
    weights = found.fused.fusion["text+pulse"].weights
    assert weights["pulse"] > 0.3
    measured = {name: w.measured.accuracy for name, w in found.fused.fusion.items()}
    assert measured["pulse"] > 0.9
    assert measured["text"] < 0.6
    assert found.fused.branches["pulse"].graph_agrees.largest < 1e-3


def test_it_decides_where_the_words_say_nothing(folder, fused):
    model = moodal.load(fused, threads=1)
    assert model.modalities == ("text", "pulse")
    options = {"subtitles": folder / "call.srt"}
    timeline = model.predict(folder / "call.wav", media={"pulse": folder / "call.csv"}, **options)
    fast, slow = timeline
    assert (fast.decided, slow.decided) == (("anger",), ("sadness",))
    assert fast.shares["pulse"]["anger"] > 1 > slow.shares["pulse"]["anger"]
    beats = [m for m in slow.moments if m.stream == "pulse"]
    assert len(beats) == pytest.approx(7 * RATES["sadness"] / 60, abs=2)
    parts = sum(m.shares["anger"] for m in beats) + slow.rest["pulse"]["anger"]
    assert parts == pytest.approx(slow.shares["pulse"]["anger"], abs=1e-5)
    assert timeline.modalities[1].label == "heartbeat"
    without = model.predict(folder / "call.wav", **options)
    assert without.absent == {"pulse": "no table of beats"}
    assert without[0].probabilities["anger"] < fast.probabilities["anger"] - 0.2
    assert without[0].probabilities == pytest.approx(without[1].probabilities)


def test_it_is_shown_and_drawn(folder, fused, capsys):
    predict(folder, fused, "--plot", folder / "plot.svg")
    printed = capsys.readouterr().out
    assert "heartbeat +" in printed
    drawn = (folder / "plot.svg").read_text()
    assert ">heartbeat<" in drawn
    assert MODALITIES["pulse"].info.colour.lower() in drawn.lower()


@pytest.mark.parametrize("form", ["json", "csv", "srt", "textgrid", "eaf"])
def test_it_is_written(form, folder, fused):
    out = folder / f"answer.{form}"
    predict(folder, fused, "--format", form, "--out", out)
    text = out.read_text(encoding="utf-8")
    assert text.index("anger") < text.rindex("sadness")
    if form == "json":
        [recording] = json.loads(text)["recordings"]
        [info] = recording["modalities"]
        assert (info["name"], info["label"], info["colour"]) == ("pulse", "heartbeat", "#AA3377")
        assert recording["utterances"][0]["shares"]["pulse"]["anger"] > 1
    elif form == "csv":
        fast, slow = csv.DictReader(text.splitlines())
        assert (fast["decided"], slow["decided"]) == ("anger", "sadness")
        assert float(fast["share_pulse_anger"]) > 1 > float(slow["share_pulse_anger"])
    elif form == "srt":
        assert text.count("[anger ") == text.count("[sadness ") == 1
    elif form == "textgrid":
        assert 'text = "anger"' in text
    else:
        tiers = {tier.get("TIER_ID"): tier for tier in ET.fromstring(text).iter("TIER")}
        values = [v.text for v in tiers["emotion"].iter("ANNOTATION_VALUE")]
        assert values == ["anger", "sadness"]


def test_it_is_evaluated_from_its_tables_as_it_is_predicted(folder, fused):
    out = folder / "evaluated"
    run("evaluate", fused, folder / "corpus/table.csv", "--out", out)
    report = json.loads((out / "report.json").read_text())
    assert report["extras"]["sets"] == {"text+pulse": 18}
    assert report["metrics"]["balanced_accuracy"]["all"]["value"] > 0.9
    with open(out / "predictions.csv", newline="") as file:
        row = next(csv.DictReader(file))
    table = {r["id"]: r for r in csv.DictReader((folder / "corpus/table.csv").open())}
    own = table[row["id"]]
    [utterance] = moodal.load(fused, threads=1).predict(
        text=own["text"], media={"pulse": folder / "corpus" / own["media:pulse"]}
    )
    for emotion, probability in utterance.probabilities.items():
        assert probability == pytest.approx(float(row[f"probability:{emotion}"]), abs=1e-5), emotion


def test_an_artefact_of_a_modality_that_is_not_there_is_refused(eea, fused, monkeypatch, fails):
    monkeypatch.delitem(MODALITIES, "pulse")
    code, sentence = fails("predict", "--text", "So.", "--artefact", fused)
    assert code == 3
    assert "it reads pulse, and the modalities of this moodal are text, speech, face" in sentence
    code, sentence = fails("predict", "--text", "So.", "--artefact", eea / "artefact")
    assert code == 3
    assert "it reads pulse" in sentence
