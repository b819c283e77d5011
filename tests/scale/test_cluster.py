"""Addresses of clusters: what is none, and what does not answer, is one sentence."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from moodal.cli.main import main
from moodal.core.errors import MissingDependencyError, OutputError, UsageError
from moodal.core.offline import NO_TELEMETRY
from moodal.scale.cluster import Engine, connected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spark", "--engine is ray, or ray:HOST:PORT"),
        ("ray:", "--engine is ray, or ray:HOST:PORT"),
        ("ray:ray://head:10001", "address of Ray's client"),
    ],
)
def test_other_engines_are_refused(text, message):
    with pytest.raises(UsageError, match=message):
        Engine.of(text)


def test_engines_are_read():
    assert Engine.of("ray") == Engine()
    assert Engine.of("ray:head:6379", 4) == Engine("head:6379", 4)
    with pytest.raises(UsageError, match="--jobs must be 1 or more"):
        Engine.of("ray", 0)


@pytest.fixture
def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener.getsockname()[1]  # bound, so that nobody else listens there


def test_an_address_that_does_not_answer_is_one_sentence(closed_port, tmp_path, capsys):
    pytest.importorskip("ray")
    for address in (f"127.0.0.1:{closed_port}", "no-such-host.invalid:6379"):
        with (
            pytest.raises(MissingDependencyError, match=f"answers at {address}"),
            connected(Engine(address)),
        ):
            pass
    with (
        pytest.raises(UsageError, match=r"ray:nonsense is no address"),
        connected(Engine("nonsense")),
    ):
        pass
    (tmp_path / "a.txt").write_text("So good.")
    out = tmp_path / "out"
    words = ["predict", str(tmp_path / "a.txt"), "--no-asr", "--out", str(out), "--engine"]
    (tmp_path / "a.list").write_text("a.txt\n")
    words[1] = str(tmp_path / "a.list")
    with pytest.raises(SystemExit) as end:
        main([*words, f"ray:127.0.0.1:{closed_port}"])
    assert end.value.code == 7
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("moodal: No cluster of Ray answers at 127.0.0.1:")
    assert captured.err.count("\n") == 1
    assert not (out / "_lock.json").exists()


def test_a_full_store_and_a_full_disk_are_one_sentence():
    exceptions = pytest.importorskip("ray.exceptions")
    import ray

    if ray.is_initialized():
        pytest.skip("another test is connected")
    for error in (exceptions.ObjectStoreFullError("full"), exceptions.OutOfDiskError("full")):
        with pytest.raises(OutputError, match="object store is full"), _connected_to_nothing():
            raise error


def test_a_cluster_that_is_lost_is_one_sentence():
    exceptions = pytest.importorskip("ray.exceptions")
    import ray

    if ray.is_initialized():
        pytest.skip("another test is connected")
    for error in (exceptions.RpcError("gone"), exceptions.ActorDiedError()):
        with (
            pytest.raises(MissingDependencyError, match="The cluster no longer answers: "),
            _connected_to_nothing(),
        ):
            raise error


def test_a_cluster_without_a_token_is_not_started(monkeypatch):
    ray = pytest.importorskip("ray")
    if ray.is_initialized():
        pytest.skip("another test is connected")
    monkeypatch.delenv("RAY_AUTH_MODE")
    with pytest.raises(UsageError, match="imported before, without a token"), connected(Engine()):
        pass


def test_a_long_folder_for_temporary_files_is_no_hindrance(tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    if ray.is_initialized():
        pytest.skip("another test is connected")
    folders = []
    monkeypatch.setattr(ray, "init", lambda **more: folders.append(more["_temp_dir"]))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 1.0})
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with connected(Engine()):
        pass
    [folder] = folders
    assert len(folder) < 40
    assert not Path(folder).exists()


def _connected_to_nothing():
    """Return `connected` without a cluster."""
    import unittest.mock

    import ray

    patches = unittest.mock.patch.multiple(
        ray, is_initialized=lambda: True, cluster_resources=lambda: {"CPU": 2.0}
    )
    patches.start()
    try:
        context = connected(Engine())
        context.__enter__()
    finally:
        patches.stop()

    class Entered:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            return context.__exit__(*error)

    return Entered()


def test_the_artefact_is_chosen_as_without_the_engine(tmp_path, monkeypatch):
    """The word "default" and addresses of the hub become folders before anything is sent."""
    pytest.importorskip("fsspec")
    from moodal.cli import common
    from moodal.loading import DEFAULT
    from moodal.scale import predict
    from moodal.scale.predict import Outcome

    asked = []
    monkeypatch.setattr(
        predict,
        "predict_entries",
        lambda e, out, load, *rest: (asked.append(rest[0]), Outcome(out))[1],
    )
    folder = tmp_path / "cache" / ("0" * 40)
    monkeypatch.setattr("moodal.hub.fetch.fetch_artefact", lambda address: folder)
    (tmp_path / "a.wav").write_bytes(b"1")
    words = ["predict", str(tmp_path / "a.wav"), "--engine", "ray", "--out", str(tmp_path / "out")]
    assert common.chosen_artefact("default") == DEFAULT
    for name in ("default", "hf://anna/tiny"):
        with pytest.raises(SystemExit):  # nothing was answered
            main([*words, "--artefact", name])
    main_default, main_hub = asked
    assert (main_default, main_hub) == (DEFAULT, folder)


def test_words_of_a_table_are_taken_though_a_folder_names_the_recording(tmp_path):
    from moodal.cli.engine import _entries

    (tmp_path / "calls").mkdir()
    for name in ("a.wav", "b.wav"):
        (tmp_path / "calls" / name).write_bytes(b"1")
    (tmp_path / "calls.csv").write_text("path,text\ncalls/a.wav,So good.\n")
    both = [str(tmp_path / "calls"), str(tmp_path / "calls.csv")]
    for inputs in (both, both[::-1]):
        assert {Path(e.path).name: e.text for e in _entries(inputs, [])} == {
            "a.wav": "So good.",
            "b.wav": None,
        }


def test_ray_is_imported_when_it_is_asked_for_and_reports_to_nobody():
    assert NO_TELEMETRY["RAY_USAGE_STATS_ENABLED"] == "0"
    code = (
        "import os, sys\nimport moodal.cli.engine, moodal.scale.predict, moodal.scale.encode\n"
        "assert not {'ray', 'fsspec', 'pyarrow'} & set(sys.modules)\n"
        "assert os.environ['RAY_USAGE_STATS_ENABLED'] == '0'"
    )
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--engine needs --out"),
        (["--out", "o", "--format", "csv"], "--engine and --format cannot be combined"),
        (["--out", "o", "--pseudonyms", "k.csv"], "--engine and --pseudonyms cannot be combined"),
        (["--out", "o", "--timeout", "0"], "--timeout is above 0"),
        (["--out", "o", "--jobs", "0"], "--jobs must be 1 or more"),
    ],
)
def test_options_that_need_one_process_are_refused(words, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["predict", str(tmp_path), "--engine", "ray", *words])
    assert end.value.code == 2
    assert message in capsys.readouterr().err
