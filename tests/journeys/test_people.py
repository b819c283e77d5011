"""Several people, through the command line: a call, an RTTM file, two faces of which one speaks."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from moodal.cli.main import main
from moodal.lookalikes.face import draw_face
from moodal.media.audio import read_audio
from moodal.media.rttm import read_rttm
from moodal.model.persons import OFF_SCREEN

CLIP = Path(__file__).parents[2] / "examples" / "clip.mp4"
RATE, FPS = 16000, 5

pytestmark = pytest.mark.skipif(not CLIP.exists(), reason="the example clip is not here")


@pytest.fixture(scope="module")
def said():
    """Six seconds of the example clip's synthetic voice."""
    return read_audio(CLIP, rate=RATE)[: 6 * RATE]


@pytest.fixture(scope="module")
def call(said, tmp_path_factory):
    """A call: one person, and then another one in the other channel."""
    path = tmp_path_factory.mktemp("call") / "call.wav"
    silence = np.zeros_like(said)
    left, right = np.concatenate([said, silence]), np.concatenate([silence, said])
    soundfile.write(path, np.stack([left, right], axis=1), RATE)
    return path


def film(path, said, mouths):
    """Two faces side by side, each with the openings of its mouth picture by picture."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=FPS)
        video.height, video.width, video.pix_fmt = 192, 400, "yuv420p"
        video.bit_rate = 4_000_000
        voice = file.add_stream("aac", rate=RATE, layout="mono")
        for left, right in zip(*mouths, strict=True):
            picture = np.full((192, 400, 3), 170, np.uint8)
            picture[16:176, 20:180] = draw_face(160, mouth=left)
            picture[16:176, 220:380] = draw_face(160, mouth=right)
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(said[None], format="fltp", layout="mono")
        frame.rate, frame.pts = RATE, 0
        file.mux(voice.encode(frame))
        file.mux(voice.encode(None))
    return path


def printed(capsys, *words):
    """What `moodal predict` prints without transcription."""
    main(["predict", *map(str, words), "--no-asr"])
    return capsys.readouterr().out


def test_a_call_has_a_person_in_each_channel(call, tmp_path, capsys):
    out = tmp_path / "call.rttm"
    printed(capsys, call, "--speakers", "channels", "--format", "rttm", "--out", out)
    turns = read_rttm(out)
    assert {turn.name for turn in turns} == {"channel_1", "channel_2"}
    assert max(t.start for t in turns if t.name == "channel_1") < 6
    assert min(t.start for t in turns if t.name == "channel_2") > 5.5
    table = printed(capsys, call, "--speakers", "channels", "--format", "csv", "--summary")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["person"] for row in rows] == ["", "channel 1", "channel 2"]
    assert sum(int(row["changes"]) for row in rows[1:]) == int(rows[0]["changes"])
    shown = printed(capsys, call, "--speakers", "channels")
    assert "channel 1:" in shown
    assert "Channel 2, mean probability" in shown
    for form, tier in (
        ("textgrid", 'name = "emotion (channel 2)"'),
        ("eaf", "emotion (channel 2)"),
    ):
        assert tier in printed(capsys, call, "--speakers", "channels", "--format", form)


def test_what_is_written_can_be_read_as_the_speakers(call, tmp_path, capsys):
    rttm = tmp_path / "call.rttm"
    printed(capsys, call, "--speakers", "channels", "--format", "rttm", "--out", rttm)
    again = json.loads(printed(capsys, call, "--speakers", rttm, "--format", "json"))
    utterances = again["recordings"][0]["utterances"]
    assert [u["speaker"] for u in utterances] == [turn.name for turn in read_rttm(rttm)]


def test_one_voice_is_one_speaker(call, capsys):
    document = json.loads(printed(capsys, call, "--speakers", "1", "--format", "json"))
    utterances = document["recordings"][0]["utterances"]
    assert {u["speaker"] for u in utterances} == {"speaker 1"}


@pytest.mark.parametrize("side", [0, 1])
def test_the_face_whose_mouth_moves_has_the_voice(said, side, tmp_path, capsys):
    moving, still = [0.0, 0.9] * 15, [0.0] * 30
    mouths = (moving, still) if side == 0 else (still, moving)
    path = film(tmp_path / "two.mp4", said, mouths)
    document = json.loads(printed(capsys, path, "--faces", "all", "--format", "json"))
    spoken = [u for u in document["recordings"][0]["utterances"] if "speech" in u["streams"]]
    heard = [u for u in document["recordings"][0]["utterances"] if "speech" not in u["streams"]]
    assert spoken
    assert {tuple(u["streams"]) for u in spoken} == {("speech", "face")}
    (speaker,) = {u["track"] for u in spoken}
    (listener,) = {
        u["track"] for u in heard if u["absent"].get("speech") == "another person speaks"
    }
    assert speaker != listener
    main_one = json.loads(printed(capsys, path, "--format", "json"))["recordings"][0]["utterances"]
    assert {u["track"] for u in main_one if "speech" in u["streams"]} == {speaker}


def test_a_voice_whose_face_is_not_seen_is_a_separate_person(said, tmp_path, capsys):
    path = film(tmp_path / "off.mp4", said, ([0.0] * 30, [0.0] * 30))
    document = json.loads(
        printed(capsys, path, "--faces", "all", "--speakers", "1", "--format", "json")
    )
    spoken = [u for u in document["recordings"][0]["utterances"] if "speech" in u["streams"]]
    assert spoken
    assert {u["track"] for u in spoken} == {None}
    assert all(OFF_SCREEN in u["flags"] for u in spoken)
    assert {u["person"] for u in spoken} == {"speaker 1"}


def test_what_cannot_be_is_said_in_a_sentence(call, tmp_path, capsys):
    (tmp_path / "bad.rttm").write_text("SPEAKER call 1 zero 1 <NA> <NA> A <NA> <NA>\n")
    mono = tmp_path / "mono.wav"
    soundfile.write(mono, np.zeros(RATE, np.float32), RATE)
    for words, sentence in (
        ((call, "--speakers", "many"), 'speakers is "auto", a number'),
        ((call, "--speakers", tmp_path / "none.rttm"), "There is no RTTM file"),
        ((call, "--speakers", tmp_path / "bad.rttm"), "bad.rttm"),
        ((mono, "--speakers", "channels"), "has one channel"),
        ((call, "--format", "rttm"), "Nobody is named in call"),
        ((call, "--speakers", "auto", "--whole"), "leave whole out"),
    ):
        with pytest.raises(SystemExit) as ended:
            printed(capsys, *words)
        assert ended.value.code in (2, 3)
        error = capsys.readouterr().err
        assert sentence in error
        assert "Traceback" not in error
