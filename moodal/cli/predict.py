"""The command `predict`: recognise emotions over time in recordings, texts and pictures."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodal.cli.common import (
    Arguments,
    artefact_path,
    chosen_artefact,
    prior_arguments,
    privacy_arguments,
    share_heap,
    transcriber_arguments,
    uncollected,
    warn,
)
from moodal.cli.engine import engine_arguments, predict_on_engine
from moodal.core.errors import LeftOutError, MoodalError, UsageError

if TYPE_CHECKING:
    from moodal.core.privacy import Privacy
    from moodal.model.batch import Job
    from moodal.model.model import Model
    from moodal.model.options import PredictOptions


LONGEST_TIMEOUT = 7 * 86400.0


class FormatNames(Collection[str]):
    """The names of `moodal.output.formats.FORMATS`, imported when they are first needed."""

    def __contains__(self, name: object) -> bool:
        return name in self._table()

    def __iter__(self) -> Iterator[str]:
        return iter(self._table())

    def __len__(self) -> int:
        return len(self._table())

    @staticmethod
    def _table() -> Collection[str]:
        from moodal.output.formats import FORMATS

        return FORMATS


def predict_arguments(parser: Arguments) -> None:
    """Add the arguments of `predict`."""
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="recordings, texts or pictures; a folder, a pattern such as *.mp4, or - for standard "
        "input",
    )
    question_arguments(parser)
    output_arguments(parser)


def question_arguments(parser: Arguments) -> None:
    """Add the arguments on what is read of recordings, and what is asked of them."""
    parser.add_argument(
        "--text", help="transcript of the recording; without INPUT, the text to analyse"
    )
    parser.add_argument(
        "--subtitles", type=Path, help="srt or vtt file with the words and their times"
    )
    parser.add_argument(
        "--emotions", help="emotion words, comma-separated (default: those of the artefact)"
    )
    parser.add_argument(
        "--artefact",
        type=artefact_path,
        help="the artefact to use: a folder, or hf://owner/name@revision (default: the one in the "
        "package)",
    )
    parser.add_argument("--streams", help="modalities to use, e.g. text,face (default: all)")
    parser.add_argument(
        "--media",
        action="append",
        default=[],
        metavar="MODALITY=FILE",
        help="a further file of the recording that this modality reads; may be repeated",
    )
    parser.add_argument(
        "--track",
        metavar="N|LANGUAGE",
        help="sound track of a file with several (default: the one that the file marks as default)",
    )
    parser.add_argument("--vectors", help="word vectors for emotions that are new to the artefact")
    parser.add_argument(
        "--level",
        action="store_true",
        help="take the constant of the recording channel off the evidence, estimated from the "
        "other utterances of the inputs; presumes the prior",
    )
    prior_arguments(parser)
    parser.add_argument(
        "--asr",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="transcribe with Whisper (default: if it is installed and there is no transcript)",
    )
    transcriber_arguments(parser)
    _utterance_arguments(parser)


def _utterance_arguments(parser: Arguments) -> None:
    """Add the arguments on what an utterance is, whose it is, and how often it is answered."""
    parser.add_argument(
        "--whole", action="store_true", help="treat each recording as one utterance"
    )
    parser.add_argument(
        "--faces",
        choices=("main", "all"),
        default="main",
        help="follow the main face of each utterance, or all faces (default: main)",
    )
    parser.add_argument(
        "--speakers",
        metavar="auto|N|channels|FILE.rttm",
        help="who speaks: auto, by voice; N, by voice, N speakers; channels, one in each; or as an "
        "RTTM file says (default: as subtitles say)",
    )
    parser.add_argument(
        "--fps", type=float, default=5.0, help="video frames analysed per second (default: 5)"
    )
    parser.add_argument(
        "--step",
        type=float,
        metavar="SECONDS",
        help="answer every so many seconds, 0.25 to 5, within each utterance (default: do not)",
    )


def output_arguments(parser: Arguments) -> None:
    """Add the arguments on what `predict` writes, and how it runs."""
    parser.add_argument(
        "--face-actions",
        nargs="?",
        const="",
        metavar="FILE.csv",
        help="tell what the face does in each picture (action units, blendshapes, head pose, gaze, "
        "blink, mouth), in the other outputs and in this table",
    )
    parser.add_argument(
        "--format",
        choices=FormatNames(),
        metavar="FORMAT",
        help="write this format instead of showing a table: %(choices)s",
    )
    parser.add_argument(
        "--summary",
        action="store_true",
        help="with --format csv: a row per recording, and per person, instead of a row per "
        "utterance",
    )
    parser.add_argument(
        "--out",
        help="file or folder/ for --format (default: standard output); with --engine, the folder "
        "or URL of Parquet partitions",
    )
    parser.add_argument(
        "--plot",
        type=Path,
        help="plot to this .png or .svg file, or for several inputs to this folder",
    )
    privacy_arguments(parser)
    batch_arguments(parser)
    parser.set_defaults(jobs=None)  # one process, or all processors of a cluster
    engine_arguments(parser)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="with --format jsonl --out FILE: leave out the recordings that FILE already has",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="end with exit code 8 if any file was left out; the others are still written",
    )


def batch_arguments(parser: Arguments) -> None:
    """Add the arguments on how many recordings are predicted at once, and for how long."""
    parser.add_argument("--jobs", type=int, default=1, help="recordings processed in parallel")
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="the most time that one recording may take"
    )


def question_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a prediction for which a command has arguments of the same name.

    They are those of a live session, too.
    """
    names = (
        *("emotions", "vectors", "streams", "subtitles", "asr", "asr_model", "language"),
        *("faces", "speakers", "fps", "step", "prior"),
    )
    return {name: vars(args)[name] for name in names}


