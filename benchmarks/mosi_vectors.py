"""Write CMU-MOSI's utterance vectors as a prepared corpus.

    python benchmarks/mosi_vectors.py NPZ OUT

NPZ holds, for train and test, ``{part}_id`` [N] (video_number), ``{part}_transcript`` [N],
``{part}_label`` [N] (0 negative, 1 positive) and one vector per utterance in ``{part}_text``
[N, 100], ``{part}_audio`` [N, 73] and ``{part}_video`` [N, 100]. Every sixth training video
validates.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace
from moodal.core.manifest import Manifest
from moodal.core.records import Frames, Utterance

STREAMS = {"text": "text", "speech": "audio", "face": "video"}


def read(path: Path) -> Manifest:
    """Read the file as a corpus of single-label utterances, one step per stream."""
    with np.load(path, allow_pickle=False) as arrays:
        parts = {name: arrays[name] for name in arrays.files}
    utterances, labels = [], []
    videos = sorted({str(name).rpartition("_")[0] for name in parts["train_id"]})
    validating = set(videos[::6])
    for part in ("train", "test"):
        ids, texts = parts[f"{part}_id"], parts[f"{part}_transcript"]
        for name, text in zip(ids.tolist(), texts.tolist(), strict=True):
            video = name.rpartition("_")[0]
            split = "valid" if part == "train" and video in validating else part
            utterances.append(Utterance(name, split=split, dialogue=video, media={"text": text}))
        labels.append(np.eye(2, dtype=np.float32)[parts[f"{part}_label"]])
    features = {
        stream: Frames.from_list(
            [row[None] for part in ("train", "test") for row in parts[f"{part}_{name}"]]
        )
        for stream, name in STREAMS.items()
    }
    space = EmotionSpace(["negative", "positive"], "single")
    encoders = {
        stream: {"name": "as-given", "fingerprint": "mosi-vectors", "width": frames.width}
        for stream, frames in features.items()
    }
    return Manifest(
        "mosi-vectors",
        space,
        tuple(utterances),
        np.concatenate(labels),
        features,
        encoders,
        licence="for research",
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python benchmarks/mosi_vectors.py NPZ OUT")
    written = read(Path(sys.argv[1])).write(sys.argv[2])
    print(f"Written to {written}.")
