"""Live sessions over a WebSocket: their final answers are those of a prediction."""

import contextlib
import io
import json
import os
import signal
import struct
import time

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from moodal.media.audio import read_audio

connect = pytest.importorskip("websockets.sync.client").connect

CLIP = "examples/clip.mp4"


@contextlib.contextmanager
def session(server, first):
    address = f"ws://127.0.0.1:{server.place[1]}/v1/stream"
    with connect(address, additional_headers=server.headers, max_size=None) as live:
        send = live.send

        def unless_closed(message):
            # a server that refuses says so and closes, perhaps before all is sent
            with contextlib.suppress(ConnectionClosed):
                send(message)

        live.send = unless_closed
        live.send(json.dumps(first))
        yield live


def to_the_end(live):
    """Read until the timeline, or an error."""
    told = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            told.append(json.loads(live.recv(timeout=60)))
    return told


def finals(told):
    return [one["answer"] for one in told if one["type"] == "final"]


def utterances(told):
    assert told[-1]["type"] == "timeline", told[-1]
    return told[-1]["timeline"]["recordings"][0]["utterances"]


def sound(samples):
    return b"\x01" + samples.tobytes()


@pytest.fixture(scope="module")
def samples():
    """The sound of the example film at 16 kHz, int16."""
    return (read_audio(CLIP, rate=16000) * 32767).astype("<i2")


def document(timeline):
    from moodal.output.formats import render

    return json.loads(render([timeline], "json"))["recordings"][0]["utterances"]


@pytest.fixture(scope="module")
def expected(model, samples):
    return document(model.predict(samples.astype(np.float32) / 32768, rate=16000, asr=False))


@pytest.mark.parametrize("size", [320, 48000])
def test_final_answers_are_those_of_a_prediction(server, samples, expected, size):
    first = {"sound": "pcm16", "rate": 16000, "options": {"asr": False}}
    with session(server, first) as live:
        for at in range(0, len(samples), size):
            live.send(sound(samples[at : at + size]))
        live.send('{"end": true}')
        told = to_the_end(live)
    assert len(expected) >= 2
    assert finals(told) == expected
    assert utterances(told) == expected
    assert all(one["at"] >= 0 for one in told if "at" in one)
    provisional = [one for one in told if one["type"] == "provisional"]
    assert all(one["answer"]["probabilities"] for one in provisional)


def test_floats_of_two_channels(server, samples, expected):
    first = {"sound": "f32", "rate": 16000, "channels": 2, "options": {"asr": "false"}}
    both = np.repeat(samples.astype("<f4")[:, None] / 32768, 2, axis=1)
    with session(server, first) as live:
        for at in range(0, len(both), 8000):
            live.send(sound(both[at : at + 8000]))
        live.send('{"end": true}')
        assert len(utterances(to_the_end(live))) == len(expected)


def test_pictures_and_words(server, model):
    from PIL import Image

    from moodal.media.video import frames

    first = {"sound": None, "words": True, "pictures": True, "options": {}}
    with session(server, first) as live:
        for picture in frames(CLIP, 5.0, longest=640):
            file = io.BytesIO()
            Image.fromarray(picture.rgb).save(file, "JPEG", quality=95)
            live.send(b"\x02" + struct.pack("<d", picture.at) + file.getvalue())
            if picture.at == pytest.approx(2.0, abs=0.1):
                live.send('{"words": "We won, and I am so happy!", "start": 0.7, "end": 2.1}')
        live.send('{"end": true}')
        told = to_the_end(live)
    [spoken] = [one for one in utterances(told) if one.get("text")]
    assert spoken["text"] == "We won, and I am so happy!"
    assert {"text", "face"} <= set(spoken["shares"])


