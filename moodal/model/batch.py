"""Many recordings: one after the other or in several processes, in their order."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from moodal.core.errors import DataError, MoodalError
from moodal.core.timeline import Timeline
from moodal.media.probe import probe
from moodal.media.subtitles import subtitles_of
from moodal.model.predictor import Predictor, load

STDIN = "-"
"""The name by which standard input goes."""


@dataclass(frozen=True)
class Job:
    """A recording to read, and the name it goes by; None: the text alone."""

    path: Path | None
    name: str


def predict_all(
    jobs: Sequence[Job], artefact: Path | None, options: Mapping[str, Any], processes: int = 1
) -> list[Timeline | DataError]:
    """The timeline of each, or the error of one that cannot be read, in their order.

    Subtitles that lie beside a recording, under its name, are used where no words are given.

    Args:
        options: of `moodal.model.predictor.Predictor.predict`.
        processes: how many read at once; with one, each network uses all cores.

    Raises:
        MoodalError: what concerns all of them: a wrong option, a damaged artefact.
    """
    from rich.console import Console
    from rich.progress import Progress

    processes = min(processes, len(jobs))
    predictor = load(artefact)  # whatever is wrong with it is said once, and at once
    predictor.ask(options.get("emotions"))
    done: list[Timeline | DataError] = []
    with Progress(
        console=Console(stderr=True), transient=True, disable=len(jobs) < 2, redirect_stdout=False
    ) as progress:
        bar = progress.add_task("predicting", total=len(jobs))
        if len(jobs) == 1:
            return [_one(predictor, jobs[0], options)]
        following: Iterator[Timeline | DataError]
        if processes <= 1:
            following = map(_guarded, repeat(predictor), jobs, repeat(options))
        else:
            threads = max(1, (os.cpu_count() or 1) // processes)
            following = _in_processes(jobs, processes, (artefact, threads, options))
        for found in following:
            done.append(found)
            progress.advance(bar)
    return done


def _one(predictor: Predictor, job: Job, options: Mapping[str, Any]) -> Timeline | DataError:
    own = dict(options)
    given = own.get("text") is not None or own.get("subtitles") or own.get("whole")
    if job.path is not None and not given:
        own["subtitles"] = _subtitles(job.path)
    try:
        timeline = predictor.predict(job.path, **own)
    except DataError as error:
        said = str(error)
        return DataError(
            said.replace(str(job.path), "standard input") if job.name == STDIN else said
        )
    return dataclasses.replace(timeline, path=job.name)


def _subtitles(path: Path) -> Path | None:
    """Subtitles under a recording's name; none for texts and pictures: they have no use of them."""
    found = subtitles_of(path)
    try:
        return found if found is not None and probe(path).kind in ("audio", "video") else None
    except DataError:  # which is said when it is read
        return None


def _guarded(predictor: Predictor, job: Job, options: Mapping[str, Any]) -> Timeline | DataError:
    try:
        return _one(predictor, job, options)
    except MoodalError:
        raise
    except Exception as error:  # a fault of ours in one file is no reason to lose the others
        return DataError(f"{job.name} cannot be read ({type(error).__name__}: {error}).")


_STATE: dict[str, Any] = {}


def _begin(artefact: Path | None, threads: int, options: Mapping[str, Any]) -> None:
    _STATE.update(predictor=load(artefact, threads=threads), options=options)


def _work(job: Job) -> Timeline | DataError:
    return _guarded(_STATE["predictor"], job, _STATE["options"])


def _in_processes(
    jobs: Sequence[Job], processes: int, setting: tuple[Any, ...]
) -> Iterator[Timeline | DataError]:
    """The answers in their order; a recording that ends its process is named, and no other lost."""

    def pool(size: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(size, get_context("spawn"), _begin, setting)

    several = pool(processes)
    try:
        waiting: list[Future[Any]] = [several.submit(_work, job) for job in jobs]
        for job, future in zip(jobs, waiting, strict=True):
            try:
                yield future.result()
            except BrokenProcessPool:  # by this one, or by another beside it: again, alone
                with pool(1) as alone:
                    yield _alone(alone, job)
    finally:
        several.shutdown(cancel_futures=True)


def _alone(pool: ProcessPoolExecutor, job: Job) -> Timeline | DataError:
    try:
        found: Timeline | DataError = pool.submit(_work, job).result()
    except BrokenProcessPool:
        return DataError(
            f"{job.name} ended the process that read it: a decoder crashed, or memory ran out."
        )
    return found
