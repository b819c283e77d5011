"""The golden commands: name -> command line, run in this order in one folder.

``{root}`` is the repository; all other paths are relative to the folder. A command whose words
begin with ``main.py`` or ``main_mmer.py`` runs that program instead of `moodal`.
"""

from __future__ import annotations

STDIN = {"predict-stdin": b"We won, and I am so happy!", "predict-stdin-empty": b""}
"""Command -> what comes in by standard input."""

LOOKALIKES = {
    "mosei": 60,
    "iemocap": 40,
    "iemocap-noalign": 12,
    "iemocap9": 40,
    "mosi": 24,
    "mosi-noalign": 12,
    "mosei-sentiment": 12,
    "processed": 12,
    "iemocap-release": 40,
    "mmer": 20,
    "meld": 12,
    "goemotions": 60,
    "crema-d": 30,
    "ravdess": 12,
    "table": 12,
}
"""Corpus -> utterances of its look-alike."""

_FRAMES = "--encoder text=glove-50 --encoder speech=speech-backbone:path=networks/wav2vec2"
_ENCODERS = {
    "iemocap-release": f"{_FRAMES} --views 1",
    "mmer": f"{_FRAMES} --views 1 --views-seed 2",
    "meld": "--encoder text=minilm --encoder speech=egemaps:rate=2",
    "goemotions": "--encoder text=glove-50",
    "crema-d": "--encoder text=none --encoder speech=egemaps:rate=5",
    "ravdess": "--encoder text=pieces --encoder speech=egemaps:rate=2",
    "table": "--encoder speech=egemaps",
}
_FER = ("fer2013", "ferplus", "fer2013-both")
_SMALL = (
    "train.epochs=2 train.accelerator=cpu report.draws=10 report.figures=false "
    "train.batch_size=16 protocol.null_draws=5"
)
_EEA = (
    f"{_SMALL} space.vectors=vectors.txt system.layers=1 "
    "'system.hidden={text=8, speech=4, face=4}' train.select=loss"
)
_RECIPES = "{root}/recipes"
_TINY = "--artefact artefacts/tiny --no-asr --fps 2"
_ALONG = "--no-asr --fps 2"
_FOUR = "--map excited=happy --emotions happy,angry,neutral,sad"
_AUTHORS = "--cuda=0 -bs=16 -lr=2e-3 -ep=1 --aligned --data-seq-len=20 -es=9"

