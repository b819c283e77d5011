"""MSP-Podcast's table, recordings and transcripts."""

from pathlib import Path

import numpy as np
import pytest

from moodal.core.emotions import Value, Values
from moodal.core.errors import DataError
from moodal.corpora import msp_podcast

HEAD = ",".join(msp_podcast.COLUMNS)
ROWS = (
    "MSP-PODCAST_0001_0008.wav,H,5.5,6.2,4,97,Female,Train",
    "MSP-PODCAST_0001_0019.wav,X,3.25,2,4.5,Unknown,Unknown,Development",
    "MSP-PODCAST_0002_0001.wav,N,4,4,4,127,Male,Test2",
)


def write(root: Path, *rows: str, name: str = "labels_consensus.csv") -> Path:
    """Write a release with these rows and the recording and transcript of the first."""
    for place in ("Labels", "Audios", "Transcripts"):
        (root / place).mkdir(exist_ok=True)
    (root / "Labels" / name).write_text("\n".join([HEAD, *(rows or ROWS), ""]))
    (root / "Audios/MSP-PODCAST_0001_0008.wav").write_bytes(b"x")
    (root / "Audios/MSP-PODCAST_9999_0001.wav").write_bytes(b"x")
    (root / "Transcripts/MSP-PODCAST_0001_0008.txt").write_text(" How\nlovely! ")
    return root


@pytest.mark.parametrize("name", msp_podcast.TABLES)
def test_rows_are_read_with_words_and_values(tmp_path: Path, name: str) -> None:
    manifest = msp_podcast.read(write(tmp_path, name=name))
    first, second, third = manifest.utterances
    assert (first.id, first.split, first.speaker) == ("MSP-PODCAST_0001_0008", "train", "97")
    assert (first.dialogue, first.text) == ("MSP-PODCAST_0001", "How lovely!")
    assert first.media["speech"].path == "Audios/MSP-PODCAST_0001_0008.wav"  # type: ignore[union-attr]
    assert first.extra == {"part": "Train", "gender": "female"}
    assert (second.split, second.speaker, third.split) == ("valid", None, "test")
    assert [manifest.space.labels[i] for i in manifest.labels.argmax(1)] == [
        "happiness",
        "undecided",
        "neutral",
    ]
    assert manifest.ratings is not None
    range_ = [Value(name, 1, 7) for name in ("valence", "arousal", "dominance")]
    assert manifest.ratings.space == Values(range_)
    expected = [[6.2, 5.5, 4], [2, 3.25, 4.5], [4, 4, 4]]  # the table has arousal first
    np.testing.assert_allclose(manifest.ratings.numbers, expected)
    assert manifest.notes == (
        "2 rows have no recording: MSP-PODCAST_0001_0019, MSP-PODCAST_0002_0001.",
        "2 rows have no transcript: MSP-PODCAST_0001_0019, MSP-PODCAST_0002_0001.",
        "1 recordings have no row and were left out: MSP-PODCAST_9999_0001.",
    )


@pytest.mark.parametrize("cells", ["O,,,,1,Male", ",,,,,"])
def test_rows_with_secret_labels_are_counted(tmp_path: Path, cells: str) -> None:
    secret = f"MSP-PODCAST_0003_0001.wav,{cells},Test3"
    manifest = msp_podcast.read(write(tmp_path, *ROWS, secret))
    assert len(manifest) == 3
    assert "1 rows without numbers were left out." in manifest.notes


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "a.wav,H,5.5,7.5,4,1,Male,Train",
            r"row 4 \(a\.wav\) has valence '7.5', not a number",
        ),
        ("a.wav,H,5.5,high,4,1,Male,Train", "has valence 'high'"),
        ("a.wav,Q,5.5,6,4,1,Male,Train", "has EmoClass 'Q'"),
        ("a.wav,,5.5,,,1,Male,Test3", "has EmoClass None"),
        ("a.wav,H,5.5,6,4,1,Male,Training", "has Split_Set 'Training'"),
        (",H,5.5,6,4,1,Male,Train", r"row 4 \(no name\) names no recording"),
        ("MSP-PODCAST_0001_0008.wav,H,5,6,4,1,Male,Train", "is of the same recording as row 1"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        msp_podcast.read(write(tmp_path, *ROWS, row))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no Labels/labels_consensus\.csv"):
        msp_podcast.read(tmp_path)
    write(tmp_path)
    (tmp_path / "Labels/labels_consensus.csv").write_text("FileName,EmoClass\na,H\n")
    with pytest.raises(DataError, match="has no column EmoAct, EmoVal, EmoDom, SpkrID, Gender"):
        msp_podcast.read(tmp_path)
