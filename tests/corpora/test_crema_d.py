"""CREMA-D: what its file names say, and the tables beside them."""

from pathlib import Path

import pytest

from moodal.core.errors import DataError
from moodal.corpora import crema_d


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_names_give_speaker_sentence_and_emotion(tmp_path: Path) -> None:
    touch(tmp_path, "AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1002_IEO_SAD_HI.wav")
    manifest = crema_d.read(tmp_path)
    angry, sad = manifest.utterances
    assert (angry.id, angry.speaker, angry.text, angry.split) == (
        "1001_DFA_ANG_XX",
        "1001",
        "Don't forget a jacket.",
        None,
    )
    assert "speech" in angry.media
    assert angry.media["speech"].path == "AudioWAV/1001_DFA_ANG_XX.wav"
    assert (angry.extra["level"], sad.extra["level"]) == ("unspecified", "high")
    assert manifest.space.labels[int(manifest.labels[0].argmax())] == "anger"
    assert manifest.space.labels[int(manifest.labels[1].argmax())] == "sadness"
    assert manifest.labels.sum(1).tolist() == [1, 1]
    assert Path(manifest.root or "") == tmp_path.resolve()


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".mp3", ".WAV"])
def test_endings_and_a_flat_folder(tmp_path: Path, ending: str) -> None:
    manifest = crema_d.read(touch(tmp_path, f"1001_TSI_NEU_XX{ending}"))
    clip = manifest.utterances[0].media["speech"]
    assert clip is not None
    assert clip.path == f"1001_TSI_NEU_XX{ending}"


def test_twice_the_same_recording_is_one_utterance(tmp_path: Path) -> None:
    touch(tmp_path, "AudioWAV/1001_TSI_NEU_XX.ogg", "AudioWAV/1001_TSI_NEU_XX.wav")
    touch(tmp_path, "VideoFlash/1001_TSI_NEU_XX.flv", "VideoFlash/1001_TSI_SAD_XX.flv")
    manifest = crema_d.read(tmp_path)
    both, seen = manifest.utterances
    assert "speech" in both.media
    assert both.media["speech"].path.endswith(".wav")
    assert "face" in both.media
    assert seen.media["speech"] == seen.media["face"]  # the sound of the film


def test_actors_and_votes(tmp_path: Path) -> None:
    touch(tmp_path, "AudioWAV/1001_DFA_ANG_XX.wav")
    (tmp_path / "VideoDemographics.csv").write_text(
        "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n"
    )
    (tmp_path / "processedResults").mkdir()
    (tmp_path / "processedResults" / "summaryTable.csv").write_text(
        '"",FileName,VoiceVote,VoiceLevel,FaceVote,MultiModalVote\n1,1001_DFA_ANG_XX,N,50,A,A:D\n'
    )
    extra = crema_d.read(tmp_path).utterances[0].extra
    assert (extra["sex"], extra["age"]) == ("male", "51")
    assert (extra["voice_vote"], extra["multimodal_vote"]) == ("N", "A:D")


def test_other_names_are_noted_and_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "1001_DFA_ANG_XX.wav", "take1.wav", "1001_DFA_JOY_XX.wav")
    manifest = crema_d.read(tmp_path)
    assert len(manifest) == 1
    assert (
        "2 recordings with other names were left out: 1001_DFA_JOY_XX, take1" in manifest.notes[-1]
    )


def test_nothing_that_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it holds no recording"):
        crema_d.read(tmp_path)
    touch(tmp_path, "a.wav", "b.wav", "c.wav", "d.wav")
    with pytest.raises(DataError, match="a, b, c and 1 more"):
        crema_d.read(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        crema_d.read(tmp_path / "a.wav")


def test_the_real_corpus_has_its_published_totals(real) -> None:
    manifest = crema_d.read(real("crema_d"))
    assert manifest.labels.sum(0).tolist() == [1271, 1271, 1271, 1271, 1087, 1271]
    assert len({u.speaker for u in manifest.utterances}) == 91
    assert {u.text for u in manifest.utterances} == set(crema_d.SENTENCES.values())
    # 1076_MTI_SAD_XX and the like have no majority by voice, but all are voted on
    assert all("voice_vote" in u.extra for u in manifest.utterances)
