"""Long jobs through the real command: JSON lines, a stopped run that goes on, time limits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from moodal.cli.main import main
from moodal.core.errors import DataError, OutputError, UsageError
from moodal.output.formats import from_jsonl

TEXTS = ["I am so glad.", "Leave me alone!", "I miss her so much.", "What is that noise?"]


@pytest.fixture
def folder(tmp_path):
    for n, text in enumerate(TEXTS):
        (tmp_path / f"in/{n}.txt").parent.mkdir(exist_ok=True)
        (tmp_path / f"in/{n}.txt").write_text(text)
    return tmp_path / "in"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_json_lines_hold_what_json_holds(folder, tmp_path, capsys):
    main(["predict", str(folder), "--format", "jsonl", "--out", str(tmp_path / "a.jsonl")])
    main(["predict", str(folder), "--format", "json", "--out", str(tmp_path / "a.json")])
    recordings = json.loads((tmp_path / "a.json").read_text())["recordings"]
    assert [
        {k: v for k, v in row.items() if k != "schema"} for row in lines(tmp_path / "a.jsonl")
    ] == (recordings)
    capsys.readouterr()
    main(["predict", str(folder), "--format", "jsonl"])
    assert len(capsys.readouterr().out.splitlines()) == len(TEXTS)


def test_a_stopped_run_goes_on_and_ends_with_the_same_lines(folder, tmp_path):
    whole, part = tmp_path / "whole.jsonl", tmp_path / "part.jsonl"
    command = ["predict", str(folder), "--format", "jsonl", "--out"]
    main([*command, str(whole)])
    text = whole.read_text()
    part.write_text(text[: text.index("\n") + 200])  # stopped within the second line
    main([*command, str(part), "--resume"])
    assert part.read_text() == text
    main([*command, str(part), "--resume"])
    assert part.read_text() == text


def test_any_number_of_processes_gives_the_same(folder, tmp_path):
    for jobs in ("1", "2"):
        out = tmp_path / f"{jobs}.jsonl"
        main(["predict", str(folder), "--format", "jsonl", "--out", str(out), "--jobs", jobs])
    assert (tmp_path / "1.jsonl").read_text() == (tmp_path / "2.jsonl").read_text()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer of Unix")
def test_what_takes_too_long_is_left_out_and_named(folder, tmp_path, capsys, monkeypatch):
    from moodal.model.model import Model

    predict = Model.predict

    def slow(self, source=None, **options):
        if str(source).endswith("1.txt"):
            time.sleep(30)
        return predict(self, source, **options)

    monkeypatch.setattr(Model, "predict", slow)
    out = tmp_path / "a.jsonl"
    start = time.monotonic()
    main(["predict", str(folder), "--format", "jsonl", "--out", str(out), "--timeout", "2"])
    assert time.monotonic() - start < 25
    assert [row["path"][-5:] for row in lines(out)] == ["0.txt", "2.txt", "3.txt"]
    assert "1.txt took longer than 2 s" in capsys.readouterr().err


def test_an_interruption_keeps_what_was_done(folder, tmp_path):
    code = (
        "import os, signal\n"
        "from moodal.model.model import Model\n"
        "from moodal.cli.main import main\n"
        # a job in the background ignores the signal
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "predict = Model.predict\n"
        "def stopped(self, source=None, **options):\n"
        "    if str(source).endswith('2.txt'):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    return predict(self, source, **options)\n"
        "Model.predict = stopped\n"
        f"out = {str(tmp_path / 'a.csv')!r}\n"
        f"main(['predict', {str(folder)!r}, '--format', 'csv', '--out', out])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 130
    assert "interrupted" in done.stderr
    table = (tmp_path / "a.csv").read_text()
    assert TEXTS[0] in table
    assert TEXTS[1] in table
    assert TEXTS[3] not in table


@pytest.mark.parametrize(
    "wrong",
    [
        ["--resume"],
        ["--resume", "--format", "json", "--out", "a.json"],
        ["--resume", "--format", "jsonl", "--out", "a.jsonl", "--level"],
        ["--timeout", "0"],
        ["--format", "jsonl", "--out", "folder/"],
    ],
)
def test_options_that_do_not_go_together_are_refused(folder, wrong, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["predict", str(folder), *wrong])
    assert stopped.value.code == UsageError.exit_code


def test_lines_of_something_else_are_refused():
    for text in ('{"a": 1}\n', "[]\n", "x\n", "[" * 100_000 + "\n"):
        with pytest.raises(DataError, match=r"a\.jsonl, line 1"):
            from_jsonl(text, "a.jsonl")
    assert from_jsonl('{"cut', "a.jsonl") == []


def test_the_recording_itself_is_never_overwritten(folder, capsys):
    path = folder / "0.txt"
    with pytest.raises(SystemExit) as stopped:
        main(["predict", str(path), "--format", "jsonl", "--out", str(path)])
    assert stopped.value.code == UsageError.exit_code
    assert path.read_text() == TEXTS[0]


def test_a_line_cut_within_a_character_is_written_again(folder, tmp_path):
    (folder / "1.txt").write_text("Wie schön, I am glad, über alles!", encoding="utf-8")
    out = tmp_path / "a.jsonl"
    command = ["predict", str(folder), "--format", "jsonl", "--out", str(out)]
    main(command)
    whole = out.read_bytes()
    out.write_bytes(whole[: whole.index("ö".encode()) + 1])
    main([*command, "--resume"])
    assert out.read_bytes() == whole


def test_answers_to_another_question_are_not_resumed(folder, tmp_path, capsys):
    out = tmp_path / "a.jsonl"
    command = ["predict", str(folder), "--format", "jsonl", "--out", str(out)]
    main(command)
    whole = out.read_bytes()
    for other in (["--emotions", "relieved"], ["--prior", "talk"], ["--step", "1"]):
        with pytest.raises(SystemExit) as stopped:
            main([*command, "--resume", *other])
        assert stopped.value.code == DataError.exit_code
    assert out.read_bytes() == whole


def test_old_lines_are_gone_and_pipes_are_refused(tmp_path, capsys):
    (tmp_path / "broken.wav").write_bytes(b"RIFF\x00\x01")
    out = tmp_path / "a.jsonl"
    out.write_text("old\n")
    command = ["predict", str(tmp_path / "broken.wav"), "--format", "jsonl", "--out"]
    with pytest.raises(SystemExit):
        main([*command, str(out)])
    assert out.read_text() == ""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SystemExit) as stopped:
        main([*command, str(tmp_path / "pipe"), "--resume"])
    assert stopped.value.code == OutputError.exit_code


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer of Unix")
def test_no_reader_takes_the_end_of_its_time_for_damage(tmp_path, capsys, monkeypatch):
    from moodal.media import decoder

    def endless(*_, **__):
        try:
            time.sleep(30)
        except Exception as error:
            raise DataError("damaged") from error

    monkeypatch.setattr(decoder, "open_soundfile", endless)
    (tmp_path / "a.txt").write_text("Hi.")
    (tmp_path / "b.wav").write_bytes(b"RIFF" + bytes(4) + b"WAVEfmt " + bytes(100))
    out = tmp_path / "a.csv"
    main(["predict", str(tmp_path), "--format", "csv", "--out", str(out), "--timeout", "2"])
    assert "b.wav" not in out.read_text()
    assert "skipped" in capsys.readouterr().err
