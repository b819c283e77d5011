"""Pseudonyms on a server: its answers, logs, exports and data are searched for canary names."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from moodal.core.errors import DataError, UsageError
from moodal.serve.privacy import ServedPrivacy
from moodal.serve.service import opened_service
from moodal.serve.settings import ServeSettings

NAMES = (b"zebulon", b"quux", b"xanthippe", b"wilhelmina", b"vexatious")
FORMATS = ("json", "jsonl", "csv", "srt", "textgrid", "eaf", "rttm", "hume")
SUBTITLES = b"""1
00:00:00,700 --> 00:00:02,156
XANTHIPPE: Marmalade, and I am so happy!

2
00:00:02,856 --> 00:00:03,833
WILHELMINA: How dare you touch that velvet!

3
00:00:03,900 --> vexatious gooseberry
"""
RTTM = b"SPEAKER x 1 0.7 1.4 <NA> <NA> XANTHIPPE <NA> <NA>\n"


@pytest.fixture(scope="module")
def hidden(launch, tmp_path_factory):
    """A server that renames, and what it was asked and answered so far."""
    key = tmp_path_factory.mktemp("key") / "key.csv"
    key.write_text("kind,name,pseudonym\nspeaker,WILHELMINA,P7\n")
    return launch(pseudonyms=str(key))


def rows(server):
    with open(server.settings["pseudonyms"], encoding="utf-8") as file:
        return {(row["kind"], row["name"]): row["pseudonym"] for row in csv.DictReader(file)}


def leaks(content):
    return [name for name in NAMES if name in content.lower()]


def data(server):
    files = [p for p in server.folder.rglob("*") if p.is_file()]
    return b"\n".join([str(p).encode() + p.read_bytes() for p in files]) + server.log.read_bytes()


@pytest.fixture(scope="module")
def job(hidden, clip):
    fields = {"streams": "text"}
    files = {"file": ("Zebulon Quux.mp4", clip), "subtitles": ("Zebulon Quux.srt", SUBTITLES)}
    id = hidden.job(fields, **files)
    assert hidden.wait(id)["status"] == "done"
    return id


def test_the_canaries_are_answered_without_the_option(server, clip):
    files = {"file": ("Zebulon Quux.mp4", clip), "subtitles": ("Zebulon Quux.srt", SUBTITLES)}
    answer = server.send("/v1/predict", {"streams": "text"}, **files)
    assert set(leaks(answer.body)) >= set(NAMES[:4])


@pytest.mark.parametrize("format", FORMATS)
def test_no_format_of_a_result_shows_a_name(hidden, job, format):
    answer = hidden.ask("GET", f"/v1/jobs/{job}/result?format={format}")
    assert answer.status == 200, answer.body
    assert leaks(answer.body + json.dumps(answer.headers).encode()) == []
    assert b"P7" in answer.body  # the pseudonym of the key


def test_names_are_in_the_key_and_in_no_list_event_or_score(hidden, job):
    key = rows(hidden)
    assert ("recording", "Zebulon Quux.mp4") in key
    assert ("speaker", "XANTHIPPE") in key
    shown = hidden.ask("GET", f"/v1/jobs/{job}").json["name"]
    assert shown == key["recording", "Zebulon Quux.mp4"]
    body, kind = b'{"emotions": "joy, grief"}', {"Content-Type": "application/json"}
    scored = hidden.ask("POST", f"/v1/jobs/{job}/score", body, kind)
    assert scored.status == 200, scored.body
    [recording] = scored.json["recordings"]
    assert [u["id"] for u in recording["utterances"]] == [f"{shown}#1", f"{shown}#2"]
    assert [u["speaker"] for u in recording["utterances"]] == [key["speaker", "XANTHIPPE"], "P7"]
    for path in ("", f"/{job}", f"/{job}/events"):
        answer = hidden.ask("GET", f"/v1/jobs{path}")
        assert leaks(answer.body) == []
    assert f"{shown}#1" in answer.body.decode()  # an event has the id of the result
    assert leaks(scored.body) == []


def test_corrections_and_their_exports_show_no_name(hidden, job):
    shown = hidden.ask("GET", f"/v1/jobs/{job}").json["name"]
    body = json.dumps({"job": job, "id": f"{shown}#1", "emotion": "fear", "annotator": "ann"})
    kind = {"Content-Type": "application/json"}
    assert hidden.ask("POST", "/v1/corrections", body, kind).status == 201
    for format in ("csv", "json", "eaf", "textgrid"):
        answer = hidden.ask("GET", f"/v1/corrections?job={job}&format={format}")
        assert answer.status == 200
        assert leaks(answer.body) == []


@pytest.mark.parametrize(
    ("name", "content", "more"),
    [
        ("damaged quux.wav", b"RIFF\x00\x01\x00\x00WAVEvexatious\x00\xff", {}),
        ("quux.wav", b"", {}),
        ("quux.exe", b"MZ\x00vexatious", {}),
        ("a.mp4", None, {"rttm": ("Quux.rttm", b"SPEAKER x 1 vexatious 1 <NA> <NA> QUUX\n")}),
        ("a.mp4", None, {"subtitles": ("Quux.srt", b"")}),
    ],
)
def test_what_fails_is_told_without_a_name(hidden, clip, name, content, more):
    files = {"file": (name, clip if content is None else content), **more}
    answer = hidden.send("/v1/predict", {"streams": "speech"}, **files)
    assert answer.status in (400, 422), answer.body
    assert answer.error.endswith(".")
    assert leaks(answer.body) == []


def test_turns_of_an_rttm_file_are_renamed(hidden, clip):
    files = {"file": ("Quux.mp4", clip), "rttm": ("Quux.rttm", RTTM)}
    answer = hidden.send("/v1/predict", {"streams": "speech", "asr": "false"}, **files)
    assert answer.status == 200, answer.body
    assert leaks(answer.body) == []
    assert rows(hidden)["speaker", "XANTHIPPE"].encode() in answer.body


def test_nothing_that_is_kept_or_logged_has_a_name(hidden, job):
    assert len(data(hidden)) > 1000
    assert leaks(data(hidden)) == []


def test_threads_that_name_files_at_the_same_time_lose_no_name(tmp_path, monkeypatch):
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (time.sleep(0.005), fsync(number)))
    names = [f"quux{n}.wav" for n in range(16)]
    privacy = ServedPrivacy(tmp_path / "key.csv")
    with ThreadPoolExecutor(8) as pool:
        shown = dict(zip(names, pool.map(partial(privacy.file, "file"), names), strict=True))
    again = ServedPrivacy(tmp_path / "key.csv")
    assert {name: again.file("file", name) for name in names} == shown


def test_jobs_at_the_same_time_extend_one_key(fresh, tmp_path):
    server = fresh(pseudonyms=str(tmp_path / "key.csv"), workers=2)
    text = b"1\n00:00:00,000 --> 00:00:01,000\nSPEAKER%d: I am glad.\n"
    ids = [server.job(file=(f"quux{n}.srt", text % n)) for n in range(8)]
    assert {server.wait(id)["status"] for id in ids} == {"done"}
    key = rows(server)
    assert {("recording", f"quux{n}.srt") for n in range(8)} <= set(key)
    assert {("speaker", f"SPEAKER{n}") for n in range(8)} <= set(key)
    shown = {server.ask("GET", f"/v1/jobs/{id}").json["name"] for id in ids}
    assert shown == {key["recording", f"quux{n}.srt"] for n in range(8)}


def test_names_of_an_earlier_run_are_refused(tmp_path, fresh, words):
    folder = tmp_path / "data"
    first = fresh(folder=str(folder))
    first.wait(first.job(file=("Zebulon.srt", words)))
    first.stop()
    settings = ServeSettings(folder=folder, pseudonyms=tmp_path / "key.csv")
    with pytest.raises(DataError, match=r"no pseudonyms of .*--purge"):
        opened_service(settings, lambda name: None)


def test_a_damaged_key_stops_the_server_and_stays(tmp_path):
    key = tmp_path / "key.csv"
    key.write_text("some notes\n")
    settings = ServeSettings(folder=tmp_path / "data", pseudonyms=key)
    with pytest.raises(DataError, match="is no key of pseudonyms"):
        opened_service(settings, lambda name: None)
    assert key.read_text() == "some notes\n"


def test_a_key_that_a_purge_would_delete_is_refused(tmp_path):
    key = tmp_path / "data" / "keys" / ".." / "key.csv"
    with pytest.raises(UsageError, match="lies in the data folder"):
        ServeSettings(folder=tmp_path / "data", pseudonyms=key)


def test_a_key_that_breaks_meanwhile_is_told_in_a_sentence(fresh, tmp_path, words):
    key = tmp_path / "key.csv"
    server = fresh(pseudonyms=str(key))
    key.write_text("broken")
    answer = server.send("/v1/jobs", file=("Zebulon.srt", words))
    assert (answer.status, leaks(answer.body)) == (500, [])
    assert "key of pseudonyms cannot be used" in answer.error


def test_a_live_session_shows_no_name(hidden):
    websockets = pytest.importorskip("websockets")

    async def talk():
        host, port = hidden.place
        headers = {"Authorization": hidden.headers["Authorization"]}
        address = f"ws://{host}:{port}/v1/stream"
        async with websockets.connect(address, additional_headers=headers) as socket:
            first = {"sound": "pcm16", "rate": 16000, "words": True, "options": {"asr": False}}
            await socket.send(json.dumps(first))
            await socket.send(b"\x01" + bytes(2 * 16000 * 2))
            await socket.send(json.dumps({"words": "so good", "start": 0.2, "end": 0.9}))
            await socket.send(json.dumps({"end": True}))
            return [json.loads(message) async for message in socket]

    last = asyncio.run(asyncio.wait_for(talk(), 60))[-1]
    assert last["type"] == "timeline"
    assert leaks(json.dumps(last).encode()) == []
