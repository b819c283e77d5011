"""RAVDESS: what its file names say, and the action units beside them."""

from pathlib import Path

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.corpora import ravdess


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def units(root: Path, *clips: str, width: int = 35) -> None:
    values = np.arange(len(clips) * width, dtype=np.float32).reshape(len(clips), width)
    np.savez(
        root / "openface_au.npz",
        clip=np.array(clips),
        au=values,
        au_names=np.array([f"AU{i}" for i in range(width)]),
    )


@pytest.mark.parametrize("place", ["Actor_12/", "audio/", ""])
def test_names_give_speaker_statement_and_emotion(tmp_path: Path, place: str) -> None:
    manifest = ravdess.read(touch(tmp_path, f"{place}03-01-05-02-01-02-12.wav"))
    (utterance,) = manifest.utterances
    assert (utterance.id, utterance.speaker) == ("01-05-02-01-02-12", "12")
    assert utterance.text == "Kids are talking by the door"
    assert utterance.extra["sex"] == "female"
    assert utterance.extra["intensity"] == "strong"
    assert "speech" in utterance.media
    assert utterance.media["speech"].path == f"{place}03-01-05-02-01-02-12.wav"
    assert manifest.space.labels[int(manifest.labels[0].argmax())] == "angry"


def test_sound_and_video_of_a_clip_are_one_utterance(tmp_path: Path) -> None:
    clip = "01-03-01-02-01-01"
    touch(tmp_path, f"Actor_01/03-{clip}.wav", f"Actor_01/01-{clip}.mp4", f"Actor_01/02-{clip}.mp4")
    touch(tmp_path, "Actor_01/01-01-04-01-02-01-01.mp4")
    happy, sad = ravdess.read(tmp_path).utterances
    assert "speech" in happy.media
    assert "face" in happy.media
    assert happy.media["speech"].path.endswith(".wav")
    assert happy.media["face"].path.startswith("Actor_01/01-")
    assert "speech" in sad.media  # the sound of the video
    assert sad.media["speech"] == sad.media["face"]


def test_song_only_when_asked(tmp_path: Path) -> None:
    touch(tmp_path, "03-01-03-01-01-01-01.wav", "03-02-03-01-01-01-01.wav")
    spoken = ravdess.read(tmp_path)
    assert len(spoken) == 1
    assert "1 sung clips were left out" in spoken.notes[-1]
    assert len(ravdess.read(tmp_path, song=True)) == 2


def test_action_units_are_the_face_stream(tmp_path: Path) -> None:
    touch(tmp_path, "audio/03-01-02-01-01-01-01.ogg", "audio/03-01-03-01-01-01-01.ogg")
    units(tmp_path, "01-03-01-01-01-01", "01-04-01-01-01-01")
    manifest = ravdess.read(tmp_path)
    assert [u.id for u in manifest.utterances] == [
        "01-02-01-01-01-01",
        "01-03-01-01-01-01",
        "01-04-01-01-01-01",
    ]
    face = manifest.features["face"]
    assert face.lengths.tolist() == [0, 1, 1]
    assert face[1][0, :2].tolist() == [0.0, 1.0]
    assert face.width == manifest.encoders["face"]["width"] == 35
    assert "speech" not in manifest.utterances[2].media


def test_action_units_of_other_names_are_counted(tmp_path: Path) -> None:
    touch(tmp_path, "audio/03-01-02-01-01-01-01.ogg")
    units(tmp_path, "01-03-01-01-01-01", "01-99-01-01-01-01")
    assert "other names were left out: 01-99-01-01-01-01" in ravdess.read(tmp_path).notes[-1]


def test_damaged_action_units(tmp_path: Path) -> None:
    touch(tmp_path, "03-01-02-01-01-01-01.wav")
    (tmp_path / "openface_au.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(DataError, match="cannot be read"):
        ravdess.read(tmp_path)
    np.savez(tmp_path / "openface_au.npz", clip=np.array(["x"]))
    with pytest.raises(DataError, match="clip, au and au_names"):
        ravdess.read(tmp_path)
    np.savez(
        tmp_path / "openface_au.npz",
        clip=np.array(["x"]),
        au=np.zeros((2, 3)),
        au_names=np.array(["a", "b", "c"]),
    )
    with pytest.raises(DataError, match=r"\[1, 3\]; got \[2, 3\]"):
        ravdess.read(tmp_path)
    np.savez(
        tmp_path / "openface_au.npz",
        clip=np.array([{"a": 1}], dtype=object),
        au=np.zeros((1, 1)),
        au_names=np.array(["a"]),
    )
    with pytest.raises(DataError, match="cannot be read"):
        ravdess.read(tmp_path)


def test_other_names(tmp_path: Path) -> None:
    touch(tmp_path, "03-01-09-01-01-01-01.wav", "noise.wav")
    with pytest.raises(DataError, match="no spoken clip"):
        ravdess.read(tmp_path)
    touch(tmp_path, "03-01-08-01-01-01-01.wav")
    manifest = ravdess.read(tmp_path)
    assert len(manifest) == 1
    assert "2 recordings with other names" in manifest.notes[-1]


def test_the_real_corpus_has_its_published_totals(real) -> None:
    manifest = ravdess.read(real("ravdess"))
    assert manifest.labels.sum(0).tolist() == [96, *[192] * 7]
    assert sum("speech" in u.media for u in manifest.utterances) == 1424
    assert manifest.features["face"].lengths.sum() == 1440
    assert len({u.speaker for u in manifest.utterances}) == 24
