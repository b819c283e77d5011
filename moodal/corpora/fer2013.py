"""FER2013: 35,887 grey faces of 48 x 48 pixels in 7 emotions; FER+: ten people's votes on each.

Goodfellow et al., "Challenges in Representation Learning: A report on three machine learning
contests", ICONIP 2013; Barsoum et al., "Training Deep Networks for Facial Expression Recognition
with Crowd-Sourced Label Distribution", ICMI 2016.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Frames, Utterance
from moodal.corpora.published.features import as_given

SIDE = 48
"""Pixels of a face's side."""

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""FER2013's, in the order of its ids; its own names are angry, happy and sad."""
_OWN = {"angry": "anger", "happy": "happiness", "sad": "sadness"}

VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""FER+'s, in the order of its columns; "unknown" and "NF" (no face) follow."""
SPLITS = {
    "train": "train",
    "Training": "train",
    "validation": "valid",
    "PublicTest": "valid",
    "test": "test",
    "PrivateTest": "test",
}
LICENCE = "images ODbL 1.0 / DbCL 1.0 as their hosts state it (unverified); FER+ votes MIT"


class _Face(NamedTuple):
    """A row of the tables: picture, split, FER2013's label and FER+'s ten counts."""

    pixels: np.ndarray
    split: str
    label: str
    votes: np.ndarray | None
    doubled: bool


def read(root: Path | str) -> Manifest:
    """Read FER2013: 35,887 grey faces of 48 x 48 pixels, each with one of 7 emotions.

    Labels are one-hot [N, 7]. The files are ``fer2013.csv`` (emotion, pixels, Usage), with an
    optional ``fer2013new.csv`` that holds FER+'s votes; or ``images.npz`` with ``metadata.csv``.
    Blank pictures are left out, and so are training pictures that occur in another split, too;
    the notes count both.

    Returns:
        The stream face: each picture is one step of 2,304 values, grey from 0 to 1, row by row.

    Raises:
        DataError: the files are missing, or a row is damaged.
    """
    faces, notes = _usable(root)
    labels = np.eye(len(EMOTIONS), dtype=np.float32)[[EMOTIONS.index(f.label) for _, f in faces]]
    return _manifest("fer2013", EmotionSpace(EMOTIONS, "single"), faces, labels, root, notes)


def read_plus(root: Path | str) -> Manifest:
    """Read FER2013 with FER+'s votes: the share of ten people's votes for each of 8 emotions.

    Labels are [N, 8]. As by FER+'s authors, a single vote for an emotion does not count, and a
    picture is left out if "unknown" or "no face" has the most votes, or if nobody voted.
    ``extra["clear"]`` is "yes" where one emotion has more than half of all votes, as in their
    majority mode.

    Raises:
        DataError: as `read`, or the files hold no votes.
    """
    faces, labels = [], []
    usable, notes = _usable(root)
    if not any(face.votes is not None and face.votes.any() for _, face in usable):
        raise DataError(f"{root} has no votes of FER+ (fer2013new.csv, or fp_ columns).")
    for row, face in usable:
        shares = None if face.votes is None else vote_shares(face.votes)
        if shares is not None:
            faces.append((row, face))
            labels.append(shares)
    if without := len(usable) - len(faces):
        notes = [*notes, f"{without} pictures without a usable vote were left out."]
    space = EmotionSpace(VOTES, "single")
    targets = np.array(labels, np.float32).reshape(-1, 8)
    return _manifest("ferplus", space, faces, targets, root, notes)


def read_both(root: Path | str) -> Manifest:
    """Read FER2013 with its own labels and FER+'s votes, to train one network on both.

    Labels are [N, 15], and each row sums to 1. FER+'s emotions have their names, FER2013's are
    "FER2013 anger" and so on; each kind has half the weight. A picture without usable votes has
    FER2013's label alone.

    Raises:
        DataError: as `read`.
    """
    faces, notes = _usable(root)
    labels = np.zeros((len(faces), len(VOTES) + len(EMOTIONS)), np.float32)
    for row, (_, face) in zip(labels, faces, strict=True):
        shares = None if face.votes is None else vote_shares(face.votes)
        row[len(VOTES) + EMOTIONS.index(face.label)] = 1.0 if shares is None else 0.5
        if shares is not None:
            row[: len(VOTES)] = shares / 2
    space = EmotionSpace((*VOTES, *(f"FER2013 {x}" for x in EMOTIONS)), "single")
    return _manifest("fer2013-both", space, faces, labels, root, notes)


def vote_shares(votes: np.ndarray) -> np.ndarray | None:
    """Convert ten counts to the shares [8] of the emotions; None without a usable vote.

    >>> vote_shares(np.array([4, 1, 0, 4, 0, 0, 0, 0, 1, 0])).tolist()
    [0.5, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0]
    """
    counts = np.where(votes > 1, votes, 0.0)
    if not counts[: len(VOTES)].sum() or counts[len(VOTES) :].max() >= counts[: len(VOTES)].max():
        return None
    return np.asarray(counts[: len(VOTES)] / counts[: len(VOTES)].sum(), np.float32)


