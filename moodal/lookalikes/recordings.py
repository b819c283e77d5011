"""Look-alikes of the corpora that are folders of recordings."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from moodal.core.errors import UsageError, writing
from moodal.corpora import crema_d as crema_d_names
from moodal.corpora import msp_podcast as msp_names
from moodal.corpora import ravdess as ravdess_names
from moodal.lookalikes.files import generator, staged
from moodal.lookalikes.signal import FAITHFUL, expressed, targets
from moodal.lookalikes.text import CLAUSES, sentence
from moodal.lookalikes.voice import RATE, Speaker, speaker, voice, write_wav
from moodal.lookalikes.words import appraisals, direction

# OpenFace's 17 intensities and 18 presences
UNITS = tuple(
    f"AU{unit:02d}_{kind}"
    for kind, extra in (("r", ()), ("c", (28,)))
    for unit in sorted((1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45, *extra))
)

TABLE = {"angry": "anger", "happy": "joy", "neutral": "neutral", "sad": "sadness"}
"""Label of the table's look-alike -> the emotion whose clauses its text has."""


def _shown(emotions: list[str], stream: str, rng: np.random.Generator) -> list[str]:
    """Draw the emotion that each utterance shows: its own, or sometimes another utterance's."""
    other = rng.permutation(len(emotions))
    faithful = rng.random(len(emotions)) < FAITHFUL[stream] + 0.1  # voices vary enough already
    return [e if f else emotions[o] for e, f, o in zip(emotions, faithful, other, strict=True)]


def _cast(count: int, rng: np.random.Generator) -> list[Speaker]:
    """Draw speakers, male and female in turn."""
    return [speaker(rng, female=bool(i % 2)) for i in range(count)]


