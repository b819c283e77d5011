"""The command `live`: recognise emotions while somebody speaks, by microphone and camera."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodal.cli.common import (
    Arguments,
    artefact_path,
    default_artefact,
    privacy_arguments,
    tell,
    transcriber_arguments,
    warn,
)
from moodal.cli.predict import question_of
from moodal.core.errors import MoodalError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from moodal.core.privacy import Privacy
    from moodal.core.timeline import Timeline
    from moodal.media.camera import Camera
    from moodal.media.microphone import Microphone
    from moodal.media.playback import Playback
    from moodal.media.video import Picture
    from moodal.model.live import Live, LiveAnswer

WAIT = 0.2
"""Seconds after which it is seen whether the user wants an end."""


def live_arguments(parser: Arguments) -> None:
    """Add the arguments of `live`."""
    _device_arguments(parser)
    parser.add_argument(
        "--out",
        metavar="FILE.jsonl",
        help="write each answer as a JSON line; - for standard output",
    )
    parser.add_argument(
        "--emotions", help="emotion words, comma-separated (default: those of the artefact)"
    )
    parser.add_argument(
        "--artefact",
        type=artefact_path,
        default=Path("default"),
        help="the artefact to use: a folder, or hf://owner/name@revision (default: the one in the "
        "package)",
    )
    parser.add_argument("--vectors", help="word vectors for emotions that are new to the artefact")
    parser.add_argument("--streams", help="modalities to use, e.g. speech,face (default: all)")
    parser.add_argument(
        "--subtitles", type=Path, help="srt or vtt file with the words and their times"
    )
    parser.add_argument(
        "--asr",
        action="store_true",
        help="transcribe with Whisper; final answers then come up to 31 s later",
    )
    transcriber_arguments(parser)
    parser.add_argument(
        "--faces", choices=("main", "all"), default="main", help="the main face, or all faces"
    )
    parser.add_argument("--speakers", metavar="auto|N|FILE.rttm", help="who speaks, as in predict")
    parser.add_argument("--fps", type=float, default=5.0, help="pictures per second (default: 5)")
    parser.add_argument(
        "--step", type=float, metavar="SECONDS", help="slices of each utterance, as in predict"
    )
    parser.add_argument("--prior", help="how probable each emotion is beforehand, as in predict")
    privacy_arguments(parser)


def _device_arguments(parser: Arguments) -> None:
    """Add the arguments on what is listened to and watched, and for how long."""
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE",
        help="play this recording as if it were live, in place of a microphone and a camera",
    )
    parser.add_argument(
        "--fast", action="store_true", help="with --from: as fast as it is heard, not in real time"
    )
    parser.add_argument(
        "--microphone", metavar="NAME", help="number or name of it (default: the system's)"
    )
    parser.add_argument(
        "--no-microphone", action="store_true", help="listen to nothing, with --camera"
    )
    parser.add_argument(
        "--camera",
        nargs="?",
        const="",
        metavar="NAME",
        help="watch with a camera, too: its path, number or name (default: the system's)",
    )
    parser.add_argument("--devices", action="store_true", help="list the microphones, and end")
    parser.add_argument(
        "--seconds", type=float, help="end after so many seconds (default: with Ctrl-C)"
    )


def _require(args: argparse.Namespace) -> None:
    devices = args.microphone or args.no_microphone or args.camera is not None
    if args.source and devices:
        raise UsageError("--from plays a file; leave --microphone and --camera out.")
    if args.fast and not args.source:
        raise UsageError("--fast needs --from FILE: a microphone has its own pace.")
    if args.no_microphone and (args.camera is None or args.microphone):
        raise UsageError("--no-microphone needs --camera, and no --microphone.")
    if args.seconds is not None and not args.seconds > 0:
        raise UsageError(f"--seconds must be above 0; got {args.seconds:g}.")
    if args.out == "-" and args.json:
        raise UsageError("--json and --out - both write to standard output; leave one out.")
    if args.source and args.out and Path(args.out).resolve() == args.source.resolve():
        raise UsageError(f"{args.out} is the recording itself; choose another --out.")


def live(args: argparse.Namespace) -> Any:
    """Answer until the user ends it; return the timeline if --json asks for it."""
    from moodal.core.privacy import Privacy

    _require(args)
    if args.devices:
        return _devices(args)
    privacy = Privacy.of(args.pseudonyms, args.no_text)
    for path in filter(None, (args.subtitles, args.speakers, args.prior)):
        privacy.hide(path)
    if args.source is not None:
        privacy.recording(str(args.source))
    try:
        return _live(args, privacy)
    except MoodalError as error:
        raise type(error)(privacy.message(str(error))) from None


def _live(args: argparse.Namespace, privacy: Privacy) -> Any:
    from moodal.cli.live_output import LiveOutput
    from moodal.loading import load
    from moodal.model.options import PredictOptions

    options = PredictOptions(**question_of(args))
    model = load(default_artefact(args.artefact))
    with contextlib.ExitStack() as stack:
        source = _opened(args, stack)
        session = model.stream(
            rate=source.rate,
            channels=source.channels,
            name="" if args.source is None else str(args.source),
            pictures=source.has_pictures,
            options=options,
        )
        out = stack.enter_context(LiveOutput(args, session, privacy))
        ended = stack.enter_context(_interrupted())
        for event in source.events(ended):
            out.show(_taken(session, event))
            if args.seconds is not None and session.seconds >= args.seconds:
                break
        out.show(session.finish())
        out.finish(session.timeline)
    for sentence in source.failures():
        warn(privacy.message(sentence))
    return _delivered(args, privacy.timeline(session.timeline))


def _devices(args: argparse.Namespace) -> Any:
    from moodal.media.microphone import microphones

    names = microphones()
    if not args.json:
        for name in names or ["There is no microphone."]:
            tell(name)
    return names


def _taken(session: Live, event: np.ndarray | Picture) -> list[LiveAnswer]:
    from moodal.media.video import Picture

    if isinstance(event, Picture):
        return session.see(event.rgb, event.at, event.scale)
    return session.hear(event)


def _delivered(args: argparse.Namespace, timeline: Timeline) -> Any:
    if args.json:
        from moodal.output import formats

        return json.loads(formats.render([timeline], "json"))
    if args.out != "-":
        from moodal.output.terminal import show

        show([timeline])
    return None


@dataclass
class _Devices:
    """A microphone and a camera, of which one may be absent."""

    microphone: Microphone | None
    camera: Camera | None

    @property
    def rate(self) -> int | None:
        return None if self.microphone is None else self.microphone.rate

    @property
    def channels(self) -> int:
        return 1 if self.microphone is None else self.microphone.channels

    @property
    def has_pictures(self) -> bool:
        return self.camera is not None

    def events(self, ended: threading.Event) -> Iterator[np.ndarray | Picture]:
        """Yield samples and pictures as they come, until ``ended``."""
        while not ended.is_set():
            if self.camera is not None and self.microphone is not None:
                yield from self.camera.waiting()
            one = self.microphone or self.camera
            event = None if one is None else one.take_next(WAIT)
            if event is not None:
                yield event
            if self.microphone is None and self.camera is not None and self.camera.failure:
                return
        yield from self._waiting()

    def _waiting(self) -> Iterator[np.ndarray | Picture]:
        """Yield what was heard and seen, and not taken yet."""
        if self.camera is not None:
            yield from self.camera.waiting()
        if self.microphone is not None:
            self.microphone.stop()
            while (samples := self.microphone.take_next(0)) is not None:
                yield samples

    def failures(self) -> Iterator[str]:
        """Yield a sentence for each thing that went wrong."""
        if self.microphone is not None and self.microphone.lost:
            yield (
                f"Sound was lost {self.microphone.lost} times: this machine is too slow, or too "
                "busy."
            )
        if self.camera is not None and self.camera.failure:
            yield self.camera.failure


@dataclass
class _Played:
    """A file that is played as if it were live."""

    playback: Playback
    channels: int = 1

    @property
    def rate(self) -> int | None:
        from moodal.core.records import RATE

        return RATE if self.playback.has_sound else None

    @property
    def has_pictures(self) -> bool:
        return self.playback.has_pictures

    def events(self, ended: threading.Event) -> Iterator[np.ndarray | Picture]:
        """Yield samples and pictures, until the file has ended, or ``ended``."""
        from moodal.media.video import Picture

        for event in self.playback:
            if ended.is_set():
                return
            yield event if isinstance(event, Picture) else event.samples

    def failures(self) -> Iterator[str]:
        """Yield nothing: a file that cannot be read is an error."""
        yield from ()


def _opened(args: argparse.Namespace, stack: contextlib.ExitStack) -> _Devices | _Played:
    if args.source is not None:
        from moodal.media.playback import Playback

        return _Played(Playback(args.source, args.fps, fast=args.fast))
    from moodal.media.camera import Camera
    from moodal.media.microphone import Microphone

    # the camera is opened first, which takes longer, and begins with the microphone
    camera = None if args.camera is None else Camera(args.camera or None, args.fps)
    microphone = None
    if not args.no_microphone:
        device = args.microphone
        number = int(device) if device and device.isdecimal() else device
        microphone = stack.enter_context(Microphone(number))
    if camera is not None:
        stack.enter_context(camera)
    return _Devices(microphone, camera)


@contextlib.contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """Turn Ctrl-C into an event, so that no answer is lost; a second one ends at once."""
    ended = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield ended
        return

    def end(*_: object) -> None:
        if ended.is_set():
            raise KeyboardInterrupt
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
