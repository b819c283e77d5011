"""The command line: what it prints is what is meant, letter by letter."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

from moodal.cli import main as cli
from moodal.cli.main import main
from moodal.core.errors import LeftOutError, OutputError
from moodal.corpora import CORPORA
from moodal.lookalikes import LOOKALIKES
from moodal.model.level import STRENGTH
from moodal.output.formats import FORMATS


def test_brackets_in_a_path_are_printed(tmp_path, capsys):
    out = tmp_path / "[bold]data[/x]" / ("long " * 30).strip()
    cli.main(["synthesise", "goemotions", str(out), "--utterances", "12"])
    assert f"Written to {out}:" in capsys.readouterr().out
    cli.main(["prepare", "goemotions", str(out), str(out.parent / "p")])
    assert f"Written to {out.parent / 'p'};" in capsys.readouterr().out


def test_prepare_lists_the_corpora(capsys):
    cli.main(["prepare", "--list"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CORPORA)
    cli.main(["prepare", "--list", "--json"])
    about = json.loads(capsys.readouterr().out)
    assert about["ravdess"].startswith("Read RAVDESS: 24 actors")
    assert len(set(about.values())) == len(about)  # readers of one file differ, too


@pytest.mark.parametrize(
    ("resumable", "message"),
    [(True, "run the same command again to resume"), (False, "interrupted.")],
)
def test_an_interruption_says_whether_the_command_can_be_resumed(resumable, message, capsys):
    with pytest.raises(SystemExit) as end, cli.user_errors("moodal", resumable):
        raise KeyboardInterrupt
    assert end.value.code == 130
    assert message in capsys.readouterr().err


def test_the_resumable_commands_are_known():
    assert {name for name, command in cli.COMMANDS.items() if command.resumable} == {
        "prepare",
        "train",
        "cross",
        "search",
        "evaluate",
        "compose",
    }


def test_the_artefact_that_comes_along_goes_by_a_name(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cli.main(["inspect", "default", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "artefact"
    (tmp_path / "default").mkdir()
    with pytest.raises(SystemExit):
        cli.main(["inspect", "default"])  # a folder of that name is meant by it


def test_predict_offers_every_format_of_the_table(capsys):
    [action] = [a for a in _actions("predict") if a.dest == "format"]
    assert list(action.choices) == list(FORMATS)
    with pytest.raises(SystemExit):
        cli.main(["predict", "a.wav", "--format", "xml"])
    assert "choose from" in capsys.readouterr().err


def test_the_parser_imports_no_format():
    code = "import sys; from moodal.cli.main import parser; parser(); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "moodal.cli.predict" in modules.stdout.split()
    assert not [name for name in modules.stdout.split() if name.startswith(("moodal.out", "numpy"))]


def test_a_prediction_imports_no_reader_of_corpora():
    code = "import sys, moodal.loading, moodal.cli.predict; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    names = modules.stdout.split()
    assert "moodal.model.model" in names
    assert not [name for name in names if name.startswith(("moodal.corpora", "torch", "pandas"))]


def _actions(command):
    [commands] = [a for a in cli.parser()._actions if a.dest == "command"]
    return commands.choices[command]._actions


@pytest.mark.parametrize("more", [[], ["--format", "json"], ["--json"]])
def test_a_summary_is_a_csv_table(more, capsys):
    with pytest.raises(SystemExit):
        cli.main(["predict", "--text", "So good!", "--summary", *more])
    assert "--summary needs --format csv" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_the_strength_of_a_level_is_that_of_the_options(command):
    [action] = [a for a in _actions(command) if a.dest == "level_strength"]
    assert action.default == STRENGTH


def ends_with_8(args, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(args)
    assert stopped.value.code == LeftOutError.exit_code
    return capsys.readouterr().err


def test_strict_preparation_ends_with_its_own_code_after_writing(tmp_path, capsys):
    LOOKALIKES["crema-d"](tmp_path / "corpus", 12, 1)
    args = ["prepare", "crema-d", str(tmp_path / "corpus"), str(tmp_path / "out")]
    args += ["--encoder", "text=none", "--strict"]
    main(args)
    first = sorted((tmp_path / "corpus" / "AudioWAV").iterdir())[0]
    first.write_bytes(b"RIFF")
    message = ends_with_8(args, capsys)
    assert f"something was left out (--strict): speech: 1 media cannot be read: {first.stem}" in (
        message.replace("\n", " ")
    )
    with pytest.raises(SystemExit):
        main([*args, "--json"])
    assert json.loads(capsys.readouterr().out)["utterances"] == 12
    assert (tmp_path / "out" / "manifest.json").exists()


def test_strict_adaptation_ends_with_its_own_code_after_writing(tmp_path, capsys):
    (tmp_path / "shown.txt").write_text("I could sing all day.\nI float on air.\n")
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    args = ["adapt", "elated", str(tmp_path / "shown.txt"), "--out", str(tmp_path / "out")]
    main([*args, "--strict"])
    args.insert(3, str(tmp_path / "broken.wav"))
    message = ends_with_8([*args, "--strict"], capsys)
    assert re.search(r"left out \(--strict\): .*broken\.wav", message)
    assert (tmp_path / "out" / "artefact.json").exists()


def test_strict_ends_with_its_own_code_after_the_rest_was_written(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("I am so glad.")
    (tmp_path / "broken.wav").write_bytes(b"RIFF\x00\x01\x02\x03")
    (tmp_path / "notes.csv").write_text("a,b\n")
    args = ["predict", str(tmp_path), "--format", "csv", "--out", str(tmp_path / "out.csv")]
    main(args)
    with pytest.raises(SystemExit) as stopped:
        main([*args, "--strict"])
    assert stopped.value.code == LeftOutError.exit_code == 8
    assert "I am so glad." in (tmp_path / "out.csv").read_text()
    message = capsys.readouterr().err
    assert "broken.wav" in message
    assert "notes.csv" in message


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("how", [[], ["--format", "json"], ["--format", "csv"]])
def test_a_full_standard_output_is_one_sentence(how):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "moodal.cli.main", "predict", "--text", "So good.", *how],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == OutputError.exit_code
    assert done.stderr == "moodal: Cannot write standard output: the disk is full.\n"


def test_escape_codes_of_names_do_not_reach_the_terminal(capsys):
    with pytest.raises(SystemExit):
        main(["predict", "a\x1b[31m\x07.wav"])
    message = capsys.readouterr().err
    assert "\x1b" not in message
    assert "\x07" not in message


def test_escape_codes_of_tables_and_warnings_do_not_reach_the_terminal(tmp_path, capsys):
    table = tmp_path / "t.csv"
    table.write_text("id,text,label\na\x1b[31m,so good,joy\x1b]0;x\x07\nb,so sad,sad\n")
    main(["prepare", "table", str(table), str(tmp_path / "out"), "--encoder", "text=none"])
    for n in range(8):
        (tmp_path / f"{n}.txt").write_text("I am so glad.")
    (tmp_path / "x\x1b[31m.wav").write_bytes(b"RIFF\x00\x01")
    main(["adapt", "--unlabelled", str(tmp_path), "--out", str(tmp_path / "a\x1b[31m")])
    told = "".join(capsys.readouterr())
    assert "\x1b]0" not in told
    assert "\x1b[31m" not in told
    assert "\x07" not in told
    record = logging.LogRecord("moodal", logging.WARNING, "", 0, "x\x1b[31m %s", ("y\x07",), None)
    assert logging.lastResort.format(record) == "x[31m y"


def test_a_package_of_another_system_is_one_sentence(capsys):
    message = "libnative.so: cannot open shared object file\nmore"
    with pytest.raises(SystemExit) as end, cli.user_errors("moodal"):
        raise ImportError(message, name="onnxruntime.capi._pybind_state")
    error = capsys.readouterr().err
    assert end.value.code == 7
    assert error.startswith("moodal: onnxruntime is installed, but cannot be loaded on this system")
    assert "libnative.so: cannot open shared object file; install it again here with" in error
    assert error.count("\n") == 1


def test_a_fault_of_our_own_imports_is_not_hidden():
    with pytest.raises(ImportError), cli.user_errors("moodal"):
        raise ImportError("cannot import name 'x'", name="moodal.core")
