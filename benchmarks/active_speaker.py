"""Whose face speaks: films composed side by side of sample videos, with the sound of one of them.

    python benchmarks/active_speaker.py FACE_VIDEO_SAMPLES

FACE_VIDEO_SAMPLES is a folder with the three videos of tests (an actor of RAVDESS who speaks, a
woman who makes faces, and a man who begins to smile). The actor stands to the left, in the middle
or to the right, at several sizes and rates, and the others begin at several times. Printed is in
how many seconds of speech the voice was given to the actor, to another face, or to nobody; and for
films without the actor, how often his voice was said to come from outside of the picture.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from moodal.media.audio import read_audio
from moodal.media.video import Picture, frames
from moodal.modalities.face.observe import Face
from moodal.modalities.modality import Settings, Window
from moodal.modalities.speech.segment import speech_spans

SPEAKER = "ravdess_01-01-01-01-01-01-01.mp4"
OTHERS = ("WolfgangLanger_Pexels.mp4", "single_face.mp4")
RATES = (5.0, 25.0)
HEIGHTS = (180, 300)
OFFSETS = (0.0, 3.0)
"""Seconds at which the woman's video begins."""


def main(folder: Path) -> None:
    """Compose the films, and print whose the voice is said to be."""
    sound = read_audio(folder / SPEAKER, rate=16000)
    (span,) = speech_spans([(0.0, sound)])
    print(f"speech from {span.start:.1f} to {span.end:.1f} s")
    pictures = {
        (name, rate): list(frames(folder / name, rate, longest=640))
        for name in (SPEAKER, *OTHERS)
        for rate in RATES
    }
    seconds: Counter[str] = Counter()
    for rate, height, offset, place in itertools.product(RATES, HEIGHTS, OFFSETS, range(4)):
        names = [*OTHERS]
        if place < 3:
            names.insert(place, SPEAKER)
        own = {name: pictures[name, rate] for name in names}
        answer = voice_of(composed(own, rate, height, offset), rate, span.start, span.end, names)
        kind = "with the actor" if place < 3 else "without him"
        seconds[f"{kind}: {answer}"] += round(1000 * (span.end - span.start))
    for kind in ("with the actor", "without him"):
        total = sum(v for k, v in seconds.items() if k.startswith(kind))
        for key in sorted(k for k in seconds if k.startswith(kind)):
            share = seconds[key] / total
            print(f"{key}: {share:.3f} of {total / 1000:.0f} s of speech")


def composed(
    films: dict[str, list[Picture]], rate: float, height: int, offset: float
) -> Iterator[Picture]:
    """Yield the pictures of films side by side, each at ``height``; they repeat when they end."""
    from PIL import Image

    count = len(films[SPEAKER]) if SPEAKER in films else round(3.3 * rate)
    for i in range(count):
        parts = []
        for name, own in films.items():
            late = round(offset * rate) if name == OTHERS[0] else 0
            rgb = own[(i + late) % len(own)].rgb
            size = (round(rgb.shape[1] * height / rgb.shape[0]), height)
            parts.append(np.asarray(Image.fromarray(rgb).resize(size)))
        yield Picture(i / rate, np.concatenate(parts, axis=1), 1.0)


def voice_of(
    pictures: Iterator[Picture], rate: float, start: float, end: float, names: list[str]
) -> str:
    """Return to whom the voice is given: "the actor", "another face" or "nobody in sight"."""
    face = Face(Settings(rate, every=True))
    width = 0
    for picture in pictures:
        width = picture.rgb.shape[1]
        face.watch(face.look(picture))
    observed = face.observe(Window(start, end))
    if not isinstance(observed, list):
        return "no face"
    speaking = [o for o in observed if o.speaks]
    if not speaking:
        return "nobody in sight"
    track = speaking[0].track
    boxes = [s.box for s in face._sightings if s.track == track]
    at = float(np.median([box.centre[0] for box in boxes])) / width
    others = [name for name in names if name != SPEAKER]
    if SPEAKER not in names:
        return f"another face ({len(others)} seen)"
    share = 1 / len(names)
    return "the actor" if int(at / share) == names.index(SPEAKER) else "another face"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
