"""Databases of audformat come in and go out; nothing in them is run."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

import audformat
import numpy as np
import pandas
import pytest

from moodal.cli.main import main
from moodal.core.emotions import Value, Values
from moodal.core.errors import DataError, UnsafeFileError
from moodal.core.records import Clip
from moodal.corpora.exchange import audformat_database, audformat_writer
from moodal.features.prepare import prepare


@pytest.mark.parametrize("kind", ["single", "multi", "values", "rated", "rated multi"])
def test_what_is_written_is_read_again(tmp_path: Path, corpus, same, kind: str) -> None:
    manifest = corpus(kind)
    audformat_writer.write(manifest, tmp_path / "db")
    same(manifest, audformat_database.read(tmp_path / "db"))


def test_audformat_itself_reads_what_is_written(tmp_path: Path, corpus) -> None:
    audformat_writer.write(corpus("values"), tmp_path / "db")
    database = audformat.Database.load(str(tmp_path / "db"))
    assert database.license == "CC0"
    assert set(database.tables) == {"emotion.train", "emotion.dev", "emotion.test"}
    scheme = database.schemes["value.trust"]
    assert (scheme.dtype, scheme.minimum, scheme.maximum) == ("float", 0, 4)
    frame = database["emotion.train"].get()
    assert frame["value.trust"].tolist()[0] == 3
    starts = frame.index.get_level_values("start").total_seconds()
    assert starts.tolist() == [0.125, 0.5]
    assert all((tmp_path / "db" / file).is_file() for file in database.files)


def test_the_command_line_takes_both_ways(tmp_path: Path, capsys) -> None:
    main(["synthesise", "audformat", str(tmp_path / "db"), "--utterances", "20"])
    options = ["--encoder", "text=glove-50", "--encoder", "speech=egemaps:rate=2", "--json"]
    main(["prepare", "audformat", str(tmp_path / "db"), str(tmp_path / "first"), *options])
    main(["export", str(tmp_path / "first"), str(tmp_path / "out"), "--to", "audformat"])
    assert "20 utterances of audformat" in capsys.readouterr().out
    main(["prepare", "audformat", str(tmp_path / "out"), str(tmp_path / "second"), *options])
    about = json.loads(capsys.readouterr().out)
    assert about["utterances"] == 20
    values = [np.load(tmp_path / p / "features/speech.npy").sum() for p in ("first", "second")]
    assert values[0] == pytest.approx(values[1])


def emodb(root: Path, emotions: dict[str, str | None]) -> audformat.Database:
    """A database as audEERING publishes them: speakers and words are schemes with labels."""
    database = audformat.Database("emodb", source="https://example.org", usage="unrestricted")
    people = {3: {"gender": "male", "age": 31}, 8: {"gender": "female", "age": 34}}
    words = {"a01": "Der Lappen liegt auf dem Eisschrank.", "b10": "Die wird auf dem Platz sein."}
    database.schemes["emotion"] = audformat.Scheme(labels=["anger", "happiness", "neutral"])
    database.schemes["confidence"] = audformat.Scheme("float", minimum=0, maximum=1)
    database.schemes["speaker"] = audformat.Scheme(labels=people)
    database.schemes["transcription"] = audformat.Scheme(labels=words)
    files = list(emotions)
    database["files"] = audformat.Table(audformat.filewise_index(files))
    database["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    database["files"]["speaker"].set([3, 8, 3][: len(files)])
    database["files"]["transcription"] = audformat.Column(scheme_id="transcription")
    database["files"]["transcription"].set(["a01", "b10", "a01"][: len(files)])
    database["emotion"] = audformat.Table(audformat.filewise_index(files))
    database["emotion"]["emotion"] = audformat.Column(scheme_id="emotion")
    database["emotion"]["emotion"].set(list(emotions.values()))
    database["emotion"]["emotion.confidence"] = audformat.Column(scheme_id="confidence")
    database["emotion"]["emotion.confidence"].set([0.5] * len(files))
    database.save(str(root), storage_format="csv")
    return database


FILES = {"wav/a.wav": "anger", "wav/b.wav": "neutral", "wav/c.wav": "anger"}


def test_a_published_database_is_read_with_speakers_and_words(sounds: Path) -> None:
    emodb(sounds, FILES)
    manifest = audformat_database.read(sounds)
    assert manifest.space.labels == ("anger", "neutral")
    a, b, _ = manifest.utterances
    assert (a.id, a.speaker, a.text) == ("a", "3", "Der Lappen liegt auf dem Eisschrank.")
    assert b.extra == {"gender": "female", "age": "34", "emotion.confidence": "0.5"}
    assert a.media["speech"] == Clip("wav/a.wav")


@pytest.mark.parametrize("gap", [False, True])
def test_complete_values_of_a_published_database_come_with_its_emotions(
    sounds: Path, gap: bool
) -> None:
    database = emodb(sounds, FILES)
    database.schemes["valence"] = audformat.Scheme("float", minimum=1, maximum=5)
    database["emotion"]["valence"] = audformat.Column(scheme_id="valence")
    database["emotion"]["valence"].set([1.5, None if gap else 3, 5])
    database.save(str(sounds), storage_format="csv")
    manifest = audformat_database.read(sounds)
    assert manifest.space.labels == ("anger", "neutral")
    if gap:
        assert manifest.ratings is None
        assert manifest.utterances[0].extra["valence"] == "1.5"
    else:
        assert manifest.ratings.space == Values([Value("valence", 1, 5)])
        assert manifest.ratings.numbers.tolist() == [[1.5], [3], [5]]


def test_rows_without_a_label_are_counted(sounds: Path) -> None:
    emodb(sounds, {**FILES, "wav/b.wav": None})
    manifest = audformat_database.read(sounds)
    assert [u.id for u in manifest.utterances] == ["a", "c"]
    assert "1 rows without a label were left out." in manifest.notes


def with_splits(root: Path, second: list[str]) -> None:
    database = emodb(root, FILES)
    database.tables.pop("emotion")
    for split, files in (("train", ["wav/a.wav", "wav/b.wav"]), ("test", second)):
        database.splits[split] = audformat.Split(split)
        database[f"emotion.{split}"] = audformat.Table(
            audformat.segmented_index(files, ["0.1s"] * len(files), ["0.9s"] * len(files)),
            split_id=split,
        )
        database[f"emotion.{split}"]["emotion"] = audformat.Column(scheme_id="emotion")
        database[f"emotion.{split}"]["emotion"].set(["anger", "neutral"][: len(files)])
    for path in root.glob("db.*"):
        path.unlink()
    database.save(str(root), storage_format="parquet")


def test_tables_of_splits_are_joined(sounds: Path) -> None:
    with_splits(sounds, ["wav/c.wav"])
    manifest = audformat_database.read(sounds)
    splits = {u.id: (u.split, u.speaker) for u in manifest.utterances}
    assert splits == {"a": ("train", "3"), "b": ("train", "8"), "c": ("test", "3")}
    assert Clip("wav/a.wav", 0.1, 0.9) in [u.media["speech"] for u in manifest.utterances]
    single = audformat_database.read(sounds / "db.emotion.test.parquet")
    assert [u.id for u in single.utterances] == ["c"]


def message(root: Path, kind: type[Exception] = DataError) -> str:
    with pytest.raises(kind) as caught:
        audformat_database.read(root)
    return str(caught.value)


def test_tables_that_label_the_same_files_are_refused(sounds: Path) -> None:
    with_splits(sounds, ["wav/a.wav"])
    assert "emotion.test and emotion.train both label wav/a.wav; give one" in message(sounds)


def test_a_database_without_files_is_refused(tmp_path: Path) -> None:
    database = audformat.Database("x", source="x")
    database.schemes["emotion"] = audformat.Scheme(labels=["anger"])
    database["people"] = audformat.MiscTable(pandas.Index(["s1"], name="speaker", dtype="string"))
    database.save(str(tmp_path), storage_format="csv")
    assert "has no table with files (its tables are people without files); give" in message(
        tmp_path
    )


def test_a_row_without_a_file_names_its_number(sounds: Path) -> None:
    emodb(sounds, FILES)
    path = sounds / "db.emotion.csv"
    path.write_text(path.read_text().replace("wav/b.wav", ""))
    assert "table emotion, row 2 has no file; name one" in message(sounds)


def test_missing_recordings_are_named_before_anything_is_written(sounds, tmp_path) -> None:
    emodb(sounds, FILES)
    (sounds / "wav/b.wav").unlink()
    with pytest.raises(DataError, match=r"1 of 3 media files are missing: wav/b\.wav"):
        prepare("audformat", sounds, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_database_without_labels_is_refused(sounds: Path) -> None:
    database = emodb(sounds, FILES)
    database.tables.pop("emotion")
    for path in sounds.glob("db.*"):
        path.unlink()
    database.save(str(sounds), storage_format="csv")
    assert "no table has a column emotion, or values" in message(sounds)


class Trap:
    """An object whose pickle writes a file when it is loaded."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickled_tables_are_never_loaded(sounds: Path, tmp_path: Path) -> None:
    emodb(sounds, FILES)
    (sounds / "db.emotion.pkl").write_bytes(pickle.dumps(Trap(tmp_path / "written")))
    assert len(audformat_database.read(sounds)) == 3
    (sounds / "db.emotion.csv").unlink()
    assert "the table emotion is there as a pickle only" in message(sounds, UnsafeFileError)
    assert not (tmp_path / "written").exists()


