"""Partitions hold the columns of CSV, all in the same order, and the whole answer."""

from __future__ import annotations

import pytest

from moodal.core.errors import DataError, OutputError
from moodal.core.table import utterance_table
from moodal.scale.partitions import JOB, Answered, Columns, Mark, part_name, read, timelines
from moodal.scale.places import Place

pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")


@pytest.fixture
def columns(made):
    timeline = made.timeline()
    return Columns(timeline.emotions, (), ("text", "speech", "face"))


def fill(out, columns, answers):
    with Answered(Place(out), {"artefact": "1"}) as answered:
        for several in answers:
            answered.put(part_name([name for name, _ in several]), columns.partition(several))


def test_rows_are_those_of_the_table_and_the_timeline_is_whole(made, columns, tmp_path):
    timeline, text = made.timeline(), made.text_timeline()
    error = DataError("b.wav is damaged.")
    answers = [[("a.mp4", timeline), ("b.wav", error)], [("c.txt", text)]]
    fill(tmp_path / "out", columns, answers)
    table = read(str(tmp_path / "out"))
    expected = utterance_table(timeline, columns.contents)
    assert set(expected.names) <= set(table.column_names)
    rows = [row for row in table.to_pylist() if row["recording"] == "a.mp4"]
    for row, cells in zip(rows, expected.rows, strict=True):
        wanted = {**dict(zip(expected.names, cells, strict=True)), "recording": "a.mp4"}
        assert {name: row[name] for name in expected.names} == wanted
    assert [r["error"] for r in table.to_pylist() if r["error"]] == ["b.wav is damaged."]
    assert [t.path for t in timelines(str(tmp_path / "out"))].count(timeline.path) >= 1
    with_text = [row["timeline"] is not None for row in rows]
    assert with_text == [True, *[False] * (len(rows) - 1)]


def test_all_partitions_have_the_same_columns(made, columns):
    import io

    import pyarrow.parquet as parquet

    several = ([("a", made.timeline())], [("b", DataError("no"))], [("c", made.text_timeline())])
    schemas = {
        str(parquet.read_schema(io.BytesIO(columns.partition(answers)))) for answers in several
    }
    assert len(schemas) == 1


def test_what_is_finished_is_known_by_its_name_and_damage_is_deleted(made, columns, tmp_path):
    out = tmp_path / "out"
    fill(out, columns, [[("a", made.timeline()), ("b", DataError("no"))], [("c", DataError("no"))]])
    asked = [Mark.of(name, f"/{name}", None, None) for name in "abcd"]
    with Answered(Place(out), {"artefact": "1"}) as answered:
        assert answered.finished(asked) == [True, True, True, False]
    whole = (out / part_name(["a", "b"])).read_bytes()
    for part in (whole[:200], b"", b"PAR1" + bytes(40), whole[:-9] + bytes(9)):
        (out / part_name(["a", "b"])).write_bytes(part)
        with Answered(Place(out), {"artefact": "1"}) as answered:
            assert answered.finished(asked) == [False, False, True, False]
            assert answered.damaged == [part_name(["a", "b"])]
        assert not (out / part_name(["a", "b"])).exists()


def test_a_store_that_does_not_answer_deletes_nothing(made, columns, tmp_path, monkeypatch):
    out = tmp_path / "out"
    fill(out, columns, [[("a", made.timeline())]])
    answered = Answered(Place(out), {"artefact": "1"})

    def refused(*asked, **more):
        raise TimeoutError("the store does not answer")

    monkeypatch.setattr(answered.place._fs, "open", refused)
    with pytest.raises(DataError, match="the store does not answer"):
        answered.finished([])
    assert (out / part_name(["a"])).exists()


def test_other_words_other_paths_and_other_limits_are_no_answers(made, columns, tmp_path):
    out, name = tmp_path / "out", part_name(["x"])
    marks = [
        Mark.of("a.wav", "/one/a.wav", None, None),
        Mark.of("b.wav", "/one/b.wav", "So good.", None),
        Mark.of("c.wav", "/one/c.wav", None, 10.0),
    ]
    answers = [("a.wav", made.timeline()), ("b.wav", DataError("no")), ("c.wav", DataError("no"))]
    with Answered(Place(out), {"artefact": "1"}) as answered:
        answered.put(name, columns.partition(answers, marks))
        assert answered.finished(marks) == [True, True, True]
        assert answered.finished([Mark.of("a.wav", "/two/a.wav", None, None)]) == [False]
        assert len(set(read(str(out))["recording"].to_pylist())) == 3
        asked = [
            Mark.of("./a.wav", "/one/a.wav", None, 60.0),
            Mark.of("b.wav", "/one/b.wav", "So bad.", 60.0),
            Mark.of("c.wav", "/one/c.wav", None, 60.0),
        ]
        assert answered.finished(asked) == [True, False, False]
        assert set(read(str(out))["recording"].to_pylist()) == {"a.wav"}
        assert answered.finished(marks) == [True, False, False]
        assert len(list(timelines(str(out)))) == 1
        assert answered.finished([Mark.of("a.wav", "/one/a.wav", "Now.", None)]) == [False]
    assert not (out / name).exists()


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "sales.parquet").write_bytes(b"PAR1")
    with pytest.raises(OutputError, match=r"sales.parquet, which is no answer"):
        Answered(Place(tmp_path), {}).__enter__()
    assert [p.name for p in tmp_path.iterdir()] == ["sales.parquet"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"asked": 3}', "[" * 100_000])
def test_a_damaged_question_is_one_sentence(tmp_path, content):
    (tmp_path / JOB).write_text(content)
    with pytest.raises(OutputError, match=r"_job.json is damaged"):
        Answered(Place(tmp_path), {}).__enter__()


def test_a_folder_without_partitions_has_no_table(tmp_path):
    with pytest.raises(DataError, match="holds no partition"):
        read(str(tmp_path))


def test_a_job_without_an_answer_binds_no_other(tmp_path):
    with Answered(Place(tmp_path), {"artefact": "1"}):
        pass
    with Answered(Place(tmp_path), {"artefact": "2"}) as answered:
        answered.put("part-a.parquet", b"")
    with pytest.raises(OutputError, match="artefact was 2 and is 1; name another --out"):
        Answered(Place(tmp_path), {"artefact": "1"}).__enter__()