def options_of(args: argparse.Namespace) -> PredictOptions:
    """Convert the arguments of the command line to options of a prediction."""
    from moodal.cli.common import pair
    from moodal.model.options import PredictOptions

    return PredictOptions(
        **question_of(args),
        text=args.text,
        whole=args.whole,
        face_actions=args.face_actions is not None,
        media=dict(pair(text, "--media") for text in args.media),
        track=args.track,
        level=args.level,
        level_strength=args.level_strength,
    )


def predict(args: argparse.Namespace) -> Any:
    """Predict and show, write or plot the timelines; return them if --json asks for it."""
    with uncollected():
        from moodal.core.privacy import Privacy

    if args.engine:
        _require_numbers(args)
        return predict_on_engine(args, options_of(args))
    _require_face_table(args)
    _require(args)
    privacy = Privacy.of(args.pseudonyms, args.no_text)
    try:
        return _predict(args, privacy)
    except LeftOutError:
        raise  # names what was left out as the answers do
    except MoodalError as error:
        raise type(error)(privacy.message(str(error))) from None


def _predict(args: argparse.Namespace, privacy: Privacy) -> Any:
    from functools import partial

    share_heap()
    with uncollected():
        from moodal.cli.answers import Answers
        from moodal.loading import load
        from moodal.model.batch import predict_all

    options, loader = options_of(args), partial(load, chosen_artefact(args.artefact))
    left_out: list[Path] = []
    with contextlib.ExitStack() as stack:
        jobs = _jobs(args, stack, left_out)
        for path in filter(None, (args.subtitles, args.speakers, args.prior, *args.media)):
            privacy.hide(path)
        for job in jobs:
            privacy.recording(job.name)
        if args.face_actions:
            from moodal.output.formats.face_csv import require_other

            for job in jobs:
                require_other(Path(args.face_actions), job.name)
        answers = Answers(args, len(jobs), left_out, privacy)
        answers.begin()
        asked = partial(_asked, args, loader)
        waiting = answers.resumed(jobs, asked) if args.resume else jobs
        try:
            for answer in predict_all(waiting, loader, options, args.jobs or 1, args.timeout):
                answers.add(answer)
        except KeyboardInterrupt:
            answers.deliver()
            raise
    return answers.deliver()


def _jobs(args: argparse.Namespace, stack: contextlib.ExitStack, left_out: list[Path]) -> list[Job]:
    """List the recordings that the arguments name, and check that no output overwrites one."""
    from moodal.cli.inputs import recordings, standard_input
    from moodal.model.batch import STDIN, Job

    if STDIN in args.inputs:
        if args.inputs != [STDIN]:
            raise UsageError("Standard input (-) cannot be combined with other inputs.")
        return [Job(stack.enter_context(standard_input()), STDIN)]
    if not args.inputs:
        return [Job(None, "")]
    jobs = [Job(path, str(path)) for path in recordings(args.inputs, left_out)]
    if len(jobs) > 1:
        _require_for_several(args, len(jobs))
    if args.out and (args.format in ("srt", "jsonl") or args.pseudonyms):
        _require_other_file(args, [job.path for job in jobs if job.path])
    return jobs


def _asked(args: argparse.Namespace, load: Callable[[], Model]) -> tuple[object, ...]:
    """Return what a line of an earlier run has in common with one of this command.

    That is the artefact's digest, the emotions, the prior and the step.
    """
    model = load().under(args.prior)
    asked = model.ask(options_of(args).words(model.info.labels), args.vectors)
    emotions = () if asked.values else tuple(asked.shown)
    return model.info.digest, emotions, model.scorer.assumes, args.step


