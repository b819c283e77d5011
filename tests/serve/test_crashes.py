"""kill -9 of workers and of the server in the midst of jobs: nothing lost, nothing twice."""

import os
import signal
import time
from pathlib import Path

import pytest


def results(server, ids):
    return {id: server.ask("GET", f"/v1/jobs/{id}/result").json for id in ids}


def runs(number):
    """Return whether a process runs; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_that_crashes_fails_its_job_alone(server):
    bad = server.job({"text": "crash now"})
    good = [server.job({"text": f"Number {i} is good."}) for i in range(3)]
    state = server.wait(bad)
    assert state["status"] == "failed"
    assert state["error"] == (
        "The text ended the process that read it: a decoder crashed, or memory ran out."
    )
    assert all(server.wait(id)["status"] == "done" for id in good)
    assert b"moodal_worker_restarts_total" in server.ask("GET", "/metrics").body


def test_every_worker_is_killed_in_the_midst(fresh):
    server = fresh()
    running = server.job({"text": "slow 5"})
    waiting = [server.job({"text": f"Number {i} is good."}) for i in range(5)]
    server.wait(running, until=("running",))
    for number in server.workers():
        os.kill(number, signal.SIGKILL)
    assert server.wait(running)["status"] == "failed"
    assert all(server.wait(id)["status"] == "done" for id in waiting)
    end = time.monotonic() + 30  # the process of other words comes back, too
    while time.monotonic() < end:
        answer = server.ask("POST", f"/v1/jobs/{waiting[0]}/score", '{"emotions": "joy"}')
        if answer.status == 200:
            break
        assert answer.status == 503
        time.sleep(0.5)
    assert answer.status == 200


def test_an_idle_worker_that_is_killed_costs_no_job(fresh):
    server = fresh()
    for number in server.workers():
        os.kill(number, signal.SIGKILL)
    time.sleep(0.5)
    assert server.wait(server.job({"text": "So good!"}))["status"] == "done"


def test_the_server_is_killed_in_the_midst(fresh, clip, words):
    server = fresh()
    done = server.job({"text": "It is done."})
    server.wait(done)
    before = results(server, [done])
    running = server.job({"text": "slow 3 and then good"})
    film = server.job({}, file=("clip.mp4", clip), subtitles=("clip.srt", words))
    texts = [server.job({"text": f"Number {i} is good."}) for i in range(4)]
    gone = server.job({"text": "to be deleted"})
    server.ask("DELETE", f"/v1/jobs/{gone}")
    server.wait(running, until=("running",))
    orphans = server.workers()
    server.stop(signal.SIGKILL)
    (server.folder / "uploads" / "half").mkdir()
    (server.folder / "uploads" / "half" / "file").write_bytes(b"half of an upload")
    end = time.monotonic() + 20
    while any(map(runs, orphans)):  # they end with the server, also in the midst of a job
        assert time.monotonic() < end
        time.sleep(0.1)
    server.start()
    assert results(server, [done]) == before
    for id in (running, film, *texts):
        assert server.wait(id)["status"] == "done"
    listed = [job["id"] for job in server.ask("GET", "/v1/jobs").json["jobs"]]
    assert sorted(listed) == sorted([done, running, film, *texts, gone])
    assert server.ask("GET", f"/v1/jobs/{gone}").json["status"] == "cancelled"
    assert len(results(server, [film])[film]["recordings"][0]["utterances"]) == 3
    assert list((server.folder / "uploads").iterdir()) == []
    for id in texts:
        ended = server.ask("GET", f"/v1/jobs/{id}").json["ended"]
        assert server.ask("GET", f"/v1/jobs/{id}").json["ended"] == ended
    figures = server.ask("GET", "/metrics").body.decode()
    assert 'moodal_jobs_ended_total{status="done"} 6.0' in figures  # not the one of before


def test_a_job_that_ends_the_server_again_and_again_is_given_up(tmp_path):
    from moodal.serve.jobs import JobStore, ServedJob

    store = JobStore(tmp_path / "jobs.sqlite")
    store.add(ServedJob("a", "owner", "", "default"))
    for starts in range(1, 4):
        store.start("a")
        store.recover(60.0)
        assert store.get("a").status == ("failed" if starts == 3 else "queued")
    assert "3 times" in store.get("a").error


def test_a_stop_in_order_loses_nothing(fresh):
    server = fresh()
    id = server.job({"text": "slow 3"})
    server.wait(id, until=("running",))
    server.stop(signal.SIGTERM)
    assert server.process.returncode == 0 or server.process.returncode == -signal.SIGTERM
    server.start()
    assert server.wait(id)["status"] == "done"


def test_a_second_server_does_not_take_the_folder(server):
    from moodal.core.errors import UsageError
    from moodal.serve.folder import DataFolder

    with pytest.raises(UsageError, match="Another server uses"):
        DataFolder(server.folder).open()
    with pytest.raises(UsageError, match="Another server uses"):
        DataFolder(server.folder).purge()
