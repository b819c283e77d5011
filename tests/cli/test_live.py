"""`moodal live`: a file is played as if it were live; a stand-in is the microphone."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pytest

import moodal
from moodal.cli.live_output import LiveOutput
from moodal.cli.main import main
from moodal.core.privacy import Privacy
from moodal.core.records import RATE
from moodal.media.audio import read_audio
from moodal.output.formats import from_json

CLIP = Path(__file__).parents[2] / "examples" / "clip.mp4"
WORDS = CLIP.with_suffix(".srt")


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def recording(timeline):
    """A timeline as JSON, with the rounding of JSON."""
    return json.loads(moodal_json(timeline))["recordings"][0]


def moodal_json(timeline):
    from moodal.output.formats import render

    return render([timeline], "json")


def test_a_file_is_answered_as_by_predict(tmp_path, capsys):
    out = tmp_path / "said.jsonl"
    arguments = ["--fps", "7", "--step", "0.5", "--emotions", "joy,rage,calm"]
    main(["live", "--from", str(CLIP), "--fast", "--out", str(out), *arguments])
    *answers, last = lines(out)
    expected = moodal.load().predict(CLIP, asr=False, fps=7, step=0.5, emotions="joy,rage,calm")
    assert last == {"type": "timeline", "timeline": recording(expected)}
    final = [line["answer"] for line in answers if line["type"] == "final"]
    assert final == recording(expected)["utterances"]
    provisional = [line for line in answers if line["type"] == "provisional"]
    assert provisional
    assert all(line["at"] == line["answer"]["end"] for line in provisional)
    assert "3 utterances" in capsys.readouterr().out  # the timeline is shown at the end


def test_words_come_from_subtitles(tmp_path, capsys):
    arguments = ["--subtitles", str(WORDS), "--speakers", "2", "--json"]
    main(["live", "--from", str(CLIP), "--fast", *arguments])
    [timeline] = from_json(capsys.readouterr().out)
    assert timeline[0].text == "We won, and I am so happy!"
    assert {p.speaker for p in timeline} <= {"speaker 1", "speaker 2"}


def test_lines_go_to_standard_output_for_other_programs(capsys):
    main(["live", "--from", str(CLIP), "--fast", "--out", "-", "--seconds", "3"])
    document = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in document if line["type"] != "provisional"] == [
        "final",
        "timeline",
    ]
    assert document[-1]["timeline"]["duration"] == pytest.approx(3, abs=0.3)


@pytest.mark.skipif(sys.platform == "win32", reason="a signal ends a process there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_with_the_answers_written(tmp_path, number):
    out = tmp_path / "said.jsonl"
    command = [sys.executable, "-m", "moodal", "live", "--from", str(CLIP), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen = threading.Event()

    def watch():
        while process.poll() is None and not (out.exists() and "final" in out.read_text()):
            seen.wait(0.05)
        process.send_signal(number)

    watcher = threading.Thread(target=watch)
    watcher.start()
    shown, errors = process.communicate(timeout=120)
    watcher.join()
    assert process.returncode == 0, errors.decode()
    kinds = [line["type"] for line in lines(out)]
    assert kinds[-1] == "timeline"
    assert kinds.count("final") == len(lines(out)[-1]["timeline"]["utterances"]) < 3
    assert b"clip.mp4" in shown


@pytest.fixture
def microphone(monkeypatch):
    """A stand-in for sounddevice whose microphone hears the clip."""
    sound = read_audio(CLIP, rate=8000)

    class Stream:
        def __init__(self, *, callback, blocksize, **_):
            self.callback, self.size = callback, blocksize

        def start(self):
            for at in range(0, len(sound), self.size):
                block = sound[at : at + self.size, None]
                self.callback(block, len(block), None, False)

        def stop(self):
            pass

        close = stop

    info = {"name": "Ear", "max_input_channels": 1, "default_samplerate": 8000.0}
    own = types.SimpleNamespace(
        InputStream=Stream,
        PortAudioError=OSError,
        query_devices=lambda device=None, kind=None: info if kind else [info],
    )
    monkeypatch.setitem(sys.modules, "sounddevice", own)
    return sound


def test_a_microphone_is_answered_as_its_samples(microphone, tmp_path, capsys):
    out = tmp_path / "said.jsonl"
    main(["live", "--seconds", "6.2", "--out", str(out), "--json"])
    [timeline] = from_json(capsys.readouterr().out)
    assert timeline.kind == "audio"
    expected = moodal.load().predict(microphone, rate=8000, asr=False)
    assert [p.start for p in timeline][:2] == [round(p.start, 3) for p in expected][:2]
    assert lines(out)[-1]["timeline"]["duration"] == timeline.duration


def test_what_was_heard_before_ctrl_c_is_answered(microphone, monkeypatch, capsys):
    from moodal.cli import live

    ended = threading.Event()
    ended.set()  # at once: the whole clip waits in the microphone
    monkeypatch.setattr(live, "_interrupted", lambda: contextlib.nullcontext(ended))
    main(["live", "--json"])
    [timeline] = from_json(capsys.readouterr().out)
    assert timeline.duration == pytest.approx(len(microphone) / 8000, abs=0.001)
    assert len(timeline) == 3


def test_microphones_are_listed(microphone, capsys):
    main(["live", "--devices"])
    assert capsys.readouterr().out == "0: Ear\n"


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["--fast"], "--fast needs --from", 2),
        (["--from", "a.wav", "--camera"], "leave --microphone and --camera out", 2),
        (["--no-microphone"], "needs --camera", 2),
        (["--seconds", "0"], "above 0", 2),
        (["--out", "-", "--json"], "leave one out", 2),
        (["--from", "missing.wav"], "missing.wav", 3),
        (["--from", str(CLIP), "--out", str(CLIP)], "the recording itself", 2),
        (["--from", str(CLIP), "--out", "/dev/null"], "no regular file", 6),
        (["--from", str(WORDS)], "no sound and no moving pictures", 2),
        (["--from", str(CLIP), "--speakers", "channels"], "are mixed", 2),
        (["--no-microphone", "--camera", "/dev/video99"], "/dev/video99 cannot be opened", 7),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments, message, code, capsys):
    with pytest.raises(SystemExit) as end:
        main(["live", *arguments])
    assert end.value.code == code
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_without_sounddevice_its_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(SystemExit) as end:
        main(["live"])
    assert end.value.code == 7
    assert "'.[live]'" in capsys.readouterr().err


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_a_terminal_has_a_moving_table(model, ear, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setitem(os.environ, "TERM", "xterm")
    args = types.SimpleNamespace(out=None, json=False)
    noise = np.random.default_rng(0).normal(0, 0.3, 3 * RATE).clip(-1, 1).astype(np.float32)
    # however busy the machine is
    monkeypatch.setattr("moodal.model.pace.Pace.is_due", lambda self, at: True)
    session = model.stream(rate=RATE, asr=False)
    with LiveOutput(args, session, Privacy()) as out:
        out.show(session.hear(noise))
        assert "…" in terminal.getvalue()
        out.show(session.hear(np.zeros(RATE, np.float32)))
        assert "1 utterance" in terminal.getvalue()
        before = len(terminal.getvalue())
        out.show(session.hear(np.zeros(2 * RATE, np.float32)))
        assert len(terminal.getvalue()) > before  # it moves in silence, too
    assert terminal.getvalue().rstrip().endswith(("\x1b[?25h", "\x1b[2K"))