def coded(samples, container="webm"):
    """Return sound as a browser records it: Opus in WebM."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream("libopus", rate=48000, layout="mono")
        resampler = av.AudioResampler("s16", "mono", 48000, frame_size=960)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.rate = 16000
        for own in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(own))
        out.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize("container", ["webm", "ogg"])
def test_opus_as_a_browser_sends_it(server, model, samples, container):
    content = coded(samples, container)
    with session(server, {"sound": "webm", "options": {"asr": False}}) as live:
        for at in range(0, len(content), 2000):
            live.send(b"\x01" + content[at : at + 2000])
        live.send('{"end": true}')
        told = to_the_end(live)
    timeline = document(model.predict(content, asr=False))
    assert len(timeline) >= 2
    own = utterances(told)
    assert [u["id"] for u in own] == [u["id"] for u in timeline]
    for one, other in zip(own, timeline, strict=True):
        assert one["start"] == pytest.approx(other["start"], abs=0.04)
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=0.02)


@pytest.mark.parametrize(
    "content", [b"no sound at all" * 500, b"\x1aE\xdf\xa3" + b"\xff" * 5000, b"\x1aE\xdf\xa3"]
)
def test_a_malformed_stream_ends_its_session_alone(server, samples, expected, content):
    with session(server, {"sound": "webm"}) as live:
        live.send(b"\x01" + content)
        live.send('{"end": true}')
        assert to_the_end(live)[-1]["type"] == "error"
    first = {"sound": "pcm16", "rate": 16000, "options": {"asr": False}}
    with session(server, first) as live:
        live.send(sound(samples))
        live.send('{"end": true}')
        assert utterances(to_the_end(live)) == expected


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ({"sound": "mp3"}, "sound is"),
        ({"sound": "pcm16"}, "rate is"),
        ({"sound": "pcm16", "rate": 10**12}, "rate is"),
        ({"sound": "pcm16", "rate": True}, "rate is"),
        ({"sound": "pcm16", "rate": 16000, "channels": 99}, "channels is"),
        ({"sound": "pcm16", "rate": 16000, "folder": "/etc"}, "no field"),
        ({"sound": "pcm16", "rate": 16000, "options": {"prior": "/a.toml"}}, "prior is"),
        ({"sound": "pcm16", "rate": 16000, "options": {"speakers": "channels"}}, "channels"),
        ({"sound": "pcm16", "rate": 16000, "options": {"text": "a"}}, "messages of their own"),
        ({"sound": "pcm16", "rate": 16000, "options": []}, None),
        ({"sound": "pcm16", "rate": 16000, "options": {"emotions": "a,a"}}, "twice"),
        ({"sound": "pcm16", "rate": 16000, "artefact": "/root"}, "no model"),
        ([], "JSON object"),
    ],
)
def test_a_first_message_that_is_wrong(server, first, message):
    with session(server, first) as live:
        live.send('{"end": true}')
        told = to_the_end(live)[-1]
    assert told["type"] == ("timeline" if message is None else "error")
    assert message is None or message in told["message"]


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"\x01abc", "no multiple"),
        (b"\x03abc", "begins with"),
        (b"", "begins with"),
        (b"\x02abc", "8 bytes"),
        (b"\x02" + b"\0" * 8 + b"GIF89a", "no JPEG"),
        ("[]", "JSON object"),
        ('{"words": 3}', "text message"),
        ('{"words": "a", "start": NaN, "end": 1}', "text message"),
    ],
)
def test_a_message_that_is_wrong(server, sent, message):
    with session(server, {"sound": "pcm16", "rate": 16000}) as live:
        live.send(sent)
        told = to_the_end(live)
    assert told[-1]["type"] == "error"
    assert message in told[-1]["message"]


def test_a_message_that_is_too_large(server):
    with session(server, {"sound": "pcm16", "rate": 16000}) as live:
        with contextlib.suppress(ConnectionClosed):
            live.send(b"\x01" + b"\0" * (2 << 20))
        with pytest.raises(ConnectionClosed):
            live.recv(timeout=10)
    assert server.ask("GET", "/healthz").status == 200


def test_more_sessions_than_there_may_be(fresh):
    server = fresh(limits={"sessions": 1, "idle": 2.0})
    first = {"sound": "pcm16", "rate": 16000}
    with session(server, first) as one:
        one.send(sound(np.zeros(1600, "<i2")))
        time.sleep(0.3)
        with session(server, first) as two:
            assert "as many" in json.loads(two.recv())["message"]
        told = to_the_end(one)  # it falls silent
        assert "Nothing came" in told[-1]["message"]
    for _ in range(20):  # its place is free again when the worker has let it go
        time.sleep(0.5)
        with session(server, first) as three:
            try:
                three.send('{"end": true}')
                last = to_the_end(three)[-1]
            except ConnectionClosed:
                continue
        if last["type"] == "timeline":
            break
    assert last["type"] == "timeline"


def test_a_live_worker_that_is_killed(fresh, samples, expected):
    server = fresh()
    first = {"sound": "pcm16", "rate": 16000, "options": {"asr": False}}
    with session(server, first) as live:
        live.send(sound(samples))
        assert json.loads(live.recv(timeout=60))["type"] in ("provisional", "final")
        for number in server.workers():
            os.kill(number, signal.SIGKILL)
        assert "has ended" in to_the_end(live)[-1]["message"]
    end = time.monotonic() + 40
    while time.monotonic() < end:
        with session(server, first) as live:
            live.send(sound(samples))
            live.send('{"end": true}')
            told = to_the_end(live)[-1]
        if told["type"] == "timeline":
            break
        assert "being started" in told["message"]
        time.sleep(0.5)
    assert utterances([told]) == expected


def test_a_session_without_text_holds_no_words(fresh, samples):
    server = fresh(text=False)
    first = {"sound": "pcm16", "rate": 16000, "words": True, "options": {"asr": False}}
    with session(server, first) as live:
        live.send(json.dumps({"words": "canaryword so good", "start": 0.6, "end": 2.0}))
        for at in range(0, len(samples), 16000):
            live.send(sound(samples[at : at + 16000]))
        live.send('{"end": true}')
        told = to_the_end(live)
    assert finals(told)
    assert "text" in finals(told)[0]["shares"]
    assert "canaryword" not in json.dumps(told)


def test_a_session_that_costs_too_much_is_ended(fresh, samples):
    server = fresh(limits={"computing": 1e-6})
    first = {"sound": "pcm16", "rate": 16000, "options": {"asr": False}}
    with session(server, first) as live:
        live.send(sound(samples[:16000]))
        told = to_the_end(live)
    assert told[-1]["type"] == "error"
    assert "may be computed" in told[-1]["message"]
