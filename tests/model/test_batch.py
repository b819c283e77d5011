"""Many recordings: each gets its answer or its error, in their order, whatever befalls one."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import soundfile

from moodal.core.errors import DataError, SpaceError, UsageError
from moodal.core.timeline import Timeline
from moodal.loading import load
from moodal.model import batch
from moodal.model.batch import Job, predict_all
from moodal.model.options import PredictOptions

OPTIONS = PredictOptions(asr=False, whole=True)


@pytest.fixture
def jobs(tmp_path):
    """Two sounds, two texts, and two files that are none."""
    rng = np.random.default_rng(3)
    for name in ("first.wav", "second.flac"):
        soundfile.write(tmp_path / name, rng.normal(0, 0.1, 16000), 16000)
    (tmp_path / "bad.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(90))
    (tmp_path / "said.txt").write_text("I am so happy. Leave me alone!")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "cues.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHow dare you!\n")
    names = ("first.wav", "bad.mp4", "said.txt", "empty.wav", "cues.srt", "second.flac")
    return [Job(tmp_path / name, name) for name in names]


def told(found):
    """What there is of each, so that two answers can be compared."""
    return [
        str(t)
        if isinstance(t, DataError)
        else (t.path, [{e: round(x, 6) for e, x in p.probabilities.items()} for p in t])
        for t in found
    ]


@pytest.fixture
def loader(tiny_artefact):
    """Return what loads the tiny model, in this process or in another."""
    return partial(load, tiny_artefact)


@pytest.fixture
def alone(jobs, loader):
    return list(predict_all(jobs, loader, OPTIONS))


def test_bad_files_do_not_stop_the_rest(alone):
    kinds = [type(t) for t in alone]
    assert kinds == [Timeline, DataError, Timeline, DataError, Timeline, Timeline]
    assert [t.path for t in alone if isinstance(t, Timeline)] == [
        "first.wav",
        "said.txt",
        "cues.srt",
        "second.flac",
    ]
    assert [len(t) for t in alone if isinstance(t, Timeline)] == [1, 2, 1, 1]
    assert "bad.mp4" in str(alone[1])
    assert "is empty" in str(alone[3])


def test_a_recording_is_answered_as_if_it_were_alone(jobs, alone, loader):
    for job, expected in zip(jobs, alone, strict=True):
        assert told(predict_all([job], loader, OPTIONS)) == told([expected])


def test_two_processes_give_the_same(jobs, alone, loader, capfd):
    assert told(predict_all(jobs, loader, OPTIONS, processes=2)) == told(alone)
    assert capfd.readouterr().out == ""


def test_subtitles_beside_a_recording_are_used_unless_words_are_given(jobs, loader):
    first = jobs[0]
    first.path.with_suffix(".srt").write_text("1\n00:00:00,100 --> 00:00:00,900\nSo good.\n")
    (found,) = predict_all([first], loader, PredictOptions())
    assert [(p.start, p.text, p.streams) for p in found] == [(0.1, "So good.", ("text", "speech"))]
    (found,) = predict_all([first], loader, replace(OPTIONS, text="Oh no."))
    assert [p.text for p in found] == ["Oh no."]


def test_a_text_has_no_use_of_subtitles_under_its_name(loader, tmp_path):
    (tmp_path / "notes.txt").write_text("So good.")
    (tmp_path / "notes.srt").write_text("1\n00:00:00,100 --> 00:00:00,900\nOh no.\n")
    (found,) = predict_all([Job(tmp_path / "notes.txt", "notes.txt")], loader, PredictOptions())
    assert [p.text for p in found] == ["So good."]


def test_broken_subtitles_beside_a_recording_are_told_of_it_alone(jobs, loader):
    jobs[0].path.with_suffix(".srt").write_text("1\n00:00:00 -> never\nSo good.\n")
    first, _, third, *_ = predict_all(jobs, loader, replace(OPTIONS, whole=False))
    assert "first.srt" in str(first)
    assert len(third) == 2
    taken_whole, *_ = predict_all(jobs, loader, OPTIONS)
    assert len(taken_whole) == 1  # no subtitles are asked for then


def test_what_is_wrong_with_all_of_them_is_said_at_once(jobs, loader, tmp_path):
    with pytest.raises(SpaceError):
        list(predict_all(jobs, loader, PredictOptions(emotions=["12"])))
    with pytest.raises(UsageError):
        list(predict_all(jobs, loader, PredictOptions(streams=["smell"])))
    with pytest.raises(DataError, match="not an artefact"):
        list(predict_all(jobs, partial(load, tmp_path), OPTIONS))


def test_a_fault_of_ours_in_one_file_loses_no_other(jobs, alone, loader, monkeypatch):
    real = batch._one

    def faulty(model, job, options):
        if job.name == "said.txt":
            raise ZeroDivisionError("ours")
        return real(model, job, options)

    monkeypatch.setattr(batch, "_one", faulty)
    found = list(predict_all(jobs, loader, OPTIONS))
    assert str(found[2]) == "said.txt cannot be read (ZeroDivisionError: ours)."
    assert told(found)[3:] == told(alone)[3:]


def test_a_recording_that_ends_its_process_is_named_and_loses_no_other(monkeypatch):
    # the real pool, with work that needs no artefact
    monkeypatch.setattr(batch, "_begin", _begin)
    monkeypatch.setattr(batch, "_work", _work)
    jobs = [Job(None, name) for name in ("a", "crash", "b", "c")]
    found = list(batch._in_processes(jobs, 2, ()))
    assert [str(f) for f in found] == [
        "a",
        "crash ended the process that read it: a decoder crashed, or memory ran out.",
        "b",
        "c",
    ]


def _begin():
    pass


def _work(job):
    if job.name == "crash":
        os._exit(9)
    return job.name