def _require(args: argparse.Namespace) -> None:
    if not args.inputs and args.text is None:
        raise UsageError("Name a recording, a folder or -, or pass a text with --text.")
    _require_numbers(args)
    if args.out and not args.format:
        raise UsageError(f"--out needs a --format: {', '.join(FormatNames())}.")
    if args.resume and (args.format != "jsonl" or not args.out or args.level):
        raise UsageError("--resume needs --format jsonl --out FILE, and no --level.")
    if (
        args.format == "jsonl"
        and args.out
        and (Path(args.out).is_dir() or args.out.endswith(("/", "\\")))
    ):
        raise UsageError(f"--format jsonl is one file; name it, such as {args.out}/answers.jsonl.")
    if args.summary and args.format != "csv":
        raise UsageError("--summary needs --format csv; json and the table have it without asking.")
    if args.json and args.format not in (None, "json"):
        raise UsageError(f"--json and --format {args.format} cannot be combined.")
    if args.pseudonyms and args.out and Path(args.out).resolve() == args.pseudonyms.resolve():
        raise UsageError(f"--out and --pseudonyms both name {args.out}; choose two files.")
    if args.plot and args.plot.suffix.lower() not in ("", ".png", ".svg"):
        raise UsageError(f"A plot must be a .png or .svg file; got {args.plot.name}.")


def _require_numbers(args: argparse.Namespace) -> None:
    """Check the numbers on the command line."""
    if args.jobs is not None and args.jobs < 1:
        raise UsageError(f"--jobs must be 1 or more; got {args.jobs}.")
    if not 0 < args.fps <= 60:
        raise UsageError(f"--fps must be above 0 and at most 60; got {args.fps:g}.")
    if args.timeout is not None and not 0 < args.timeout <= LONGEST_TIMEOUT:
        raise UsageError(
            f"--timeout is above 0 and at most a week of seconds; got {args.timeout:g}."
        )


def _require_face_table(args: argparse.Namespace) -> None:
    """Check the table of what faces do before anything is read."""
    if args.face_actions is not None and args.resume:
        raise UsageError("--resume and --face-actions cannot be combined: a row would be missing.")
    if not args.face_actions:
        shown = args.format in ("json", "jsonl", "eaf", "textgrid") or args.json or args.plot
        if args.face_actions is not None and not shown:
            warn(
                "What faces do is in no table of utterances; name a file, as in --face-actions "
                "faces.csv, or choose --format json, eaf or textgrid, or --plot."
            )
        return
    path = Path(args.face_actions)
    if path.is_dir() or args.face_actions.endswith(("/", "\\")):
        raise UsageError(f"{path} is a folder; name a file for --face-actions, such as faces.csv.")
    if path.suffix.lower() != ".csv":
        raise UsageError(
            f"--face-actions writes a .csv file; got {path.name}. Inputs come before it, as in "
            "moodal predict film.mp4 --face-actions faces.csv."
        )
    if args.out and Path(args.out).resolve() == path.resolve():
        raise UsageError(f"--out and --face-actions both name {path}; choose two files.")


def _require_for_several(args: argparse.Namespace, count: int) -> None:
    """Check the options for several recordings before any of them is read."""
    from moodal.output.formats import FORMATS

    if args.text is not None or args.subtitles:
        raise UsageError(f"--text and --subtitles need a single recording; got {count}.")
    if args.plot and args.plot.suffix:
        raise UsageError(
            f"--plot {args.plot} is one file for {count} recordings; name a folder instead."
        )
    folder = args.out and (Path(args.out).is_dir() or args.out.endswith(("/", "\\")))
    if args.format and not FORMATS[args.format].several and not folder:
        raise UsageError(
            f"A file of --format {args.format} holds one recording, but there are {count}: "
            f"name a folder with --out, ending in /, such as --out {args.out or 'FOLDER'}/."
        )


def _require_other_file(args: argparse.Namespace, paths: Sequence[Path]) -> None:
    """Check that the output overwrites no recording, and no subtitles that are read."""
    from moodal.media.subtitles import subtitles_of

    for path in paths:
        if path.resolve() == Path(args.out).resolve():
            raise UsageError(f"{args.out} is the recording itself; choose another --out.")
        subtitles = args.subtitles or subtitles_of(path)
        if subtitles and Path(args.out).resolve() == subtitles.resolve():
            raise UsageError(f"{args.out} contains the subtitles of {path}; choose another --out.")
