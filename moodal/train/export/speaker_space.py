"""Speaker space: fit the directions in which speakers differ, and moods and rooms do not.

`moodal.modalities.speech.speakers.encoder` compares voices in it. It is a probabilistic linear
discriminant analysis (Ioffe, "Probabilistic Linear Discriminant Analysis", ECCV 2006) of the states
of GE2E over turns of CREMA-D's actors, each of one emotion and augmented; a voice that is 10%
slower or faster counts as another speaker, as in Kaldi's recipes.

    python -m moodal.train.export.speaker_space CREMA_D

A third of the actors are not heard, so that benchmarks/speakers.py can test on them.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.numpy import save

from moodal.core.files import replacing
from moodal.core.manifest import Manifest
from moodal.core.records import RATE, Clip
from moodal.corpora import crema_d
from moodal.media.audio import read_audio
from moodal.modalities.speech.speakers.encoder import (
    SPACE,
    WINDOW,
    SpeakerSpace,
    speaker_states,
)
from moodal.modalities.speech.spoken import spoken
from moodal.train.data.augment import augmented

SEED = 14
FIT, DEVELOPMENT = 46, 15
"""Of CREMA-D's 91 actors in the order of `shuffled`: to fit, and to choose thresholds; the rest
are for the test."""

TURNS, SECONDS = 2, 4.8
"""Turns of each actor, emotion and speed, and their length."""

SPEEDS = (1.0, 0.9, 1.1)
DIRECTIONS = 40
SHRINKAGE = 0.3
"""The share of the mean variance within speakers that is added to each."""


class TurnStates(NamedTuple):
    """The states [t, 768] of a turn of a speaker."""

    speaker: str
    states: np.ndarray


def shuffled(actors: Collection[str]) -> list[str]:
    """Return actors in a fixed random order."""
    return [str(name) for name in np.random.default_rng(SEED).permutation(sorted(actors))]


def turns(manifest: Manifest, actors: Sequence[str]) -> Iterator[TurnStates]:
    """Yield the states of augmented turns of some actors, drawn by a fixed seed."""
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    clips: dict[str, dict[int, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    for actor in actors:
        for utterance, label in zip(manifest.utterances, manifest.labels, strict=True):
            clip = utterance.media.get("speech")
            if utterance.speaker == actor and isinstance(clip, Clip):
                samples = read_audio(Path(manifest.root or "") / clip.path, rate=RATE)
                clips[actor][int(np.argmax(label))].append(spoken(samples))
        for emotion in clips.pop(actor).values():
            for number in range(TURNS * len(SPEEDS)):
                speed = SPEEDS[number % len(SPEEDS)]
                order = rng.permutation(len(emotion))
                samples = np.concatenate([emotion[i] for i in order[:4]])
                places = np.arange(0, len(samples) - 1, speed)[: round(SECONDS * RATE)]
                samples = np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
                wave = augmented(torch.from_numpy(samples)).numpy()
                yield TurnStates(f"{actor} at {speed:g}", speaker_states(wave))


def fit(spoken_turns: Sequence[TurnStates]) -> SpeakerSpace:
    """Fit the space of speakers to their turns."""
    speakers, rows = [], []
    for turn in spoken_turns:
        for first in range(0, max(1, len(turn.states) - WINDOW + 1), WINDOW // 2):
            rows.append(turn.states[first : first + WINDOW].mean(0))
            speakers.append(turn.speaker)
    values, labels = np.asarray(rows, np.float64), np.asarray(speakers)
    mean, scale = values.mean(0), values.std(0) + 1e-3
    values = (values - mean) / scale
    own = [values[labels == name] for name in np.unique(labels)]
    centres = np.stack([part.mean(0) for part in own])
    spread = [part - centre for part, centre in zip(own, centres, strict=True)]
    within = sum(part.T @ part for part in spread) / (len(values) - len(own))
    between = np.cov(centres.T) - within * len(own) / len(values)
    within = within + SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    variances, axes = np.linalg.eigh(within)
    whitening = axes / np.sqrt(variances)
    variances, axes = np.linalg.eigh(whitening.T @ between @ whitening)
    chosen = np.argsort(-variances)[:DIRECTIONS]
    projection = whitening @ axes[:, chosen] / scale[:, None]
    between = np.maximum(variances[chosen], 1e-3)
    return SpeakerSpace(*(np.asarray(a, np.float32) for a in (mean, projection, between)))


def write(space: SpeakerSpace, path: Path = SPACE) -> Path:
    """Write a space of speakers."""
    arrays = {"mean": space.mean, "projection": space.projection, "between": space.between}
    with replacing(path) as part:
        part.write_bytes(save({name: np.ascontiguousarray(a) for name, a in arrays.items()}))
    return path


def main() -> None:
    """Fit the space to the actors that are not for the test, and write it into the package."""
    parser = argparse.ArgumentParser(description="Fit the space in which speakers are compared.")
    parser.add_argument("root", type=Path, help="the folder of CREMA-D")
    manifest = crema_d.read(parser.parse_args().root)
    actors = shuffled({u.speaker for u in manifest.utterances if u.speaker})
    print(f"Written to {write(fit(list(turns(manifest, actors[: FIT + DEVELOPMENT]))))}.")


if __name__ == "__main__":
    main()
