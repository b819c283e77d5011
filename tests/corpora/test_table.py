"""One's own table: three formats, two kinds of label, and every fault in one sentence."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from moodal.core import manifest as manifests
from moodal.core.emotions import EmotionSpace, Value, Values
from moodal.core.errors import DataError
from moodal.core.records import Clip
from moodal.corpora import table

HEADER = "id,text,audio,start,end,speaker,split,label\n"


def csv(root: Path, text: str, name: str = "table.csv") -> Path:
    path = root / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_row_becomes_an_utterance(tmp_path: Path) -> None:
    text = HEADER + 'a,"Well, well",talk.wav,0.5,1.25,anna,dev,Happy\nb,Oh no,,,,ben,train,sad\n'
    manifest = table.read(csv(tmp_path, text))
    a, b = manifest.utterances
    assert (a.id, a.text, a.speaker, a.split) == ("a", "Well, well", "anna", "valid")
    assert "speech" in a.media
    assert a.media["speech"] == Clip("talk.wav", 0.5, 1.25)
    assert "speech" not in b.media
    assert manifest.space.labels == ("happy", "sad")
    assert manifest.space.task == "single"
    assert manifest.labels.tolist() == [[1, 0], [0, 1]]
    assert Path(manifest.root or "") == tmp_path.resolve()


ROWS = [
    {"id": "a", "text": "Well", "speaker": "anna", "happy": 1, "sad": 0.5, "room": "x"},
    {"id": "b", "text": None, "audio": "b.wav", "start": 0, "happy": 0, "sad": 0, "room": None},
]


def test_every_format_gives_the_same(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    jsonl = csv(tmp_path, "\n".join(map(json.dumps, ROWS)) + "\n", "t.jsonl")
    commas = csv(
        tmp_path,
        "id,text,speaker,happy,sad,room,audio,start\na,Well,anna,1,0.5,x,,\nb,,,0,0,,b.wav,0\n",
    )
    tabs = csv(tmp_path, commas.read_text().replace(",", "\t"), "t.tsv")
    columns = list(dict.fromkeys(key for row in ROWS for key in row))
    parquet = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(
        pyarrow.table({key: [row.get(key) for row in ROWS] for key in columns}), parquet
    )
    manifests = [table.read(path) for path in (commas, tabs, jsonl, parquet)]
    assert len({m.fingerprint for m in manifests}) == 1
    manifest = manifests[0]
    assert manifest.space.labels == ("happy", "sad")
    assert manifest.space.task == "multi"
    assert manifest.labels.tolist() == [[1, 1], [0, 0]]
    assert manifest.utterances[0].extra == {"room": "x"}
    assert "happy, sad" in manifest.notes[0]


def test_columns_named_as_emotions_leave_other_numbers_alone(tmp_path: Path) -> None:
    text = "id,text,age,emotion:Joy,emotion:fear\na,x,44,2,0\nb,y,31,0,1\n"
    manifest = table.read(csv(tmp_path, text))
    assert manifest.space.labels == ("joy", "fear")
    assert [u.extra for u in manifest.utterances] == [{"age": "44"}, {"age": "31"}]
    assert manifest.notes == ()


def test_with_a_label_numbers_are_extra(tmp_path: Path) -> None:
    manifest = table.read(csv(tmp_path, "id,text,age,label\na,x,44,sad\n"))
    assert manifest.space.labels == ("sad",)
    assert manifest.utterances[0].extra == {"age": "44"}


VALUES = """id,text,age,valence,arousal,"value:trust[0,4]"
a,x,44,0.5,-1,4
b,y,31,-0.25,1,0.5
"""


def test_values_are_declared_by_name_and_range(tmp_path: Path) -> None:
    declared = VALUES.replace("valence,arousal", "value:Valence,value:a[1..5]")
    manifest = table.read(csv(tmp_path, declared.replace(",-1,", ",2,")))
    values = (Value("valence", -1, 1), Value("arousal", 1, 5), Value("trust", 0, 4))
    assert manifest.space == Values(values)
    np.testing.assert_allclose(manifest.labels, [[0.5, 2, 4], [-0.25, 1, 0.5]])
    assert [u.extra for u in manifest.utterances] == [{"age": "44"}, {"age": "31"}]
    assert manifest.notes == ()


def test_columns_named_like_values_are_values(tmp_path: Path) -> None:
    text = VALUES.replace('"value:trust[0,4]"', "trust")
    manifest = table.read(csv(tmp_path, text))
    assert manifest.space == Values(["valence", "arousal"])
    assert manifest.utterances[0].extra == {"age": "44", "trust": "4"}
    [note] = manifest.notes
    assert "valence (-1 to 1), arousal (-1 to 1)" in note
    assert "Not taken as emotions: age, trust." in note
    # beside declared ones, too, unless the same value is declared in another column
    declared = table.read(csv(tmp_path, VALUES))
    assert declared.space == Values(["valence", "arousal", Value("trust", 0, 4)])
    assert "arousal (-1 to 1)" in declared.notes[0]
    twice = table.read(csv(tmp_path, VALUES.replace("value:trust", "value:valence")))
    assert twice.space == Values(["arousal", Value("valence", 0, 4)])
    assert twice.utterances[0].extra["valence"] == "0.5"


def test_with_a_label_or_emotions_a_value_is_extra(tmp_path: Path) -> None:
    manifest = table.read(csv(tmp_path, "id,text,valence,label\na,x,0.5,sad\n"))
    assert manifest.space == EmotionSpace(["sad"], "single")
    assert manifest.utterances[0].extra == {"valence": "0.5"}
    named = table.read(csv(tmp_path, "id,text,valence,emotion:joy\na,x,0.5,1\n"))
    assert named.space == EmotionSpace(["joy"], "multi")
    # a column of words is no value, whatever its name
    words = table.read(csv(tmp_path, "id,text,sentiment,joy\na,x,positive,1\n"))
    assert words.space == EmotionSpace(["joy"], "multi")


def test_a_missing_number_is_left_to_the_check(tmp_path: Path) -> None:
    manifest = table.read(csv(tmp_path, "id,text,valence\na,x,0.5\nb,y,\nc,z,-3\n"))
    assert np.isnan(manifest.labels[1, 0])
    assert manifest.labels[2, 0] == -3


def test_values_are_the_same_in_every_format(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "x", "value:V[1,5]": 3.25}, {"id": "b", "text": "y"}]
    lines = "\n".join(map(json.dumps, rows))
    jsonl = table.read(csv(tmp_path, lines + "\n", "t.jsonl"))
    tabs = table.read(csv(tmp_path, "id\ttext\tvalue:V[1,5]\na\tx\t3.25\nb\ty\t\n", "t.tsv"))
    assert jsonl.space == tabs.space == Values([Value("valence", 1, 5)])
    np.testing.assert_array_equal(jsonl.labels, tabs.labels)


@pytest.mark.parametrize("name", ["train", "Train", "valid", "val", "validation", "dev", "test"])
def test_names_of_splits(tmp_path: Path, name: str) -> None:
    manifest = table.read(csv(tmp_path, f"id,text,split,label\na,x,{name},sad\n"))
    assert manifest.utterances[0].split in ("train", "valid", "test")


def test_a_folder_with_one_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found none"):
        table.read(tmp_path)
    csv(tmp_path, "id,text,label\na,x,sad\n")
    assert len(table.read(tmp_path)) == 1
    csv(tmp_path, "id,text,label\na,x,sad\n", "b.tsv")
    with pytest.raises(DataError, match=r"found b\.tsv, table\.csv"):
        table.read(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        table.read(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("words", ["label", "emotion:sad"])
def test_declared_values_may_stand_next_to_emotions(tmp_path: Path, words: str) -> None:
    cell = "sad" if words == "label" else "1"
    path = tmp_path / "t.csv"
    path.write_text(f"id,text,arousal,value:v[1..5],{words}\na,x,.3,2.5,{cell}\n")
    manifest = table.read(path)
    assert manifest.space.labels == ("sad",)
    assert manifest.ratings is not None
    assert manifest.ratings.space == Values([Value("valence", 1, 5)])
    assert manifest.ratings.numbers.tolist() == [[2.5]]
    assert manifest.utterances[0].extra == {"arousal": ".3"}  # not declared
    manifest.write(tmp_path / "prepared")
    again = manifests.read(tmp_path / "prepared")
    assert again.fingerprint == manifest.fingerprint
    assert again.rated.labels.tolist() == [[2.5]]
    assert dataclasses.replace(manifest, ratings=None).fingerprint != manifest.fingerprint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text,label\nx,sad\n", "no column id"),
        ("id,label\na,sad\n", "none of the columns text, audio, video"),
        ("id,text\na,x\n", "no column label and no column per emotion"),
        ("id,text,label,emotion:sad\na,x,sad,1\n", "has both a column label and emotion:sad"),
        ("id,text,label\n", "no rows"),
        ("id,text,label\na,x,sad\nb,y,sad\na,z,sad\n", r"row 3 \(a\) has the same id as row 1"),
        ("id,text,label\n,x,sad\n", r"row 1 \(no id\) has no id"),
        ("id,text,start,label\na,x,1:20,sad\n", r"row 1 \(a\) has start '1:20'"),
        ("id,text,end,label\na,x,-2,sad\n", r"row 1 \(a\) has end '-2'"),
        ("id,text,end,label\na,x,inf,sad\n", r"row 1 \(a\) has end 'inf'"),
        ("id,text,start,end,label\na,x,3,2.5,sad\n", "starts at 3 s and ends at 2.5 s"),
        ("id,text,start,end,label\na,x,,0,sad\n", "starts at 0 s and ends at 0 s"),
        ("id,text,split,label\na,x,fold1,sad\n", "has split 'fold1', not train, valid or test"),
        ("id,text,label\na,x,sad\nb,y,\n", r"row 2 \(b\) has no label"),
        ("id,text,audio,label\na,,,sad\n", r"row 1 \(a\) has none of text, audio, video"),
        ("id,text,sad,happy\na,x,1,0\nb,y,O,1\nc,z,0,1\n", r"row 2 \(b\) has sad 'O'"),
        ("id,text,sad\na,x,1\nb,y,\n", r"row 2 \(b\) has sad 'empty'"),
        ("id,text,sad\na,x,-1\n", r"row 1 \(a\) has sad '-1'"),
        ("id,text,valence\na,x,1\nb,y,high\nc,z,0\n", r"row 2 \(b\) has valence 'high'"),
        ("id,text,value:trust\na,x,1\n", r"column 'value:trust': The range of trust is not known"),
        ('id,text,"value:v[5,1]"\na,x,1\n', "from a lower to a higher number"),
        ("id,text,value:v,value:valence\na,x,1,0\n", "A value occurs twice"),
        ("id,text,value:v,label\na,x,high,sad\n", r"row 1 \(a\) has valence 'high'"),
        ("id,text,V,A,D\na,x,3,2,1\n", r"such as value:valence\[1,5\]"),
        ("id,text,label\na,well, well,sad\n", "row 1: more cells than columns"),
        ("id,text,Text,label\na,x,y,sad\n", "two columns 'text'"),
        ("id;text;label\na;well; well;sad\n", "quotes around text that holds semicolons"),
        ('id,text,end,label\na,x,"1,234",sad\n', r"row 1 \(a\) has end '1,234', which is no time"),
        ("id,text,label\na,x,n/a\nb,y,NaN\n", r"row 1 \(a\) has no label, row 2 \(b\) has no"),
        ('id,text,label\na,"x,sad\n', "row 1: unexpected end of data"),
    ],
)
def test_faults_are_reported_in_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = csv(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        table.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_many_faults_are_listed_together(tmp_path: Path) -> None:
    rows = "".join(f"u{i},x,\n" for i in range(10))
    with pytest.raises(DataError, match=r"row 1 .*row 2 .*row 3 .*and 7 more"):
        table.read(csv(tmp_path, "id,text,label\n" + rows))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"id,text,label\na,caf\xe9,sad\n", "not UTF-8"),
        ("t.jsonl", b'{"id": "a"\n', "line 1 is not JSON"),
        ("t.jsonl", b"[1, 2]\n", "line 1 is not an object"),
        ("t.parquet", b"PAR1 no", "cannot be read as Parquet"),
        ("t.xlsx", b"", "no table that is read here"),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        table.read(tmp_path / name)


def test_the_tables_in_the_documentation(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "corpora-raw.md").read_text(encoding="utf-8")
    one, several, values = (block.split("```")[0] for block in page.split("```csv\n")[1:])
    manifest = table.read(csv(tmp_path, one))
    assert manifest.space.labels == ("angry", "happy", "neutral")
    assert [u.split for u in manifest.utterances] == ["train", "train", "valid", "test"]
    manifest = table.read(csv(tmp_path, several))
    assert manifest.labels.tolist() == [[1, 1], [0, 0]]
    manifest = table.read(csv(tmp_path, values))
    assert manifest.space.labels == ("valence", "arousal", "trust")


def test_second_views(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "id,text,audio,label,augmented_text,augmented_audio\n"
        "a,Hi.,a.wav,happy,Hello.,x/a1.wav; x/a2.wav\n"
        "b,Oh.,b.wav,sad,,\n"
    )
    a, b = table.read(tmp_path).utterances
    assert a.views["text"] == ("Hello.",)
    assert [clip.path for clip in a.views["speech"]] == ["x/a1.wav", "x/a2.wav"]
    assert (b.views, b.extra) == ({}, {})


def test_a_picture_stands_for_a_video(tmp_path: Path) -> None:
    text = "id,text,image,face,start,end,label\na,hi,a.png,,0,1,sad\nb,,,b.png,,,sad\n"
    a, b = table.read(csv(tmp_path, text)).utterances
    assert (a.media["face"], b.media["face"]) == (Clip("a.png"), Clip("b.png"))
    assert "speech" not in a.media
    with pytest.raises(DataError, match="has video and image, of which one is read"):
        table.read(csv(tmp_path, "id,video,image,label\na,a.mp4,a.png,sad\n"))


def test_examples_of_a_word_need_no_id_and_no_label(tmp_path: Path) -> None:
    shown, others = table.examples(csv(tmp_path, "text\nPhew.\nAt last.\n"), "relieved")
    assert [u.text for u in shown] == ["Phew.", "At last."]
    assert others == []
    path = csv(tmp_path, "id,text,label\na,Phew.,Relieved\nb,No!,anger\nc,Oh.,\n")
    shown, others = table.examples(path, "relieved")
    assert ([u.id for u in shown], [u.id for u in others]) == (["a", "c"], ["b"])
    with pytest.raises(DataError, match=r"row 2 \(2\) has the label 'happiness', which looks like"):
        table.examples(csv(tmp_path, "text,label\nOh.,happy\nAh.,Happiness\n"), "happy")
    with pytest.raises(DataError, match="none of the columns"):
        table.examples(csv(tmp_path, "words\nPhew.\n"), "relieved")


def test_a_film_is_heard_and_seen_unless_it_has_a_recording(tmp_path: Path) -> None:
    text = "id,audio,video,start,end,label\na,,a.mp4,1,2,sad\nb,b.wav,b.mp4,,,sad\n"
    a, b = table.read(csv(tmp_path, text)).utterances
    assert a.media == {"speech": Clip("a.mp4", 1.0, 2.0), "face": Clip("a.mp4", 1.0, 2.0)}
    assert b.media == {"speech": Clip("b.wav"), "face": Clip("b.mp4")}


def test_a_column_may_be_called_speech(tmp_path: Path) -> None:
    (a,) = table.read(csv(tmp_path, "id,speech,label\na,a.wav,sad\n")).utterances
    assert a.media == {"speech": Clip("a.wav")}
    with pytest.raises(DataError, match="has audio and speech, of which one is read"):
        table.read(csv(tmp_path, "id,audio,speech,label\na,a.wav,b.wav,sad\n"))


def test_another_modality_has_a_column_of_its_name(tmp_path: Path) -> None:
    text = "id,text,media:pulse,start,end,joy\na,hi,a.csv,0.5,2,1\nb,,b.csv,,,0\nc,oh,,,,1\n"
    a, b, c = table.read(csv(tmp_path, text)).utterances
    assert a.media == {"text": "hi", "pulse": Clip("a.csv", 0.5, 2.0)}
    assert b.media == {"pulse": Clip("b.csv")}
    assert (c.media, c.extra) == ({"text": "oh"}, {})
    shown, _ = table.examples(csv(tmp_path, "media:pulse\na.csv\n"), "joy")
    assert (shown[0].media, shown[0].extra) == ({"pulse": Clip("a.csv")}, {})


@pytest.mark.parametrize("name", ["media:speech", "media:", "media: "])
def test_built_in_modalities_have_their_own_columns(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"has a column 'media:.*text, audio and video have"):
        table.read(csv(tmp_path, f"id,{name},label\na,a.wav,sad\n"))


def test_paths_of_other_systems_name_the_files_that_are_meant(tmp_path: Path) -> None:
    (tmp_path / "Andr\u00e9").mkdir()
    (tmp_path / "Andr\u00e9" / "cafe\u0301.wav").touch()
    rows = ("Andre\u0301\\cafe\u0301.wav", "Andr\u00e9/caf\u00e9.wav", "gone\\b.wav")
    text = "id,audio,label\n" + "".join(f"{i},{path},sad\n" for i, path in enumerate(rows))
    manifest = table.read(csv(tmp_path, text))
    paths = [u.media["speech"].path for u in manifest.utterances]  # type: ignore[union-attr]
    assert paths == ["Andr\u00e9/cafe\u0301.wav"] * 2 + ["gone\\b.wav"]
    shown, _ = table.examples(csv(tmp_path, f"audio\n{rows[0]}\n"), "sad")
    assert shown[0].media == {"speech": Clip(paths[0])}


def test_what_was_changed_in_a_table_is_noted(tmp_path: Path) -> None:
    path = csv(tmp_path, "id;text;end;label\na;x;1,5;sad\nb;z;;sad\nc;y;2;sad\n")
    assert table.read(path).notes == ("Decimal commas were read as such in: end.",)
    path = csv(tmp_path, "id,text,audio,label\na,x,NaN,sad\nb,y,,sad\nc,z,n/a,joy\n")
    assert table.read(path).notes == (
        "Cells with a word for a missing value were read as empty: 'NaN' (1), 'n/a' (1).",
    )


@pytest.mark.parametrize("mark", [";", "\t", "sep=;"])
def test_a_table_is_the_same_with_other_separators(tmp_path: Path, mark: str) -> None:
    text = "id,text,label,speaker,split\n1,I am so happy,happy,anna,train\n2,Bus,neutral,ben,test\n"
    first = table.read(csv(tmp_path, text)).fingerprint
    line, sign = (f"{mark}\r\n", mark[-1]) if mark.startswith("sep") else ("", mark)
    again = csv(tmp_path, "\ufeff" + line + text.replace(",", sign).replace("\n", "\r\n"))
    assert table.read(again).fingerprint == first


def test_words_for_missing_values_leave_times_and_recordings_out(tmp_path: Path) -> None:
    text = "id,text,audio,label,start,end\n1,hello,nan,happy,nan,NaN\n2,bye,<NA>,sad,,#N/A\n"
    manifest = table.read(csv(tmp_path, text))
    assert [u.media for u in manifest.utterances] == [{"text": "hello"}, {"text": "bye"}]
    assert manifest.space.labels == ("happy", "sad")


def test_hidden_files_of_a_folder_are_no_tables(tmp_path: Path) -> None:
    csv(tmp_path, "id,text,label\na,x,sad\n")
    (tmp_path / "._table.csv").write_bytes(b"\x00\x05\x16\x07")
    assert len(table.read(tmp_path)) == 1
