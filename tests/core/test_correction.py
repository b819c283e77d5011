"""Corrections: rows that survive a crash, undo, and their application to timelines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time

import pytest

from moodal.core import correction
from moodal.core.correction import (
    Correction,
    CorrectionFile,
    apply_corrections,
    latest,
    read_corrections,
)
from moodal.core.errors import DataError, OutputError
from moodal.core.files import folder_lock
from moodal.output.formats import from_json, render


def row(number=1, new="anger", annotator="ann", **more):
    fields = {
        "recording": "clip.mp4",
        "id": f"clip.mp4#{number}",
        "kind": "emotion",
        "start": 0.4,
        "end": 1234.567,
        "old": "fear",
        "new": new,
        "annotator": annotator,
        "time": "2026-01-02T03:04:05+00:00",
        "artefact": "ab12",
    }
    return Correction(**fields | more)


ODD = [
    row(1),
    row(2, kind="text", old="=1+1", new='He said "no", then\nleft'),
    row(3, new="'=x", start=None, end=None),
    row(4, annotator="'Ann", old="-"),
]


def test_rows_read_back(tmp_path):
    file = CorrectionFile(tmp_path / "deep" / "corrections.csv")
    for one in ODD:
        file.append(one)
    rows = read_corrections(file.path)
    assert rows[0] == ODD[0]
    assert rows[1].new == 'He said "no", then left'  # one line, one row
    assert rows[1].old == "=1+1"
    assert rows[2:] == ODD[2:]
    assert CorrectionFile(file.path).rows == tuple(rows)
    assert b",'=1+1," in file.path.read_bytes()  # no formula for a spreadsheet


def test_every_cut_loses_at_most_the_last_row(tmp_path):
    whole = tmp_path / "whole.csv"
    file = CorrectionFile(whole)
    for one in ODD:
        file.append(one)
    content = whole.read_bytes()
    ends = [i for i, byte in enumerate(content) if byte == 10]
    for size in range(len(content) + 1):
        path = tmp_path / "cut.csv"
        path.write_bytes(content[:size])
        mended = CorrectionFile(path)
        assert len(mended.rows) == max(0, sum(end < size for end in ends) - 1)
        assert mended.mended == (size > 0 and content[:size][-1:] != b"\n")
        mended.append(row(9))
        assert read_corrections(path)[-1] == row(9)


def test_a_row_is_on_the_disk_when_the_process_is_killed(tmp_path):
    path = tmp_path / "corrections.csv"
    program = (
        "import os, sys\n"
        "from moodal.core.correction import Correction, CorrectionFile\n"
        f"file = CorrectionFile({str(path)!r})\n"
        "for i in range(5):\n"
        "    file.append(Correction('a', str(i), 'emotion', 0, 1, 'x', 'y'))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program], env=dict(os.environ), check=False)
    assert [r.id for r in read_corrections(path)] == list("01234")


def test_undo_removes_the_last_row_of_the_annotator(tmp_path):
    file = CorrectionFile(tmp_path / "c.csv")
    rows = [row(1, annotator="ann"), row(2, annotator="ben"), row(3, annotator="ann")]
    for one in rows:
        file.append(one)
    assert file.undo("ben") == (rows[1],)
    assert file.undo("ben") == ()
    assert read_corrections(file.path) == [rows[0], rows[2]]
    assert file.undo("ann") == (rows[2],)
    assert CorrectionFile(file.path).rows == (rows[0],)


def test_what_was_saved_together_is_undone_together(tmp_path):
    file = CorrectionFile(tmp_path / "c.csv")
    earlier = row(1, time="2026-01-02T03:04:04+00:00")
    others = [row(2), row(1, annotator="ben"), row(1, kind="text", annotator="ben")]
    file.append(earlier)
    file.append(row(1), row(1, kind="text", new="No!"))
    file.append(*others)
    assert [one.kind for one in file.undo("ann")] == ["emotion"]  # of another utterance
    assert [one.kind for one in file.undo("ann")] == ["emotion", "text"]
    assert read_corrections(file.path) == [earlier, *others[1:]]
    assert file.undo("ann") == (earlier,)
    file.append(row(5, time=""), row(5, kind="text", time=""))
    assert len(file.undo("ann")) == 1  # nothing says that these were saved together


def test_a_decision_that_changes_nothing_is_not_stored(tmp_path):
    file = CorrectionFile(tmp_path / "c.csv")
    same, words = row(1, new="fear"), row(1, kind="text", old="Yes.", new="Yes.")
    assert file.decide([same, words]) == (same,)  # to agree is a decision, the words are no change
    assert file.decide([same, words]) == ()
    other = row(1, kind="text", old="Yes.", new="No.")
    assert file.decide([same, other]) == (other,)
    assert file.decide([words]) == (words,)  # back to those of the model
    assert file.decide([row(1, new="fear", annotator="ben")])
    assert [r.new for r in read_corrections(file.path)] == ["fear", "No.", "Yes.", "fear"]


def in_threads(*works):
    """Run functions at the same time, and return what they raised."""
    begin, errors = threading.Barrier(len(works)), []

    def run(work):
        begin.wait()
        try:
            work()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.fixture
def slow_disk(monkeypatch):
    """Give other threads time before and while a row is written."""
    fsync, line = os.fsync, correction._line
    monkeypatch.setattr(correction, "_line", lambda row: (time.sleep(0.001), line(row))[1])
    monkeypatch.setattr(os, "fsync", lambda number: (time.sleep(0.002), fsync(number)))


@pytest.mark.usefixtures("slow_disk")
def test_threads_that_begin_a_file_write_one_header_and_all_rows(tmp_path):
    path = tmp_path / "c.csv"

    def work(n):
        return lambda: [CorrectionFile(path).append(row(10 * n + i)) for i in range(4)]

    assert in_threads(*map(work, range(8))) == []
    numbers = sorted(int(r.id.partition("#")[2]) for r in read_corrections(path))
    assert numbers == [10 * n + i for n in range(8) for i in range(4)]
    assert path.read_bytes().count(b"recording,") == 1


@pytest.mark.usefixtures("slow_disk")
@pytest.mark.parametrize("shared", [True, False], ids=["one object", "an object each"])
def test_an_undo_leaves_what_others_write_meanwhile(tmp_path, shared):
    one = CorrectionFile(tmp_path / "c.csv")
    for i in range(6):
        one.append(row(i, annotator="ann"))
    other = one if shared else CorrectionFile(one.path)

    def undo():
        for _ in range(6):
            assert one.undo("ann")

    def append():
        for i in range(6):
            other.append(row(i, annotator="ben"))

    assert in_threads(undo, append) == []
    assert read_corrections(one.path) == [row(i, annotator="ben") for i in range(6)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks no folder")
def test_processes_that_begin_a_file_write_one_header_and_all_rows(tmp_path):
    path = tmp_path / "c.csv"
    program = (
        "import os, time\n"
        "from moodal.core.correction import Correction, CorrectionFile\n"
        "fsync = os.fsync\n"
        "os.fsync = lambda number: (time.sleep(0.002), fsync(number))\n"
        f"file = CorrectionFile({str(path)!r})\n"
        "for i in range(40):\n"
        "    file.append(Correction('a', str(i), 'emotion', 0, 1, 'x', 'y', str(os.getpid())))\n"
        "    i % 2 or file.undo(str(os.getpid()))\n"
    )
    with folder_lock(tmp_path):  # both begin when it is released
        processes = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]
        time.sleep(0.5)
    assert [process.wait(60) for process in processes] == [0, 0]
    rows = read_corrections(path)
    for process in processes:
        own = [r.id for r in rows if r.annotator == str(process.pid)]
        assert own == [str(i) for i in range(1, 40, 2)]
    assert [p.name for p in tmp_path.iterdir()] == ["c.csv"]


def test_a_folder_that_went_is_not_made_again(tmp_path):
    file = CorrectionFile(tmp_path / "job" / "c.csv", make_folder=False)
    with pytest.raises(OutputError):
        file.append(row())
    assert not file.path.parent.exists()
    file.path.parent.mkdir()
    file.append(row())
    shutil.rmtree(file.path.parent)
    assert file.undo("ann") == ()
    assert not file.path.parent.exists()


def test_a_row_that_was_cut_off_by_a_full_disk_is_removed_before_the_next(tmp_path, monkeypatch):
    file = CorrectionFile(tmp_path / "c.csv")
    file.append(row(1))
    with monkeypatch.context() as patch:

        def full(number):
            os.truncate(number, os.fstat(number).st_size - 9)
            raise OSError(28, "No space left on device")

        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError):
            file.append(row(2))
    file.append(row(3))
    assert read_corrections(file.path) == [row(1), row(3)]
    assert file.mended


def test_the_last_decision_of_each_annotator_counts():
    rows = [row(1, "anger"), row(1, "fear", "ben"), row(1, "sadness"), row(2, "anger")]
    assert [r.new for r in latest(rows)] == ["sadness", "fear", "anger"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a,b\n1,2\n", "no file of corrections"),
        ("some notes", "no file of corrections"),
        ("HEADER\nx,1,mood,0,1,a,b,c,d,e\n", "row 1: kind is 'mood'"),
        ("HEADER\nx,1,emotion,zero,1,a,b,c,d,e\n", "row 1: start and end are seconds"),
        ("HEADER\nx,1,emotion,0\n", "row 1 has 4 cells"),
        ('HEADER\n"x,1,emotion,0,1,a,b,c,d,e\n', "quote"),
    ],
)
def test_a_wrong_file_is_one_sentence_and_stays_as_it_is(tmp_path, content, problem):
    header = "recording,id,kind,start,end,old,new,annotator,time,artefact"
    path = tmp_path / "c.csv"
    path.write_text(content.replace("HEADER", header), encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(DataError, match=problem):
        CorrectionFile(path)
    assert path.read_bytes() == before


def test_a_decision_is_of_the_emotions_that_were_asked_for(made):
    whole = made.timeline()
    made = Correction.of(whole, whole[0], "emotion", "sadness", "ann")
    assert (made.old, made.new, made.artefact) == ("anger", "sadness", "sha256:0123abcd")
    assert Correction.of(whole, whole[1], "emotion", "unsure").old == "unsure"
    with pytest.raises(DataError, match="'melancholy' is none of anger"):
        Correction.of(whole, whole[0], "emotion", "melancholy")


@pytest.mark.parametrize("kind", ["timeline", "sliced"])
def test_corrected_labels_and_words_are_in_every_format(made, kind):
    whole = vars(made)[kind]()
    rows = [
        Correction.of(whole, whole[0], "emotion", "fear", "ann"),
        Correction.of(whole, whole[2], "emotion", "unsure", "ann"),
        Correction.of(whole, whole[3], "text", "Oh dear.", "ann"),
        row(1, recording="other.mp4"),
    ]
    corrected = apply_corrections(whole, rows)
    assert [p.label for p in corrected][:3] == ["fear", "unsure", "unsure"]
    assert corrected[3].text == "Oh dear."
    assert "Corrected by ann." in corrected[0].flags
    assert corrected[4] == whole[4]
    [back] = from_json(render([corrected], "json"))
    assert [p.label for p in back] == [p.label for p in corrected]
    assert "Oh dear." in render([corrected], "textgrid")
    assert "fear" in render([corrected], "eaf")
    assert apply_corrections(whole, rows[3:]) is whole
