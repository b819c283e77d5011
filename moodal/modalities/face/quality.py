"""How well the faces of an utterance can be seen, and which of them is the main one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from moodal.modalities.face.track import Sighting

SMALL = 36.0
"""Pixels of the file to a crop's side below which a face has less detail than the network knows."""

BLURRED = 0.2
"""`moodal.modalities.face.detect.sharpness` below which a crop is blurred: what FER2013's and
videos' faces have left after a Gaussian blur of 1.5 pixels of the crop is 0.07 to 0.21."""

RARE = 0.5
"""Share of the pictures below which it is told how seldom the face is seen."""

UNSURE = 0.5
"""The detector's score below which a face may be none, or is turned away."""


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
