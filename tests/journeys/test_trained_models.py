"""What `moodal train` makes answers for recordings: predicted from the raw file as evaluated.

Each system is trained on a look-alike, through the real command line, and then asked for the same
clips in three ways: predicted from the file, evaluated from the raw table, and evaluated from the
prepared corpus. The probabilities are equal to 1e-5.
"""

from __future__ import annotations

import csv
import importlib.metadata
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import moodal
from moodal.cli.main import main
from moodal.core.errors import DataError, UsageError
from moodal.core.records import Clip
from moodal.evaluation.report import scores
from moodal.model import artefact

SIZES = {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2}
CONVS = {
    "conv_dim": [8] * 7,
    "intermediate_size": 16,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
WHISPER = {
    "d_model": 16,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 24,
    "num_mel_bins": 80,
    "max_source_positions": 800,
    "vocab_size": 60,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}

RECIPE = """
title = "test"
[data]
prepared = "{prepared}"
{data}
[space]
{space}
[split]
by = "speaker"
folds = 3
only = [0]
[system]
{system}
[train]
epochs = 2
batch_size = 16
loss = "ce"
select = "balanced_accuracy"
accelerator = "cpu"
[report]
draws = 20
figures = false
"""

FUSION = "width = 24\nheads = 2\n"
SYSTEMS = {
    "eea": (
        "frames",
        'name = "eea"\nstreams = ["text", "speech"]\nlayers = 1\n'
        "hidden = { text = 384, speech = 8 }\n",
    ),
    "mmer": ("wav2vec2", 'name = "mmer"\nlosses = ["ctc", "supervised"]\n' + FUSION),
    "mmer_2022": ("whisper", 'name = "mmer_2022"\n' + FUSION),
    "cai_sota": ("wav2vec2", 'name = "cai_sota"\n'),
    "unimodal_baseline": ("whisper", 'name = "unimodal_baseline"\n'),
}
"""Name -> what its corpus is encoded with, and its section of the recipe."""

OF_WORDS = ("eea", "mmer", "mmer_2022")
"""The systems that read words, too."""


def run(*words):
    """Run a command of moodal."""
    main([*map(str, words)])


@pytest.fixture(scope="module")
def backbones(tmp_path_factory):
    """Folders of a wav2vec2 and a Whisper of the smallest size, with random weights."""
    from transformers import AutoConfig, AutoModel

    folder = tmp_path_factory.mktemp("backbones")
    for kind, sizes in {"wav2vec2": SIZES | CONVS, "whisper": WHISPER}.items():
        torch.manual_seed(0)
        network = AutoModel.from_config(AutoConfig.for_model(kind, **sizes))
        network.save_pretrained(folder / kind)
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def talks(tmp_path_factory):
    """A look-alike of a table of recordings: talks/table.csv, and the rows of each recording."""
    folder = tmp_path_factory.mktemp("talks")
    run("synthesise", "table", folder, "--utterances", 48)
    return folder


@pytest.fixture(scope="module")
def clips(talks, tmp_path_factory):
    """The same with a file for each row: clips/table.csv."""
    folder = tmp_path_factory.mktemp("clips")
    with (talks / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        sound, rate = soundfile.read(talks / row["audio"])
        first, last = (round(float(row.pop(key)) * rate) for key in ("start", "end"))
        row["audio"] = f"{row['id']}.wav"
        soundfile.write(folder / row["audio"], sound[first:last], rate)
    with (folder / "table.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def prepared(clips, backbones, tmp_path_factory):
    """Name -> the clips, encoded by eGeMAPS or by the front-end of a backbone."""
    folder = tmp_path_factory.mktemp("prepared")
    encoders = {
        "frames": "egemaps",
        **{name: f"speech-backbone:path={path}" for name, path in backbones.items()},
    }
    for name, speech in encoders.items():
        words = ["--encoder", f"speech={speech}", "--encoder", "text=minilm"]
        run("prepare", "table", clips / "table.csv", folder / name, *words)
    return {name: folder / name for name in encoders}


@pytest.fixture(scope="module")
def trained(prepared, backbones, tmp_path_factory):
    """Return a function that trains a system once: trained(name) -> folder of its artefact."""
    folder, runs = tmp_path_factory.mktemp("runs"), {}

    def make(name):
        if name not in runs:
            encoded, system = SYSTEMS[name]
            sections = {"data": "trim_padding = false", "space": "", "prepared": prepared[encoded]}
            if encoded == "frames":
                sections |= {"data": "standardise = true", "space": 'vectors = "minilm"'}
            else:
                system += f'speech = {{ path = "{backbones[encoded]}" }}\n'
            (folder / f"{name}.toml").write_text(RECIPE.format(system=system, **sections))
            run("train", folder / f"{name}.toml", "--out", folder / name)
            runs[name] = folder / name / "artefact"
        return runs[name]

    return make


def rows_of(table):
    """Return the rows of a table."""
    with Path(table).open(newline="") as file:
        return list(csv.DictReader(file))


def by_id(folder):
    """Return the probabilities of an evaluation: id -> [C], and the labels."""
    tested = scores.load(folder)
    return dict(zip(tested.ids, tested.probabilities, strict=True)), tested.labels


def probabilities(prediction, labels):
    """Return the probabilities [C] of a prediction."""
    return np.array([prediction.probabilities[label] for label in labels])


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_clip_is_predicted_as_it_is_evaluated(name, trained, clips, prepared, tmp_path, answer):
    folder = trained(name)
    where = ("--split", "all", "--out")
    answer("evaluate", folder, clips / "table.csv", *where, tmp_path / "raw")
    answer("evaluate", folder, prepared[SYSTEMS[name][0]], *where, tmp_path / "given")
    raw, labels = by_id(tmp_path / "raw")
    given, _ = by_id(tmp_path / "given")
    assert len(raw) == len(given) == 48
    for row, values in raw.items():
        np.testing.assert_allclose(values, given[row], atol=1e-5, err_msg=row)
    assert np.std(list(raw.values()), axis=0).max() > 1e-3, "the system says something"
    of_training, _ = by_id(folder.parent)
    for row, values in of_training.items():
        np.testing.assert_allclose(values, raw[row], atol=1e-5, err_msg=row)

    model = moodal.load(folder, threads=1)
    for row in rows_of(clips / "table.csv")[:4]:
        path = clips / row["audio"]
        [utterance] = model.predict(path, text=row["text"], whole=True)
        assert utterance.streams == model.modalities
        np.testing.assert_allclose(probabilities(utterance, labels), raw[row["id"]], atol=1e-5)
        words = ("--artefact", folder, "--whole", "--text", row["text"])
        [recording] = answer("predict", path, *words)["recordings"]
        [written] = recording["utterances"]
        values = [written["probabilities"][label] for label in labels]
        np.testing.assert_allclose(values, raw[row["id"]], atol=5.1e-5)  # four digits
        assert written["decided"] == [utterance.top]


@pytest.mark.parametrize("name", ["eea", "mmer", "cai_sota"])
def test_cues_of_subtitles_are_rows_of_a_table(name, trained, talks, tmp_path, answer):
    rows = rows_of(talks / "table.csv")
    own = [row for row in rows if row["audio"] == rows[0]["audio"]]
    shutil.copy(talks / own[0]["audio"], tmp_path / "talk.wav")
    cues = [
        f"{i}\n{_time(row['start'])} --> {_time(row['end'])}\n{row['text']}\n"
        for i, row in enumerate(own, 1)
    ]
    (tmp_path / "talk.srt").write_text("\n".join(cues))
    answer(
        *("evaluate", trained(name), talks / "table.csv"),
        *("--split", "all", "--out", tmp_path / "raw"),
    )
    raw, labels = by_id(tmp_path / "raw")
    path = tmp_path / "talk.wav"
    timeline = moodal.load(trained(name)).predict(path, subtitles=tmp_path / "talk.srt")
    [recording] = answer("predict", path, "--artefact", trained(name))["recordings"]
    written = recording["utterances"]
    assert len(timeline) == len(written) == len(own) > 1
    for row, utterance, of_file in zip(own, timeline, written, strict=True):
        assert utterance.text == row["text"]
        np.testing.assert_allclose(probabilities(utterance, labels), raw[row["id"]], atol=1e-5)
        assert of_file["probabilities"] == pytest.approx(utterance.probabilities, abs=5.1e-5)


def _time(seconds):
    """Return a time of a subtitle."""
    ms = round(float(seconds) * 1000)
    return f"00:{ms // 60000:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"


def test_a_sum_has_shares_and_other_words(trained, clips):
    row = rows_of(clips / "table.csv")[0]
    model = moodal.load(trained("eea"))
    [utterance] = model.predict(clips / row["audio"], text=row["text"], whole=True)
    assert set(utterance.shares) == {"text", "speech"}
    assert utterance.logits[utterance.top] == max(utterance.logits.values())
    asked = ["sad", "proud"]
    [other] = model.predict(
        clips / row["audio"], text=row["text"], whole=True, emotions=asked, vectors="minilm"
    )
    assert list(other.probabilities) == asked
    assert other.sources["proud"] == {"text": "guess", "speech": "guess"}
    assert other.sources["sad"] == {"text": "learned", "speech": "learned"}


@pytest.mark.parametrize("name", SYSTEMS)
def test_it_is_inspected_and_cannot_be_adapted(name, trained, clips, tmp_path, answer, fails):
    shown = answer("inspect", trained(name))
    assert shown["verified"]
    clip = clips / rows_of(clips / "table.csv")[0]["audio"]
    words = ("--artefact", trained(name), "--out", tmp_path / "out")
    code, sentence = fails("adapt", "proud", clip, *words)
    assert code == 2
    assert "whose emotions are those of its training" in sentence
    with pytest.raises(UsageError, match="those of its training"):
        moodal.load(trained(name)).adapt("proud", [clip], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", SYSTEMS)
def test_words_that_lack_are_named(name, trained, clips, capsys):
    clip = clips / rows_of(clips / "table.csv")[0]["audio"]
    run("predict", clip, "--artefact", trained(name), "--whole", "--no-asr", "--json")
    [recording] = json.loads(capsys.readouterr().out)["recordings"]
    if name == "eea":
        assert recording["utterances"][0]["streams"] == ["speech"]
    elif name in OF_WORDS:
        assert recording["utterances"] == []
        assert recording["notes"] == [
            "1 utterance was left out: the model needs text and speech in each."
        ]
    else:
        assert recording["utterances"][0]["streams"] == ["speech"]
    if name in OF_WORDS:
        assert "no transcript" in recording["absent"]["text"]


def test_a_system_that_needs_both_refuses_one(trained, clips, fails):
    clip = clips / rows_of(clips / "table.csv")[0]["audio"]
    code, sentence = fails("predict", clip, "--artefact", trained("mmer"), "--streams", "speech")
    assert code == 2
    assert "mmer needs text and speech together; leave --streams out" in sentence


def test_features_that_came_in_files_cannot_be_computed(mosei, small_eea, tmp_path, fails, answer):
    recipe = Path(__file__).parents[2] / "recipes/mosei/eea.toml"
    answer("train", recipe, *small_eea, "--out", tmp_path / "run")
    soundfile.write(tmp_path / "call.wav", np.zeros(16000), 16000)
    folder = tmp_path / "run/artefact"
    code, sentence = fails("predict", tmp_path / "call.wav", "--artefact", folder)
    assert code == 3
    assert "features that came in files (such as those of COVAREP or FACET)" in sentence
    report = answer("evaluate", folder, mosei / "prepared", "--out", tmp_path / "report")
    assert report["rows"] > 0


def test_another_version_of_an_encoder_is_refused(
    trained, clips, prepared, tmp_path, fails, answer, monkeypatch
):
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda p: "99.0" if p == "opensmile" else version(p)
    )
    clip = clips / rows_of(clips / "table.csv")[0]["audio"]
    folder = trained("eea")
    code, sentence = fails("predict", clip, "--artefact", folder)
    assert code == 3
    assert "Encoder egemaps is not the one" in sentence
    assert "opensmile 99.0" in sentence
    code, sentence = fails(
        "evaluate", folder, clips / "table.csv", "--streams", "speech", "--out", tmp_path / "a"
    )
    assert code == 3
    assert "opensmile 99.0" in sentence
    # what was prepared by the encoder of the training, and words alone, need no such encoder
    report = answer("evaluate", folder, prepared["frames"], "--out", tmp_path / "b")
    assert report["rows"] > 0
    [recording] = answer(
        "predict", clip, "--artefact", folder, "--streams", "text", "--text", "So"
    )["recordings"]
    assert recording["utterances"][0]["streams"] == ["text"]


def test_other_weights_of_a_backbone_are_refused(trained, backbones, clips, tmp_path):
    clip = clips / rows_of(clips / "table.csv")[0]["audio"]
    folder = trained("cai_sota")
    weights = backbones["wav2vec2"] / "model.safetensors"
    content = bytearray(weights.read_bytes())
    try:
        changed = content.copy()
        changed[-1] ^= 1
        weights.write_bytes(changed)
        with pytest.raises(DataError, match="speech-backbone is not the one") as caught:
            moodal.load(folder).predict(clip, whole=True)
        assert "\n" not in str(caught.value)
        backbones["wav2vec2"].rename(tmp_path / "elsewhere")
        with pytest.raises(DataError, match="There is no backbone in "):
            moodal.load(folder).predict(clip, whole=True)
    finally:
        if not weights.exists():
            (tmp_path / "elsewhere").rename(backbones["wav2vec2"])
        weights.write_bytes(content)
    assert len(moodal.load(folder).predict(clip, whole=True)) == 1


def test_the_system_itself_needs_no_files_of_its_backbone(trained, prepared, backbones, tmp_path):
    """An artefact can be tested on prepared features where its backbone is not."""
    body = artefact.read(trained("cai_sota")).info.body
    assert body.config["speech"]["architecture"]["hidden_size"] == 12
    hidden = tmp_path / "hidden"
    backbones["wav2vec2"].rename(hidden)
    try:
        model = moodal.load(trained("cai_sota"))
        report = model.evaluate(prepared["wav2vec2"], tmp_path / "report", split="all")
    finally:
        hidden.rename(backbones["wav2vec2"])
    assert report["rows"] == 48


FUSED = """
name = "of runs"
about = "A test."
licence = "none"
basics = ["angry", "happy", "neutral", "sad"]
[parts.text]
recipe = "text.toml"
corpus = "table"
root = "{clips}"
encoder = "pieces"
licence = "none"
[parts.speech]
run = "{run}"
"""
BRANCH = """
title = "text"
[data]
prepared = "unused"
trim_padding = false
[space]
vectors = "e5"
[split]
by = "speaker"
folds = 3
only = [0]
[system]
name = "branch"
streams = ["text"]
backbone = { path = "minilm", layers = 1, freeze = -1 }
[train]
epochs = 2
batch_size = 16
loss = "ce"
select = "loss"
accelerator = "cpu"
"""


@pytest.fixture(scope="module")
def speech_run(prepared, tmp_path_factory):
    """A finished run of an EEA of speech alone, whose emotion vectors are of length 3."""
    folder = tmp_path_factory.mktemp("speech")
    system = 'name = "eea"\nstreams = ["speech"]\nhidden = { speech = 10 }\nlayers = 1\n'
    sections = {"data": "standardise = true", "space": 'vectors = "e5"\nlength = 3.0'}
    recipe = RECIPE.format(system=system, prepared=prepared["frames"], **sections)
    (folder / "eea.toml").write_text(recipe)
    run("train", folder / "eea.toml", "--out", folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def composed(speech_run, clips, tmp_path_factory):
    """A fused artefact of the run and a branch of words, and its recipe's folder."""
    folder = tmp_path_factory.mktemp("fused")
    (folder / "text.toml").write_text(BRANCH)
    (folder / "fused.toml").write_text(FUSED.format(clips=clips, run=speech_run))
    before = sorted(path.name for path in speech_run.iterdir())
    places = ("--data", clips, "--work", folder / "work", "--out", folder / "artefact")
    run("compose", folder / "fused.toml", *places)
    assert sorted(path.name for path in speech_run.iterdir()) == before, "the run is only read"
    return folder


def test_a_finished_run_is_a_branch_of_a_fused_artefact(speech_run, composed, clips, answer):
    fused = moodal.load(composed / "artefact", threads=1)
    info = fused.info.body.branches["speech"]
    assert info.graph_agrees.largest < 1e-4
    assert info.corpus == "table"
    assert fused.info.encoders["speech"].name == "egemaps"

    system = moodal.load(speech_run / "artefact")
    rows = rows_of(clips / "table.csv")
    row = max(rows, key=lambda row: soundfile.info(clips / row["audio"]).duration)
    clip = clips / row["audio"]
    [own] = system.predict(clip, whole=True)
    branch = fused.scorer.branches["speech"]
    frames = fused.encoders["speech"].encode(Clip(str(clip)))
    words = list(own.probabilities)
    vectors = np.stack([fused.scorer.known[word] for word in words])
    keys, constants = branch.keys(words, vectors)
    logits = branch.states(frames).mean(0) @ keys + constants + branch.log_shares(words)
    np.testing.assert_allclose(logits, [own.logits[word] for word in words], atol=1e-4)

    [heard] = fused.predict(clip, whole=True, streams="speech")
    assert heard.moments == (), "a state of the whole utterance is of no second"
    assert heard.rest["speech"] == pytest.approx(heard.shares["speech"])
    assert np.ptp([heard.shares["speech"][word] for word in words]) > 1e-3
    said = ("--artefact", composed / "artefact", "--whole", "--text", row["text"])
    [recording] = answer("predict", clip, *said)["recordings"]
    [written] = recording["utterances"]
    assert written["streams"] == ["text", "speech"]
    both = fused.predict(clip, whole=True, text=row["text"])[0].probabilities
    assert written["probabilities"] == pytest.approx(both, abs=5.1e-5)
    assert both != pytest.approx(heard.probabilities, abs=1e-3)


def test_a_part_that_cannot_be_a_branch_is_refused(trained, speech_run, clips, tmp_path, fails):
    def composing(recipe):
        (tmp_path / "fused.toml").write_text(recipe)
        places = ("--data", clips, "--work", tmp_path / "work", "--out", tmp_path / "artefact")
        code, sentence = fails("compose", tmp_path / "fused.toml", *places)
        assert not (tmp_path / "artefact").exists()
        return code, sentence

    alone = FUSED[: FUSED.index("[parts.text]")] + "[parts.speech]\nrun = '{run}'\n"
    for run_folder, words in (
        (trained("eea").parent, "of branches, or of EEAs, of one modality each"),
        (trained("cai_sota").parent, "of branches, or of EEAs, of one modality each"),
        (clips, "is no run of `moodal train`"),
    ):
        code, sentence = composing(alone.format(run=run_folder))
        assert code == 2
        assert words in sentence
    code, sentence = composing(alone.format(run=speech_run) + "corpus = 'table'\n")
    assert (code, "a run has its own recipe, corpus and encoder" in sentence) == (2, True)
    code, sentence = composing(
        alone.replace("[parts.speech]", "[parts.face]").format(run=speech_run)
    )
    assert (code, "The part face holds a branch of speech" in sentence) == (2, True)
    ours = tmp_path / "two"
    recipe = speech_run.parent / "eea.toml"
    run("train", recipe, 'data.labels=["angry", "sad"]', "--out", ours)
    other = alone.replace('"angry", "happy", "neutral", "sad"', '"happy", "neutral"')
    code, sentence = composing(other.format(run=ours))
    assert (code, "none of the basics happy, neutral" in sentence) == (2, True)
    values = json.loads((ours / "recipe.json").read_text())
    values["data"]["labels"] = []
    (ours / "recipe.json").write_text(json.dumps(values))
    code, sentence = composing(alone.format(run=ours))
    assert (code, "was trained on another corpus" in sentence) == (3, True)
    (ours / "report.json").unlink()
    code, sentence = composing(alone.format(run=ours))
    assert (code, "is not finished" in sentence) == (2, True)