def test_headers_that_build_objects_are_refused(sounds: Path, tmp_path: Path) -> None:
    emodb(sounds, FILES)
    header = sounds / "db.yaml"
    trap = f"!!python/object/apply:builtins.open ['{tmp_path / 'written'}', 'w']"
    header.write_text(header.read_text() + f"extra: {trap}\n")
    assert "names a Python object" in message(sounds, UnsafeFileError)
    assert not (tmp_path / "written").exists()


def test_tables_outside_of_the_folder_are_refused(sounds: Path) -> None:
    emodb(sounds, FILES)
    header = sounds / "db.yaml"
    header.write_text(header.read_text().replace("  emotion:\n    type", "  ../emotion:\n    type"))
    assert "has a table called '../emotion'" in message(sounds, UnsafeFileError)


@pytest.mark.parametrize("content", ["", "[1, 2]", "a: [", "name: x", "tables: 3\nname: x"])
def test_damaged_headers_are_one_sentence(sounds: Path, content: str) -> None:
    emodb(sounds, FILES)
    (sounds / "db.yaml").write_text(content)
    message(sounds)


def test_a_table_that_is_missing_or_damaged_is_named(sounds: Path, tmp_path: Path) -> None:
    assert "has no db.yaml; give the folder" in message(tmp_path)
    emodb(sounds, FILES)
    (sounds / "db.files.csv").write_text('file,speaker\n"a')
    assert "is no database that audformat reads" in message(sounds)
    (sounds / "db.files.csv").unlink()
    assert "db.files.csv is missing; copy the whole database" in message(sounds)


def test_export_needs_the_recordings(tmp_path: Path, corpus, sounds: Path) -> None:
    manifest = corpus()
    (sounds / "wav/b.wav").unlink()
    with pytest.raises(DataError, match="is not there, so it cannot be written"):
        audformat_writer.write(manifest, tmp_path / "db")
    assert not (tmp_path / "db").exists()


def test_times_that_a_corpus_keeps_as_text_are_times(corpus, tmp_path):
    made = corpus()
    rows = [
        dataclasses.replace(u, media={"text": u.text}, extra={"start": "1.5", "end": "2.25"})
        for u in made.utterances
    ]
    audformat_writer.write(dataclasses.replace(made, utterances=tuple(rows)), tmp_path / "out")
    frame = audformat.Database.load(str(tmp_path / "out"))["emotion.train"].get()
    assert frame.index.get_level_values("end").total_seconds().tolist() == [2.25, 2.25]
