"""FER2013 and FER+ from the published tables and from packed pictures."""

import csv
import io

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.corpora import fer2013

RNG = np.random.default_rng(0)
FACES = RNG.integers(0, 255, (6, 48, 48), dtype=np.uint8)
USAGE = ["Training", "Training", "PublicTest", "PrivateTest", "Training", "Training"]
LABELS = [0, 3, 4, 6, 5, 2]  # anger, happiness, sadness, neutral, surprise, fear
VOTES = np.array(
    # neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, NF
    [
        [1, 0, 0, 0, 9, 0, 0, 0, 0, 0],
        [0, 10, 0, 0, 0, 0, 0, 0, 0, 0],
        [4, 0, 0, 4, 0, 0, 0, 0, 2, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 10, 0],
        [0, 0, 5, 0, 0, 0, 5, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 10, 0, 0, 0],
    ]
)


@pytest.fixture
def root(tmp_path):
    faces = FACES.copy()
    faces[4] = 7  # blank
    faces[5] = faces[3]  # a training picture that is tested, too
    with open(tmp_path / "fer2013.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for label, face, usage in zip(LABELS, faces, USAGE, strict=True):
            writer.writerow([label, " ".join(map(str, face.ravel())), usage])
    with open(tmp_path / "fer2013new.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Usage", "Image name", *fer2013.VOTES, "unknown", "NF"])
        for i, (usage, votes) in enumerate(zip(USAGE, VOTES, strict=True)):
            writer.writerow([usage, f"fer{i:07d}.png" if i else "", *votes])
    return tmp_path


def test_own_labels(root):
    manifest = fer2013.read(root)
    assert [u.id for u in manifest.utterances] == [f"face-{i:05d}" for i in range(4)]
    assert [u.split for u in manifest.utterances] == ["train", "train", "valid", "test"]
    names = [manifest.space.labels[k] for k in manifest.labels.argmax(1)]
    assert names == ["anger", "happiness", "sadness", "neutral"]
    np.testing.assert_allclose(manifest.features["face"][0][0] * 255, FACES[0].ravel(), atol=0.1)


def test_pictures_that_are_left_out_are_counted(root):
    blank = "1 blank pictures were left out."
    repeated = "1 training pictures that are in another split, too, were left out."
    assert fer2013.read(root).notes[1:] == (blank, repeated)
    assert fer2013.read_both(root).notes[1:] == (blank, repeated)
    unusable = "1 pictures without a usable vote were left out."
    assert fer2013.read_plus(root).notes[1:] == (blank, repeated, unusable)


def test_votes_as_soft_labels(root):
    manifest = fer2013.read_plus(root)
    assert [u.id for u in manifest.utterances] == ["face-00000", "face-00001", "face-00002"]
    space = manifest.space
    assert manifest.labels[0, space.index("anger")] == 1  # the single vote for neutral is no vote
    assert (
        manifest.labels[2, space.index("neutral")]
        == manifest.labels[2, space.index("sadness")]
        == 0.5
    )
    assert [u.extra["clear"] for u in manifest.utterances] == ["yes", "yes", "no"]


def test_both_at_once(root):
    manifest = fer2013.read_both(root)
    np.testing.assert_allclose(manifest.labels.sum(1), 1)
    alone = manifest.labels[3]  # nobody knew: FER2013's label has all the weight
    assert alone[manifest.space.index("FER2013 neutral")] == 1
    assert manifest.labels[0, manifest.space.index("anger")] == 0.5
    assert manifest.labels[0, manifest.space.index("FER2013 anger")] == 0.5


def test_packed_pictures(tmp_path):
    from PIL import Image

    packed, ends = b"", [0]
    for face in FACES[:3]:
        held = io.BytesIO()
        Image.fromarray(face).save(held, "JPEG", quality=95)
        packed += held.getvalue()
        ends.append(len(packed))
    np.savez(tmp_path / "images.npz", jpeg=np.frombuffer(packed, np.uint8), offsets=ends)
    head = ["label", "split", *(f"fp_{x}" for x in (*fer2013.VOTES, "unknown", "NF"))]
    rows = [
        ["angry", "train", *VOTES[0]],
        ["happy", "validation", *VOTES[1]],
        ["sad", "test", *[""] * 10],
    ]
    with open(tmp_path / "metadata.csv", "w", newline="") as file:
        csv.writer(file).writerows([[*head, "dup_across_splits"], *([*r, "0"] for r in rows)])
    manifest = fer2013.read(tmp_path)
    assert [u.split for u in manifest.utterances] == ["train", "valid", "test"]
    assert len(fer2013.read_plus(tmp_path)) == 2  # the third has no votes
    numbered = [[*r, "0", number] for r, number in zip(rows, (2, 0, 1), strict=True)]
    with open(tmp_path / "metadata.csv", "w", newline="") as file:
        csv.writer(file).writerows([[*head, "dup_across_splits", "row"], *numbered])
    manifest = fer2013.read(tmp_path)
    assert [u.split for u in manifest.utterances] == ["valid", "test", "train"]
    numbered[0][-1] = 1
    with open(tmp_path / "metadata.csv", "w", newline="") as file:
        csv.writer(file).writerows([[*head, "dup_across_splits", "row"], *numbered])
    with pytest.raises(DataError, match="does not number the pictures from 0 to 2"):
        fer2013.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda rows: rows[:2] + rows[3:],
            r"row 2 is of PublicTest, fer2013.csv's row 2 of Training: the two files do not belong",
        ),
        (lambda rows: [rows[0], rows[2], rows[1], *rows[3:]], "row 1 is of fer0000001.png"),
        (lambda rows: [*rows, rows[-1]], "has 7 rows and fer2013.csv 6"),
        (lambda rows: rows[:-1], "has fewer rows than fer2013.csv"),
        (lambda rows: [*rows[:2], rows[2].replace(",10,", ",ten,"), *rows[3:]], "row 2: expected"),
        (lambda rows: [rows[0].replace(",NF", ",none"), *rows[1:]], "row 1: expected .*'nf'"),
    ],
)
def test_votes_of_other_pictures_are_refused(root, change, message):
    path = root / "fer2013new.csv"
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    with pytest.raises(DataError, match=message):
        fer2013.read_plus(root)


def test_votes_may_be_separated_by_semicolons(root):
    first = fer2013.read_plus(root).fingerprint
    path = root / "fer2013new.csv"
    path.write_text(path.read_text().replace(",", ";"))
    assert fer2013.read_plus(root).fingerprint == first


def test_mistakes_are_named(root, tmp_path):
    with pytest.raises(DataError, match="neither fer2013"):
        fer2013.read(tmp_path / "elsewhere")
    text = (root / "fer2013.csv").read_text().splitlines()
    (root / "fer2013.csv").write_text("\n".join([text[0], "9,1 2 3,Training"]))
    with pytest.raises(DataError, match="row 1"):
        fer2013.read(root)
    (root / "fer2013new.csv").unlink()
    (root / "fer2013.csv").write_text("\n".join(text[:3]))
    with pytest.raises(DataError, match="no votes"):
        fer2013.read_plus(root)
