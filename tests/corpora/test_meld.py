"""MELD's csv files and clips."""

from pathlib import Path

import pytest

from moodal.core.errors import DataError
from moodal.corpora import meld
from moodal.corpora.checks.expected_counts import PUBLISHED

HEAD = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,"
    "StartTime,EndTime"
)


def row(text: str = "Hi.", emotion: str = "neutral", place: str = "0,0") -> str:
    return f'1,"{text}",Joey,{emotion},neutral,{place},8,21,"00:16:16,059","00:16:21,731"'


def part(root: Path, name: str, *rows: str, encoding: str = "utf-8", head: str = HEAD) -> None:
    content = "\n".join([head, *(rows or [row()]), ""])
    (root / f"{name}_sent_emo.csv").write_bytes(content.encode(encoding))


def clips(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.mp4").write_bytes(b"x")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in meld.SPLITS:
        part(tmp_path, name)
    return tmp_path


def test_rows_and_clips(root: Path) -> None:
    part(root, "train", row("It\x92s you \x96 Ros\xe9", "Joy", "3,1"), row(place="3,2"))
    clips(root / "train_splits", "dia3_utt1", "._dia3_utt2", "dia9_utt9")
    clips(root / "dev_splits_complete", "dia0_utt0")
    clips(root / "output_repeated_splits_test", "final_videos_testdia0_utt0")
    manifest = meld.read(root)
    first, second, dev, test = manifest.utterances
    assert (first.id, first.split, first.speaker, first.dialogue) == (
        "train_dia3_utt1",
        "train",
        "Joey",
        "train_dia3",
    )
    assert first.text == "It’s you – Rosé"
    assert first.media["speech"] == first.media["face"]
    assert "speech" in first.media
    assert first.media["speech"].path == "train_splits/dia3_utt1.mp4"
    assert first.extra == {
        "sentiment": "neutral",
        "season": "8",
        "episode": "21",
        "start": "00:16:16,059",
        "end": "00:16:21,731",
    }
    assert ("speech" in second.media, dev.split) == (False, "valid")
    assert "face" in test.media
    assert manifest.space.labels[int(manifest.labels[0].argmax())] == "joy"
    assert manifest.notes == (
        "1 clips of train are missing: dia3_utt2.",
        "1 clips of train belong to no row: dia9_utt9.",
    )


def test_the_plain_name_counts_where_a_clip_exists_twice(root: Path) -> None:
    place = root / "output_repeated_splits_test"
    clips(place, "dia0_utt0", "final_videos_testdia0_utt0")
    manifest = meld.read(root)
    assert manifest.utterances[-1].media["face"].path.endswith("test/dia0_utt0.mp4")
    assert manifest.notes[-1] == (
        "1 files of test with other or repeated names were left out: final_videos_testdia0_utt0."
    )


@pytest.mark.parametrize("folder", ["MELD.Raw/train", "clips/my_train", "train-videos/all"])
def test_folders_may_have_other_names(root: Path, folder: str) -> None:
    clips(root / folder, "dia0_utt0")
    assert meld.read(root).utterances[0].media["face"].path == f"{folder}/dia0_utt0.mp4"


def test_text_alone_is_a_corpus(root: Path) -> None:
    manifest = meld.read(root)
    assert manifest.notes[0] == "There are no clips of train: its utterances have text only."


def test_csv_in_a_folder_of_its_own_and_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    for name in meld.SPLITS:
        part(tmp_path / "annotations", name, row("Don’t"), encoding="cp1252")
    assert {u.text for u in meld.read(tmp_path).utterances} == {"Don’t"}


def test_what_is_wrong_is_reported_together(root: Path) -> None:
    part(root, "dev", row(emotion="bored"), row(place="0,0"), row(place="x,1"), row(place="0,0"))
    with pytest.raises(DataError) as error:
        meld.read(root)
    message = str(error.value)
    assert "row 1 has the emotion 'bored', row 2 is dialogue 0, utterance 0, as row 1 is" in message
    assert "and 1 more" in message
    part(root, "dev", head=HEAD.replace("Emotion", "Feeling"))
    with pytest.raises(DataError, match=r"lacks the column Emotion \(it has dialogue_id"):
        meld.read(root)
    (root / "dev_sent_emo.csv").unlink()
    with pytest.raises(DataError, match=r"holds no dev_sent_emo\.csv"):
        meld.read(root)


def test_the_published_totals_are_consistent() -> None:
    assert PUBLISHED["meld"].utterances == {"train": 9989, "valid": 1109, "test": 2610}
