"""Every endpoint, on a server that runs."""

import http.client
import json

import pytest

from moodal.model.options import PredictOptions
from moodal.output.formats import from_json


def events(server, id, **headers):
    """Read the events of a job to their end: (name, data, id)."""
    connection = http.client.HTTPConnection(*server.place, timeout=60)
    connection.request("GET", f"/v1/jobs/{id}/events", headers={**server.headers, **headers})
    text = connection.getresponse().read().decode()
    connection.close()
    found = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if lines:
            found.append((lines["event"], json.loads(lines["data"]), int(lines["id"])))
    return found


@pytest.fixture(scope="module")
def done(server, clip, words):
    """A job that is done: the example film with its subtitles."""
    id = server.job({"step": ""}, file=("clip.mp4", clip), subtitles=("clip.srt", words))
    assert server.wait(id)["status"] == "done"
    return id


def same(one, other):
    assert one["recordings"][0].keys() == other["recordings"][0].keys()
    for a, b in zip(
        one["recordings"][0]["utterances"], other["recordings"][0]["utterances"], strict=True
    ):
        assert a == b


@pytest.fixture(scope="module")
def expected(model):
    import json

    from moodal.output.formats import render

    timeline = model.predict("examples/clip.mp4", name="clip.mp4", subtitles="examples/clip.srt")
    return json.loads(render([timeline], "json"))


def test_predict_answers_as_the_library_does(server, clip, words, expected):
    answer = server.send("/v1/predict", file=("clip.mp4", clip), subtitles=("x.srt", words))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    same(answer.json, expected)
    assert list((server.folder / "uploads").iterdir()) == []


def test_an_rttm_file_says_who_speaks(server, clip):
    turns = b"SPEAKER clip 1 0.5 1.7 <NA> <NA> Anna <NA> <NA>\n"
    answer = server.send("/v1/predict", file=("clip.mp4", clip), rttm=("turns.rttm", turns))
    [utterance] = [u for u in answer.json["recordings"][0]["utterances"] if u.get("speaker")]
    assert utterance["speaker"] == "Anna"


def test_predict_a_text(server):
    answer = server.send("/v1/predict", {"text": "So good!", "emotions": "joy,anger"})
    [recording] = answer.json["recordings"]
    assert recording["emotions"] == ["joy", "anger"]
    assert recording["path"] == ""


@pytest.mark.parametrize(
    ("asked", "accept", "begins", "kind"),
    [
        ("csv", "*/*", b"recording,", "text/csv; charset=utf-8"),
        ("", "text/csv", b"recording,", "text/csv; charset=utf-8"),
        ("", "text/html, application/x-subrip;q=0.9", b"1\n00:00", "application/x-subrip"),
        ("textgrid", "", b"File type", "text/x-praat-textgrid; charset=utf-8"),
        ("eaf", "", b"<?xml", "application/eaf+xml"),
        ("jsonl", "", b"{", "application/jsonl"),
        ("", "", b"{", "application/json"),
    ],
)
def test_results_come_in_all_formats(server, done, asked, accept, begins, kind):
    path = f"/v1/jobs/{done}/result" + (f"?format={asked}" if asked else "")
    answer = server.ask("GET", path, headers={"Accept": accept})
    assert answer.status == 200
    assert answer.body.startswith(begins)
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"].startswith("attachment")


def test_formats_that_are_none(server, done):
    answer = server.ask("GET", f"/v1/jobs/{done}/result?format=exe")
    assert answer.status == 400
    assert "textgrid" in answer.error
    assert (
        server.ask("GET", f"/v1/jobs/{done}/result", headers={"Accept": "image/png"}).status == 406
    )
    assert server.send("/v1/predict?format=srt", {"text": "So good!"}).status == 422


def test_a_job_tells_its_state(server, done, expected):
    state = server.ask("GET", f"/v1/jobs/{done}").json
    assert state["name"] == "clip.mp4"
    assert state["progress"] is None
    assert state["error"] is None
    assert state["created"] < state["ended"] < state["expires"]
    same(server.ask("GET", f"/v1/jobs/{done}/result").json, expected)
    assert done in [job["id"] for job in server.ask("GET", "/v1/jobs").json["jobs"]]


def test_uploads_are_deleted_when_their_job_ends(server, done):
    assert sorted(p.name for p in (server.folder / "jobs" / done).iterdir()) == [
        "evidence.npz",
        "result.json",
    ]


def test_events_while_it_runs_and_afterwards(server, clip, words, expected):
    wait = server.job({"text": "slow 1"})
    id = server.job({}, file=("clip.mp4", clip), subtitles=("clip.srt", words))
    live = events(server, id)
    names = [name for name, _, _ in live]
    assert names[-1] == "done"
    assert names.count("answer") == 3
    assert "progress" in names
    progress = [data for name, data, _ in live if name == "progress"]
    assert progress[-1]["seconds"] == pytest.approx(5.857, abs=0.01)
    assert progress[-1]["duration"] == pytest.approx(6.6, abs=0.2)
    assert any(p["eta"] is not None for p in progress)
    answers = [data for name, data, _ in live if name == "answer"]
    assert answers == expected["recordings"][0]["utterances"]
    past = events(server, id)
    assert [data for name, data, _ in past if name == "answer"] == answers
    assert past[-1][:2] == live[-1][:2]
    resumed = events(server, id, **{"Last-Event-ID": "2"})
    assert [name for name, _, _ in resumed] == ["answer", "done"]
    for place in ("4", "5", "99999"):  # a browser that had all of it asks once more
        resumed = events(server, id, **{"Last-Event-ID": place})
        assert [(name, number) for name, _, number in resumed] == [("done", 4)]
    assert server.wait(wait)["status"] == "done"


