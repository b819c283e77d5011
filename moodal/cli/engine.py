"""The option ``--engine`` of `predict` and `prepare`: many recordings by a cluster."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodal.cli.common import (
    Arguments,
    chosen_artefact,
    require_nothing_left_out,
    tell,
    warn,
)
from moodal.core.errors import DataError, OutputError, UsageError

if TYPE_CHECKING:
    from moodal.features.encode import Jobs
    from moodal.model.options import PredictOptions
    from moodal.scale.predict import Outcome
    from moodal.scale.recordings import Entry

LISTED = 10
"""Recordings without an answer that are named at the end; the others are in the partitions."""


def engine_arguments(parser: Arguments) -> None:
    """Add the option that chooses the engine."""
    parser.add_argument(
        "--engine",
        metavar="ray[:ADDRESS]",
        help="compute on a cluster of Ray: ray for one on this machine, ray:HOST:PORT or ray:auto "
        "for one that runs",
    )


def predict_on_engine(args: argparse.Namespace, options: PredictOptions) -> dict[str, Any]:
    """Predict by a cluster, write Parquet partitions, and return what was done."""
    _require(args)
    from moodal.loading import load
    from moodal.scale.cluster import Engine
    from moodal.scale.predict import ScaleOptions, predict_entries

    engine = Engine.of(args.engine, args.jobs)
    left_out: list[Path] = []
    entries = _entries(args.inputs, left_out)
    asked = ScaleOptions(options, args.timeout, text=not args.no_text)
    try:
        artefact = chosen_artefact(args.artefact)
        outcome = predict_entries(entries, args.out, load, artefact, asked, engine)
    except KeyboardInterrupt:
        warn("what was answered is kept; the same command goes on from there.")
        raise
    answer = _answer(outcome)
    if not args.json:
        _show(outcome, len(entries))
    _warn(outcome, left_out)
    missing = [*outcome.failed.values(), *outcome.unread.values(), *map(str, left_out)]
    if entries and not outcome.answered and not outcome.before:
        raise DataError(f"none of the {len(entries)} inputs could be read.")
    require_nothing_left_out(args.strict, missing, answer)
    return answer


def _require(args: argparse.Namespace) -> None:
    """Check that nothing is asked for that needs all answers in one process."""
    if not args.out:
        raise UsageError("--engine needs --out: the folder or URL of the partitions.")
    if not args.inputs or "-" in args.inputs:
        raise UsageError("--engine needs a folder, a list, a table or a URL of recordings.")
    refused = {
        "--text": args.text,
        "--subtitles": args.subtitles,
        "--media": args.media,
        "--plot": args.plot,
        "--format": args.format,
        "--summary": args.summary,
        "--face-actions": args.face_actions,
        "--pseudonyms": args.pseudonyms,
        "--level": args.level,
    }
    for option, value in refused.items():
        if value:
            raise UsageError(
                f"--engine and {option} cannot be combined; the partitions have a column for each "
                "answer, and `timeline` holds all of it."
            )
    if args.resume:
        warn("--resume is not needed with --engine, whose commands go on from what is finished.")


def _entries(inputs: Sequence[str], left_out: list[Path]) -> list[Entry]:
    """List the recordings that folders, files, patterns, lists, tables and URLs name."""
    from moodal.cli.inputs import ENDINGS, recordings
    from moodal.scale.places import is_url
    from moodal.scale.recordings import (
        entries_below,
        entries_of_table,
        entry_of,
        names_recordings,
    )

    entries: dict[str, Entry] = {}
    for name in inputs:
        if is_url(name):
            several = entries_below(name, ENDINGS)
        elif names_recordings(Path(name)) and Path(name).is_file():
            several = entries_of_table(Path(name))
        else:
            several = [entry_of(path) for path in recordings([name], left_out)]
        for entry in several:
            earlier = entries.setdefault(entry.path, entry)
            if earlier.text is None and entry.text is not None:
                entries[entry.path] = dataclasses.replace(earlier, text=entry.text)
    return list(entries.values())


def _answer(outcome: Outcome) -> dict[str, Any]:
    return {
        "out": outcome.out,
        "answered": outcome.answered,
        "answered_before": outcome.before,
        "failed": outcome.failed,
        "unread": outcome.unread,
        "partitions": outcome.partitions,
    }


def _show(outcome: Outcome, count: int) -> None:
    before = f", {outcome.before} were finished before" if outcome.before else ""
    tell(
        f"{outcome.answered} of {count} recordings were answered{before}; "
        f"{outcome.partitions} {'partition was' if outcome.partitions == 1 else 'partitions were'} "
        f"written to {outcome.out}."
    )


def _warn(outcome: Outcome, left_out: Sequence[Path]) -> None:
    from moodal.cli.inputs import warn_left_out

    for name in outcome.damaged:
        warn(f"{name} could not be read as Parquet; its recordings were answered again.")
    reasons = [*outcome.failed.values(), *outcome.unread.values()]
    for reason in reasons[:LISTED]:
        warn(f"skipped: {reason}")
    if len(reasons) > LISTED:
        warn(f"{len(reasons) - LISTED} more were skipped; the column `error` says why.")
    if outcome.unread:
        warn("Those that could not be brought to a worker are tried again by the same command.")
    warn_left_out(left_out)


@contextlib.contextmanager
def encoding_workers(args: argparse.Namespace) -> Iterator[Jobs]:
    """Give what encodes a corpus: the workers of ``--engine``, or processes of this machine."""
    if not args.engine:
        yield 1 if args.jobs is None else args.jobs
        return
    from moodal.scale.cluster import Engine, connected
    from moodal.scale.encode import ClusterWorkers

    with connected(Engine.of(args.engine, args.jobs)) as workers:
        yield ClusterWorkers(workers)


@contextlib.contextmanager
def folder_for(args: argparse.Namespace) -> Iterator[Path]:
    """Give the folder for a prepared corpus, which is copied to OUT at the end if that is a URL.

    Raises:
        UsageError: ROOT is a URL, or OUT is one and nothing says where features are kept.
        OutputError: OUT holds something else, another command writes to it, or it cannot be
            written.
    """
    if "://" in args.root:
        raise UsageError(
            f"{args.root} is a URL, and the files of a corpus must lie on this machine; copy them "
            "into a folder, or mount the bucket, and name that."
        )
    if "://" not in args.out:
        yield Path(args.out)
        return
    if args.store is None:
        raise UsageError(f"{args.out} is a URL: name a folder for features with --store.")
    from moodal.scale.lock import LOCK, Lock
    from moodal.scale.places import COPYING, MANIFEST, Place, put_folder

    place = Place(args.out)
    foreign = [name for name in place.names() if name != LOCK]
    if foreign and not {MANIFEST, COPYING} & set(foreign):
        raise OutputError(f"{args.out} holds {foreign[0]}, and no manifest; choose another place.")
    with Lock(place) as lock, tempfile.TemporaryDirectory(prefix="moodal-") as folder:
        yield Path(folder) / "prepared"
        lock.require()
        put_folder(Path(folder) / "prepared", args.out)
