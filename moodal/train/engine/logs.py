"""Progress of a training for the person who waits: a bar with losses and time left, TensorBoard."""

from __future__ import annotations

import importlib.util
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Bar:
    """Progress on stderr: a live bar on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, title: str, total: int, shown: bool):
        self._shown = shown
        # several processes would draw over each other's bars
        alone = multiprocessing.parent_process() is None
        self._live = shown and alone and sys.stderr.isatty()
        self._title = title
        self._total = total
        self._done = 0
        self._start_at = 0
        self._began = self._printed = time.monotonic()
        self._progress: Progress | None = None
        self._task: Any = None
        if self._live:
            self._progress = Progress(
                BarColumn(bar_width=24),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
                TextColumn("left <"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._progress.add_task(title, total=total, note="")
        self._last_epoch = "epoch 1 "

    def __enter__(self) -> Bar:
        if self._progress:
            print(self._title, file=sys.stderr, flush=True)
            self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._progress:
            self._progress.stop()

    def at(self, done: int) -> None:
        """Start at ``done`` steps, where a training resumes."""
        self._done = self._start_at = done
        if done and self._shown:
            print(f"{self._title}: resuming after step {done:,}", file=sys.stderr, flush=True)
        if self._progress:
            self._progress.update(self._task, completed=done)

    def step(self, loss: float) -> None:
        """Count one more step, with the epoch's mean training loss."""
        self._done += 1
        if self._progress:
            note = f"{self._last_epoch}loss {loss:.3f}"
            self._progress.update(self._task, completed=self._done, note=note)

    def epoch(self, row: dict[str, float]) -> None:
        """Show the figures of an epoch that has ended."""
        hidden = ("epoch", "seconds", "lr")
        shown = {k: v for k, v in row.items() if k not in hidden and "/" not in k}
        figures = "  ".join(f"{k} {v:.4f}" for k, v in shown.items())
        self._last_epoch = f"epoch {int(row['epoch']) + 2} "
        now = time.monotonic()
        if self._shown and not self._live and now - self._printed >= 10:
            self._printed = now
            pace = (now - self._began) / max(self._done - self._start_at, 1)
            left = pace * (self._total - self._done)
            print(
                f"{self._title}: epoch {int(row['epoch']) + 1}  {figures}  "
                f"at most {left / 60:.0f} min left",
                file=sys.stderr,
                flush=True,
            )


class TensorBoard:
    """Scalars of every epoch for TensorBoard, where it is installed."""

    def __init__(self, folder: Path, first_epoch: int, shown: bool):
        self._writer: Any = None
        if shown and importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            # epochs after the checkpoint that a killed process had logged are dropped
            self._writer = SummaryWriter(str(folder), purge_step=first_epoch)

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer:
            self._writer.close()

    def row(self, row: dict[str, float]) -> None:
        """Log the figures of one epoch."""
        if self._writer:
            for key, value in row.items():
                if key != "epoch":
                    self._writer.add_scalar(key, value, int(row["epoch"]))
