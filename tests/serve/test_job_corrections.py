"""Corrections of a job's result: kept with the job, undone, exported, and gone with it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from moodal.core.correction import read_corrections
from moodal.output.formats import from_json


@pytest.fixture
def finished(server, clip, words):
    """Return a function that sends the example film with its subtitles, and waits for it."""

    def send():
        fields = {"streams": "text"}
        id = server.job(fields, file=("clip.mp4", clip), subtitles=("clip.srt", words))
        assert server.wait(id)["status"] == "done"
        return id

    return send


@pytest.fixture
def done(finished):
    """A job that is done."""
    return finished()


def correct(server, job, id="clip.mp4#1", **more):
    changes = more if more.keys() & {"emotion", "text"} else {"emotion": "fear", **more}
    body = json.dumps({"job": job, "id": id, **changes})
    return server.ask("POST", "/v1/corrections", body, {"Content-Type": "application/json"})


def exported(server, job, format):
    answer = server.ask("GET", f"/v1/corrections?job={job}&format={format}")
    assert answer.status == 200, answer.body
    return answer.body.decode()


def test_a_label_and_words_are_corrected_and_exported(server, done):
    assert correct(server, done, annotator="ann").status == 201
    assert correct(server, done, text="We lost.", annotator="ann").status == 201
    rows = csv.DictReader(io.StringIO(exported(server, done, "csv")))
    assert [row["new"] for row in rows] == ["fear", "We lost."]
    [timeline] = from_json(exported(server, done, "json"))
    assert (timeline[0].label, timeline[0].text) == ("fear", "We lost.")
    assert "Corrected by ann." in timeline[0].flags
    assert "We lost." in exported(server, done, "eaf")
    assert "We lost." in exported(server, done, "textgrid")
    assert "We lost." not in server.ask("GET", f"/v1/jobs/{done}/result").body.decode()


def test_the_last_correction_of_an_annotator_is_undone(server, done):
    correct(server, done, annotator="ann")
    correct(server, done, id="clip.mp4#2", annotator="ben")
    answer = server.ask("DELETE", f"/v1/corrections/last?annotator=ann&job={done}")
    assert (answer.json["job"], answer.json["id"]) == (done, "clip.mp4#1")
    assert len(exported(server, done, "csv").splitlines()) == 2
    assert server.ask("DELETE", "/v1/corrections/last?annotator=ben").json["id"] == "clip.mp4#2"
    assert server.ask("DELETE", f"/v1/corrections/last?job={done}").status == 404


def test_a_label_and_words_that_were_saved_together_are_undone_together(server, done):
    correct(server, done, emotion="fear", annotator="ann")
    answer = correct(server, done, emotion="anger", text="We lost.", annotator="ann")
    assert (answer.status, answer.json["changed"]) == (
        201,
        {"emotion": "anger", "text": "We lost."},
    )
    undo = f"/v1/corrections/last?annotator=ann&job={done}"
    assert server.ask("DELETE", undo).json["kinds"] == ["emotion", "text"]
    rows = csv.DictReader(io.StringIO(exported(server, done, "csv")))
    assert [(row["kind"], row["new"]) for row in rows] == [("emotion", "fear")]


def test_a_correction_that_changes_nothing_is_not_stored(server, done):
    [timeline] = from_json(exported(server, done, "json"))
    assert correct(server, done, text=timeline[0].text).json["changed"] == {}
    assert correct(server, done).status == 201
    again = correct(server, done)
    assert (again.status, again.json["changed"]) == (200, {})
    path = server.folder / "jobs" / done / "corrections.csv"
    assert [row.new for row in read_corrections(path)] == ["fear"]


def test_what_others_correct_later_does_not_choose_the_job_of_an_undo(server, finished):
    first, second = finished(), finished()
    correct(server, first, annotator="ann")
    correct(server, second, annotator="ann")
    correct(server, first, annotator="ben")
    jobs = [server.ask("DELETE", "/v1/corrections/last?annotator=ann").json["job"] for _ in "12"]
    assert jobs == [second, first]


def test_corrections_go_with_their_job(server, done):
    correct(server, done, text="canary-of-words")
    assert server.ask("DELETE", f"/v1/jobs/{done}").status == 200
    left = b"".join(p.read_bytes() for p in server.folder.rglob("*") if p.is_file())
    assert b"canary-of-words" not in left
    assert server.ask("GET", f"/v1/corrections?job={done}").status == 404


def test_clients_may_correct_one_job_at_the_same_time(server, done):
    def send(number):
        return correct(server, done, text=f"words {number}").status

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(send, range(24))) == [201] * 24
    rows = csv.DictReader(io.StringIO(exported(server, done, "csv")))
    assert len(list(rows)) == 1  # the last one of the utterance
    path = server.folder / "jobs" / done / "corrections.csv"
    assert {f"words {n}" for n in range(24)} == {r.new for r in read_corrections(path)}


@pytest.mark.parametrize("deleted", ["by the disk", "by the client"])
def test_a_job_that_went_keeps_no_words_and_its_folder_is_not_made_again(server, done, deleted):
    folder = server.folder / "jobs" / done
    if deleted == "by the disk":
        shutil.rmtree(folder)
    else:

        def send(number):
            return correct(server, done, text=f"canary {number}")

        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(send, range(24))
            assert server.ask("DELETE", f"/v1/jobs/{done}").status == 200
            assert {answer.status for answer in answers} <= {201, 404}
    answer = correct(server, done, text="canary")
    assert (answer.status, answer.error) == (404, "There is no such job.")
    assert not folder.exists()
    assert server.ask("DELETE", f"/v1/corrections/last?job={done}").status == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"id": "clip.mp4#99"}, 404),
        ({"job": "x"}, 404),
        ({"job": "../jobs"}, 404),
        ({"emotion": "melancholy"}, 422),
        ({"emotion": 3}, 400),
        ({"mood": "x"}, 400),
        ({"text": "x" * 30_000}, 400),
        ({"path": "/etc/passwd"}, 400),
    ],
)
def test_a_wrong_correction_is_one_sentence(server, done, body, status):
    answer = correct(server, **{"job": done, **body})
    assert answer.status in (status, 413)
    assert isinstance(answer.error, str)
    assert len(exported(server, done, "csv").splitlines()) == 1


def test_other_websites_and_strangers_are_refused(server, done):
    body = json.dumps({"job": done, "id": "clip.mp4#1", "emotion": "fear"})
    foreign = {"Content-Type": "application/json", "Origin": "http://evil.example"}
    assert server.ask("POST", "/v1/corrections", body, foreign).status == 403
    assert server.ask("POST", "/v1/corrections", body, token=False).status in (401, 403)
    assert server.ask("GET", f"/v1/corrections?job={done}&format=exe").status == 400
