"""CREMA-D: 91 actors speak 12 sentences in 6 emotions.

Cao et al., "CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset", IEEE
Transactions on Affective Computing, 2014. Labels are the acted emotions.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Utterance, media_of
from moodal.core.table_rows import Row, read_rows
from moodal.corpora.find import AUDIO, VIDEO, decoded, folder, recordings, shortened

EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}

SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}

VOICE_LEVEL = "voice_level"
"""The column with the crowd's mean rating of how intense the voice is, from 0 to 100; where the
votes are tied, a rating for each of the tied emotions, with colons between them."""

# one file of the release ends in a single X
_NAME = re.compile(
    rf"(?P<actor>\d{{4}})_(?P<sentence>{'|'.join(SENTENCES)})_(?P<emotion>{'|'.join(EMOTIONS)})"
    r"_(?P<level>LO|MD|HI|XX?)"
)
_LEVELS = {"LO": "low", "MD": "medium", "HI": "high"}
_VOTES = {
    "voicevote": "voice_vote",
    "facevote": "face_vote",
    "multimodalvote": "multimodal_vote",
    "voicelevel": VOICE_LEVEL,
}


def read(root: Path | str) -> Manifest:
    """Read CREMA-D: 91 actors speak 12 sentences in 6 emotions.

    A recording's name, such as ``1001_DFA_ANG_XX.wav``, says what it shows. Sound is read from
    ``AudioWAV/`` or the folder itself, video from ``VideoFlash/`` or the folder itself.
    ``VideoDemographics.csv`` gives ``sex`` and ``age``, and ``metadata.csv`` or
    ``processedResults/summaryTable.csv`` the crowd's votes and how intense it heard the voice
    (``voice_level``), where they are there; all of these go to the utterances' ``extra``, with the
    ``level`` acted.

    Returns:
        Audio, video and the sentence as text; labels one-hot [N, 6]; no splits; speakers
        are the actors.

    Raises:
        DataError: no file is named as CREMA-D names its own.
    """
    root = folder(root, "CREMA-D's recordings, or its AudioWAV folder")
    audio = recordings((root / "AudioWAV", root), AUDIO)
    video = recordings((root / "VideoFlash", root), VIDEO)
    stems = sorted(audio.keys() | video.keys())
    named = {stem: match for stem in stems if (match := _NAME.fullmatch(stem))}
    others = [stem for stem in stems if stem not in named]
    if not named:
        content = f"it holds {shortened(others)}" if others else "it holds no recording"
        raise DataError(
            f"{root} holds no recording named like 1001_DFA_ANG_XX.wav ({content}); "
            "give the folder with CREMA-D's AudioWAV in it."
        )
    actors, votes = _actors(root), _votes(root)

    def clip(path: Path | None) -> Clip | None:
        return None if path is None else Clip(path.relative_to(root).as_posix())

    utterances = tuple(
        Utterance(
            stem,
            speaker=match["actor"],
            media=media_of(
                text=SENTENCES[match["sentence"]],
                speech=clip(audio.get(stem, video.get(stem))),
                face=clip(video.get(stem)),
            ),
            extra={
                "sentence": match["sentence"],
                "level": _LEVELS.get(match["level"], "unspecified"),
                **actors.get(match["actor"], {}),
                **votes.get(stem, {}),
            },
        )
        for stem, match in named.items()
    )
    codes = list(EMOTIONS)
    notes = ["The twelve sentences occur in every emotion: the text carries no emotion."]
    if others:
        notes.append(
            f"{len(others)} recordings with other names were left out: {shortened(others)}."
        )
    return Manifest(
        corpus="crema-d",
        space=EmotionSpace(EMOTIONS.values(), "single"),
        utterances=utterances,
        labels=np.eye(6, dtype=np.float32)[[codes.index(m["emotion"]) for m in named.values()]],
        licence="ODbL 1.0",
        notes=tuple(notes),
        root=str(root.resolve()),
    )


def _rows(path: Path) -> list[Row]:
    """Read the rows of a table that may be missing."""
    return read_rows(path, decoded) if path.exists() else []


def _actors(root: Path) -> dict[str, dict[str, str]]:
    """Read actor -> sex and age from the release's VideoDemographics.csv or from metadata.csv."""
    actors: dict[str, dict[str, str]] = {}
    for row in _rows(root / "VideoDemographics.csv") + _rows(root / "metadata.csv"):
        person = {"sex": row.get("sex") or row.get("gender"), "age": row.get("age")}
        actor = row.get("actorid") or row.get("speaker")
        if actor:
            actors.setdefault(actor, {k: v.lower() for k, v in person.items() if v})
    return actors


def _votes(root: Path) -> dict[str, dict[str, str]]:
    """Read recording -> the raters' majority by voice, by face and by both, as letters."""
    votes = {}
    for row in _rows(root / "metadata.csv") + _rows(root / "processedResults" / "summaryTable.csv"):
        name = row.get("path") or row.get("filename")
        if name:
            stem = Path(name.replace("\\", "/")).stem
            votes[stem] = {ours: v for theirs, ours in _VOTES.items() if (v := row.get(theirs))}
    return votes
