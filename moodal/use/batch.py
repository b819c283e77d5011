"""Many recordings: one after the other or in several processes, in their order."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from moodal.errors import DataError, MoodalError
from moodal.timeline import Timeline
from moodal.use.inputs import beside
from moodal.use.predictor import Predictor, load


@dataclass(frozen=True)
class Job:
    """A recording to read, and the name it goes by; None: the text alone."""

    path: Path | None
    name: str


def predict_all(
    jobs: Sequence[Job], artefact: Path | None, options: Mapping[str, Any], processes: int = 1
) -> list[Timeline | DataError]:
    """The timeline of each, or the error of one that cannot be read.

    Subtitles that lie beside a recording, under its name, are used where no words are given.

    Args:
        options: of `moodal.use.predictor.Predictor.predict`.
        processes: how many read at once; with one, each network uses all cores.

    Raises:
        MoodalError: what concerns all of them: a wrong option, a damaged artefact.
    """
    from rich.progress import Progress

    processes = min(processes, len(jobs))
    predictor = load(artefact)  # whatever is wrong with it is said once, and at once
    predictor.ask(options.get("emotions"))
    done: list[Timeline | DataError] = []
    with Progress(transient=True, disable=len(jobs) < 2) as progress:
        bar = progress.add_task("predicting", total=len(jobs))
        if processes == 1:
            for job in jobs:
                done.append(_one(predictor, job, options))
                progress.advance(bar)
            return done
        threads = max(1, (os.cpu_count() or 1) // processes)
        with ProcessPoolExecutor(
            processes, get_context("spawn"), _begin, (artefact, threads, options)
        ) as pool:
            for found in pool.map(_work, jobs):
                done.append(found)
                progress.advance(bar)
    return done


def _one(predictor: Predictor, job: Job, options: Mapping[str, Any]) -> Timeline | DataError:
    own = dict(options)
    if job.path is not None and own.get("text") is None and own.get("subtitles") is None:
        own["subtitles"] = beside(job.path)
    try:
        timeline = predictor.predict(job.path, **own)
    except DataError as error:
        return error
    return dataclasses.replace(timeline, path=job.name)


_STATE: dict[str, Any] = {}


def _begin(artefact: Path | None, threads: int, options: Mapping[str, Any]) -> None:
    _STATE.update(predictor=load(artefact, threads=threads), options=options)


def _work(job: Job) -> Timeline | DataError:
    try:
        return _one(_STATE["predictor"], job, _STATE["options"])
    except MoodalError:
        raise
    except Exception as error:  # a fault of ours in one file is no reason to lose the others
        return DataError(f"{job.name} cannot be read ({type(error).__name__}: {error}).")