def _manifest(
    corpus: str,
    space: EmotionSpace,
    faces: list[tuple[int, _Face]],
    labels: np.ndarray,
    root: Path | str,
    notes: Sequence[str],
) -> Manifest:
    values = np.array([f.pixels for _, f in faces], np.float16).reshape(-1, SIDE * SIDE) / 255
    return Manifest(
        corpus=corpus,
        space=space,
        utterances=tuple(
            Utterance(f"face-{row:05d}", split=f.split, extra=_extra(f)) for row, f in faces
        ),
        labels=labels,
        features={"face": Frames(values.astype(np.float16), np.ones(len(faces), np.int64))},
        encoders={"face": as_given("fer2013", "face", SIDE * SIDE)},
        licence=LICENCE,
        notes=("No person is named: a face of one person may stand in two splits.", *notes),
        root=str(Path(root).resolve()),
    )


def _extra(face: _Face) -> dict[str, str]:
    extra = {"label": face.label}
    if face.votes is not None:
        best = int(np.argmax(face.votes))
        clear = best < len(VOTES) and face.votes[best] > face.votes.sum() / 2
        extra["clear"] = "yes" if clear else "no"
    return extra


def _usable(root: Path | str) -> tuple[list[tuple[int, _Face]], list[str]]:
    """Read faces and their rows, without blanks and training pictures of another split.

    Returns:
        The faces, and a note for each reason why some were left out.
    """
    root = Path(root)
    if (root / "images.npz").exists():
        faces = list(_packed(root))
    elif (root / "fer2013.csv").exists():
        faces = list(_table(root))
    else:
        raise DataError(
            f"{root} holds neither fer2013.csv nor images.npz with metadata.csv; give the folder "
            "in which FER2013 lies."
        )
    held_out = {f.pixels.tobytes() for f in faces if f.split != "train"}
    blank = {row for row, face in enumerate(faces) if face.pixels.min() == face.pixels.max()}
    repeated = {
        row
        for row, face in enumerate(faces)
        if face.split == "train" and (face.doubled or face.pixels.tobytes() in held_out)
    } - blank
    usable = [(row, face) for row, face in enumerate(faces) if row not in blank | repeated]
    notes = []
    if blank:
        notes.append(f"{len(blank)} blank pictures were left out.")
    if repeated:
        notes.append(
            f"{len(repeated)} training pictures that are in another split, too, were left out."
        )
    return usable, notes


def _packed(root: Path) -> Iterator[_Face]:
    """Yield the faces of ``images.npz``, JPEG pictures described by ``metadata.csv``."""
    from PIL import Image

    with np.load(root / "images.npz", allow_pickle=False) as arrays:
        jpeg, offsets = arrays["jpeg"], arrays["offsets"]
    with open(root / "metadata.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if len(rows) != len(offsets) - 1:
        raise DataError(
            f"{root}: metadata.csv has {len(rows)} rows for {len(offsets) - 1} pictures; take "
            "both from one copy."
        )
    for i, row in enumerate(rows):
        picture = Image.open(io.BytesIO(jpeg[offsets[i] : offsets[i + 1]].tobytes())).convert("L")
        if picture.size != (SIDE, SIDE):
            raise DataError(f"{root}/images.npz: picture {i} is {picture.size}, not 48 x 48.")
        counts = [row.get(f"fp_{name}", "") for name in (*VOTES, "unknown", "NF")]
        votes = np.array([float(x) for x in counts]) if all(counts) else None
        yield _Face(
            np.asarray(picture, np.uint8),
            SPLITS[row["split"]],
            _label(row["label"]),
            np.zeros(10) if votes is None else votes,
            row.get("dup_across_splits") == "1",
        )


def _table(root: Path) -> Iterator[_Face]:
    """Yield the faces of the published CSV, whose pixels are a text of 2,304 numbers."""
    votes = None
    if (root / "fer2013new.csv").exists():
        with open(root / "fer2013new.csv", encoding="utf-8", newline="") as file:
            votes = [np.array([float(x or 0) for x in r[2:12]]) for r in list(csv.reader(file))[1:]]
    with open(root / "fer2013.csv", encoding="utf-8", newline="") as file:
        for i, row in enumerate(csv.DictReader(file)):
            named = {k.strip(): v for k, v in row.items()}
            try:
                pixels = np.array(named["pixels"].split(), np.uint8).reshape(SIDE, SIDE)
                label, split = EMOTIONS[int(named["emotion"])], SPLITS[named["Usage"].strip()]
            except (KeyError, ValueError, IndexError, AttributeError) as error:
                raise DataError(
                    f"{root}/fer2013.csv, row {i + 1}: expected emotion (0 to 6), 2,304 pixels "
                    f"and Usage ({error!r}); correct that row."
                ) from None
            if votes is not None and i >= len(votes):
                raise DataError(f"{root}: fer2013new.csv has fewer rows than fer2013.csv.")
            yield _Face(pixels, split, label, None if votes is None else votes[i], False)


def _label(name: str) -> str:
    label = _OWN.get(name, name)
    if label not in EMOTIONS:
        raise DataError(f"FER2013 has no emotion {name!r}; it has {', '.join(EMOTIONS)}.")
    return label
