"""What is deleted is gone: from the data folder, the database, its pages and its log."""

import json
import time

import pytest

from moodal.serve.folder import DataFolder

NAME, WORD = "canary-name-93ab", "canaryword51c7"


def holds(folder, canary):
    """Return the files whose bytes or names hold a canary."""
    found = []
    for path in folder.rglob("*"):
        if canary in path.name or (path.is_file() and canary.encode() in path.read_bytes()):
            found.append(path.name)
    return found


def subtitles():
    return f"1\n00:00:00,700 --> 00:00:02,100\n{WORD} is so good\n".encode()


def asked(server, clip, **more):
    fields = {"emotions": "joy,anger", **more}
    return server.job(fields, file=(f"{NAME}.mp4", clip), subtitles=(f"{NAME}.srt", subtitles()))


@pytest.fixture
def kept(fresh, clip):
    """A server with a job that is done, one of a text, one that failed and one that waits."""
    server = fresh()
    ids = [asked(server, clip), server.job({"text": f"{WORD} again"})]
    ids.append(server.job({}, file=(f"{NAME}.mp4", b"damaged")))
    for id in ids:
        server.wait(id)
    return server, ids


def test_deleting_jobs_leaves_no_trace(kept):
    server, ids = kept
    assert holds(server.folder, NAME)
    assert holds(server.folder, WORD)
    for id in ids:
        server.ask("DELETE", f"/v1/jobs/{id}")
    assert holds(server.folder, NAME) == []
    assert holds(server.folder, WORD) == []


def test_a_purge_leaves_no_trace(kept, clip):
    server, _ = kept
    server.job({"text": f"slow 30 {WORD}"})
    asked(server, clip)  # waits, with its upload
    assert (server.folder / "jobs.sqlite-wal").stat().st_size
    server.stop(9)
    assert holds(server.folder, NAME)
    assert holds(server.folder, WORD)
    assert "jobs.sqlite" in DataFolder(server.folder).purge()
    assert holds(server.folder, NAME) == []
    assert holds(server.folder, WORD) == []
    assert sorted(p.name for p in server.folder.iterdir()) == ["lock", "token"]
    server.start()
    assert server.ask("GET", "/v1/jobs").json == {"jobs": []}


def test_nothing_is_kept_of_a_prediction(fresh, clip):
    server = fresh()
    answer = server.send("/v1/predict", file=(f"{NAME}.mp4", clip), subtitles=(NAME, subtitles()))
    assert WORD in answer.body.decode()
    assert holds(server.folder, NAME) == []
    assert holds(server.folder, WORD) == []


def test_results_are_removed_when_their_time_is_over(fresh, clip):
    server = fresh(retain=4.0)
    id = asked(server, clip)
    state = server.wait(id)
    assert state["expires"] == pytest.approx(state["ended"] + 4.0, abs=0.01)
    assert server.ask("GET", f"/v1/jobs/{id}/result").status == 200
    assert server.ask("POST", f"/v1/jobs/{id}/score", '{"emotions": "joy"}').status in (200, 503)
    time.sleep(5)
    for path in ("", "/result"):
        assert server.ask("GET", f"/v1/jobs/{id}{path}").status == 404
    assert server.ask("POST", f"/v1/jobs/{id}/score", '{"emotions": "joy"}').status == 404
    assert holds(server.folder, NAME) == []
    assert holds(server.folder, WORD) == []


def test_what_expired_while_the_server_was_off_is_removed(fresh, clip):
    server = fresh(retain=2.0)
    id = asked(server, clip)
    server.wait(id)
    server.stop(9)
    time.sleep(2)
    server.start()
    time.sleep(0.5)
    assert server.ask("GET", f"/v1/jobs/{id}").status == 404
    assert holds(server.folder, NAME) == []


def test_media_are_kept_where_it_is_asked_for(fresh, clip):
    server = fresh(keep_media=True)
    id = asked(server, clip)
    server.wait(id)
    folder = server.folder / "jobs" / id
    assert (folder / "file").read_bytes() == clip
    server.ask("DELETE", f"/v1/jobs/{id}")
    assert not folder.exists()


def test_no_other_user_may_read_the_data(server):
    assert server.folder.stat().st_mode & 0o777 == 0o700
    assert (server.folder / "token").stat().st_mode & 0o777 == 0o600
    assert (server.folder / "jobs.sqlite").stat().st_mode & 0o777 == 0o600
    for path in (server.folder / "jobs").iterdir():
        assert path.stat().st_mode & 0o777 == 0o700


def test_without_text_nothing_holds_words_when_a_job_has_ended(fresh, clip):
    server = fresh(text=False)
    ids = [asked(server, clip), server.job({"text": f"{WORD} again"})]
    for id in ids:
        assert server.wait(id)["status"] == "done"
        result = server.ask("GET", f"/v1/jobs/{id}/result").json["recordings"][0]["utterances"]
        assert result
        scored = server.ask("POST", f"/v1/jobs/{id}/score", '{"emotions": "joy, calm"}')
        assert list(scored.json["recordings"][0]["utterances"][0]["probabilities"]) == [
            "joy",
            "calm",
        ]
        assert WORD not in json.dumps([result, scored.json])
        assert not any(one.get("words") for one in result)
    assert holds(server.folder, WORD) == []
    answer = server.send("/v1/predict", {"text": f"{WORD} again"})
    assert answer.status == 200
    assert WORD not in answer.body.decode()
    server.stop(9)
    assert holds(server.folder, WORD) == []
