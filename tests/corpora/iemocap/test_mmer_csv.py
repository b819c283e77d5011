"""MMER's csv and the folders beside it."""

from pathlib import Path

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.corpora.checks.check import check
from moodal.corpora.iemocap import mmer_csv

A, B = "Ses01F_impro01_F000", "Ses02M_script01_2_M003"
HEAD = ",FileName,Sentences,Label,text,AugmentedText"


def csv(root: Path, *rows: str, head: str = HEAD) -> Path:
    (root / "iemocap.csv").write_bytes("\r\n".join([head, *rows, ""]).encode())
    return root


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return csv(
        tmp_path,
        f'0,{A},"Excuse me, please.",exc,{{LG}} EXCUSE ME PLEASE .,Pardon me.',
        f"1,{B},Yeah.,neu,YEAH .,",
    )


def wav(path: Path) -> None:
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(800, 0.1), 16000)


def npy(path: Path, *shape: int, value: float = 1.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.full(shape, value, np.float32))


def test_the_csv_alone_is_a_corpus_of_text(two: Path) -> None:
    for root in (two, two / "iemocap.csv"):
        manifest = mmer_csv.read(root)
        a, b = manifest.utterances
        assert (a.id, a.session, a.speaker, a.text) == (A, "Ses01", "Ses01F", "Excuse me, please.")
        assert a.extra == {
            "style": "improvised",
            "scenario": "impro01",
            "ctc_text": "EXCUSE ME PLEASE .",
        }
        assert (b.speaker, b.extra["script"]) == ("Ses02M", "script01_2")
        assert (a.views["text"], "text" in b.views) == (("Pardon me.",), False)
        assert manifest.space.labels == ("happy", "excited", "angry", "neutral", "sad")
        assert manifest.labels.tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 1, 0]]
        assert "speech" not in a.media
        assert (manifest.features, manifest.views, manifest.notes) == ({}, {}, ())
    assert mmer_csv.AUTHORS_ORDER == ("happy", "angry", "neutral", "sad")


def test_the_older_csv_has_fewer_columns(tmp_path: Path) -> None:
    csv(tmp_path, f"{A},Hm.,HAP", head="FileName,Sentences,Label")
    (utterance,) = mmer_csv.read(tmp_path).utterances
    assert "ctc_text" not in utterance.extra


def test_the_folders_next_to_the_csv(two: Path) -> None:
    wav(two / "audio" / f"{A}.wav")
    wav(two / "audio" / f"{B}.wav")
    for voice in ("p225", "p226_x"):
        wav(two / "audio_augmented" / f"{voice}_{B}.wav")
    npy(two / "roberta" / f"{A}.npy", 1, 3, 768)
    npy(two / "roberta" / f"{B}.npy", 1, 2, 768, value=2)
    npy(two / "roberta_augmented" / f"{B}.npy", 1, 4, 768, value=3)
    manifest = mmer_csv.read(two)
    a, b = manifest.utterances
    assert "speech" in a.media
    assert a.media["speech"].path == f"audio/{A}.wav"
    assert [c.path for c in b.views["speech"]] == [
        f"audio_augmented/p225_{B}.wav",
        f"audio_augmented/p226_x_{B}.wav",
    ]
    frames, views = manifest.features["text"], manifest.views["text"]
    assert (frames.lengths.tolist(), frames.width) == ([3, 2], 768)
    assert frames.values.dtype == np.float32
    assert float(frames[1][0, 0]) == 2
    assert manifest.encoders["text"]["name"] == "as-given"
    assert (views.rows.tolist(), views.given.tolist(), views.frames.lengths.tolist()) == (
        [1],
        [True],
        [4],
    )
    assert manifest.notes == (
        f"1 of 2 rows have no augmented audio: {A}.",
        f"1 of 2 rows have no augmented RoBERTa: {A}.",
    )
    assert not [f for f in check(manifest) if f.level == "error"]
    back = manifest.select([1])
    assert back.views["text"].rows.tolist() == [0]