COMMANDS: dict[str, str] = {
    **{
        f"synthesise-{name}": f"synthesise {name} raw/{name} --utterances {count} --seed 3 --json"
        for name, count in LOOKALIKES.items()
    },
    "synthesise-unknown": "synthesise nothing raw/nothing",
    "prepare-list": "prepare --list --json",
    **{
        f"prepare-{name}": f"prepare {name} raw/{name} prepared/{name} --store store "
        f"{_ENCODERS.get(name, '')} --json"
        for name in LOOKALIKES
    },
    **{f"prepare-{name}": f"prepare {name} raw/fer2013 prepared/{name} --json" for name in _FER},
    "prepare-text": "prepare goemotions raw/goemotions prepared/again --store store",
    "prepare-wrong-corpus": "prepare moseii raw/mosei prepared/x",
    "prepare-wrong-encoder": "prepare mosei raw/mosei prepared/x --encoder text=glove-50",
    # prediction
    "predict-clip": f"predict clips/clip.mp4 {_ALONG} --json",
    "predict-terminal": f"predict clips/clip.mp4 {_TINY}",
    **{
        f"predict-{name}": f"predict clips/clip.mp4 {_TINY} --format {name}"
        for name in ("json", "csv", "srt", "textgrid", "eaf")
    },
    "predict-out": f"predict clips/clip.mp4 {_TINY} --format srt --out predicted/",
    "predict-subtitles": f"predict clips/clip.mp4 --subtitles clips/words.srt {_TINY} --json",
    "predict-said": f"predict clips/clip.mp4 --text 'I miss her.' {_TINY} --json",
    "predict-text": f"predict --text 'What a relief, thank you!' {_ALONG} --json",
    "predict-unseen": "predict clips/clip.mp4 --emotions 'relieved, joy,fear,bored to tears' "
    f"{_ALONG} --json",
    "predict-emotions": f"predict clips/said.txt --emotions relieved,joy,gratitude {_TINY} --json",
    "predict-speech": f"predict clips/clip.mp4 --streams speech {_ALONG} --json",
    "predict-face": f"predict clips/clip.mp4 --streams face {_TINY} --json",
    "predict-text-speech": f"predict clips/clip.mp4 --streams text,speech {_TINY} --json",
    "predict-faces-all": f"predict clips/clip.mp4 --faces all {_TINY} --json",
    "predict-plot": f"predict clips/clip.mp4 {_TINY} --plot plots/clip.png",
    "predict-plot-svg": f"predict clips/said.txt {_TINY} --plot plots/said.svg",
    "predict-picture": f"predict clips/face.png {_TINY} --json",
    "predict-silence": f"predict clips/silence.flac {_TINY} --json",
    "predict-cues": f"predict clips/words.srt {_TINY} --json",
    "predict-folder": f"predict folder {_TINY} --json",
    "predict-folder-csv": f"predict folder {_TINY} --format csv --out predicted/folder.csv",
    "predict-folder-summary": f"predict folder {_TINY} --format csv --summary",
    "predict-stdin": f"predict - {_TINY} --json",
    "predict-stdin-empty": f"predict - {_TINY} --json",
    "predict-nothing": "predict",
    "predict-no-file": f"predict none.wav {_TINY}",
    "predict-no-emotion": f"predict clips/said.txt --emotions fear,12 {_TINY}",
    "predict-whole": f"predict clips/clip.mp4 --whole {_ALONG} --json",
    "predict-whole-text": f"predict clips/said.txt --whole {_TINY} --json",
    # adapted and fused artefacts
    "adapt": "adapt relieved clips/relief.txt clips/tone.wav clips/face.png "
    "--artefact artefacts/tiny --out artefacts/adapted --json",
    "adapt-negatives": "adapt Bored clips/said.txt --negatives clips/relief.txt "
    "--out artefacts/bored --json",
    "adapt-known": "adapt anger clips/said.txt --artefact artefacts/tiny --out artefacts/x",
    "adapt-replace": "adapt joy clips/said.txt --replace --artefact artefacts/adapted "
    "--out artefacts/replaced --json",
    "predict-adapted": "predict clips/said.txt --emotions relieved,joy --no-asr "
    "--artefact artefacts/replaced --json",
    "predict-bored": "predict clips/said.txt --emotions bored --artefact artefacts/bored --json",
    "evaluate-table": "evaluate artefacts/tiny clips/table.csv --out evaluated/table "
    "--by style --json",
    "evaluate-prepared": "evaluate artefacts/adapted prepared/goemotions --split all "
    "--map joy=happiness --out evaluated/prepared --json",
    "evaluate-corpus": "evaluate default goemotions --root raw/goemotions --split test "
    "--emotions joy,anger,sadness --out evaluated/corpus --json",
    "evaluate-faces": "evaluate artefacts/tiny prepared/ferplus --out evaluated/faces --json",
    # training
    "train-eea": f"train {_RECIPES}/mosei/eea.toml data.prepared=prepared/mosei {_EEA} "
    "train.epochs=3 --out runs/eea --json",
    "train-again": f"train {_RECIPES}/mosei/eea.toml data.prepared=prepared/mosei {_EEA} "
    "train.epochs=3 --out runs/eea --json",
    "train-other": f"train {_RECIPES}/mosei/eea.toml data.prepared=prepared/mosei {_EEA} "
    "--out runs/eea",
    "train-zero-shot": f"train {_RECIPES}/mosei/zero-shot/anger.toml "
    f"data.prepared=prepared/mosei {_EEA} report.figures=true report.cosine= "
    "--out runs/zero-shot --json",
    "train-zero-shot-appended": f"train {_RECIPES}/iemocap/zero-shot/excited.toml "
    f"data.prepared=prepared/iemocap protocol.append_from=prepared/iemocap9 {_EEA} "
    "report.cosine= --out runs/appended --json",
    "train-few-shot-gem": f"train {_RECIPES}/mosei/few-shot/sad.toml "
    f"data.prepared=prepared/mosei {_EEA} protocol.method=gem protocol.shots=2 "
    "protocol.adapt_epochs=2 --out runs/gem --json",
    "train-rnn": f"train {_RECIPES}/mosei/rnn-lf.toml data.prepared=prepared/mosei {_SMALL} "
    "system.layers=1 'system.hidden={text=4, speech=4, face=4}' train.select=loss "
    "--out runs/rnn --json",
    "train-mult": f"train {_RECIPES}/mosei/mult.toml data.prepared=prepared/mosei {_SMALL} "
    "system.layers=1 system.width=4 system.heads=2 train.select=loss --out runs/mult --json",
    "train-transformer": f"train {_RECIPES}/mosei/transformer.toml "
    f"data.prepared=prepared/mosei {_SMALL} system.layers=1 system.width=8 system.heads=2 "
    "system.feedforward=8 train.select=loss --out runs/transformer",
    "train-regression": f"train {_RECIPES}/mosi/rnn-lf.toml data.prepared=prepared/mosi "
    f"{_SMALL} system.layers=1 'system.hidden={{text=4, speech=4, face=4}}' "
    "--out runs/regression --json",
    "train-folds": f"train {_RECIPES}/crema-d/eea.toml data.prepared=prepared/crema-d {_SMALL} "
    "split.folds=2 system.layers=1 system.hidden={speech=4} train.select=loss "
    "--out runs/folds --json",
    "train-mmer": f"train {_RECIPES}/iemocap-release/mmer.toml "
    f"data.prepared=prepared/iemocap-release {_SMALL} split.only=[0] system.width=8 "
    "system.heads=2 system.speech.path=networks/wav2vec2 train.select=loss "
    "train.lr=1e-2 train.batch_size=4 --out runs/mmer --json",
    "train-cai_sota": f"train {_RECIPES}/iemocap-release/selected-on-test/cai_sota.toml "
    f"data.prepared=prepared/iemocap-release {_SMALL} split.only=[0] "
    "system.speech.path=networks/wav2vec2 --out runs/cai_sota --json",
    "train-mistake": f"train {_RECIPES}/mosei/eea.toml train.lrr=1 --out runs/x",
    "train-closed-set": f"train {_RECIPES}/mosei/rnn-lf.toml data.prepared=prepared/mosei "
    "protocol.name=zero_shot 'protocol.unseen=[\"anger\"]' --out runs/x",
    "evaluate-eea": "evaluate runs/eea/artefact prepared/mosei --split valid "
    "--out evaluated/eea --json",
    "evaluate-unseen": "evaluate runs/zero-shot/artefact prepared/mosei --emotions anger,happy "
    "--out evaluated/unseen --json",
    "evaluate-vectors": "evaluate runs/eea/artefact prepared/mosei --map sad=calm "
    "--emotions calm,happy --vectors vectors.txt --out evaluated/vectors --json",
    "evaluate-mmer": "evaluate runs/mmer/artefact prepared/iemocap-release --split all "
    f"--where session=Ses01 --by style {_FOUR} --out evaluated/mmer --json",
    "evaluate-refused": "evaluate runs/rnn/artefact prepared/iemocap --out evaluated/x",
    "compare": "compare runs/eea runs/rnn runs/mult --draws 20 --out compared/three --json",
    "compare-terminal": "compare runs/eea runs/rnn --draws 0 --out compared/two",
    "import": "import checkpoints/lf.pt artefacts/imported "
    "--labels anger,disgust,fear,happy,sad,surprise --json",
    "import-refused": "import checkpoints/lf.pt artefacts/x --labels anger,fear",
    "evaluate-imported": "evaluate artefacts/imported prepared/mosei --out evaluated/imported "
    "--json",
    "compose": "compose composed.toml --data raw --work composing --out artefacts/composed --json",
    "predict-composed": "predict clips/said.txt --artefact artefacts/composed --json",
    # the authors' command lines
    "main.py": f"main.py {_AUTHORS} --model=rnn --fusion=lf --dataset=mosei_emo "
    "--data-folder=raw/mosei --loss=bce -hss 4 4 4",
    "main_mmer.py": "main_mmer.py --run unimodal_baseline --data_path_audio raw/mmer/audio "
    "--csv_path raw/mmer/iemocap.csv --saving_path saved --config networks/wav2vec2 "
    "--epochs 1 --device cpu --sessions 1",
    # inspection of each kind
    **{
        f"inspect-{name}": f"inspect {path} --json"
        for name, path in {
            "artefact": "runs/eea/artefact",
            "fused": "artefacts/adapted",
            "along": "default",
            "prepared": "prepared/mosei",
            "views": "prepared/iemocap-release",
            "run": "runs/eea",
            "recipe": _RECIPES + "/quickstart.toml",
            "checkpoint": "checkpoints/lf.pt",
            "hdf5": "raw/mosei/ey_train.h5",
            "pickle": "raw/iemocap9/text_train.p",
            "safetensors": "runs/eea/artefact/weights.safetensors",
        }.items()
    },
    "inspect-terminal": "inspect runs/eea/artefact",
    "inspect-unknown": "inspect clips",
}
