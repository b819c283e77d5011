"""Look-alikes of the corpora that are published as arrays of features."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from moodal.lookalikes.files import generator, staged
from moodal.lookalikes.pickle import Instance, TorchTensor, dump
from moodal.lookalikes.signal import (
    Layout,
    frames,
    phase_sizes,
    primary,
    several,
    targets,
    vectors_of,
)
from moodal.lookalikes.words import write_vectors

Arrays = dict[str, np.ndarray]

# emotion -> rough share of a corpus's utterances; columns stand in this order
MOSEI = {"anger": 0.17, "disgust": 0.12, "fear": 0.06, "happy": 0.46, "sad": 0.2, "surprise": 0.08}
IEMOCAP = {"neutral": 954, "happy": 338, "sad": 690, "angry": 735}
IEMOCAP9 = {
    "angry": 735,
    "excited": 686,
    "fear": 19,
    "sad": 690,
    "surprised": 65,
    "frustrated": 1235,
    "happy": 338,
    "neutral": 954,
    "disgust": 1,
}

ALIGNED = {"text": Layout(20, 300, 6), "speech": Layout(20, 74, 6), "face": Layout(20, 35, 6)}
UNALIGNED = {"text": Layout(20, 300, 6), "speech": Layout(60, 74, 20), "face": Layout(45, 35, 15)}
NINE = {"text": Layout(21, 300, 6), "speech": Layout(21, 74, 6), "face": Layout(21, 35, 6)}
MOSI = {"text": Layout(50, 300, 6), "speech": Layout(50, 5, 6), "face": Layout(50, 20, 6)}
MOSI_UNALIGNED = {
    "text": Layout(50, 300, 6),
    "speech": Layout(90, 5, 30),
    "face": Layout(75, 20, 25),
}
SENTIMENT = {"text": Layout(50, 300, 6), "speech": Layout(50, 74, 6), "face": Layout(50, 35, 6)}

_PICKLED = {"text": "text", "speech": "audio", "face": "vision"}  # our names -> the files'


def draw_phases(
    name: str, utterances: int, seed: int
) -> Iterator[tuple[str, int, np.random.Generator]]:
    """Yield each phase with its number of utterances and its random generator."""
    for phase, n in phase_sizes(utterances).items():
        yield phase, n, generator(seed, name, phase)


def draw_streams(
    target: np.ndarray, layouts: dict[str, Layout], rng: np.random.Generator, *, front: bool = False
) -> Arrays:
    """Draw the streams of N utterances: stream -> [N, T, D] float32."""
    return {s: frames(s, target, layout, rng, front=front) for s, layout in layouts.items()}


def _mosei_phase(n: int, rng: np.random.Generator) -> tuple[Arrays, np.ndarray]:
    """Draw the streams of n utterances, 0 before the first step, and labels [n, 6] 0/1."""
    words, prior = list(MOSEI), list(MOSEI.values())
    labels = several(primary(n, prior, rng), words, prior, 0.1, rng)
    return draw_streams(targets(labels, words), ALIGNED, rng, front=True), labels


def mosei(out: Path, utterances: int, seed: int) -> None:
    """Write CMU-MOSEI's emotions: four h5 files a phase, key "d1".

    ``text_{phase}_emb.h5`` [N, 20, 300], ``audio_{phase}.h5`` [N, 20, 74] with some -inf,
    ``video_{phase}.h5`` [N, 20, 35] and ``ey_{phase}.h5`` [N, 6], intensities 0 to 3 in
    thirds; a row may have several emotions or none. Beside them the emotion vectors.
    """
    with staged(out, utterances, seed) as folder:
        for phase, n, rng in draw_phases("mosei", utterances, seed):
            streams, labels = _mosei_phase(n, rng)
            broken = (rng.random((n, 20)) < 0.01) & streams["speech"].any(2)
            streams["speech"][broken, 1] = -np.inf
            intensity = labels * rng.integers(1, 10, labels.shape) / np.float32(3)
            _h5(folder / f"text_{phase}_emb.h5", "d1", streams["text"])
            _h5(folder / f"audio_{phase}.h5", "d1", streams["speech"])
            _h5(folder / f"video_{phase}.h5", "d1", streams["face"])
            _h5(folder / f"ey_{phase}.h5", "d1", intensity.astype(np.float32))
        write_vectors(folder)


def processed(out: Path, utterances: int, seed: int) -> None:
    """Write the authors' ready-made MOSEI: ``processed_datasets/mosei_emo_20_{phase}.pt``.

    Each is a plain pickle of one object of class ``src.dataset.MOSEI`` whose text, audio,
    vision and labels are torch tensors; its id is None.
    """
    with staged(out, utterances, seed) as folder:
        (folder / "processed_datasets").mkdir()
        for phase, n, rng in draw_phases("processed", utterances, seed):
            streams, labels = _mosei_phase(n, rng)
            attributes: dict[str, Any] = {_PICKLED[s]: TorchTensor(v) for s, v in streams.items()}
            attributes |= {"labels": TorchTensor(labels), "id": None}
            path = folder / "processed_datasets" / f"mosei_emo_20_{phase}.pt"
            dump(Instance("src.dataset", "MOSEI", attributes), path)
        write_vectors(folder)


def iemocap(out: Path, utterances: int, seed: int) -> None:
    """Write IEMOCAP with 4 classes: ``iemocap_data.pkl``.

    The pickle is {phase: {text, audio, vision, labels, id}}.

    Streams [N, 20, 300|74|35], 0 after the last step; labels [N, 4, 2], for each emotion
    whether not ([1, 0]) or so ([0, 1]); ids as the release names its turns.
    """
    _iemocap(out, utterances, seed, ALIGNED, "iemocap_data.pkl")


def iemocap_noalign(out: Path, utterances: int, seed: int) -> None:
    """Write IEMOCAP with 4 classes and streams of different length: ``iemocap_data_noalign.pkl``.

    As `iemocap`, with [N, 20, 300], [N, 60, 74] and [N, 45, 35].
    """
    _iemocap(out, utterances, seed, UNALIGNED, "iemocap_data_noalign.pkl")


def _iemocap(out: Path, utterances: int, seed: int, layouts: dict[str, Layout], name: str) -> None:
    words = list(IEMOCAP)
    data = {}
    with staged(out, utterances, seed) as folder:
        for phase, n, rng in draw_phases(name, utterances, seed):
            single = np.eye(4)[primary(n, list(IEMOCAP.values()), rng)]
            streams = draw_streams(targets(single, words), layouts, rng)
            data[phase] = {_PICKLED[s]: v for s, v in streams.items()} | {
                "labels": np.stack([1 - single, single], axis=2).astype(np.int64),
                "id": _turns(phase, n, rng),
            }
        dump(data, folder / name)
        write_vectors(folder)


def _turns(phase: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n names such as "Ses04F_impro02_M017"; a session stays in one phase."""
    sessions = {"train": (1, 2, 3), "valid": (4,), "test": (5,)}[phase]
    return np.array(
        [
            f"Ses0{rng.choice(sessions)}{rng.choice(['F', 'M'])}_impro0{rng.integers(1, 9)}"
            f"_{rng.choice(['F', 'M'])}{i:03d}"
            for i in range(n)
        ]
    )


