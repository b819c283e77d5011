"""Settings, and what the command makes of its arguments."""

import pytest

from moodal.cli import main as cli
from moodal.core.errors import MissingDependencyError, UsageError
from moodal.serve.settings import ServeSettings, is_loopback


def made(tmp_path, **more):
    return ServeSettings(folder=tmp_path, **more)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_beyond_loopback_only_with_tls_or_a_proxy(tmp_path, host):
    with pytest.raises(UsageError, match="other machines"):
        made(tmp_path, host=host)
    assert "emotions.org" in made(tmp_path, host=host, proxy="emotions.org").hosts
    file = tmp_path / "x.pem"
    file.write_text("")
    assert made(tmp_path, host=host, tls_cert=file, tls_key=file, names=("a.org",)).tls
    with pytest.raises(UsageError, match="both"):
        made(tmp_path, host=host, tls_cert=file)
    with pytest.raises(UsageError, match="no file"):
        made(tmp_path, host=host, tls_cert=file, tls_key=tmp_path / "none")


def test_names_by_which_others_call_it(tmp_path):
    file = tmp_path / "x.pem"
    file.write_text("")
    own = {"host": "0.0.0.0", "tls_cert": file, "tls_key": file}
    with pytest.raises(UsageError, match="--name"):
        made(tmp_path, **own)
    hosts = made(tmp_path, **own, names=("Lab.example.org:8765", "10.0.0.7", "[fe80::1]:9")).hosts
    assert {"lab.example.org", "10.0.0.7", "[fe80::1]", "localhost"} <= hosts
    assert "p.example.org" in made(tmp_path, proxy="p.example.org:8443").hosts
    for wrong in ("https://a.org", "a b", "", "a/b"):
        with pytest.raises(UsageError, match="no name of a host"):
            made(tmp_path, names=(wrong,))


def test_loopback():
    assert is_loopback("::1")
    assert is_loopback("127.8.8.8")
    assert not is_loopback("localhost.evil.example")


@pytest.mark.parametrize(
    "wrong", [{"port": -1}, {"port": 70000}, {"workers": 0}, {"live_workers": 0}, {"queue": 0}]
)
def test_numbers_that_are_wrong(tmp_path, wrong):
    with pytest.raises(UsageError):
        made(tmp_path, **wrong)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "other machines"),
        (["--retain", "soon"], "--retain"),
        (["--retain", "0"], "--retain"),
        (["--largest", "3X"], "--largest"),
        (["--artefact", "a/../b c=x"], "is no name"),
        (["--artefact", "a=x", "--artefact", "a=y"], "Two artefacts"),
        (["--artefact", "/does/not/exist"], "/does/not/exist"),
        (["--port", "1"], ""),
    ],
)
def test_what_cannot_start_says_so_in_one_sentence(tmp_path, capfd, arguments, said, monkeypatch):
    if "--port" in arguments:
        import os

        if not os.geteuid():
            pytest.skip("this user may use any port")
    with pytest.raises(SystemExit) as ended:
        cli.main(
            ["serve", "--no-browser", "--port", "0", "--data", str(tmp_path / "d"), *arguments]
        )
    assert ended.value.code in (2, 3, 6)
    error = capfd.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1


def test_a_port_in_use(server, tmp_path, capsys):
    port = str(server.place[1])
    with pytest.raises(SystemExit):
        cli.main(["serve", "--no-browser", "--port", port, "--data", str(tmp_path / "d")])
    assert f"Port {port} is in use" in capsys.readouterr().err


def test_purge_of_nothing(tmp_path, capsys):
    cli.main(["serve", "--purge", "--data", str(tmp_path / "none")])
    assert "nothing was there" in capsys.readouterr().out


def test_without_the_extra_it_is_said(tmp_path, capsys, monkeypatch):
    import builtins

    usual = builtins.__import__

    def without(name, *arguments, **more):
        if name == "moodal.serve.server":
            raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
        return usual(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", "--data", str(tmp_path)])
    assert ended.value.code == MissingDependencyError.exit_code
    assert "[serve]" in capsys.readouterr().err
