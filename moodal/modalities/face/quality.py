"""How well the faces of an utterance can be seen, and which of them is the main one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from moodal.modalities.face.track import Sighting

SMALL = 36.0
"""Pixels of a crop's side in the file below which a face has less detail than those of training."""

BLURRED = 0.2
"""`moodal.modalities.face.picture.sharpness` below which a crop is blurred: after a Gaussian blur
of 1.5 pixels of the crop, faces of FER2013 and of videos have 0.07 to 0.21."""

RARE = 0.5
"""Share of the pictures with the face below which a flag gives this share."""

UNSURE = 0.5
"""The landmarks' score below which a face is uncertain."""

TURNED = 60.0
"""Degrees of yaw beyond which half of the face is hidden."""


def by_track(sightings: Iterable[Sighting]) -> dict[int, list[Sighting]]:
    """Group sightings by the number of the face, in their order."""
    faces: dict[int, list[Sighting]] = {}
    for sighting in sightings:
        faces.setdefault(sighting.track, []).append(sighting)
    return faces


def prominence(sightings: Iterable[Sighting]) -> float:
    """Return how long and large a face is seen: the sum of its crops' sides."""
    return sum(s.pixels for s in sightings)


def main_face(sightings: Iterable[Sighting]) -> int | None:
    """Return the number of the face that is seen longest and largest; see `prominence`."""
    weights = {n: prominence(group) for n, group in by_track(sightings).items()}
    return max(weights, key=lambda n: (weights[n], -n), default=None)


def face_quality(sightings: Sequence[Sighting], looked: int) -> dict[str, float]:
    """Measure how well a face is visible, from its sightings in ``looked`` pictures.

    Returns:
        ``pixels``: median side of its crops in pixels of the file; ``sharpness``: median, see
        `moodal.modalities.face.picture.sharpness`; ``seen``: share of the pictures that show it,
        0 to 1; ``score``: median probability that it is a face; ``yaw``: median of the degrees by
        which it is turned to either side. Only ``seen`` = 0 without any sighting.
    """
    if not sightings:
        return {"seen": 0.0}
    return {
        "pixels": float(np.median([s.pixels for s in sightings])),
        "sharpness": float(np.median([s.sharpness for s in sightings])),
        "seen": min(1.0, len(sightings) / max(1, looked)),
        "score": float(np.median([s.landmarks.score for s in sightings])),
        "yaw": float(np.median([abs(s.pose.yaw) for s in sightings])),
    }


def face_flags(quality: Mapping[str, float]) -> tuple[str, ...]:
    """Return remarks on a face with this `face_quality`, one sentence each."""
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
        flags.append("The face is hidden in part, or may be none.")
    elif quality["yaw"] > TURNED:
        flags.append(f"The face is turned away by {quality['yaw']:.0f} degrees.")
    return tuple(flags)
