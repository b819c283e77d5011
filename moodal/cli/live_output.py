"""What the command `live` shows and writes while it listens."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodal.core.errors import OutputError, writing
from moodal.core.files import replacing

if TYPE_CHECKING:
    from moodal.core.privacy import Privacy
    from moodal.core.timeline import Prediction, Timeline
    from moodal.model.live import Live, LiveAnswer

SILENCE = 1.0
"""Seconds without an answer after which the table is drawn again, without what went on."""


class LiveOutput:
    """The screen and the file of a live session, as a context manager.

    A terminal has a moving table; ``--out`` has a JSON line for each answer.

    Args:
        args: the arguments of `live`.
        session: gives the answers.
        privacy: takes names and words out of all that is shown and written.
    """

    def __init__(self, args: argparse.Namespace, session: Live, privacy: Privacy):
        self._out, self._session, self._privacy = args.out, session, privacy
        self._file: Any = None
        self._screen: Any = None
        self._provisional: list[Prediction] = []
        self._drawn = 0.0
        self._moves = not args.json and args.out != "-"

    def __enter__(self) -> LiveOutput:
        if self._out == "-":
            self._file = sys.stdout
        elif self._out:
            path = Path(self._out)
            if path.exists() and not path.is_file():
                raise OutputError(f"{path} is no regular file; name another --out.")
            with replacing(path) as part:
                part.touch()
            with writing(path):
                self._file = open(path, "a", encoding="utf-8")
        if self._moves and sys.stdout is not None and sys.stdout.isatty():
            from rich.console import Console
            from rich.live import Live as Screen

            # its own: the console that a program shares may be bound to another stream
            self._screen = Screen(console=Console(), auto_refresh=False, transient=True)
            self._screen.start()
            self._draw()
        return self

    def __exit__(self, *_: object) -> None:
        if self._screen is not None:
            self._screen.stop()
        if self._file is not None and self._file is not sys.stdout:
            self._file.close()

    def show(self, answers: Sequence[LiveAnswer]) -> None:
        """Write and draw new answers."""
        if not answers:
            self._move()
            return
        self._provisional = [one.prediction for one in answers if one.provisional]
        self._drawn = self._session.seconds
        if self._file is not None:
            from moodal.output.formats.live_lines import answer_line

            for one in answers:
                so_far = self._shown((one.prediction,))
                self._write(answer_line(so_far[0], one.provisional, one.at, so_far))
        self._draw()

    def _move(self) -> None:
        """Draw the table from time to time where nothing is said."""
        if self._screen is not None and self._session.seconds >= self._drawn + SILENCE:
            self._provisional, self._drawn = [], self._session.seconds
            self._draw()

    def finish(self, timeline: Timeline) -> None:
        """Write the timeline of the session that has ended."""
        if self._file is not None:
            from moodal.output.formats.live_lines import timeline_line

            self._write(timeline_line(self._privacy.timeline(timeline)))

    def _shown(self, predictions: Sequence[Prediction]) -> Timeline:
        """Return a timeline of the session with these predictions, as it may be shown."""
        so_far = self._session.so_far
        return self._privacy.timeline(replace(so_far, predictions=tuple(predictions)))

    def _write(self, line: str) -> None:
        with contextlib.nullcontext() if self._out == "-" else writing(self._out):
            self._file.write(line)
            self._file.flush()

    def _draw(self) -> None:
        if self._screen is None:
            return
        from moodal.output.live_table import live_table

        console = self._screen.console
        size = console.size
        final = self._shown(self._session.so_far.predictions)
        provisional = self._shown(self._provisional).predictions
        table = live_table(final, provisional, size.width, size.height, console.encoding)
        self._screen.update(table, refresh=True)
