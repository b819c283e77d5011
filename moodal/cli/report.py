"""The command `report`: recordings and their emotions, or a study of them, as one HTML page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodal.cli.common import (
    Arguments,
    chosen_artefact,
    privacy_arguments,
    require_nothing_left_out,
    warn,
)
from moodal.cli.predict import batch_arguments, options_of, question_arguments
from moodal.core.errors import DataError, MoodalError, UsageError
from moodal.core.guard import line

if TYPE_CHECKING:
    from moodal.core.privacy import Privacy
    from moodal.core.timeline import Timeline
    from moodal.evaluation.design import Design

RESULTS = {".json": "json", ".jsonl": "jsonl"}
"""Ending of a result of `moodal predict` -> its format."""


def report_arguments(parser: Arguments) -> None:
    """Add the arguments of `report`."""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="FILE",
        help="recordings, which are predicted first, or results of moodal predict (.json, .jsonl)",
    )
    parser.add_argument("--out", type=Path, required=True, help="the page to write, an .html file")
    parser.add_argument(
        "--embed",
        action="store_true",
        help="make the recordings a part of the page, so that it can be given away with them "
        "(default: link them)",
    )
    parser.add_argument(
        "--design",
        type=Path,
        metavar="TABLE",
        help="csv or tsv of a study: recording, participant, condition and, if there are any, "
        "session and channel; adds means of conditions and paired contrasts",
    )
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="with --design: all measures as one long tidy csv"
    )
    question_arguments(parser)
    parser.set_defaults(face_actions=None)
    privacy_arguments(parser)
    batch_arguments(parser)
    parser.add_argument(
        "--strict",
        action="store_true",
        help="end with exit code 8 if any file was left out; the page is still written",
    )


def report(args: argparse.Namespace) -> Any:
    """Predict what is a recording, read what is a result, and write the page of all."""
    from moodal.core.privacy import Privacy

    _require(args)
    privacy = Privacy.of(args.pseudonyms, args.no_text)
    failed: list[DataError] = []
    try:
        written = _report(args, privacy, failed)
    except MoodalError as error:
        raise type(error)(privacy.message(str(error))) from None
    messages = [privacy.message(str(error)) for error in failed]
    for message in messages:
        warn(f"skipped: {message}")
    require_nothing_left_out(args.strict, messages, written)
    return written


def _report(args: argparse.Namespace, privacy: Privacy, failed: list[DataError]) -> dict[str, Any]:
    design = _design(args)
    read = _read(args, privacy, failed)
    if not read:
        raise failed[0] if len(failed) == 1 else DataError("none of the inputs could be read.")
    timelines = [timeline for timeline, _ in read]
    recordings = _recordings(read)
    if design is not None and privacy.pseudonyms is not None:
        design = _renamed(design, [timeline.path for timeline in timelines], privacy)
    timelines = [privacy.timeline(timeline) for timeline in timelines]
    study = _study(timelines, design, args.csv)
    return _write(args, timelines, recordings, study)


def _require(args: argparse.Namespace) -> None:
    if args.out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"A report is an .html file; got --out {args.out}.")
    if args.csv and not args.design:
        raise UsageError("--csv needs --design: it is the table of a study.")
    if args.csv and args.csv.resolve() == args.out.resolve():
        raise UsageError(f"--out and --csv both name {args.out}; choose two files.")
    if args.jobs < 1:
        raise UsageError(f"--jobs must be 1 or more; got {args.jobs}.")
    for name in args.inputs:
        if Path(name).resolve() in (args.out.resolve(), args.csv and args.csv.resolve()):
            raise UsageError(f"{name} is an input; choose another file for the report.")


def _read(
    args: argparse.Namespace, privacy: Privacy, failed: list[DataError]
) -> list[tuple[Timeline, Path]]:
    """Return the timelines in the order of the inputs, each with the folder of its input."""
    results = [name for name in args.inputs if Path(name).suffix.lower() in RESULTS]
    films = [name for name in args.inputs if name not in results]
    if results and (args.emotions or args.text):
        raise UsageError(
            "--emotions and --text are asked of recordings; a result in JSON has its answers."
        )
    read: list[tuple[Timeline, Path]] = []
    for name in results:
        privacy.hide(name)
        read += [(timeline, Path(name).parent) for timeline in _result(Path(name))]
    return read + (_predicted(args, films, privacy, failed) if films else [])


def _result(path: Path) -> list[Timeline]:
    """Read a result of `moodal predict`.

    Raises:
        DataError: it is missing, or no such result.
    """
    from moodal.core.files import load_text
    from moodal.output.formats import from_json, from_jsonl

    read = from_json if RESULTS[path.suffix.lower()] == "json" else from_jsonl
    try:
        content = load_text(path, limit=1 << 30)
    except (OSError, UnicodeDecodeError) as error:
        reason = "there is no such file" if not path.exists() else error
        raise DataError(f"{path} cannot be read: {reason}.") from None
    return read(content, str(path))


def _predicted(
    args: argparse.Namespace, names: Sequence[str], privacy: Privacy, failed: list[DataError]
) -> list[tuple[Timeline, Path]]:
    from functools import partial

    from moodal.cli.inputs import recordings, warn_left_out
    from moodal.loading import load
    from moodal.model.batch import Job, predict_all

    left_out: list[Path] = []
    paths = recordings(names, left_out)
    if len(paths) > 1 and (args.text is not None or args.subtitles):
        raise UsageError(f"--text and --subtitles need a single recording; got {len(paths)}.")
    warn_left_out([Path(privacy.path(path)) for path in left_out])
    for path in filter(None, (args.subtitles, args.speakers, args.prior, *args.media)):
        privacy.hide(path)
    jobs = [Job(path, str(path)) for path in paths]
    for job in jobs:
        privacy.recording(job.name)
    timelines = []
    loader = partial(load, chosen_artefact(args.artefact))
    for answer in predict_all(jobs, loader, options_of(args), args.jobs, args.timeout):
        if isinstance(answer, DataError):
            failed.append(answer)
        else:
            timelines.append((answer, Path()))
    return timelines


@dataclass(frozen=True)
class _Recordings:
    """The recordings of a report's timelines.

    Attributes:
        files: number of the timeline -> its recording.
        refused: the numbers of timelines that name another file as their recording.
    """

    files: Mapping[int, Path]
    refused: Sequence[int] = ()


def _recordings(read: Sequence[tuple[Timeline, Path]]) -> _Recordings:
    """Find the recordings; a result may come from anybody and name any file as its recording."""
    from moodal.media.probe import is_recording
    from moodal.output.results import recording_of

    places = [recording_of(timeline, [folder]) for timeline, folder in read]
    named = {number: path for number, path in enumerate(places) if path is not None}
    files = {number: path for number, path in named.items() if is_recording(path)}
    return _Recordings(files, [number for number in named if number not in files])


def _write(
    args: argparse.Namespace,
    timelines: Sequence[Timeline],
    recordings: _Recordings,
    study: dict[str, Any] | None,
) -> dict[str, Any]:
    """Write the page, and say what it links or holds."""
    from moodal.core.files import replacing
    from moodal.output.report.media import embedded, linked
    from moodal.output.report.page import ReportMedia, report_html

    if args.pseudonyms and not args.embed:
        recordings = _Recordings({})  # an address would tell the name
    if args.embed:
        media = ReportMedia(embedded=embedded(recordings.files))
    else:
        media = ReportMedia(links=linked(recordings.files, args.out))
    text = report_html(timelines, media, study)
    with replacing(args.out) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    print(line(f"Written: {args.out}"), file=sys.stderr)
    kind = "embedded" if args.embed else "linked"
    if args.embed or not args.pseudonyms:
        _warn_of_missing(timelines, recordings, kind)
    return {"report": str(args.out), kind: [timelines[i].path for i in recordings.files]}


def _warn_of_missing(timelines: Sequence[Timeline], recordings: _Recordings, kind: str) -> None:
    """Say which recordings are not linked or embedded, and why."""
    refused = [timelines[i].path for i in recordings.refused]
    if refused:
        warn(f"not {kind}, since no sound, film or picture: {_listed(refused)}.")
    there = {*recordings.files, *recordings.refused}
    missing = [t.path for i, t in enumerate(timelines) if i not in there and t.duration]
    if missing:
        warn(f"not {kind}, since not there: {_listed(missing)}; readers can choose them.")


def _listed(names: Sequence[str]) -> str:
    """Return the first three names, and the number of the others."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"


