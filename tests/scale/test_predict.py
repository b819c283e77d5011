"""A cluster answers each recording once, as one process would, whatever ends in the midst."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from moodal.cli.inputs import recordings
from moodal.cli.main import main
from moodal.core.errors import DataError, OutputError, UsageError
from moodal.core.table import utterance_table
from moodal.core.timeline import Timeline
from moodal.loading import load
from moodal.model import batch
from moodal.model.batch import Job, predict_all
from moodal.model.options import PredictOptions
from moodal.scale import partitions
from moodal.scale.lock import Lock
from moodal.scale.partitions import Columns, read, timelines
from moodal.scale.places import Place
from moodal.scale.predict import ScaleOptions, predict_entries
from moodal.scale.recordings import entries_below, entry_of

OPTIONS = PredictOptions(asr=False, whole=True)
CUES = PredictOptions(asr=False)


@pytest.fixture
def entries(calls):
    return [entry_of(path) for path in recordings([str(calls)])]


@pytest.fixture
def alone(entries, tiny_artefact):
    """Recording -> its rows, or its error, as one process gives them."""
    return rows_alone([Job(Path(e.path), e.name) for e in entries], tiny_artefact)


def rows_alone(jobs, artefact, options=OPTIONS):
    model = load(artefact)
    columns = Columns(model.info.labels, (), model.modalities)
    answers = predict_all(jobs, partial(load, artefact), options)
    rows = {}
    for job, answer in zip(jobs, answers, strict=True):
        if isinstance(answer, Timeline):
            table = utterance_table(answer, columns.contents)
            rows[job.name] = [dict(zip(table.names, row, strict=True)) for row in table.rows]
        else:
            rows[job.name] = str(answer)
    return rows


def rows_of(out):
    """Recording -> its rows, or its error, as the partitions hold them."""
    rows = {}
    for row in read(str(out)).to_pylist():
        row.pop("timeline")
        error = row.pop("error")
        if error is None:
            rows.setdefault(row["recording"], []).append(row)
        else:
            assert row["recording"] not in rows
            rows[row["recording"]] = error
    return rows


def fragile(artefact, driver, log, doomed=""):
    """Load the model in a worker that reads slowly, counts what it reads, and may be killed.

    Where a machine is doomed, the others begin when it reads.
    """
    import ray

    model = load(artefact)
    if os.getpid() == driver:
        return model
    real, machine = batch._one, ray.get_runtime_context().get_node_id()

    def one(model, job, options):
        with open(log, "a") as file:
            file.write(f"{job.name} {machine}\n")
        while doomed not in Path(log).read_text():
            time.sleep(0.05)
        time.sleep(1.0 if machine == doomed else 0.05)
        if "killer" in job.name:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(model, job, options)

    if real.__name__ == "_one":
        batch._one = one
    return model


@pytest.fixture
def fragile_load(cluster, tmp_path):
    """`fragile` for a job, and the file that counts what was read."""
    import ray.cloudpickle

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    log = tmp_path / "read.log"
    log.touch()
    yield partial(fragile, driver=os.getpid(), log=str(log)), log
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_the_table_is_that_of_one_process_and_a_stopped_job_does_what_is_missing(
    entries, alone, engine, tiny_artefact, tmp_path
):
    out = tmp_path / "out"
    asked = (load, tiny_artefact, ScaleOptions(OPTIONS), engine)
    outcome = predict_entries(entries, str(out), *asked)
    assert rows_of(out) == alone
    assert sum(isinstance(rows, list) for rows in alone.values()) == outcome.answered == 7
    assert outcome.failed == {n: e for n, e in alone.items() if isinstance(e, str)}
    whole = {t.path: len(t) for t in timelines(str(out))}
    assert whole == {name: len(rows) for name, rows in alone.items() if isinstance(rows, list)}

    parts = sorted(out.glob("part-*.parquet"))
    times = {path: path.stat().st_mtime_ns for path in parts[2:]}
    parts[0].unlink()
    parts[1].write_bytes(parts[1].read_bytes()[:1000])  # as a copy that was cut off
    again = predict_entries(entries, str(out), *asked)
    assert again.damaged == [parts[1].name]
    assert again.before == len(entries) - again.answered - len(again.failed) > 0
    assert rows_of(out) == alone
    assert {path: path.stat().st_mtime_ns for path in parts[2:]} == times
    assert predict_entries(entries, str(out), *asked).before == len(entries)
    assert not (out / "_lock.json").exists()


def test_a_recording_that_ends_its_worker_is_tried_twice_and_listed(
    entries, alone, engine, fragile_load, tiny_artefact, tmp_path
):
    loader, log = fragile_load
    killer = tmp_path / "killer.wav"
    killer.write_bytes(Path(entries[1].path).read_bytes())
    several = [*entries, entry_of(killer)]
    out = str(tmp_path / "out")
    outcome = predict_entries(several, out, loader, tiny_artefact, ScaleOptions(OPTIONS), engine)
    rows = rows_of(out)
    assert "ended the process that read it, twice" in rows.pop(str(killer))
    assert rows == alone
    assert list(outcome.failed).count(str(killer)) == 1
    assert log.read_text().count(str(killer)) == 2
    again = predict_entries(several, out, loader, tiny_artefact, ScaleOptions(OPTIONS), engine)
    assert again.before == len(several)  # it kills nobody again


def test_a_machine_that_dies_loses_nothing_and_doubles_nothing(
    cluster, engine, fragile_load, tiny_artefact, tmp_path, speech
):
    paths = [speech(f"clip{i:02}.wav", seconds=0.6, seed=i) for i in range(40)]
    loader, log = fragile_load
    out = tmp_path / "out"
    machine = cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
    cluster.wait_for_nodes()
    killed = threading.Event()

    def kill():
        while log.read_text().count(machine.node_id) < 2:
            time.sleep(0.02)
        cluster.remove_node(machine, allow_graceful=False)
        killed.set()

    threading.Thread(target=kill, daemon=True).start()
    outcome = predict_entries(
        [entry_of(path) for path in paths],
        str(out),
        partial(loader, doomed=machine.node_id),
        tiny_artefact,
        ScaleOptions(OPTIONS),
        engine,
    )
    assert killed.is_set(), "the job ended before the machine was killed"
    assert (outcome.answered, outcome.failed, outcome.unread) == (40, {}, {})
    assert rows_of(out) == rows_alone([Job(path, str(path)) for path in paths], tiny_artefact)
    reads = [line.split()[0] for line in log.read_text().splitlines()]
    assert len(reads) > len(set(reads)) == 40  # what it held was read again


def test_urls_are_read_and_written(calls, entries, engine, tiny_artefact):
    from moodal.cli.inputs import ENDINGS

    several = entries_below(f"file://{calls}", ENDINGS)
    assert [Path(e.path).name for e in several if e.subtitles] == ["call0.wav"]
    out = "memory://answers/of/calls"
    predict_entries(several, out, load, tiny_artefact, ScaleOptions(CUES), engine)
    alone = rows_alone([Job(Path(e.path), e.name) for e in entries], tiny_artefact, CUES)
    assert [row["text"] for row in alone[str(calls / "call0.wav")]] == ["So good."]
    rows = {name.removeprefix("file://"): rows for name, rows in rows_of(out).items()}
    assert rows.keys() == alone.keys()
    for name, expected in alone.items():
        if isinstance(expected, list):
            assert [{**r, "recording": name} for r in rows[name]] == expected
        else:
            assert isinstance(rows[name], str)


def test_a_full_object_store_is_no_end(entries, alone, engine, tiny_artefact, tmp_path):
    import ray

    ray.init(address=engine.address, log_to_driver=False, logging_level="CRITICAL")
    try:
        held = [ray.put(np.zeros(30 << 20, np.uint8)) for _ in range(5)]  # of 100 MiB each
        out = str(tmp_path / "out")
        predict_entries(entries, out, load, tiny_artefact, ScaleOptions(OPTIONS), engine)
        assert rows_of(out) == alone
        assert len(held) == 5
        assert ray.is_initialized()  # a connection that was there stays
    finally:
        ray.shutdown()


def test_the_command_line_answers(calls, engine, tiny_artefact, tmp_path, capsys):
    table = tmp_path / "calls.csv"
    table.write_text("path,text\ncalls/call1.wav,I hate this.\ncalls/call2.wav,\n")
    words = ["predict", table, "--artefact", tiny_artefact, "--no-asr", "--no-text"]
    out = tmp_path / "out"
    main([str(w) for w in (*words, "--engine", f"ray:{engine.address}", "--out", out, "--json")])
    printed = json.loads(capsys.readouterr().out)
    assert printed["answered"] == 2
    first = str(tmp_path / "calls/call1.wav")
    streams = [r["streams"] for r in read(str(out)).to_pylist() if r["recording"] == first]
    assert streams == ["text"]
    assert {r["text"] for r in read(str(out)).to_pylist()} == {None}
    assert not any("hate" in line for t in timelines(str(out)) for line in [repr(t), *map(str, t)])
    # other words are another question; --resume adds nothing
    table.write_text("path,text\ncalls/call1.wav,I love this.\ncalls/call2.wav,\n")
    words += ["--resume", "--engine", f"ray:{engine.address}", "--out", out, "--json"]
    main([str(w) for w in words])
    captured = capsys.readouterr()
    printed = json.loads(captured.out)
    assert (printed["answered"], printed["answered_before"]) == (1, 1)
    assert "--resume is not needed with --engine" in captured.err
    assert len(list(timelines(str(out)))) == 2


def test_wrong_questions_are_refused_before_anything_starts(entries, tiny_artefact, tmp_path):
    asked = (load, tiny_artefact)
    with pytest.raises(UsageError, match="--level needs all recordings"):
        predict_entries(entries, str(tmp_path), *asked, ScaleOptions(PredictOptions(level=True)))
    with pytest.raises(UsageError, match="streams are"):
        predict_entries(
            entries, str(tmp_path), *asked, ScaleOptions(PredictOptions(streams=["smell"]))
        )
    with pytest.raises(DataError, match="not an artefact"):
        predict_entries(entries, str(tmp_path), load, tmp_path)
    assert not list(tmp_path.glob("_*"))


def test_two_jobs_on_one_output_are_refused(entries, tiny_artefact, tmp_path):
    out = tmp_path / "out"
    with Lock(Place(out)), pytest.raises(OutputError, match="being written by another command"):
        predict_entries(entries, str(out), load, tiny_artefact)
    assert not list(out.glob("*"))


def test_another_question_is_not_answered_into_the_same_folder(entries, tiny_artefact, tmp_path):
    out = tmp_path / "out"
    digest = load(tiny_artefact).info.digest
    with partitions.Answered(Place(out), {"artefact": digest, "step": "0.5"}) as answered:
        answered.put("part-a.parquet", b"")
    with pytest.raises(OutputError, match=r"another question: .* name another --out"):
        predict_entries(entries, str(out), load, tiny_artefact)