def _actors(utterances: int, most: int, each: int) -> int:
    """Return the number of actors for ``utterances``: about 18 utterances each, at least 4."""
    if utterances > most * each:
        raise UsageError(f"This corpus has at most {most * each} different clips; ask for fewer.")
    return min(most, max(4, utterances // 18, -(-utterances // each)))


def crema_d(out: Path, utterances: int, seed: int) -> None:
    """Write CREMA-D: ``AudioWAV/1001_DFA_ANG_XX.wav`` and so on, and ``VideoDemographics.csv``.

    One to two seconds each, 16 kHz; at most 91 actors with 12 sentences in 6 emotions.
    """
    rng = generator(seed, "crema-d")
    sentences, codes = list(crema_d_names.SENTENCES), list(crema_d_names.EMOTIONS)
    cast = _cast(_actors(utterances, 91, 72), rng)
    orders = [rng.permutation(72) for _ in cast]
    clips = [
        (i % len(cast), *divmod(int(orders[i % len(cast)][i // len(cast)]), 6))
        for i in range(utterances)
    ]
    shown = _shown([crema_d_names.EMOTIONS[codes[e]] for _, _, e in clips], "speech", rng)
    with staged(out, utterances, seed) as folder:
        for (actor, said, emotion), look in zip(clips, shown, strict=True):
            name = f"{1001 + actor}_{sentences[said]}_{codes[emotion]}_XX.wav"
            write_wav(folder / "AudioWAV" / name, voice(look, cast[actor], rng))
        _csv(
            folder / "VideoDemographics.csv",
            ["ActorID", "Age", "Sex", "Race", "Ethnicity"],
            [
                [str(1001 + i), str(rng.integers(20, 75)), ("Male", "Female")[i % 2], "Unknown", ""]
                for i in range(len(cast))
            ],
        )


def ravdess(out: Path, utterances: int, seed: int) -> None:
    """Write RAVDESS: ``Actor_01/03-01-01-01-01-01-01.wav`` and so on, and ``openface_au.npz``.

    At most 24 actors with 60 clips; about one clip in fifty has action units and no sound,
    as some do in the real corpus.
    """
    rng = generator(seed, "ravdess")
    kinds = [
        f"01-{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}"
        for emotion in range(1, 9)
        for intensity in ((1,) if emotion == 1 else (1, 2))  # neutral has no strong form
        for statement in (1, 2)
        for repetition in (1, 2)
    ]
    cast = _cast(_actors(utterances, 24, len(kinds)), rng)
    orders = [rng.permutation(len(kinds)) for _ in cast]
    clips = [
        (i % len(cast), kinds[orders[i % len(cast)][i // len(cast)]]) for i in range(utterances)
    ]
    names = [f"{kind}-{actor + 1:02d}" for actor, kind in clips]
    columns = [int(kind[3:5]) - 1 for _, kind in clips]
    emotions = [ravdess_names.EMOTIONS[c] for c in columns]
    silent = set(rng.choice(utterances, max(1, utterances // 50), replace=False).tolist())
    with staged(out, utterances, seed) as folder:
        for i, look in enumerate(_shown(emotions, "speech", rng)):
            actor, kind = clips[i]
            if i not in silent:
                strength = 1.2 if kind[6:8] == "02" else 0.8
                path = folder / f"Actor_{actor + 1:02d}" / f"03-{names[i]}.wav"
                write_wav(path, voice(look, cast[actor], rng, intensity=strength))
        units = _units(np.eye(8)[columns], rng)
        with writing(folder / ravdess_names.UNITS_FILE):
            np.savez_compressed(
                folder / ravdess_names.UNITS_FILE,
                clip=np.array(names),
                au=units,
                au_names=np.array(UNITS),
            )


def _units(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw action units [N, 35] by emotion: intensities 0 to 5 and presences 0 to 1."""
    lean = expressed(targets(labels, ravdess_names.EMOTIONS), "face", rng)
    image = np.stack([direction(f"unit {name}") for name in UNITS], axis=1)
    values = 3 * lean @ image + rng.normal(0, 0.5, (len(labels), len(UNITS)))
    intensities = np.clip(0.5 + 0.6 * values, 0, 5)
    presences = 1 / (1 + np.exp(-2 * values))
    is_intensity = [name.endswith("_r") for name in UNITS]
    return np.where(is_intensity, intensities, presences).astype(np.float32)


def table(out: Path, utterances: int, seed: int) -> None:
    """Write a user's table: ``table.csv`` and ``recordings/*.wav`` of three utterances each.

    Columns id, text, audio, start, end, speaker, session, dialogue, split, label; four
    emotions; speakers keep to one split.
    """
    rng = generator(seed, "table")
    cast = _cast(max(5, utterances // 18), rng)
    labels = [str(x) for x in rng.permutation(np.resize(list(TABLE), utterances))]
    said, heard = (_shown(labels, stream, rng) for stream in ("text", "speech"))
    turns = [_Turn(TABLE[s], h, 1.0, [x]) for s, h, x in zip(said, heard, labels, strict=True)]
    with staged(out, utterances, seed) as folder:
        rows = _talks(folder, "talk", turns, cast, rng)
        _csv(folder / "table.csv", [*_HEADER, "label"], rows)


MSP = {
    "anger": "anger",
    "sadness": "sadness",
    "happiness": "joy",
    "surprise": "surprise",
    "fear": "fear",
    "disgust": "disgust",
    "neutral": "neutral",
}
"""Emotion of MSP-Podcast's look-alike -> the one whose clauses its text has."""


def msp_podcast(out: Path, utterances: int, seed: int) -> None:
    """Write MSP-Podcast: ``Labels/labels_consensus.csv``, ``Audios/*.wav``, ``Transcripts/*.txt``.

    Podcasts of three turns by one speaker, who keeps to one part; seven of its ten classes, and
    ratings from 1 to 7 about the appraisals of the emotion. One turn in ten has no agreement.
    """
    rng = generator(seed, "msp-podcast")
    codes = {emotion: code for code, emotion in msp_names.EMOTIONS.items()}
    cast = _cast(max(5, utterances // 6), rng)
    emotions = [str(x) for x in rng.permutation(np.resize(list(MSP), utterances))]
    said, heard = (_shown(emotions, stream, rng) for stream in ("text", "speech"))
    strength = rng.uniform(0.3, 1.3, utterances)
    rows = [list(msp_names.COLUMNS)]
    with staged(out, utterances, seed) as folder:
        for i in range(utterances):
            who = i // 3 % len(cast)
            name = f"MSP-PODCAST_{i // 3 + 1:04d}_{i % 3 + 1:04d}"
            sound = voice(MSP[heard[i]], cast[who], rng, intensity=float(strength[i]))
            write_wav(folder / "Audios" / f"{name}.wav", sound)
            text = folder / "Transcripts" / f"{name}.txt"
            with writing(text):
                text.parent.mkdir(exist_ok=True)
                text.write_bytes(f"{sentence([MSP[said[i]]], rng)}\n".encode())
            pleasant, arousal, control = strength[i] * np.array(appraisals(MSP[emotions[i]])[:3])
            rated = 4 + 2.2 * np.array([arousal, pleasant, control]) + rng.normal(0, 0.3, 3)
            code = "X" if rng.random() < 0.1 else codes[emotions[i]]
            part = ("Train", "Development", "Test1", "Train", "Train")[who % 5]
            numbers = [f"{x:.4f}" for x in np.clip(rated, msp_names.LOW, msp_names.HIGH)]
            gender = ("Male", "Female")[who % 2]
            rows.append([f"{name}.wav", code, *numbers, str(who + 1), gender, part])
        table = folder / "Labels" / msp_names.TABLES[0]
        with writing(table):
            table.parent.mkdir(exist_ok=True)
        _csv(table, rows[0], rows[1:])


VALUES = ("valence", "arousal", "dominance")
"""The columns of the look-alike with values: the first three appraisals of an emotion."""


def table_values(out: Path, utterances: int, seed: int) -> None:
    """Write a table of one's own with values: ``values.csv`` and ``recordings/*.wav``.

    The columns are those of `table`, with valence, arousal and dominance from -1 to 1 instead of
    the label: the appraisals of some emotion, more or less of it, as raters differ on it.
    """
    rng = generator(seed, "table-values")
    cast = _cast(max(5, utterances // 18), rng)
    emotions = [str(x) for x in rng.permutation(np.resize(list(CLAUSES), utterances))]
    said, heard = (_shown(emotions, stream, rng) for stream in ("text", "speech"))
    strength = rng.uniform(0.3, 1.3, utterances)
    means = strength[:, None] * np.array([appraisals(e)[: len(VALUES)] for e in emotions])
    numbers = np.clip(means + rng.normal(0, 0.1, means.shape), -1, 1)
    turns = [
        _Turn(said[i], heard[i], float(strength[i]), [f"{x:.3f}" for x in numbers[i]])
        for i in range(utterances)
    ]
    with staged(out, utterances, seed) as folder:
        rows = _talks(folder, "values", turns, cast, rng)
        _csv(folder / "values.csv", [*_HEADER, *VALUES], rows)


class _Turn(NamedTuple):
    """An utterance: the emotion of its text, that of its voice and how strong, and its labels."""

    said: str
    heard: str
    strength: float
    labels: list[str]


_HEADER = ["id", "text", "audio", "start", "end", "speaker", "session", "dialogue", "split"]


def _talks(
    folder: Path,
    name: str,
    turns: Sequence[_Turn],
    cast: Sequence[Speaker],
    rng: np.random.Generator,
) -> list[list[str]]:
    """Write recordings of three utterances each; return the rows of their table."""
    rows = []
    for number, first in enumerate(range(0, len(turns), 3)):
        who = number % len(cast)
        talk = f"{name}{number:04d}"
        pieces: list[np.ndarray] = []
        for i, turn in enumerate(turns[first : first + 3], first):
            pieces.append(np.zeros(int(rng.uniform(0.2, 0.5) * RATE), np.float32))
            start = sum(map(len, pieces)) / RATE
            pieces.append(voice(turn.heard, cast[who], rng, intensity=turn.strength))
            end = sum(map(len, pieces)) / RATE
            split = ("train", "dev", "test", "train", "train")[who % 5]
            text = sentence([turn.said], rng)
            where = [f"speaker{who:02d}", f"session{who % 3}", talk]
            times = [f"{start:.3f}", f"{end:.3f}"]
            path = f"recordings/{talk}.wav"
            rows.append([f"{talk}-{i}", text, path, *times, *where, split, *turn.labels])
        write_wav(folder / f"recordings/{talk}.wav", np.concatenate(pieces))
    return rows


def _csv(path: Path, header: list[str], rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    with writing(path):
        path.write_bytes(text.getvalue().encode())
