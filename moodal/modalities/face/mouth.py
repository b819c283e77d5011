"""The opening of a mouth, from the landmarks of its lips alone."""

from __future__ import annotations

import numpy as np

from moodal.modalities.face.align import Pose
from moodal.modalities.face.landmarks import Landmarks

UPPER_LIP, LOWER_LIP = 13, 14
"""The middle of the inner edge of each lip."""

MOUTH_WIDTH = 4.912
"""Centimetres between the corners of the canonical face's mouth (its points 61 and 291)."""


def mouth_opening(landmarks: Landmarks, pose: Pose) -> float:
    """Return the height of the gap between the lips, by the width of an average mouth.

    The line from the lower to the upper lip is turned back by the pose of the head, so that only
    what runs along the head's own vertical axis counts, and is divided by the scale of the pose:

        opening = max(0, (R^T (p13 - p14))_y / (scale * 4.912 cm))

    So it does not change with distance, yaw, pitch or roll, and a smile, which widens the mouth,
    does not change it either.

    Args:
        landmarks: of the face.
        pose: how its head is turned, see `moodal.modalities.face.align.pose`.

    Returns:
        0 for closed lips; 0.5 where the gap is half as high as an average mouth is wide.
    """
    gap = landmarks.points[UPPER_LIP] - landmarks.points[LOWER_LIP]
    along = gap * np.array([1.0, -1.0, -1.0]) @ pose.rotation  # from the picture's axes
    return max(0.0, float(along[1]) / max(pose.scale * MOUTH_WIDTH, 1e-9))