def iemocap9(out: Path, utterances: int, seed: int) -> None:
    """Write IEMOCAP's 9-class extra: Python-2 pickles of arrays, a step longer than with 4 classes.

    ``text_{phase}.p`` [N, 21, 300], ``covarep_{phase}.p`` [N, 21, 74], ``facet_{phase}.p``
    [N, 21, 35] and ``y_{phase}.p`` [N, 11], one-hot; the first and the last column are no
    emotion of the nine.
    """
    words = list(IEMOCAP9)
    with staged(out, utterances, seed) as folder:
        for phase, n, rng in draw_phases("iemocap9", utterances, seed):
            single = np.eye(9)[primary(n, list(IEMOCAP9.values()), rng)]
            streams = draw_streams(targets(single, words), NINE, rng)
            columns = np.pad(single, ((0, 0), (1, 1)))
            for name, array in (
                ("text", streams["text"]),
                ("covarep", streams["speech"]),
                ("facet", streams["face"]),
                ("y", columns),
            ):
                dump(array, folder / f"{name}_{phase}.p", python2=True)
        write_vectors(folder)


def draw_sentiment(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw values [n, 1], -3 to 3 in fifths, and the targets [n, 300] that the streams lean to."""
    values = np.clip(np.round(rng.normal(0.2, 1.6, (n, 1)) * 5) / 5, -3, 3)
    positive, negative = vectors_of(["positive", "negative"])
    return values, (values.clip(0) * positive - values.clip(max=0) * negative) / 3


def _sentiment_pickle(
    name: str, layouts: dict[str, Layout], utterances: int, seed: int
) -> dict[str, Arrays]:
    """Draw {phase: {text, audio, vision, labels [N, 1, 1], id [N, 3]: video, start, end}}."""
    data = {}
    for phase, n, rng in draw_phases(name, utterances, seed):
        values, target = draw_sentiment(n, rng)
        streams = draw_streams(target, layouts, rng, front=True)
        videos = [f"{phase[:2]}{i // 8:04d}" for i in range(n)]
        ids = [[v, f"{i % 8 * 5}.0", f"{i % 8 * 5 + 4}.5"] for i, v in enumerate(videos)]
        data[phase] = {_PICKLED[s]: v for s, v in streams.items()} | {
            "labels": values[:, :, None].astype(np.float32),
            "id": np.array(ids, "S8"),
        }
    return data


def mosi(out: Path, utterances: int, seed: int) -> None:
    """Write CMU-MOSI in both published forms of the same utterances.

    ``X_{phase}.h5`` [N, 20, 325] (300 text, 5 audio, 20 visual) and ``y_{phase}.h5`` [N],
    key "data"; and ``mosi_data.pkl`` with 50 steps, of which these are the last 20.
    Sentiment is -3 to 3.
    """
    data = _sentiment_pickle("mosi", MOSI, utterances, seed)
    with staged(out, utterances, seed) as folder:
        for phase, arrays in data.items():
            joined = np.concatenate(
                [arrays[k][:, -20:] for k in ("text", "audio", "vision")], axis=2
            )
            _h5(folder / f"X_{phase}.h5", "data", joined)
            _h5(folder / f"y_{phase}.h5", "data", arrays["labels"].reshape(-1))
        dump(data, folder / "mosi_data.pkl")
        write_vectors(folder)


def mosi_noalign(out: Path, utterances: int, seed: int) -> None:
    """Write CMU-MOSI with streams of different length: ``mosi_data_noalign.pkl``."""
    data = _sentiment_pickle("mosi-noalign", MOSI_UNALIGNED, utterances, seed)
    with staged(out, utterances, seed) as folder:
        dump(data, folder / "mosi_data_noalign.pkl")
        write_vectors(folder)


def mosei_sentiment(out: Path, utterances: int, seed: int) -> None:
    """Write CMU-MOSEI's sentiment: ``mosei_senti_data.pkl``, 50 steps, widths 300, 74 and 35."""
    data = _sentiment_pickle("mosei-sentiment", SENTIMENT, utterances, seed)
    with staged(out, utterances, seed) as folder:
        dump(data, folder / "mosei_senti_data.pkl")
        write_vectors(folder)


def _h5(path: Path, key: str, array: np.ndarray) -> None:
    """Write one dataset to one file, without the time of writing in it."""
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset(key, data=array, track_times=False)
