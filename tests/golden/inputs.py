"""The inputs of the golden commands: what no command of moodal writes itself."""

from __future__ import annotations

import csv
import importlib.util
import shutil
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
FER2013 = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
WORDS = (
    *("anger", "disgust", "fear", "happy", "sad", "surprise", "calm", "table", "river", "stone"),
    *("neutral", "angry", "excited", "frustrated", "surprised", "paper", "window", "bread"),
)
BRANCH = """
title = "{stream}"
data = {{ prepared = "unused", trim_padding = false{data} }}
space = {{ vectors = "e5"{space} }}

[system]
name = "branch"
streams = ["{stream}"]
{system}

[train]
epochs = 1
batch_size = 16
select = "loss"
patience = 0
{train}
"""


def write_inputs(work: Path) -> None:
    """Write everything that the commands start from into the folder ``work``."""
    (work / "raw").mkdir()
    (work / "clips").mkdir()
    for name in ("clip.mp4", "clip.srt"):
        shutil.copy(ROOT / "examples" / name, work / "clips")
    write_texts(work)
    write_media(work)
    write_vectors(work / "vectors.txt")
    write_faces(work / "raw/fer2013")
    write_network(work / "networks/wav2vec2")
    write_checkpoint(work / "checkpoints")
    write_composition(work)
    load_tiny().write_tiny(work / "artefacts/tiny")


def load_tiny() -> Any:
    """Load tests/tiny.py, which writes a small fused artefact."""
    spec = importlib.util.spec_from_file_location("tiny", ROOT / "tests/tiny.py")
    assert spec is not None
    assert spec.loader is not None
    tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny)
    return tiny


def write_texts(work: Path) -> None:
    """Write a text, subtitles of the clip under another name, and a table of labelled texts."""
    said = "We won, and I am so happy!\n\nHow dare you touch that!\n"
    (work / "clips/said.txt").write_text(said, encoding="utf-8")
    (work / "clips/relief.txt").write_text("Phew, that was close.\nAt last it is over.\n")
    shutil.copy(ROOT / "examples/clip.srt", work / "clips/words.srt")
    rows = [
        ("1", "I love it.", "happy", "face.png", "improvised"),
        ("2", "Leave me alone!", "angry", "", "improvised"),
        ("3", "Nobody came to see me.", "sad", "face.png", "scripted"),
        ("4", "Thank you so much.", "happy", "", "scripted"),
    ]
    with open(work / "clips/table.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "text", "label", "face", "style"), *rows])


def write_media(work: Path) -> None:
    """Write a picture, a silent recording and a tone."""
    import soundfile
    from PIL import Image

    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (48, 48), np.uint8)).save(work / "clips/face.png")
    soundfile.write(work / "clips/silence.flac", np.zeros(16000), 16000)
    tone = 0.4 * np.sin(2 * np.pi * 500 * np.arange(8000) / 16000)
    soundfile.write(work / "clips/tone.wav", tone + rng.normal(0, 0.02, 8000), 16000)
    (work / "folder").mkdir()
    for name in ("said.txt", "face.png", "silence.flac"):
        shutil.copy(work / "clips" / name, work / "folder")
    (work / "folder/damaged.wav").write_bytes(b"RIFF" + bytes(60))


def write_vectors(path: Path) -> None:
    """Write vectors of words, 8 wide, as a GloVe text file."""
    rng = np.random.default_rng(1)
    lines = [" ".join([word, *(f"{x:.4f}" for x in rng.normal(size=8))]) for word in WORDS]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_faces(folder: Path, count: int = 56) -> None:
    """Write FER2013's and FER+'s files, with pictures whose bright part tells the emotion."""
    folder.mkdir()
    rng = np.random.default_rng(2)
    votes_header = ["Usage", "Image name", *VOTES, "unknown", "NF"]
    own, plus = [["emotion", "pixels", "Usage"]], [votes_header]
    for number in range(count):
        emotion = number % 7
        picture = rng.integers(40, 90, (48, 48))
        top, left = emotion // 3 * 16, emotion % 3 * 16
        picture[top : top + 16, left : left + 16] += 120
        usage = ("Training", "Training", "PublicTest", "PrivateTest")[number // 7 % 4]
        votes = [10 * (name == FER2013[emotion]) for name in VOTES]
        own.append([str(emotion), " ".join(map(str, picture.ravel())), usage])
        plus.append([usage, f"fer{number:07d}.png", *map(str, votes), "0", "0"])
    for name, rows in (("fer2013.csv", own), ("fer2013new.csv", plus)):
        with open(folder / name, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


def write_network(folder: Path) -> None:
    """Write a wav2vec 2.0 of the smallest size, with random weights and without dropout."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    drops = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout")
    config = Wav2Vec2Config(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        conv_dim=[4] * 7,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        layerdrop=0.0,
        **dict.fromkeys(drops, 0.0),
    )
    Wav2Vec2Model(config).save_pretrained(folder)


def write_checkpoint(folder: Path) -> None:
    """Write a late-fusion RNN as the authors' code saves it: a state dict of their names."""
    import torch

    torch.manual_seed(1)
    folder.mkdir()
    state = {}
    for index, width in enumerate((300, 74, 35)):
        for suffix in ("", "_reverse"):
            sizes = {"weight_ih": (16, width), "weight_hh": (16, 4), "bias_ih": (16,)}
            for name, size in (sizes | {"bias_hh": (16,)}).items():
                state[f"RNNs.{index}.{name}_l0{suffix}"] = torch.randn(size) / 4
    state |= {"out.weight": torch.randn(6, 24) / 4, "out.bias": torch.randn(6)}
    torch.save(state, folder / "lf.pt")


def write_composition(work: Path) -> None:
    """Write the recipe of a small fused artefact: one layer of MiniLM, and a face network."""
    synonyms = ", ".join(f'"FER2013 {word}" = ["{word} face"]' for word in FER2013)
    parts = {
        "text": {
            "data": ', merges = { joy = "happiness" }',
            "space": "",
            "system": 'backbone = { path = "minilm", layers = 1, freeze = -1 }',
            "train": 'loss = "bce"\nweighted = false',
        },
        "face": {
            "data": "",
            "space": f", synonyms = {{ {synonyms} }}",
            "system": "width = 4",
            "train": 'loss = "ce"',
        },
    }
    for stream, values in parts.items():
        (work / f"{stream}.toml").write_text(BRANCH.format(stream=stream, **values))
    (work / "composed.toml").write_text(
        'name = "composed"\nabout = "A test."\nlicence = "none"\n'
        f"basics = {list(FER2013)}\nsynonyms = {{ joy = 'happiness' }}\n"
        "[parts.text]\nrecipe = 'text.toml'\ncorpus = 'goemotions'\nroot = 'goemotions'\n"
        "encoder = 'pieces'\nlicence = 'none'\nbits = 8\n"
        "[parts.face]\nrecipe = 'face.toml'\ncorpus = 'fer2013-both'\nroot = 'fer2013'\n"
        "prefix = 'FER2013 '\nlicence = 'none'\n"
    )
