"""How long a live session takes from the end of an utterance's pause to its final answer.

    python benchmarks/live.py [--clips FOLDER] [--count 40] [--block 0.02] [--film FILE]
                              [--speakers auto] [--finals] [--out FILE.json]

Clips are joined by pauses of 0.6 to 2 s, or ``--film`` is played with its pictures. The sound comes
in blocks as from a microphone: each at its time, or, if the session is still busy, when it has
ended. So latency holds the work on the last block and all that had to wait, and provisional answers
count as work. It is measured from the sample that completes the closing pause: a pause of 0.352 s
closes an utterance. Blocks are not waited for: time passes by their length, and by what the work
on them takes, as time on the wall and as CPU time of the process. Where others use the machine,
CPU time says more. Utterances of which no pause tells, such as the last one, are left out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import moodal
from moodal.core.records import RATE
from moodal.media.audio import read_audio
from moodal.media.blocks import Block
from moodal.media.playback import Playback
from moodal.media.video import Picture
from moodal.modalities.speech.segment import PAD
from moodal.model.live import Live, LiveAnswer
from moodal.model.pace import Pace

ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "examples" / "clip.mp4"
CLOSING = 11 * 512 / RATE
"""Seconds of the pause that closes an utterance: 11 chunks of the detector of speech."""


def joined(paths: list[Path], seed: int = 0) -> np.ndarray:
    """The clips [n] with pauses of faint noise before, between and after them."""
    rng = np.random.default_rng(seed)
    pieces = []
    for path in [None, *paths]:
        if path is not None:
            pieces.append(read_audio(path))
        pieces.append(rng.normal(0, 1e-4, round(rng.uniform(0.6, 2.0) * RATE)).astype(np.float32))
    return np.concatenate(pieces)


def sound_events(samples: np.ndarray, seconds: float) -> Iterator[tuple[float, Block | Picture]]:
    """The sound in blocks, each with the second at which it has come."""
    size = round(seconds * RATE)
    for at in range(0, len(samples), size):
        block = samples[at : at + size]
        yield (at + len(block)) / RATE, Block(at / RATE, block)


def film_events(path: Path) -> Iterator[tuple[float, Block | Picture]]:
    """The sound and pictures of a film, each with the second at which it has come."""
    for event in Playback(path, 5.0, fast=True):
        if isinstance(event, Picture):
            yield event.at, event
        else:
            yield event.start + len(event.samples) / RATE, event


def measured(
    session: Live, events: Iterator[tuple[float, Block | Picture]], clock: Any
) -> dict[str, Any]:
    """Give a session what comes at its time, and return how late its answers were."""
    ready = work = 0.0
    latencies, provisional, costs = [], 0, []
    reached = 0.0
    for at, event in events:
        began = clock()
        if isinstance(event, Picture):
            answers = session.see(event.rgb, event.at, event.scale)
        else:
            answers = session.hear(event.samples)
        cost = clock() - began
        ready, work, reached = max(ready, at) + cost, work + cost, max(reached, at)
        finals = [one for one in answers if not one.provisional]
        latencies += [ready - due(one) for one in finals if one.prediction.end < reached]
        if answers and not finals:
            provisional += 1
            costs.append(cost)
    session.finish()
    return {
        "utterances": len(latencies),
        "seconds": reached,
        "median": float(np.median(latencies)),
        "95th percentile": float(np.percentile(latencies, 95)),
        "largest": float(np.max(latencies)),
        "provisional answers": provisional,
        "median seconds of one": float(np.median(costs)) if costs else None,
        "work per second of sound": work / reached,
    }


def due(answer: LiveAnswer) -> float:
    """The second at which the pause after an utterance was complete."""
    assert answer.prediction.end is not None
    return max(answer.prediction.end - PAD + CLOSING, 2.0)  # an offset is sought in the first 2 s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, help="folder of recordings (default: the example)")
    parser.add_argument("--count", type=int, default=40, help="clips of it, evenly chosen")
    parser.add_argument("--block", type=float, default=0.02, help="seconds of a block")
    parser.add_argument("--film", type=Path, help="a film, with its pictures, in place of clips")
    parser.add_argument("--speakers", help="as in predict")
    parser.add_argument("--finals", action="store_true", help="without provisional answers")
    parser.add_argument("--out", type=Path, help="JSON file of the figures")
    args = parser.parse_args()
    model = moodal.load()
    if args.finals:
        Pace.is_due = lambda *_: False
    report = {}
    for name, clock in (("wall", time.perf_counter), ("cpu", time.process_time)):
        if args.film:
            events = film_events(args.film)
        else:
            paths = sorted(p for p in args.clips.rglob("*") if p.is_file()) if args.clips else []
            step = max(1, len(paths) // args.count)
            events = sound_events(joined(paths[::step][: args.count] or [CLIP] * 10), args.block)
        session = model.stream(
            rate=RATE, pictures=bool(args.film), asr=False, speakers=args.speakers
        )
        report[name] = measured(session, events, clock)
    print(json.dumps(report, indent=2))
    if args.out:
        args.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
