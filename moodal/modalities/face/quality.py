"""The faces of a recording: followed, weighed, and judged by how well they can be seen.

Finding and following live with the encoders (`moodal.modalities.face.detect` and `face_tracks`),
since training uses the same; their names are repeated here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from moodal.media.video import Picture
from moodal.modalities.face.detect import Box, crop, detect
from moodal.modalities.face.track import Follower, Sighting, Track, main_track

__all__ = [
    "Box",
    "Follower",
    "Sighting",
    "Track",
    "by_track",
    "crop",
    "detect",
    "face_flags",
    "face_quality",
    "follow",
    "main_of",
    "main_track",
]

SMALL = 36.0
"""Pixels of the file to a crop's side below which a face has less detail than the network knows."""

BLURRED = 0.2
"""`moodal.modalities.face.detect.sharpness` below which a crop is blurred: what FER2013's and
videos' faces have left after a Gaussian blur of 1.5 pixels of the crop is 0.07 to 0.21."""

RARE = 0.5
"""Share of the pictures below which it is told how seldom the face is seen."""

UNSURE = 0.5
"""The detector's score below which a face may be none, or is turned away."""


def follow(
    pictures: Iterable[Picture], follower: Follower | None = None
) -> Iterator[tuple[float, list[Sighting]]]:
    """Of each picture its seconds and the faces in it, the largest first.

    Nothing is kept but what ``follower.tracks`` remembers, 36 bytes a face and picture.

    Args:
        pictures: in the order of their times, as `moodal.media.video.frames` gives them.
        follower: whose tracks are wanted afterwards.

    Raises:
        DataError: as `moodal.media.video.frames`.
    """
    follower = follower or Follower()
    for picture in pictures:
        yield picture.at, follower.look(picture)


def by_track(sightings: Iterable[Sighting]) -> dict[int, list[Sighting]]:
    """Number of the face -> its sightings, in their order."""
    faces: dict[int, list[Sighting]] = {}
    for seen in sightings:
        faces.setdefault(seen.track, []).append(seen)
    return faces


def main_of(sightings: Iterable[Sighting]) -> int | None:
    """Number of the face that is seen longest and largest in a stretch; as `main_track`."""
    weights = {n: sum(s.pixels for s in seen) for n, seen in by_track(sightings).items()}
    return max(weights, key=lambda n: (weights[n], -n), default=None)


def face_quality(sightings: Sequence[Sighting], looked: int) -> dict[str, float]:
    """How well one face can be seen, from its sightings in a stretch of ``looked`` pictures.

    Returns:
        ``pixels``: median side of its crops in pixels of the file; ``sharpness``: median, see
        `moodal.modalities.face.detect.sharpness`; ``seen``: share of the pictures, 0 to 1;
        ``score``: the detector's, median. Only ``seen``, 0, where it is never seen.
    """
    if not sightings:
        return {"seen": 0.0}
    return {
        "pixels": float(np.median([s.pixels for s in sightings])),
        "sharpness": float(np.median([s.sharpness for s in sightings])),
        "seen": min(1.0, len(sightings) / max(1, looked)),
        "score": float(np.median([s.box.score for s in sightings])),
    }


def face_flags(quality: Mapping[str, float]) -> tuple[str, ...]:
    """What a reader should know of a face of this `face_quality`: a sentence each."""
    if not quality.get("seen"):
        return ("No face is seen.",)
    flags = []
    if quality["pixels"] < SMALL:
        flags.append(f"The face is small: {quality['pixels']:.0f} pixels; {SMALL:.0f} are wanted.")
    elif quality["sharpness"] < BLURRED:
        flags.append("The face is blurred.")
    if quality["seen"] < RARE:
        flags.append(f"The face is seen in {quality['seen']:.0%} of the pictures.")
    if quality["score"] < UNSURE:
        flags.append("The face is turned away or hidden in part, or may be none.")
    return tuple(flags)
