"""Batch prediction: many recordings in order, in one process or in several."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any, Protocol

from moodal.core.errors import DataError, MoodalError, UsageError
from moodal.core.timeline import Timeline
from moodal.media.probe import probe
from moodal.media.subtitles import subtitles_of
from moodal.model.levelled import Weighed
from moodal.model.model import Model
from moodal.model.options import PredictOptions

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

STDIN = "-"
"""The name of standard input."""


class Loader(Protocol):
    """The protocol of a function that loads the model, such as `moodal.load` of one artefact."""

    def __call__(self) -> Model:
        """Load the model."""
        ...


@dataclass(frozen=True)
class Job:
    """A recording to predict and its name; the path is None for a text alone."""

    path: Path | None
    name: str


def predict_all(
    jobs: Sequence[Job],
    load: Loader,
    options: PredictOptions,
    processes: int = 1,
    timeout: float | None = None,
) -> Iterator[Timeline | DataError]:
    """Yield each recording's timeline, or the error of one that cannot be read, in order.

    Each answer is yielded as soon as it is known; recordings that are levelled by each other are
    known at the end. Subtitles in the folder of a recording with its name are used if no words
    are given.

    Args:
        jobs: the recordings.
        load: loads the model in each process; it can be pickled.
        options: the options of `moodal.model.model.Model.predict`.
        processes: the number of processes; the answers do not depend on it.
        timeout: the most seconds for one recording; one that takes longer is an error.

    Raises:
        MoodalError: all recordings are affected: a wrong option or a damaged artefact.
    """
    model = load()  # a fault of the artefact is reported once, before any recording
    model.check(options)
    processes = min(processes, len(jobs))
    answers: Iterator[Timeline | Weighed | DataError]
    if len(jobs) == 1:
        with _limited(timeout, jobs[0]):
            answers = iter([_one(model, jobs[0], options)])
    elif processes <= 1:
        answers = map(guarded, repeat(model), jobs, repeat(options), repeat(timeout))
    else:
        answers = _in_processes(jobs, processes, (load, options, timeout))
    if len(jobs) > 1:
        answers = _with_progress(answers, len(jobs))
    if options.level:
        yield from _levelled(model, options, list(answers))
    else:
        yield from (answer for answer in answers if not isinstance(answer, Weighed))


def _with_progress(
    answers: Iterator[Timeline | Weighed | DataError], count: int
) -> Iterator[Timeline | Weighed | DataError]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task("predicting", total=count)
        for answer in answers:
            progress.advance(bar)
            yield answer


def _levelled(
    model: Model, options: PredictOptions, answers: Sequence[Timeline | Weighed | DataError]
) -> list[Timeline | DataError]:
    """Turn the evidence of all recordings into timelines, each levelled by the others."""
    weighed = [answer for answer in answers if isinstance(answer, Weighed)]
    ready = model.under(options.prior)
    timelines = iter(ready.levelled(weighed, options.level_strength) if weighed else [])
    return [next(timelines) if isinstance(a, Weighed) else a for a in answers]


def with_subtitles(options: PredictOptions, path: Path | None) -> PredictOptions:
    """Return the options of a recording: subtitles beside it are used if no words are given."""
    words = options.text is not None or options.subtitles or options.whole
    if path is None or words:
        return options
    return dataclasses.replace(options, subtitles=_subtitles(path))


def _one(model: Model, job: Job, options: PredictOptions) -> Timeline | Weighed | DataError:
    options = with_subtitles(options, job.path)
    try:
        if options.level:
            weighed = model.weigh(job.path, options=options)
            named = dataclasses.replace(weighed.timeline, path=job.name)
            return dataclasses.replace(weighed, timeline=named)
        timeline = model.predict(job.path, options=options)
    except DataError as error:
        name = "standard input" if job.name == STDIN else job.name
        return type(error)(str(error).replace(str(job.path), name))
    return dataclasses.replace(timeline, path=job.name)


def _subtitles(path: Path) -> Path | None:
    """Return the subtitles with a recording's name; none for texts and pictures."""
    subtitles = subtitles_of(path)
    try:
        timed = subtitles is not None and probe(path).kind in ("audio", "video")
    except DataError:  # reported when the recording is read
        return None
    return subtitles if timed else None


class TimeLimitError(DataError):
    """A recording that took longer than the time for each."""


class _TimeUpError(BaseException):
    """The time of a recording is up; no reader takes this for damage of a file."""


@contextlib.contextmanager
def _limited(seconds: float | None, job: Job) -> Iterator[None]:
    """Stop what takes longer than some seconds.

    Raises:
        TimeLimitError: it took longer.
        UsageError: this system, or this thread, has no timer.
    """
    if seconds is None:
        yield
        return
    if sys.platform == "win32" or current_thread() is not main_thread():
        raise UsageError("A time limit needs the main thread of a Unix system.")

    def stop(*_: object) -> None:
        raise _TimeUpError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TimeUpError:
        raise TimeLimitError(
            f"{job.name} took longer than {seconds:g} s; raise --timeout, or cut it."
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def guarded(
    model: Model, job: Job, options: PredictOptions, timeout: float | None = None
) -> Timeline | Weighed | DataError:
    """Predict one recording; an error that concerns it alone is the answer.

    Raises:
        MoodalError: all recordings are affected.
    """
    try:
        with _limited(timeout, job):
            return _one(model, job, options)
    except DataError as error:  # the time was up between two of its steps
        return error
    except MoodalError:
        raise
    except Exception as error:  # a fault of ours in one file is no reason to lose the others
        return DataError(f"{job.name} cannot be read ({type(error).__name__}: {error}).")


_STATE: dict[str, Any] = {}


def _begin(load: Loader, options: PredictOptions, timeout: float | None) -> None:
    _STATE.update(model=load(), options=options, timeout=timeout)


def _work(job: Job) -> Timeline | Weighed | DataError:
    return guarded(_STATE["model"], job, _STATE["options"], _STATE["timeout"])


def _in_processes(
    jobs: Sequence[Job], processes: int, setting: tuple[Any, ...]
) -> Iterator[Timeline | Weighed | DataError]:
    """Yield the answers in order; if a process crashes, only its recording fails."""

    # with multiprocessing, which one process does not need
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    def pool(size: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(size, get_context("spawn"), _begin, setting)

    several = pool(processes)
    try:
        waiting: list[Future[Any]] = [several.submit(_work, job) for job in jobs]
        for job, future in zip(jobs, waiting, strict=True):
            try:
                yield future.result()
            except BrokenExecutor:  # this recording or a concurrent one: try it alone
                with pool(1) as alone:
                    yield _alone(alone, job)
    finally:
        several.shutdown(cancel_futures=True)


def _alone(pool: ProcessPoolExecutor, job: Job) -> Timeline | Weighed | DataError:
    try:
        answer: Timeline | Weighed | DataError = pool.submit(_work, job).result()
    except BrokenExecutor:
        return DataError(
            f"{job.name} ended the process that read it: a decoder crashed, or memory ran out."
        )
    return answer