def test_the_end_is_told_to_one_who_comes_back_after_it(server):
    id = server.job({}, file=("film.mp4", b"\x00" * 1000))
    assert server.wait(id)["status"] == "failed"
    [(name, data, place)] = events(server, id, **{"Last-Event-ID": "5"})
    assert (name, data["id"], place) == ("failed", id, 1)


def test_other_words_are_scored_without_the_recording(server, done, model):
    body = json.dumps({"emotions": "gratitude, joy"})
    answer = server.ask("POST", f"/v1/jobs/{done}/score", body)
    assert answer.status == 200, answer.body
    options = PredictOptions(subtitles="examples/clip.srt", emotions="gratitude, joy")
    timeline = model.predict("examples/clip.mp4", name="clip.mp4", options=options)
    [scored] = from_json(answer.body.decode())
    assert scored.emotions == timeline.emotions
    assert scored.notes == timeline.notes
    for a, b in zip(scored, timeline, strict=True):
        assert a.id == b.id
        assert a.probabilities == pytest.approx(b.probabilities, abs=1e-4)
    table = server.ask("POST", f"/v1/jobs/{done}/score?format=csv", body)
    assert b"p_gratitude" in table.body


def test_words_that_are_none(server, done):
    def ask(body):
        return server.ask("POST", f"/v1/jobs/{done}/score", body)

    assert "twice" in ask('{"emotions": "joy,joy"}').error
    for body in ('{"emotions": 3}', "[]", "", "{", '{"emotions": "a", "folder": "/etc"}'):
        assert ask(body).status == 400
    assert ask('{"emotions": "' + "a" * 70000 + '"}').status == 413


def test_delete_stops_a_job_and_then_removes_it(server):
    first, id = server.job({"text": "slow 20"}), server.job({"text": "slow 20"})
    server.wait(first, until=("running",))
    for one in (id, first):  # one that waits, and one that runs
        assert server.ask("DELETE", f"/v1/jobs/{one}").json == {"id": one, "status": "cancelled"}
        assert server.ask("GET", f"/v1/jobs/{one}").json["status"] == "cancelled"
        assert not (server.folder / "jobs" / one).exists()
        assert events(server, one)[-1][0] == "cancelled"
        assert server.ask("GET", f"/v1/jobs/{one}/result").status == 409
        assert server.ask("DELETE", f"/v1/jobs/{one}").json["status"] == "deleted"
        assert server.ask("GET", f"/v1/jobs/{one}").status == 404
    assert server.wait(server.job({"text": "still there"}))["status"] == "done"


def test_what_cannot_be_read_is_one_sentence(server):
    id = server.job({}, file=("film.mp4", b"\x00" * 1000))
    state = server.wait(id)
    assert state["status"] == "failed"
    assert "film.mp4" in state["error"]
    assert "/" not in state["error"]
    assert events(server, id)[-1][0] == "failed"
    assert server.ask("GET", f"/v1/jobs/{id}/result").error == state["error"]
    answer = server.send("/v1/predict", file=("film.mp4", b"\x00" * 1000))
    assert (answer.status, answer.error) == (422, state["error"])


def test_a_fault_tells_its_kind_alone(server):
    state = server.wait(server.job({"text": "fault canary-7f3a"}))
    assert "RuntimeError" in state["error"]
    assert "secret" not in state["error"]
    log = server.log.read_text()
    assert "serving.py:" in log
    assert "canary-7f3a" not in log


def test_models_health_figures_and_documentation(server):
    [model] = server.ask("GET", "/v1/models").json["models"]
    assert model["name"] == "default"
    assert "gratitude" in model["words"]
    assert [m["name"] for m in model["modalities"]] == ["text", "speech", "face"]
    assert server.ask("GET", "/healthz", token=False).json["status"] == "ok"
    figures = server.ask("GET", "/metrics").body.decode()
    assert 'moodal_requests_total{method="GET",route="/v1/models",status="200"}' in figures
    document = server.ask("GET", "/openapi.json").json
    assert {"/v1/predict", "/v1/jobs/{id}/events", "/v1/jobs/{id}/score"} <= set(document["paths"])
    form = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert {"file", "subtitles", "emotions"} <= set(form["schema"]["properties"])
    page = server.ask("GET", "/docs").body.decode()
    assert "http" not in page.replace("http-equiv", "")
    assert "<script>" not in page
    for name in ("docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "docs/start.js"):
        assert f"/static/{name}" in page
        answer = server.ask("GET", f"/static/{name}")
        assert answer.status == 200
        tag = answer.headers["etag"]
        again = server.ask("GET", f"/static/{name}", headers={"If-None-Match": tag})
        assert (again.status, again.body) == (304, b"")


def test_addresses_that_are_none(server):
    assert server.ask("GET", "/v1/nothing").status == 404
    assert server.ask("PUT", "/v1/jobs").status == 405
    assert server.ask("GET", "/v1/jobs/nothing").error == "There is no such job."
    assert server.ask("GET", "/static/../app.py").status == 404
    assert server.ask("GET", "/static/%2e%2e/app.py").status == 404
    assert server.ask("GET", "/static//etc/passwd").status == 404
