"""Which emotions and rows the flags of the EEA command line choose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from moodal.cli.main import main
from moodal.core import manifest as manifests
from moodal.core.errors import UsageError
from moodal.corpora.published import iemocap_nine
from moodal.modalities.text.emotion_vectors import word_vectors
from moodal.published import eea_cli

SIX = ("anger", "disgust", "fear", "happy", "sad", "surprise")
FOUR = ("neutral", "happy", "sad", "angry")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Make data/ with look-alikes of MOSEI and of both IEMOCAPs."""
    folder = tmp_path_factory.mktemp("files")
    for corpus, where in (("mosei", "mosei"), ("iemocap", "iemocap"), ("iemocap9", "iemocap")):
        main(["synthesise", corpus, str(folder / "data" / where), "--utterances", "40"])
    return folder


@pytest.fixture
def place(files, monkeypatch) -> Path:
    monkeypatch.chdir(files)
    return files


def arguments(*flags: str):
    return eea_cli.parser().parse_args(["-bs=8", "-lr=1e-3", "-ep=1", "--aligned", *flags])


def trained(folder: Path, rows: np.ndarray, *flags: str) -> list[str]:
    torch.save({"textEmoEmbs.weight": torch.from_numpy(rows)}, folder / "model.pt")
    vectors = next(folder.glob("data/mosei/glove*.pt"))
    words = [f"--ckpt={folder / 'model.pt'}", f"--glove-emo-path={vectors}", "--model=eea"]
    args = arguments("--dataset=mosei_emo", *words, *flags)
    return eea_cli._trained(args, SIX)


def test_the_vectors_of_a_checkpoint_tell_which_emotions_it_was_trained_on(place) -> None:
    vectors = word_vectors(str(next(place.glob("data/mosei/glove*.pt")))).vectors(SIX)
    five = np.delete(vectors, 2, axis=0)
    assert trained(place, five) == ["anger", "disgust", "happy", "sad", "surprise"]
    assert trained(place, vectors) == list(SIX)
    assert trained(place, vectors, "--zsl-test=2") == list(SIX)
    with pytest.raises(UsageError, match=r"does not tell which of anger.*--zsl-test"):
        trained(place, five + 1)
    assert trained(place, five + 1, "--zsl-test=0") == list(SIX[1:])


@pytest.mark.parametrize("model", ["rnn", "mult"])
def test_a_closed_set_never_sees_the_rows_of_the_unseen_emotion_of_mosei(place, model) -> None:
    args = arguments(
        "--dataset=mosei_emo", f"--model={model}", "--zsl=3", "--data-folder=data/mosei"
    )
    prepared = eea_cli._prepare(args, Path("savings"))
    (folder,) = prepared.values()
    kept = manifests.read(folder)
    assert kept.space.labels == ("anger", "disgust", "fear", "sad", "surprise")
    whole = manifests.read(folder.with_name(folder.name.removesuffix("-without-happy")))
    happy = {u.id for u, row in zip(whole.utterances, whole.labels, strict=True) if row[3]}
    parts = {
        split: {u.id for u in kept.utterances if u.split == split} for split in ("train", "test")
    }
    assert happy & {u.id for u in whole.utterances if u.split == "train"}
    assert not happy & parts["train"]
    assert parts["test"] == {u.id for u in whole.utterances if u.split == "test"}
    assert "protocol" not in eea_cli._recipe(args, prepared)


@pytest.mark.parametrize("model", ["eea", "rnn"])
@pytest.mark.parametrize("number", range(9))
def test_each_of_the_nine_of_iemocap_may_be_unseen(place, model, number) -> None:
    words = (f"--model={model}", f"--zsl={number}", "--data-folder=data/iemocap")
    args = arguments("--dataset=iemocap", *words)
    prepared = eea_cli._prepare(args, Path("savings"))
    emotion, recipe = iemocap_nine.EMOTIONS[number], eea_cli._recipe(args, prepared)
    labels = manifests.read(next(iter(prepared.values()))).space.labels
    if model == "eea":
        assert recipe["protocol"]["unseen"] == [emotion]
        assert ("append_from" in recipe["protocol"]) == (emotion not in FOUR)
        assert labels == FOUR
    elif emotion in FOUR:
        assert labels == tuple(x for x in FOUR if x != emotion)
    else:
        assert labels == (*FOUR, emotion)
