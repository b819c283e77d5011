"""Answers: what `predict` writes, prints and plots, and what it says was left out."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodal.cli.common import require_nothing_left_out, warn
from moodal.core.errors import DataError, OutputError, writing
from moodal.core.files import replacing
from moodal.core.guard import line
from moodal.core.privacy import Privacy

if TYPE_CHECKING:
    from moodal.core.timeline import Timeline
    from moodal.model.batch import Job


class Answers:
    """The answers of one command, as they come.

    JSON lines are written as each recording ends; everything else at the end.

    Args:
        args: the arguments of `predict`.
        count: the number of recordings.
        left_out: files of the folders that are not read.
        privacy: takes names and words out of all that is written and said.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        count: int,
        left_out: Sequence[Path],
        privacy: Privacy | None = None,
    ):
        self.args, self.count, self.privacy = args, count, privacy or Privacy()
        self.left_out = [Path(self.privacy.path(path)) for path in left_out]
        self.timelines: list[Timeline] = []
        self.failed: list[DataError] = []
        self.lines: Any = None

    def begin(self) -> None:
        """Make the output ready, and empty the file of JSON lines unless a run is resumed.

        Raises:
            OutputError: it cannot be written, or is no regular file.
        """
        if self.args.json or self.args.format:  # in UTF-8, whatever the terminal's encoding
            with contextlib.suppress(AttributeError):
                sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        if self.args.format != "jsonl" or not self.args.out:
            return
        path = Path(self.args.out)
        if path.exists() and not path.is_file():
            raise OutputError(f"{path} is a pipe or a device; name a file, or leave --out out.")
        if not self.args.resume:
            with replacing(path) as part:
                part.touch()

    def resumed(self, jobs: Sequence[Job], asked: Callable[[], tuple[object, ...]]) -> list[Job]:
        """Take the recordings of an earlier, stopped run from its JSON lines; return the others.

        A last line that was cut off is removed from the file.

        Args:
            jobs: all recordings.
            asked: returns the digest of the model, the emotions, the prior and the step, which
                the finished recordings share.

        Raises:
            DataError: the file is not of this command.
        """
        from moodal.output.formats import from_jsonl

        path = Path(self.args.out)
        if not path.exists():
            return list(jobs)
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            self.timelines = from_jsonl(whole.decode("utf-8"), str(path))
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is not UTF-8 ({error}); name another --out.") from None
        digest, emotions, prior, step = asked()
        here = digest, emotions, self.privacy.message(str(prior)), step
        for timeline in self.timelines:
            self.privacy.require_protected(timeline, path)
            there = (timeline.artefact["digest"], timeline.emotions, timeline.prior, timeline.step)
            if there != here:
                raise DataError(
                    f"{path} holds answers of another model, or to other emotions, priors or "
                    "steps; name another --out."
                )
        os.truncate(path, len(whole))
        finished = {timeline.path for timeline in self.timelines}
        names = {job.name: _as_written(self.privacy.recording(job.name)) for job in jobs}
        return [job for job in jobs if names[job.name] not in finished]

    def add(self, answer: Timeline | DataError) -> None:
        """Keep an answer, and write its line."""
        if isinstance(answer, DataError):
            self.failed.append(type(answer)(self.privacy.message(str(answer))))
            return
        answer = self.privacy.timeline(answer)
        if self.args.format == "jsonl":
            self._write_line(answer)
        self.timelines.append(answer)

    def _write_line(self, timeline: Timeline) -> None:
        from moodal.output import formats

        parts = formats.json_line(timeline)  # all of them before the first is written
        if not self.args.out:
            sys.stdout.writelines(parts)
            sys.stdout.flush()
            return
        with writing(self.args.out):
            if self.lines is None:
                Path(self.args.out).parent.mkdir(parents=True, exist_ok=True)
                self.lines = open(self.args.out, "a", encoding="utf-8")  # noqa: SIM115
            self.lines.writelines(parts)
            self.lines.flush()

    def deliver(self) -> Any:
        """Write what is written at the end, and say what was left out.

        Raises:
            DataError: nothing could be read.
            LeftOutError: something was left out, and ``--strict`` was given.
        """
        if self.lines is not None:
            self.lines.close()
        if self.failed and self.count == 1:
            raise self.failed[0]
        try:
            if not self.timelines and self.failed:
                raise DataError(f"none of the {len(self.failed)} inputs could be read.")
            answer = _deliver(self.args, self.timelines) if self.timelines else None
        finally:
            self._tell_left_out()
        missing = [*map(str, self.failed), *map(str, self.left_out)]
        require_nothing_left_out(self.args.strict, missing, answer)
        return answer

    def _tell_left_out(self) -> None:
        from moodal.cli.inputs import warn_left_out

        for error in self.failed:
            warn(f"skipped: {error}")
        if self.failed and self.timelines:
            warn(f"{len(self.failed)} of {self.count} inputs were skipped.")
        warn_left_out(self.left_out)


def _as_written(name: str) -> str:
    """Return a path's name as JSON holds it: what is no UTF-8 is a question mark."""
    return name.encode("utf-8", "replace").decode()


def _deliver(args: argparse.Namespace, timelines: Sequence[Timeline]) -> Any:
    """Write, print or plot the timelines; return the JSON document if --json asks for it."""
    import json

    from moodal.output import formats
    from moodal.output.terminal import show

    if args.plot:
        _plot(args.plot, timelines)
    if args.face_actions:
        from moodal.output.formats.face_csv import write_face_actions

        table = write_face_actions(timelines, args.face_actions)
        print(line(f"Written: {table}"), file=sys.stderr)
    if args.format == "jsonl":  # was written as each recording ended
        return None
    if args.format and args.out:
        for path in formats.write(timelines, args.format, args.out, summary=args.summary):
            print(line(f"Written: {path}"), file=sys.stderr)
    if args.json:
        return json.loads(formats.render(timelines, "json"))
    if args.format and not args.out:
        sys.stdout.write(formats.render(timelines, args.format, summary=args.summary))
    elif not args.format:
        show(timelines)
    return None


def _plot(out: Path, timelines: Sequence[Timeline]) -> None:
    from moodal.output.plot import plot

    if len(timelines) == 1 and out.suffix:
        plot(timelines[0], out)
        return
    names: dict[str, int] = {}
    for timeline in timelines:
        stem = Path(timeline.path).name or "recording"
        names[stem] = names.get(stem, 0) + 1
        number = f"-{names[stem]}" if names[stem] > 1 else ""
        plot(timeline, out / f"{stem}{number}.png")