def test_separate_folders(two: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    wav(other / "wavs" / f"{A}.wav")
    wav(other / "wavs" / "take7.wav")
    manifest = mmer_csv.read_parts(two / "iemocap.csv", audio=other / "wavs")
    a, b = manifest.utterances
    assert "speech" not in b.media
    assert (Path(manifest.root or "") / a.media["speech"].path).samefile(
        other / "wavs" / f"{A}.wav"
    )
    assert manifest.notes == (
        f"1 of 2 rows have no audio: {B}.",
        "1 files of audio belong to no row: take7.",
    )


def test_folders_that_fit_nothing(two: Path) -> None:
    with pytest.raises(DataError, match=r"There is no folder .*nowhere, where RoBERTa"):
        mmer_csv.read_parts(two / "iemocap.csv", roberta=two / "nowhere")
    (two / "audio").mkdir()
    wav(two / "audio" / "x.wav")
    with pytest.raises(DataError, match=f"no .wav file of a row of the csv .it holds x; .*{A}"):
        mmer_csv.read(two)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("FileName,Sentences,Emotion", r"lacks the column Label \(it has emotion, filename, sent"),
        ("id,text,label", "lacks the columns FileName, Sentences"),
    ],
)
def test_other_columns(tmp_path: Path, head: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        mmer_csv.read(csv(tmp_path, f"{A},Hm.,neu", head=head))


def test_wrong_rows_are_reported_together(tmp_path: Path) -> None:
    csv(
        tmp_path,
        f"0,{A},Hm.,neu,HM,",
        f"1,{A},Hm.,neu,HM,",
        "2,,Hm.,sad,HM,",
        f"3,{B},x,fru,X,",
        "4,Ses01F_impro01_F009,x,,X,",
    )
    with pytest.raises(DataError) as error:
        mmer_csv.read(tmp_path)
    assert str(error.value).endswith(
        f"row 2 has the FileName of row 1, {A}, row 3 has no FileName, row 4 ({B}) has the label "
        "'fru' and 1 more. Rows are counted from 1, below the header; labels are ang, hap, exc, "
        "sad, neu."
    )


def test_odd_rows_are_noted(tmp_path: Path) -> None:
    csv(tmp_path, f"0,{A},,neu,,,1", "1,mine,Hm.,neu,HM,,2", head=f"{HEAD},fold")
    manifest = mmer_csv.read(tmp_path)
    assert manifest.utterances[0].text is None
    assert manifest.notes == (
        "Columns of the csv that are ignored: fold.",
        f"1 rows have an empty transcript: {A}.",
        "1 names are not IEMOCAP's and contain no session or speaker: mine.",
    )


def test_bad_arrays_are_reported_together_before_any_is_read(tmp_path: Path) -> None:
    names = [f"Ses01F_impro01_F{i:03d}" for i in range(8)]
    csv(tmp_path, *(f"{i},{n},Hm.,neu,HM,Hm." for i, n in enumerate(names)))
    place = tmp_path / "roberta"
    npy(place / f"{names[0]}.npy", 1, 3, 768)
    npy(place / f"{names[1]}.npy", 1, 3, 512)
    npy(place / f"{names[2]}.npy", 1, 3, 1024)
    npy(place / f"{names[3]}.npy", 3)
    npy(place / f"{names[4]}.npy", 1, 0, 768)
    np.save(place / f"{names[5]}.npy", np.array([{"a": 1}], object), allow_pickle=True)
    (place / f"{names[6]}.npy").write_bytes(b"")
    npy(place / f"{names[7]}.npy", 1, 1, 768)
    with pytest.raises(DataError) as error:
        mmer_csv.read(tmp_path)
    message = str(error.value)
    assert f"1 are not 768 or 1024 wide: {names[1]}.npy [1, 3, 512]" in message
    assert f"1 are not 768 wide as the others: {names[2]}.npy (1024)" in message
    assert f"2 are not [1, L, D]: {names[3]}.npy [3], {names[4]}.npy [1, 0, 768]" in message
    assert "1 hold pickled objects, which are not read: save plain arrays, " in message
    assert f"1 cannot be read as .npy: {names[6]}.npy" in message
    for i in range(1, 7):
        (place / f"{names[i]}.npy").unlink()
    npy(place / f"{names[7]}.npy", 1, 1, 768, value=float("nan"))
    with pytest.raises(DataError, match=f"1 hold NaN or infinity: {names[7]}.npy"):
        mmer_csv.read(tmp_path)


def test_views_of_another_width(two: Path) -> None:
    npy(two / "roberta" / f"{A}.npy", 1, 3, 768)
    npy(two / "roberta_augmented" / f"{A}.npy", 1, 3, 1024)
    with pytest.raises(DataError, match="1024 wide and the others 768"):
        mmer_csv.read(two)


def test_the_authors_csv_has_its_published_totals(real) -> None:
    manifest = mmer_csv.read(real("iemocap_text/iemocap.csv"))
    assert manifest.labels.sum(0).tolist() == [595, 1041, 1103, 1708, 1084]
    assert any(f.level == "ok" and f.what == "counts" for f in check(manifest))
    assert len({u.speaker for u in manifest.utterances}) == 10
    assert manifest.notes == ()
    assert all(u.text and u.views["text"] for u in manifest.utterances)
    assert not any("{" in u.extra["ctc_text"] for u in manifest.utterances)
    scripts = {u.extra.get("script") for u in manifest.utterances}
    assert len(scripts - {None}) == 7
