"""FER2013: 35,887 grey faces of 48 x 48 pixels in 7 emotions; FER+: ten people's votes on each.

Goodfellow et al., "Challenges in Representation Learning: A report on three machine learning
contests", ICONIP 2013; Barsoum et al., "Training Deep Networks for Facial Expression Recognition
with Crowd-Sourced Label Distribution", ICMI 2016.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Frames, Utterance
from moodal.core.table_rows import Row, iterate, number, read_rows
from moodal.core.votes import VOTES as COUNTS
from moodal.core.votes import written
from moodal.corpora.published.features import as_given

SIDE = 48
"""Pixels of a face's side."""

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""FER2013's, in the order of its ids; its own names are angry, happy and sad."""
_OWN = {"angry": "anger", "happy": "happiness", "sad": "sadness"}

VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""FER+'s, in the order of its columns; "unknown" and "NF" (no face) follow."""
COUNTED = (*VOTES, "unknown", "NF")
"""The columns of FER+'s counts."""

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
    optional ``fer2013new.csv`` that holds FER+'s votes, whose Usage and Image name must be those of
    the same rows; or ``images.npz`` with ``metadata.csv``, whose column ``row`` numbers the
    pictures. Blank pictures are left out, and so are training pictures that occur in another
    split, too; the notes count both.

    Returns:
        The stream face: each picture is one step of 2,304 values, grey from 0 to 1, row by row.

    Raises:
        DataError: the files are missing or do not belong together, or a row is damaged.
    """
    faces, notes = _usable(root)
    labels = np.eye(len(EMOTIONS), dtype=np.float32)[[EMOTIONS.index(f.label) for _, f in faces]]
    return _manifest("fer2013", EmotionSpace(EMOTIONS, "single"), faces, labels, root, notes)


def read_plus(root: Path | str) -> Manifest:
    """Read FER2013 with FER+'s votes: the share of ten people's votes for each of 8 emotions.

    Labels are [N, 8]. As by FER+'s authors, a single vote for an emotion does not count, and a
    picture is left out if "unknown" or "no face" has the most votes, or if nobody voted.
    ``extra["votes"]`` has all votes for emotions, single ones too. ``extra["clear"]`` is "yes"
    where one emotion has more than half of all votes, as in their majority mode.

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
    manifest = _manifest("ferplus", space, faces, targets, root, notes)
    utterances = tuple(
        dataclasses.replace(u, extra={**u.extra, COUNTS: _counted(face)})
        for u, (_, face) in zip(manifest.utterances, faces, strict=True)
    )
    return dataclasses.replace(manifest, utterances=utterances)


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


def _counted(face: _Face) -> str:
    """Write the number of votes for each emotion that has any."""
    votes = () if face.votes is None else face.votes[: len(VOTES)].tolist()
    counts = zip(VOTES, votes, strict=face.votes is not None)
    return written({name: int(count) for name, count in counts if count})


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
    rows = _in_order(root, read_rows(root / "metadata.csv"), len(offsets) - 1)
    for i, row in enumerate(rows):
        picture = Image.open(io.BytesIO(jpeg[offsets[i] : offsets[i + 1]].tobytes())).convert("L")
        if picture.size != (SIDE, SIDE):
            raise DataError(f"{root}/images.npz: picture {i} is {picture.size}, not 48 x 48.")
        counts = [row.get(f"fp_{name.lower()}") for name in COUNTED]
        try:
            votes = np.array([float(x or 0) for x in counts if all(counts)])
            split, label = SPLITS[str(row["split"])], _label(str(row["label"]))
        except (KeyError, ValueError) as error:
            raise DataError(
                f"{root}/metadata.csv, row {i + 1}: expected label, split and votes as numbers "
                f"({error!r}); correct that row."
            ) from None
        yield _Face(
            np.asarray(picture, np.uint8),
            split,
            label,
            votes if len(votes) else np.zeros(len(COUNTED)),
            row.get("dup_across_splits") == "1",
        )


def _in_order(root: Path, rows: list[Row], pictures: int) -> list[Row]:
    """Return the rows of ``metadata.csv`` in the order of the pictures, by their column ``row``.

    Raises:
        DataError: there are not as many rows as pictures, or not one of each number.
    """
    if len(rows) != pictures:
        raise DataError(
            f"{root}: metadata.csv has {len(rows)} rows for {pictures} pictures; take "
            "both from one copy."
        )
    if not any("row" in row for row in rows):
        return rows
    by_number = {number(row.get("row")): row for row in rows}
    if by_number.keys() != set(range(pictures)):
        raise DataError(
            f"{root}: the column row of metadata.csv does not number the pictures from 0 to "
            f"{pictures - 1}; take both from one copy."
        )
    return [by_number[i] for i in range(pictures)]


def _table(root: Path) -> Iterator[_Face]:
    """Yield the faces of the published CSV, whose pixels are a text of 2,304 numbers."""
    path = root / "fer2013new.csv"
    votes = list(iterate(path)) if path.exists() else None
    count = 0
    for i, row in enumerate(iterate(root / "fer2013.csv")):
        try:
            pixels = np.array(str(row["pixels"]).split(), np.uint8).reshape(SIDE, SIDE)
            label, usage = EMOTIONS[int(str(row["emotion"]))], str(row["usage"])
            split = SPLITS[usage]
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            raise DataError(
                f"{root}/fer2013.csv, row {i + 1}: expected emotion (0 to 6), 2,304 pixels "
                f"and Usage ({error!r}); correct that row."
            ) from None
        counts = None if votes is None else _votes(path, votes, i, usage)
        yield _Face(pixels, split, label, counts, False)
        count = i + 1
    if votes is not None and len(votes) > count:
        raise DataError(
            f"{path} has {len(votes)} rows and fer2013.csv {count}: the two files do not belong "
            "together; take the published ones."
        )


def _votes(path: Path, rows: Sequence[Row], i: int, usage: str) -> np.ndarray:
    """Return the ten counts of the picture in row ``i`` of fer2013.csv.

    Each row of FER+ names the split of its picture and, unless it shows no face, the picture.

    Raises:
        DataError: that row is of another picture, or lacks counts.
    """
    cure = "the two files do not belong together; take the published ones"
    if i >= len(rows):
        raise DataError(f"{path} has fewer rows than fer2013.csv: {cure}.")
    row, name = rows[i], f"fer{i:07d}.png"
    if row.get("usage") != usage:
        raise DataError(
            f"{path}, row {i + 1} is of {row.get('usage') or 'no split'}, fer2013.csv's row "
            f"{i + 1} of {usage}: {cure}."
        )
    if row.get("image name") not in (None, name):
        raise DataError(
            f"{path}, row {i + 1} is of {row['image name']}, and that row of fer2013.csv is "
            f"{name}: {cure}."
        )
    try:
        return np.array([float(row[name.lower()] or 0) for name in COUNTED])
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{path}, row {i + 1}: expected numbers of votes in the columns "
            f"{', '.join(COUNTED)} ({error!r}); correct that row."
        ) from None


def _label(name: str) -> str:
    label = _OWN.get(name, name)
    if label not in EMOTIONS:
        raise DataError(f"FER2013 has no emotion {name!r}; it has {', '.join(EMOTIONS)}.")
    return label
