"""RAVDESS: 24 actors speak 2 sentences in 8 emotions.

Livingstone & Russo, "The Ryerson Audio-Visual Database of Emotional Speech and
Song (RAVDESS)", PLoS ONE, 2018. A file's name is seven numbers: modality,
channel, emotion, intensity, statement, repetition, actor.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Frames, Utterance, media_of
from moodal.corpora.find import AUDIO, VIDEO, folder, recordings, shortened

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""Emotion 01 to 08."""

STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}

UNITS_FILE = "openface_au.npz"
"""File with a vector of OpenFace's action units per clip: ``clip`` [M] names without the modality,
``au`` [M, D] float32, ``au_names`` [D]."""

_CLIP = re.compile(
    r"(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])-(?P<statement>0[12])"
    r"-(?P<repetition>0[12])-(?P<actor>0[1-9]|1\d|2[0-4])"
)


def read(root: Path | str, *, song: bool = False) -> Manifest:
    """Read RAVDESS: 24 actors speak 2 sentences in 8 emotions.

    Recordings with names such as ``03-01-05-02-01-01-12.wav`` lie in ``Actor_*/``, ``audio/``,
    ``video/`` or the folder itself. Modality 03 is sound, 01 video with sound, 02 video without
    sound; the files of one clip form one utterance. ``song`` adds the sung clips (channel 02) to
    the spoken ones. An optional ``openface_au.npz`` is the face stream, one step long; a clip that
    has action units only is an utterance too.

    Returns:
        Audio, video and the statement as text, and features "face" [1, D] where given;
        labels one-hot [N, 8]; no splits; speakers are the actors, odd ones male.

    Raises:
        DataError: no file is named as RAVDESS names its own, or the action units are damaged.
    """
    root = folder(root, "RAVDESS's Actor_ folders or its recordings")
    places = [*sorted(root.glob("Actor_*")), root / "audio", root / "video", root]
    media = recordings(places, AUDIO) | recordings(places, VIDEO)
    units, names = _units(root / UNITS_FILE)
    clips = {stem[3:] for stem in media if stem[:3] in ("01-", "02-", "03-")} | units.keys()
    named = {clip: match for clip in sorted(clips) if (match := _CLIP.fullmatch(clip))}
    others = [
        stem for stem in media if stem[:3] not in ("01-", "02-", "03-") or stem[3:] not in named
    ]
    others += [clip for clip in units if clip not in named and f"03-{clip}" not in media]
    sung = [clip for clip, match in named.items() if match["channel"] == "02"]
    if not song:
        named = {clip: match for clip, match in named.items() if match["channel"] == "01"}
    if not named:
        listed = shortened(others or sung)
        content = f"it holds {listed}" if listed else "it holds no recording"
        raise DataError(
            f"{root} holds no spoken clip named like 03-01-05-02-01-01-12.wav ({content}); "
            "give the folder with RAVDESS's Actor_ folders in it."
        )

    def clip(*stems: str) -> Clip | None:
        path = next((media[stem] for stem in stems if stem in media), None)
        return None if path is None else Clip(path.relative_to(root).as_posix())

    utterances = tuple(
        Utterance(
            name,
            speaker=match["actor"],
            media=media_of(
                text=STATEMENTS[match["statement"]],
                speech=clip(f"03-{name}", f"01-{name}"),
                face=clip(f"01-{name}", f"02-{name}"),
            ),
            extra={
                "statement": match["statement"],
                "intensity": "strong" if match["intensity"] == "02" else "normal",
                "repetition": match["repetition"],
                "sex": "male" if int(match["actor"]) % 2 else "female",
            },
        )
        for name, match in named.items()
    )
    notes = ["Both statements occur in every emotion: the text carries no emotion."]
    if others:
        notes.append(
            f"{len(others)} recordings with other names were left out: {shortened(others)}."
        )
    if sung and not song:
        notes.append(f"{len(sung)} sung clips were left out.")
    features, encoders = {}, {}
    if units:
        absent = np.zeros((0, len(names)), np.float32)
        features["face"] = Frames.from_list([units.get(name, absent) for name in named])
        encoders["face"] = {
            "name": "as-given",
            "fingerprint": hashlib.sha256("\n".join(names).encode()).hexdigest()[:16],
            "width": len(names),
            "columns": list(names),
        }
    return Manifest(
        corpus="ravdess",
        space=EmotionSpace(EMOTIONS, "single"),
        utterances=utterances,
        labels=np.eye(8, dtype=np.float32)[[int(m["emotion"]) - 1 for m in named.values()]],
        features=features,
        encoders=encoders,
        licence="CC BY-NC-SA 4.0",
        notes=tuple(notes),
        root=str(root.resolve()),
    )


def _units(path: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Read clip -> action units [1, D], and the D names; both are empty without a file."""
    if not path.exists():
        return {}, ()
    try:
        with np.load(path, allow_pickle=False) as file:
            clips, values = file["clip"], np.asarray(file["au"], np.float32)
            names = tuple(str(name) for name in file["au_names"])
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read ({error}); it must hold arrays clip, au and au_names."
        ) from None
    if clips.ndim != 1 or values.shape != (len(clips), len(names)):
        raise DataError(
            f"{path}: au must be [clips, names] = [{len(clips)}, {len(names)}]; "
            f"got {list(values.shape)}."
        )
    return {str(c): row[None] for c, row in zip(clips, values, strict=True)}, names
