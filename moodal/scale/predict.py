"""Prediction of many recordings by a cluster, into a folder of Parquet partitions."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from moodal.core.errors import DataError, MoodalError, UsageError
from moodal.core.privacy import Privacy
from moodal.core.timeline import Timeline
from moodal.core.version import __version__
from moodal.model.batch import Job, TimeLimitError, guarded
from moodal.model.model import Model
from moodal.model.options import PredictOptions
from moodal.scale.blocks import Lost, answers
from moodal.scale.cluster import Engine, connected
from moodal.scale.files import Files, sent
from moodal.scale.partitions import Answered, Columns, Mark, part_name
from moodal.scale.places import Place
from moodal.scale.recordings import Entry, blocks_of, on_disk

Load = Callable[[Path | None], Model]
"""Loads the model of an artefact; None: of the package's own. It can be pickled."""


@dataclass(frozen=True)
class ScaleOptions:
    """The options of a job, the same for each recording.

    Attributes:
        predict: the options of `moodal.model.model.Model.predict`.
        timeout: the most seconds for one recording; one that takes longer is an error.
        text: whether words may be in the answers.
    """

    predict: PredictOptions = field(default_factory=PredictOptions)
    timeout: float | None = None
    text: bool = True


@dataclass
class Outcome:
    """The outcome of a job.

    Attributes:
        out: the folder or URL of the answers.
        answered: the recordings that were answered now.
        before: those that an earlier command of the job had finished.
        failed: recording -> why it has no answer; a row with the reason stands for it.
        unread: recording -> why it could not be brought to a worker; it has no row, and the next
            command tries it again.
        partitions: the files that were written.
        damaged: partitions that could not be read, whose recordings were answered again.
    """

    out: str
    answered: int = 0
    before: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    partitions: int = 0
    damaged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Done:
    """The answers of one block: the partition's name and content, and what it holds."""

    name: str
    content: bytes
    answered: int
    failed: dict[str, str]
    unread: dict[str, str]


@dataclass(frozen=True)
class _Predicting:
    """Makes a worker ready: it holds the model."""

    load: Load
    artefact: Any
    digest: str
    options: ScaleOptions
    columns: Columns
    files: Files

    def __call__(self) -> Callable[[Sequence[Entry]], _Done]:
        options = self.options.predict
        with tempfile.TemporaryDirectory(prefix="moodal-") as folder:
            model = self.load(sent(self.artefact, Path(folder)))
            if model.info.digest != self.digest:
                raise MoodalError(
                    "A machine of the cluster has another artefact in its package; install moodal "
                    f"{__version__} on all of them."
                )
            model.check(options)
            model.warm(options)  # the folder goes, since workers may end without a chance to
        return partial(self._work, model)

    def _work(self, model: Model, entries: Sequence[Entry]) -> _Done:
        privacy = Privacy(None, self.options.text)
        kept: list[tuple[str, Timeline | DataError]] = []
        marks: list[Mark] = []
        unread: dict[str, str] = {}
        with on_disk(entries, self.files.copy) as paths:
            for entry, path in zip(entries, paths, strict=True):
                if isinstance(path, DataError):
                    unread[entry.name] = privacy.message(str(path))
                    continue
                answer = self._answer(model, entry, path)
                ended = isinstance(answer, TimeLimitError)
                marks.append(_mark(entry, self.options.timeout if ended else None))
                if isinstance(answer, Timeline):
                    kept.append((entry.name, privacy.timeline(answer)))
                else:
                    kept.append((entry.name, DataError(privacy.message(str(answer)))))
        failed = {name: str(a) for name, a in kept if isinstance(a, DataError)}
        content = self.columns.partition(kept, marks) if kept else b""
        return _Done(
            part_name([mark.source for mark in marks]),
            content,
            len(kept) - len(failed),
            failed,
            unread,
        )

    def _answer(self, model: Model, entry: Entry, path: Path) -> Timeline | DataError:
        options = self.options.predict
        if entry.text is not None:
            options = dataclasses.replace(options, text=entry.text)
        answer = guarded(model, Job(path, entry.name), options, self.options.timeout)
        if not isinstance(answer, Timeline | DataError):
            raise UsageError("level needs the evidence of all recordings at once.")
        return answer


