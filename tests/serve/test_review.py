"""The review: the order of its queue, blind decisions, its guards, and what can be played."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from moodal.core.correction import (
    Correction,
    CorrectionFile,
    corrections_csv,
    read_corrections,
)
from moodal.core.errors import DataError
from moodal.core.timeline import Timeline
from moodal.output.formats import from_json
from moodal.serve.access import Keys
from moodal.serve.review_queue import Review, margin
from moodal.serve.review_server import review_application
from moodal.serve.settings import ServeSettings

TOKEN = "t" * 40
HEADERS = {"authorization": f"Bearer {TOKEN}"}
CLIP = Path(__file__).parents[2] / "examples" / "clip.mp4"


@pytest.fixture
def folder(tmp_path):
    shutil.copy(CLIP, tmp_path / "clip.mp4")
    (tmp_path / "secret.mp4").write_bytes(b"not in the queue")
    return tmp_path


@pytest.fixture
def start(made, folder):
    """Return a function that starts a review and gives it with its client."""

    def starting(**more):
        timelines = [made.timeline(path=str(folder / "clip.mp4"))]
        review = Review(
            timelines, CorrectionFile(folder / "corrections.csv"), annotator="ann", **more
        )
        app = review_application(review, ServeSettings(folder=folder), Keys(), TOKEN)
        return review, TestClient(app, base_url="http://127.0.0.1:8766", headers=HEADERS)

    return starting


def test_the_least_certain_come_first_and_doubtful_ones_before_all(made, folder):
    whole = made.timeline()
    sure = [p for p in whole if p.decided and not p.flags]
    flagged = dataclasses.replace(sure[-1], id="flagged", flags=("The voice is quiet.",))
    timeline = dataclasses.replace(whole, predictions=(*whole, flagged))
    review = Review([timeline], CorrectionFile(folder / "c.csv"))
    order = [item.prediction for item in review.queue]
    doubtful = [not p.decided or bool(p.flags) for p in order]
    assert doubtful == sorted(doubtful, reverse=True)
    assert sum(doubtful) == 2
    rest = [margin(p) for p in order[2:]]
    assert rest == sorted(rest)
    again = [i.number for i in Review([timeline], CorrectionFile(folder / "c.csv")).queue]
    assert again == [i.number for i in review.queue]


def test_other_orders(made, folder):
    file = CorrectionFile(folder / "c.csv")
    timelines = [made.timeline(path=f"{name}.mp4") for name in "ba"]
    by_time = Review(timelines, file, order="time").queue
    keys = [(i.timeline.path, i.prediction.start) for i in by_time]
    assert keys == sorted(keys)
    drawn = [[i.number for i in Review(timelines, file, order="random").queue] for _ in "12"]
    assert drawn[0] == drawn[1] != sorted(drawn[0])


def test_results_without_emotions_are_refused(made, folder):
    silent = dataclasses.replace(made.timeline(), predictions=())
    with pytest.raises(DataError, match="no utterance with emotions"):
        Review([silent, Timeline("a", (), ())], CorrectionFile(folder / "c.csv"))


def test_decisions_are_written_at_once_and_undone(start, folder):
    _, client = start()
    first = client.get("/v1/review/queue").json()["items"][0]
    answer = client.post("/v1/corrections", json={"item": first["item"], "emotion": "fear"})
    assert answer.status_code == 201
    assert answer.json()["item"]["decided"] == {"emotion": "fear"}
    assert answer.json()["left"] == 4
    [row] = read_corrections(folder / "corrections.csv")
    assert (row.id, row.old, row.new, row.annotator) == (first["id"], "unsure", "fear", "ann")
    words = {"item": first["item"], "text": "Well, it can."}
    assert client.post("/v1/corrections", json=words).status_code == 201
    again = client.post("/v1/corrections", json={**words, "emotion": "fear"})
    assert (again.status_code, again.json()["changed"]) == (200, [])
    assert len(read_corrections(folder / "corrections.csv")) == 2
    assert client.delete("/v1/corrections/last").json()["item"]["decided"] == {"emotion": "fear"}
    assert client.delete("/v1/corrections/last").json()["left"] == 5
    assert client.delete("/v1/corrections/last").status_code == 404
    assert read_corrections(folder / "corrections.csv") == []


def reviewed(made, path, count):
    """A review of so many utterances, of which the first alone is not decided."""
    p = made.timeline()[0]
    rows = tuple(dataclasses.replace(p, id=str(i)) for i in range(count))
    timeline = dataclasses.replace(made.timeline(path="a"), predictions=rows)
    decisions = [Correction.of(timeline, p, "emotion", "fear", "ann") for p in rows]
    path.write_text(corrections_csv(decisions[1:]), encoding="utf-8")
    return Review([timeline], CorrectionFile(path), annotator="ann")


def listing_seconds(review):
    """The least CPU seconds of three listings."""
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        review.to_dict()
        seconds.append(time.process_time() - begun)
    return min(seconds)


def test_a_long_review_is_listed_in_time_that_grows_with_its_length(made, folder):
    short = listing_seconds(reviewed(made, folder / "short.csv", 500))
    review = reviewed(made, folder / "corrections.csv", 4000)
    # 8 times as many; a scan of all decisions for each utterance would take 64 times as long
    assert listing_seconds(review) < 24 * short
    listed = review.to_dict()
    assert [i["id"] for i in listed["items"] if not i["decided"]] == ["0"]
    review.decide(0, {"emotion": "anger"})
    assert (review.left, review.shown(review.item(0))["decided"]) == (0, {"emotion": "anger"})


def test_a_review_goes_on_where_it_was_stopped(start):
    _, client = start()
    for item in client.get("/v1/review/queue").json()["items"][:3]:
        client.post("/v1/corrections", json={"item": item["item"], "emotion": "anger"})
    _, client = start()
    queue = client.get("/v1/review/queue").json()
    assert (queue["left"], queue["total"]) == (2, 5)
    assert [i["decided"] for i in queue["items"]][:3] == [{"emotion": "anger"}] * 3


def test_a_blind_review_sends_no_answer_before_the_decision(start):
    review, client = start(blind=True)
    queue = client.get("/v1/review/queue")
    hidden = ("answer", "probabilities", "flags", "dB", "label")
    assert not [word for word in hidden if word in queue.text]
    item = queue.json()["items"][1]
    first = client.post("/v1/corrections", json={"item": item["item"], "text": "x"})
    assert "answer" not in first.json()["item"]  # words are no decision on the emotion
    for format in ("json", "textgrid", "eaf"):
        refused = client.get(f"/v1/corrections?format={format}&item=0")
        assert refused.status_code == 422
        assert "undecided" in refused.json()["error"]
    after = client.post("/v1/corrections", json={"item": item["item"], "emotion": "fear"})
    p = review.item(item["item"]).prediction
    assert after.json()["item"]["answer"]["label"] == p.label
    again = client.get("/v1/review/queue").json()["items"]
    assert ["answer" in one for one in again] == [False, True, False, False, False]
    client.delete("/v1/corrections/last")
    assert "answer" not in client.get("/v1/review/queue").text


def test_corrected_results_are_exported(start):
    review, client = start()
    p = review.item(0).prediction
    client.post("/v1/corrections", json={"item": 0, "emotion": "fear"})
    [back] = from_json(client.get("/v1/corrections?format=json").text)
    assert (p.label, back[0].label) == ("anger", "fear")
    assert "fear" in client.get("/v1/corrections?format=eaf&item=0").text
    table = client.get("/v1/corrections?format=csv")
    assert table.text.splitlines()[1].split(",")[5:7] == ["anger", "fear"]
    assert "attachment" in table.headers["content-disposition"]
    assert client.get("/v1/corrections?format=exe").status_code == 400
    assert "-->" in client.get("/v1/corrections?format=srt&item=0").text


@pytest.mark.parametrize(
    "body",
    [
        {"item": 0, "emotion": "melancholy"},
        {"item": 99, "emotion": "fear"},
        {"item": -1, "emotion": "fear"},
        {"item": "0", "emotion": "fear"},
        {"item": 0, "emotion": "fear", "annotator": "eve"},
        {"item": 0, "mood": "x"},
        {"item": 0, "text": "x" * 30_000},
        {"item": 0},
        [],
        "fear",
    ],
)
def test_a_wrong_decision_is_one_sentence_and_nothing_is_written(start, folder, body):
    _, client = start()
    answer = client.post("/v1/corrections", content=json.dumps(body))
    assert answer.status_code in (400, 413, 422)
    assert isinstance(answer.json()["error"], str)
    assert not (folder / "corrections.csv").exists()


def test_the_recording_is_played_in_ranges(start):
    _, client = start()
    address = client.get("/v1/review/queue").json()["items"][0]["media"]
    content = CLIP.read_bytes()
    whole = client.get(address)
    assert whole.content == content
    assert whole.headers["content-type"] == "video/mp4"
    part = client.get(address, headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(content)}"
    assert client.get(address, headers={"range": "bytes=99999999-"}).status_code == 416


@pytest.mark.parametrize(
    "name",
    [
        "99",
        "-1",
        "../secret.mp4",
        "%2e%2e%2fsecret.mp4",
        "0/../../secret.mp4",
        "secret.mp4",
        "0%00",
    ],
)
def test_only_recordings_of_the_queue_are_played(start, name):
    _, client = start()
    answer = client.get(f"/v1/review/media/{name}")
    assert answer.status_code in (400, 404, 422)
    assert b"not in the queue" not in answer.content


@pytest.mark.parametrize("kind", ["audio", "video", "image"])
def test_a_result_cannot_have_another_file_played(made, folder, kind):
    secret = folder / "secret.mp4"
    timeline = dataclasses.replace(made.timeline(path=str(secret)), kind=kind)
    review = Review([timeline], CorrectionFile(folder / "corrections.csv"))
    app = review_application(review, ServeSettings(folder=folder), Keys(), TOKEN)
    client = TestClient(app, base_url="http://127.0.0.1:8766", headers=HEADERS)
    answer = client.get("/v1/review/media/0")
    assert (answer.status_code, b"not in the queue" in answer.content) == (404, False)
    shutil.copy(CLIP, secret)
    assert client.get("/v1/review/media/0").status_code == 200


def test_a_recording_that_was_removed_is_said(start, folder):
    _, client = start()
    (folder / "clip.mp4").unlink()
    assert client.get("/v1/review/media/0").status_code == 404
    other, _ = start()
    assert other.to_dict()["items"][0]["media"] is None
    assert "cannot be played" in other.notes[0]


def test_nobody_else_may_ask(start):
    _, client = start()
    paths = ("/", "/v1/review/queue", "/v1/review/media/0", "/v1/corrections")
    for path in paths:
        assert client.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
    rebound = client.get("/v1/review/queue", headers={"host": "evil.example"})
    assert rebound.status_code == 421
    foreign = {"origin": "http://evil.example"}
    body = {"item": 0, "emotion": "fear"}
    assert client.post("/v1/corrections", json=body, headers=foreign).status_code == 403
    assert client.delete("/v1/corrections/last", headers=foreign).status_code == 403
    policy = client.get("/").headers["content-security-policy"]
    assert "script-src 'self'" in policy


def test_a_one_time_address_lets_a_browser_in_once(made, folder):
    review = Review([made.timeline()], CorrectionFile(folder / "c.csv"))
    keys = Keys()
    app = review_application(review, ServeSettings(folder=folder), keys, TOKEN)
    address = f"/?key={keys.new()}"
    browser = TestClient(app, base_url="http://127.0.0.1:8766", follow_redirects=True)
    assert browser.get("/v1/review/queue").status_code == 401
    assert "review.js" in browser.get(address).text
    assert browser.get("/v1/review/queue").status_code == 200
    assert browser.get("/static/review.js").status_code == 200
    other = TestClient(app, base_url="http://127.0.0.1:8766")
    assert other.get(address).status_code == 401