def _design(args: argparse.Namespace) -> Design | None:
    """Read the design before anything is predicted; None without one."""
    from moodal.evaluation.design import read_design

    return read_design(args.design) if args.design else None


def _renamed(design: Design, paths: Sequence[str], privacy: Privacy) -> Design:
    """Return the design with the pseudonyms of recordings, participants, sessions and speakers."""
    matched, pseudonyms = design.match(paths), privacy.pseudonyms
    assert pseudonyms is not None
    rows = []
    for row in design.rows:
        i = matched.get(row.recording)
        recording = pseudonyms.recording(row.recording if i is None else paths[i])
        channel = row.channel if row.channel.isdigit() else pseudonyms.speaker(row.channel)
        unnamed = row.participant == row.recording  # the table has no participants
        participant = recording if unnamed else pseudonyms.participant(row.participant)
        names = {"recording": recording, "participant": participant, "channel": channel}
        rows.append(replace(row, session=pseudonyms.session(row.session), **names))
    return replace(design, rows=tuple(rows))


def _study(
    timelines: Sequence[Timeline], design: Design | None, table: Path | None
) -> dict[str, Any] | None:
    """Compute the study, write its table, and return it as JSON-ready data."""
    from moodal.evaluation.study import study

    if design is None:
        return None
    result = study(timelines, design)
    if table:
        print(line(f"Written: {result.write_csv(table)}"), file=sys.stderr)
    return result.to_dict()
