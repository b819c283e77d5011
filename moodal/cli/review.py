"""The command `review`: correct results, the least certain first, in the browser or a terminal."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodal.cli.browser import open_page
from moodal.cli.common import Arguments, tell, warn
from moodal.core.errors import UsageError

if TYPE_CHECKING:
    from moodal.serve.review_queue import Review, ReviewItem

CORRECTIONS = "corrections.csv"
"""The name of the file of corrections in the folder of the results."""

UNSURE, UNDO, SKIP, QUIT = "u", "z", "", "q"
"""Answers in the terminal besides the numbers of emotions."""


def review_arguments(parser: Arguments) -> None:
    """Add the arguments of `review`."""
    parser.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="results of moodal predict --format json --out FOLDER/ (or a .json or .jsonl file); "
        "their recordings are looked for where they were, and here",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"file of the corrections (default: FOLDER/{CORRECTIONS}); an existing one goes on",
    )
    parser.add_argument("--annotator", metavar="NAME", help="your name (default: the user's)")
    parser.add_argument(
        "--blind",
        action="store_true",
        help="hide the answer of an utterance until you have decided",
    )
    parser.add_argument(
        "--order",
        choices=("uncertain", "random", "time"),
        default="uncertain",
        help="which utterance comes first (default: the least certain one)",
    )
    parser.add_argument(
        "--pseudonyms",
        type=Path,
        metavar="KEY.csv",
        help="the key of results with pseudonyms, by which their recordings are found",
    )
    parser.add_argument(
        "--terminal", action="store_true", help="ask here, without a browser and sound"
    )
    parser.add_argument("--port", type=int, default=8766, help="port; 0 for any free one")
    parser.add_argument(
        "--no-browser", action="store_true", help="do not open the page in a browser"
    )


def review(args: argparse.Namespace) -> Any:
    """Review results, and say what was decided."""
    from moodal.core.correction import CorrectionFile
    from moodal.core.pseudonyms import Pseudonyms
    from moodal.output.results import read_results
    from moodal.serve.review_queue import Review

    passed_over: list[Path] = []
    timelines = read_results(args.folder, passed_over)
    folder = args.folder if args.folder.is_dir() else args.folder.parent
    file = CorrectionFile(args.out or folder / CORRECTIONS)
    queue = Review(
        timelines,
        file,
        annotator=args.annotator or _user(),
        blind=args.blind,
        order=args.order,
        folders=[folder, folder.parent],
        names=Pseudonyms(args.pseudonyms).recordings if args.pseudonyms else None,
    )
    if passed_over:
        warn(f"{len(passed_over)} JSON files that hold no results were passed over.")
    for note in queue.notes:
        warn(note)
    if args.terminal:
        _ask_all(queue)
    else:
        _serve(args, queue)
    if not args.json:
        decided = len(queue.items) - queue.left
        tell(f"{decided} of {len(queue.items)} utterances are decided: {file.path}")
    return {"corrections": str(file.path), "utterances": len(queue.items), "left": queue.left}


def _serve(args: argparse.Namespace, queue: Review) -> None:
    from moodal.serve.review_server import serve_review
    from moodal.serve.settings import ServeSettings

    def announce(address: str) -> None:
        tell(f"{queue.left} of {len(queue.items)} utterances are undecided.")
        tell(f"Open in a browser (good once):  {address}")
        tell("Each decision is kept at once. Stop with Ctrl-C.")
        sys.stdout.flush()
        if not args.no_browser:
            open_page(address)

    with contextlib.suppress(KeyboardInterrupt):  # the usual end
        serve_review(queue, ServeSettings(folder=Path(), port=args.port), announce)


def _ask_all(queue: Review) -> None:
    """Ask for each undecided utterance in the terminal, until there is none or the user stops."""
    if sys.stdin is None:
        raise UsageError("--terminal needs standard input.")
    place = 0
    while place < len(queue.queue):
        item = queue.queue[place]
        if "emotion" in queue.shown(item)["decided"]:
            place += 1
            continue
        tell(_described(queue, item))
        try:
            answer = input("> ").strip().lower()
        except EOFError:
            return
        if answer == QUIT:
            return
        if answer == UNDO:
            undone = queue.undo()
            place = queue.queue.index(undone) if undone else place
        elif answer == SKIP:
            place += 1
        elif (emotion := _emotion(item, answer)) is not None:
            queue.decide(item.number, {"emotion": emotion})
            if queue.blind:
                tell(f"The model says {item.prediction.label}.")
        else:
            tell(f"{answer!r} is none of the choices.")


def _described(queue: Review, item: ReviewItem) -> str:
    """Write an utterance and the choices, with the model's answer unless that is hidden."""
    p, shown = item.prediction, queue.shown(item)
    time = "" if p.start is None or p.end is None else f", {p.start:.1f} to {p.end:.1f} s"
    where = f"\n{item.timeline.path}{time}" + (f", {shown['person']}" if shown["person"] else "")
    words = f"\n  “{p.text}”" if p.text else ""
    judgement = ""
    if "answer" in shown:
        judgement = f"\n  The model says {p.label} ({p.probability or 0:.0%} {p.shown_emotion})."
    choices = "  ".join(f"{n} {emotion}" for n, emotion in enumerate(item.timeline.emotions, 1))
    keys = f"{UNSURE} unsure  {UNDO} undo  {QUIT} stop  Enter later"
    return f"{where}{words}{judgement}\n  {choices}  {keys}"


def _emotion(item: ReviewItem, answer: str) -> str | None:
    """Return the emotion of an answer: its number or its name; None if it is neither."""
    from moodal.core.timeline import UNSURE as UNDECIDED

    emotions = item.timeline.emotions
    if answer.isdecimal() and 1 <= int(answer) <= len(emotions):
        return emotions[int(answer) - 1]
    if answer in (UNSURE, UNDECIDED):
        return UNDECIDED
    return answer if answer in emotions else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
