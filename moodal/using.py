"""The commands that use an artefact: predict and adapt; and compose, which makes one."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodal.errors import DataError, UsageError

if TYPE_CHECKING:
    from moodal.commands import Arguments
    from moodal.timeline import Timeline

FORMATS = ("json", "csv", "srt", "textgrid", "eaf")


def predict_arguments(parser: Arguments) -> None:
    parser.add_argument(
        "inputs", nargs="*", metavar="INPUT",
        help="recordings, texts, pictures; a folder, a glob, or - for standard input",
    )  # fmt: skip
    parser.add_argument("--text", help="what is said in the recording; alone: a text to judge")
    parser.add_argument("--subtitles", type=Path, help="an srt or vtt file with what is said when")
    parser.add_argument("--emotions", help="any words, with commas; default: the basic seven")
    parser.add_argument("--artefact", type=Path, help="default: the one that comes along")
    parser.add_argument("--streams", default="text,speech,face", help="modalities that may be used")
    parser.add_argument(
        "--asr", action=argparse.BooleanOptionalAction, default=None,
        help="transcribe with Whisper tiny.en; default: where it is installed and words lack",
    )  # fmt: skip
    parser.add_argument("--whole", action="store_true", help="each recording is one utterance")
    parser.add_argument("--faces", choices=("main", "all"), default="main")
    parser.add_argument(
        "--fps", type=float, default=5.0, help="pictures a second that are looked at"
    )
    parser.add_argument("--format", choices=FORMATS, help="write this instead of a table")
    parser.add_argument(
        "--out", type=Path, help="file or folder for --format (default: the terminal)"
    )
    parser.add_argument("--plot", type=Path, help="a .png or .svg; for several inputs a folder")
    parser.add_argument("--jobs", type=int, default=1, help="recordings that are read at once")


def predict(args: argparse.Namespace) -> Any:
    from moodal.use.batch import Job, predict_all
    from moodal.use.inputs import STDIN, recordings, standard_input

    options = {
        "text": args.text, "subtitles": args.subtitles, "asr": args.asr, "whole": args.whole,
        "faces": args.faces, "fps": args.fps,
        "emotions": args.emotions.split(",") if args.emotions else None,
        "streams": tuple(s.strip() for s in args.streams.split(",") if s.strip()),
    }  # fmt: skip
    _require(args)
    if STDIN in args.inputs:
        if args.inputs != [STDIN]:
            raise UsageError("Standard input (-) goes alone.")
        with standard_input() as path:
            done = predict_all([Job(path, STDIN)], args.artefact, options, 1)
    elif not args.inputs:
        done = predict_all([Job(None, "")], args.artefact, options, 1)
    else:
        jobs = [Job(path, str(path)) for path in recordings(args.inputs)]
        if len(jobs) > 1 and (args.text or args.subtitles):
            raise UsageError("--text and --subtitles are of one recording; got several.")
        done = predict_all(jobs, args.artefact, options, args.jobs)
    timelines = [t for t in done if not isinstance(t, DataError)]
    failed = [t for t in done if isinstance(t, DataError)]
    if failed and len(done) == 1:
        raise failed[0]
    try:
        return _told(args, timelines)
    finally:
        for error in failed:
            print(f"moodal: left out: {error}", file=sys.stderr)
        if failed:
            print(f"moodal: {len(failed)} of {len(done)} were left out.", file=sys.stderr)


def _require(args: argparse.Namespace) -> None:
    if not args.inputs and args.text is None:
        raise UsageError("Name a recording, a folder, or - ; or give a --text.")
    if args.jobs < 1:
        raise UsageError(f"--jobs is 1 or more; got {args.jobs}.")
    if not 0 < args.fps <= 60:
        raise UsageError(f"--fps is above 0 and at most 60; got {args.fps:g}.")
    if args.out and not args.format:
        raise UsageError("--out wants a --format: json, csv, srt, textgrid or eaf.")
    if args.json and args.format not in (None, "json"):
        raise UsageError(f"--json and --format {args.format} do not go together.")


def _told(args: argparse.Namespace, timelines: Sequence[Timeline]) -> Any:
    """Write, print or draw what was found."""
    import json

    from moodal.use import formats
    from moodal.use.show import show

    if args.plot:
        _plot(args.plot, timelines)
    if args.json:
        return json.loads(formats.render(timelines, "json"))
    if args.format and args.out:
        for path in formats.write(timelines, args.format, args.out):
            print(f"Written: {path}", file=sys.stderr)
    elif args.format:
        sys.stdout.write(formats.render(timelines, args.format))
    else:
        show(timelines)
    return None


def _plot(out: Path, timelines: Sequence[Timeline]) -> None:
    from moodal.use.plot import plot

    if len(timelines) == 1 and out.suffix:
        plot(timelines[0], out)
        return
    if out.suffix and len(timelines) > 1:
        raise UsageError(
            f"--plot {out} is one picture for {len(timelines)} recordings; name a folder."
        )
    names: dict[str, int] = {}
    for timeline in timelines:
        stem = Path(timeline.path).name or "recording"
        names[stem] = names.get(stem, 0) + 1
        number = f"-{names[stem]}" if names[stem] > 1 else ""
        plot(timeline, out / f"{stem}{number}.png")


def adapt_arguments(parser: Arguments) -> None:
    parser.add_argument("word", help="the emotion, e.g. relieved")
    parser.add_argument("clips", nargs="+", help="recordings, texts or pictures that show it")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new artefact")
    parser.add_argument("--artefact", type=Path, help="default: the one that comes along")
    parser.add_argument(
        "--replace", action="store_true", help="also where the word is known already"
    )


def adapt(args: argparse.Namespace) -> Any:
    from moodal.use.adapt import adapt
    from moodal.use.inputs import recordings
    from moodal.use.predictor import load

    clips = recordings(args.clips)
    made = adapt(load(args.artefact), args.word, clips, args.out, replace=args.replace)
    if not args.json:
        print(f"{args.word} is known from {len(clips)} clips in {made}; use it with --artefact.")
    return {"artefact": str(made), "word": args.word, "clips": len(clips)}


def compose_arguments(parser: Arguments) -> None:
    parser.add_argument("recipe", type=Path, help="e.g. recipes/artefact/default.toml")
    parser.add_argument("--data", type=Path, required=True, help="folder in which the corpora lie")
    parser.add_argument("--work", type=Path, required=True, help="folder for features, trainings")
    parser.add_argument("--out", type=Path, required=True, help="folder of the artefact")


def compose(args: argparse.Namespace) -> Any:
    from moodal.learn.compose import compose

    made = compose(
        args.recipe, args.out, data=args.data, work=args.work, commit=_commit(), tell=_tell
    )
    if not args.json:
        print(f"Written to {made}; its card is {made}/README.md.")
    return {"artefact": str(made)}


def _tell(said: str) -> None:
    print(f"moodal compose: {said}", file=sys.stderr)


def _commit() -> str:
    """The commit of the code, "" where it is no checkout; "+" where files differ from it."""
    root = Path(__file__).parent
    try:
        name = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
        found = subprocess.run(name, capture_output=True, text=True, check=True).stdout.strip()
        changed = ["git", "-C", str(root), "status", "--porcelain", "--", "."]
        rest = subprocess.run(changed, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found + "+" * bool(rest)
