"""Live on the page: a microphone and a camera that play files, and answers that equal predict's."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

import moodal
from moodal.core.timeline import Timeline
from moodal.output.formats import from_json

av = pytest.importorskip("av")
CLIP = Path(__file__).parents[3] / "examples" / "clip.mp4"


@pytest.fixture(scope="module")
def devices(tmp_path_factory):
    """Files of a microphone (48 kHz) and a camera (motion JPEG) that give the example film."""
    folder = tmp_path_factory.mktemp("devices")
    with av.open(str(CLIP)) as film:
        resampler = av.AudioResampler("s16", "mono", 48000)
        parts = [
            f.to_ndarray()[0] for frame in film.decode(audio=0) for f in resampler.resample(frame)
        ]
    pause = np.zeros(96000, np.int16)
    soundfile.write(folder / "microphone.wav", np.concatenate([*parts, pause]), 48000)
    with (
        av.open(str(CLIP)) as film,
        av.open(str(folder / "camera.mjpeg"), "w", format="mjpeg") as out,
    ):
        stream = None
        for frame in film.decode(video=0):
            if stream is None:
                stream = out.add_stream("mjpeg", rate=25)
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuvj420p"
            out.mux(stream.encode(frame.reformat(format="yuvj420p")))
        out.mux(stream.encode())
    return folder


@pytest.fixture(scope="module")
def listening(chromium, devices):
    """A Chromium whose microphone and camera are the files, and which allows them."""
    system = "/usr/bin/chromium"
    browser = chromium.browser_type.launch(
        executable_path=system if Path(system).exists() else None,
        args=[
            "--no-sandbox",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-audio-capture={devices / 'microphone.wav'}%noloop",
            f"--use-file-for-fake-video-capture={devices / 'camera.mjpeg'}",
        ],
    )
    yield browser
    browser.close()


def recorded(listening, server, signed_in, *, camera, seconds):
    """Record for some seconds; return the page, and what went over the WebSocket both ways."""
    page = listening.new_context(storage_state=signed_in).new_page()
    sent, received = [], []

    def listen(socket):
        socket.on("framesent", lambda content: sent.append(content))
        socket.on("framereceived", lambda content: received.append(content))

    page.on("websocket", listen)
    page.goto(server.base)
    page.wait_for_selector("#files", state="attached")
    assert page.locator("#record").is_disabled()  # before everybody agreed
    page.check("#agreed")
    page.set_checked("#with-camera", camera)
    page.click("#record")
    page.wait_for_selector("#stop:not([disabled])", timeout=60000)
    page.wait_for_timeout(1000 * seconds)
    page.click("#stop")
    page.wait_for_selector("#analyse", timeout=120000)
    return page, sent, received


def told(received):
    messages = [json.loads(one) for one in received]
    assert messages[-1]["type"] == "timeline", messages[-1]
    [timeline] = from_json(json.dumps(messages[-1]["timeline"]))
    return messages, timeline


def same(timeline, other):
    """Require the same utterances and answers, as far as two processes hear the same words.

    Whisper takes the most probable piece at each step. Two processes may sum on some processors in
    another order, and where two pieces are as good as equal ("?" and ".") write another one. Then
    what is heard and seen beside the words is compared.
    """
    assert len(timeline) == len(other) > 0
    heard_alike = [p.text == q.text for p, q in zip(timeline, other, strict=True)]
    assert 2 * sum(heard_alike) >= len(timeline)
    for p, q, alike in zip(timeline, other, heard_alike, strict=True):
        assert (p.start, p.end) == pytest.approx((q.start, q.end), abs=1e-3)
        assert p.streams == q.streams
        assert bare(p.text) == bare(q.text)
        # as JSON rounds
        if alike:
            assert p.probabilities == pytest.approx(q.probabilities, abs=1e-4)
        for stream in {*p.alone, *q.alone} - {"text"}:
            assert p.alone[stream] == pytest.approx(q.alone[stream], abs=1e-4)


def bare(text):
    """Return the words of a text without case and punctuation."""
    return re.findall(r"\w+", (text or "").lower())


def test_answers_are_those_of_predict_on_what_the_server_received(listening, server, signed_in):
    page, sent, received = recorded(listening, server, signed_in, camera=False, seconds=9)
    first = json.loads(sent[0])
    assert (first["sound"], first["rate"], first["pictures"]) == ("pcm16", 16000, False)
    blocks = [np.frombuffer(one[1:], "<i2") for one in sent[1:] if isinstance(one, bytes)]
    samples = np.concatenate(blocks)
    assert len(samples) > 6 * 16000
    assert np.abs(samples).max() > 1000  # the microphone was heard
    messages, timeline = told(received)
    same(timeline, moodal.load(threads=1).predict(samples, rate=16000))
    finals = [one["answer"] for one in messages if one["type"] == "final"]
    assert [one["decided"] for one in finals] == [list(p.decided) for p in timeline]
    shown = page.locator(".utterance").all_inner_texts()
    assert len(shown) == len(timeline)
    assert any(p.decided and p.decided[0] in text for p, text in zip(timeline, shown, strict=True))
    page.context.close()


def test_pictures_are_seen_and_the_recording_can_be_played_and_analysed(
    listening, server, signed_in
):
    page, sent, received = recorded(listening, server, signed_in, camera=True, seconds=8)
    _, timeline = told(received)
    same(timeline, replayed(sent))
    assert any("face" in p.streams for p in timeline)
    assert timeline.face_places
    page.wait_for_selector(".stage video")
    for _ in range(100):
        if page.evaluate("Number.isFinite(document.querySelector('.stage video').duration)"):
            break
        page.wait_for_timeout(100)
    assert page.evaluate("document.querySelector('.stage video').duration") > 5
    page.click("#analyse")
    page.locator(".job", has_text="recording.").wait_for()
    page.wait_for_selector("#export-go:not([disabled])", timeout=120000)
    assert page.locator(".utterance").count() > 0
    page.context.close()


def test_a_recording_that_would_be_lost_is_asked_about(listening, server, signed_in):
    page, _, _ = recorded(listening, server, signed_in, camera=False, seconds=2)
    page.go_back()
    page.get_by_role("button", name="No, keep it").click()
    page.wait_for_url(f"{server.base}#live")
    assert page.locator("#analyse").is_visible()
    with page.expect_event("dialog") as asking:
        page.close(run_before_unload=True)
    assert asking.value.type == "beforeunload"
    asking.value.dismiss()
    page.get_by_role("button", name="All recordings").click()
    page.get_by_role("alertdialog", name="in this browser alone").wait_for()
    page.get_by_role("button", name="Yes, leave it").click()
    page.locator("#record").wait_for()
    page.wait_for_url(server.base)
    page.context.close()


def replayed(sent) -> Timeline:
    """Give what was sent to a live session of the library."""
    from PIL import Image

    with moodal.load(threads=1).stream(rate=16000, pictures=True) as live:
        for one in sent[1:]:
            if isinstance(one, str):
                continue
            if one[0] == 1:
                live.hear(np.frombuffer(one[1:], "<i2"))
            else:
                [at] = np.frombuffer(one[1:9], "<f8")
                live.see(np.asarray(Image.open(io.BytesIO(one[9:])).convert("RGB")), float(at))
        live.finish()
        return live.timeline


def test_the_browser_is_asked_to_leave_the_sound_as_it_is(home):
    """Loudness tells emotions, so nothing may even it out."""
    page = home()
    page.evaluate(
        """() => {
          navigator.mediaDevices.getUserMedia = (asked) => {
            window.asked = asked;
            return Promise.reject(new DOMException("no", "NotFoundError"));
          };
        }"""
    )
    page.check("#agreed")
    page.click("#record")
    page.locator(".told .error", has_text="No microphone or camera was found").wait_for()
    sound = page.evaluate("window.asked.audio")
    assert sound["echoCancellation"] is False
    assert sound["noiseSuppression"] is False
    assert sound["autoGainControl"] is False


def test_a_refusal_and_a_broken_connection_are_told(home, listening, server, signed_in):
    page = home()
    page.evaluate(
        """() => {
          navigator.mediaDevices.getUserMedia = () =>
            Promise.reject(new DOMException("no", "NotAllowedError"));
        }"""
    )
    page.check("#agreed")
    page.click("#record")
    page.locator(".told .error", has_text="were not allowed").wait_for()

    page = listening.new_context(storage_state=signed_in).new_page()
    page.route_web_socket("**/v1/stream", lambda socket: socket.close())
    page.goto(server.base)
    page.check("#agreed")
    page.click("#record")
    page.locator(".told .error", has_text="connection to the server ended").wait_for()
    page.context.close()


TRACKS = """() => {
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (asked) => {
    const stream = await real(asked);
    window.tracks = stream.getTracks();
    return stream;
  };
}"""
RELEASED = "() => window.tracks?.length > 0 && window.tracks.every((t) => t.readyState === 'ended')"


@pytest.fixture
def watched(listening, server, signed_in):
    """Return a function that opens a page whose tracks are watched; a script may change it."""
    contexts = []

    def open_page(*scripts, refuse=False):
        context = listening.new_context(storage_state=signed_in)
        contexts.append(context)
        page = context.new_page()
        if refuse:
            page.route_web_socket("**/v1/stream", lambda socket: socket.close())
        page.goto(server.base)
        for script in (TRACKS, *scripts):
            page.evaluate(script)
        page.check("#agreed")
        page.click("#record")
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_microphone_and_camera_are_released_when_the_server_refuses(watched):
    page = watched(refuse=True)
    page.locator(".told .error", has_text="connection to the server ended").wait_for()
    page.wait_for_function(RELEASED)


def test_microphone_and_camera_are_released_when_the_view_is_left(watched):
    page = watched()
    page.wait_for_selector("#stop:not([disabled])", timeout=60000)
    page.get_by_role("button", name="All recordings").click()
    page.get_by_role("button", name="Yes, leave it").click()
    page.wait_for_function(RELEASED)


def test_microphone_and_camera_are_released_when_the_capture_fails(watched):
    page = watched("() => { AudioContext.prototype.resume = () => Promise.reject(Error('no')); }")
    page.locator(".told .error").wait_for()
    page.wait_for_function(RELEASED)