def predict_entries(
    entries: Sequence[Entry],
    out: str,
    load: Load,
    artefact: Path | None = None,
    options: ScaleOptions | None = None,
    engine: Engine | None = None,
) -> Outcome:
    """Answer recordings by a cluster, and write the answers as they are known.

    A recording that has an answer or an error in ``out`` is left out, unless other words are given
    for it now, or it was ended by another time limit. One that ends the process
    that reads it is tried once more, alone, and then listed with the reason.

    Args:
        entries: the recordings.
        out: a folder or URL, see `moodal.scale.partitions`.
        load: loads the model of an artefact on each worker; `moodal.loading.load`.
        artefact: its folder, which is sent to the workers; None: that of the package.
        options: the options.
        engine: the engine; None: all processors of this machine.

    Raises:
        UsageError: an option is wrong, or cannot be had without all recordings at once.
        MissingDependencyError: no cluster answers.
        OutputError: ``out`` cannot be written, or another command writes there.
        DataError: the artefact is damaged.
    """
    options = options or ScaleOptions()
    if options.predict.level:
        raise UsageError("--level needs all recordings at once; leave --engine out.")
    model = load(artefact)
    model.check(options.predict)
    words = options.predict.words(model.info.labels)
    asked = model.under(options.predict.prior).ask(words, options.predict.vectors)
    columns = Columns(
        () if asked.values else tuple(asked.shown),
        tuple(value.name for value in asked.values),
        tuple(model.modalities),
    )
    outcome = Outcome(out)
    with Answered(Place(out), _question(model, options)) as answered:
        marks = [_mark(entry, options.timeout) for entry in entries]
        finished = answered.finished(marks)
        outcome.damaged = answered.damaged
        waiting = [e for e, done in zip(entries, finished, strict=True) if not done]
        outcome.before = len(entries) - len(waiting)
        if not waiting:
            return outcome
        with connected(engine or Engine()) as workers:
            begin = _Predicting(
                load,
                None if artefact is None else Files.of_folder(model.artefact.folder),
                model.info.digest,
                options,
                columns,
                Files.here([e.path for e in waiting] + [e.subtitles for e in waiting]),
            )
            stream = answers(begin, blocks_of(waiting, workers), workers)
            for done in _with_progress(stream, len(waiting)):
                _keep(done, answered, columns, outcome)
    return outcome


def _keep(
    done: _Done | Lost[Entry], answered: Answered, columns: Columns, outcome: Outcome
) -> None:
    """Write the partition of a block, or of a recording that ended its workers."""
    if isinstance(done, Lost):
        name, reason = done.item.name, f"{done.item.name} {done.reason}"
        mark = _mark(done.item, None)
        content = columns.partition([(name, DataError(reason))], [mark])
        done = _Done(part_name([mark.source]), content, 0, {name: reason}, {})
    if done.content:
        answered.put(done.name, done.content)
        outcome.partitions += 1
    outcome.answered += done.answered
    outcome.failed |= done.failed
    outcome.unread |= done.unread


def _mark(entry: Entry, limit: float | None) -> Mark:
    return Mark.of(entry.name, entry.path, entry.text, limit)


def _question(model: Model, options: ScaleOptions) -> dict[str, str]:
    """Return what commands that write to one folder have in common, in words."""
    chosen = {f.name: getattr(options.predict, f.name) for f in dataclasses.fields(options.predict)}
    words = {name.replace("_", " "): str(value) for name, value in chosen.items()}
    return {"artefact": model.info.digest, **words, "words in the answers": str(options.text)}


def _with_progress(
    stream: Iterator[_Done | Lost[Entry]], count: int
) -> Iterator[_Done | Lost[Entry]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task("predicting", total=count)
        for done in stream:
            size = 1
            if isinstance(done, _Done):
                size = done.answered + len(done.failed) + len(done.unread)
            progress.advance(bar, size)
            yield done
