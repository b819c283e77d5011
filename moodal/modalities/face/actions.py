"""What a face does, computed from its landmarks: blendshapes, gaze and the opening of the mouth.

The 52 blendshapes come from MediaPipe's graph (Apache-2.0, the MediaPipe authors), which sees the
x and y of 146 landmarks in pixels of the picture (its `face_blendshapes_graph.cc`) and is itself
indifferent to their place and size. Action units are derived from them, see
`moodal.core.face_action.ACTION_UNITS`. The gaze needs no graph: each eye is a ball, whose centre
follows from the corners of the eye and the pose of the head.
"""

from __future__ import annotations

import math
from array import array

import numpy as np

from moodal.core.face_action import BLENDSHAPES, FaceAction, FaceBox, Gaze, HeadPose
from moodal.core.process_local import ProcessLocal
from moodal.modalities.face.align import Pose, crop_square
from moodal.modalities.face.landmarks import FOLDER, Landmarks
from moodal.modalities.face.mouth import mouth_opening
from moodal.modalities.face.track import Sighting
from moodal.modalities.graphs import open_graph

_NUMBERS = """
    0 1 4 5 6 7 8 10 13 14 17 21 33 37 39 40 46 52 53 54 55 58 61 63 65 66 67 70 78 80 81 82 84 87
    88 91 93 95 103 105 107 109 127 132 133 136 144 145 146 148 149 150 152 153 154 155 157 158 159
    160 161 162 163 168 172 173 176 178 181 185 191 195 197 234 246 249 251 263 267 269 270 276 282
    283 284 285 288 291 293 295 296 297 300 308 310 311 312 314 317 318 321 323 324 332 334 336 338
    356 361 362 365 373 374 375 377 378 379 380 381 382 384 385 386 387 388 389 390 397 398 400 402
    405 409 415 454 466 468 469 470 471 472 473 474 475 476 477
"""
SUBSET = tuple(map(int, _NUMBERS.split()))
"""The landmarks that the graph of the blendshapes sees, in its order."""

EYES = ((33, 133, range(468, 473)), (362, 263, range(473, 478)))
"""The corners and the iris of the person's right and left eye."""

EYE_RADIUS = 1.0
"""Centimetres from the centre of an eye to its iris (anatomy: about 10 mm)."""

EYE_DEPTH = 0.55
"""Centimetres by which the centre of an eye lies behind the middle of its corners (anatomy: about
2.5 mm behind the outer one, and 8 mm behind the inner one)."""

EYE_HEIGHT = 0.15
"""Centimetres by which the centre of an eye lies above the middle of its corners."""

STEEPEST = math.sin(math.radians(75))
"""The largest sine of a gaze's angle; landmarks that say more are wrong."""

_GRAPH = ProcessLocal(lambda: open_graph(FOLDER / "blendshapes.onnx"))


def blendshapes(face: Landmarks) -> array[float]:
    """Compute the 52 blendshapes, 0 to 1, in the order of `moodal.core.face_action.BLENDSHAPES`."""
    points = face.points[None, SUBSET, :2].astype(np.float32)
    (values,) = _GRAPH.get().run(None, {"serving_default_input_points:0": points})
    return array("f", np.clip(values.ravel()[: len(BLENDSHAPES)], 0, 1).tolist())


def gaze(face: Landmarks, head: Pose) -> tuple[Gaze, Gaze]:
    """Compute where the eyes look, relative to the camera and relative to the head.

    The centre of an eye is E = M + scale * R (0, 0.15, -0.55), in centimetres of the canonical
    face, where M is the middle of the corners of the eye and R the rotation of the head. The iris
    lies on a ball of 1 cm around it, so that the direction g of the gaze has

        (g_x, g_y) = (iris - E)_xy / (scale * 1 cm)    g_z = sqrt(1 - g_x^2 - g_y^2)

    in the picture's axes (x to its right, y up, z to the viewer); g is the mean of both eyes. Its
    angles are yaw = atan2(g_x, g_z) and pitch = asin(g_y), and those of R^T g relative to the head.
    Only x and y of the irises are used, since their depth is not reliable.

    Returns:
        The gaze relative to the camera, and relative to the head.
    """
    offset = head.rotation @ np.array([0.0, EYE_HEIGHT, -EYE_DEPTH])
    sides = []
    for first, second, iris in EYES:
        middle = (face.points[first] + face.points[second])[:2] / 2
        moved = (face.points[list(iris), :2].mean(axis=0) - middle) * np.array([1.0, -1.0])
        sides.append((moved / max(head.scale, 1e-9) - offset[:2]) / EYE_RADIUS)
    across = np.mean(sides, axis=0)
    across *= min(1.0, STEEPEST / max(float(np.hypot(*across)), 1e-9))
    direction = np.array([*across, math.sqrt(1 - float(across @ across))])
    return _angles(direction), _angles(direction @ head.rotation)


def _angles(direction: np.ndarray) -> Gaze:
    """Return the angles of a direction of length 1."""
    x, y, z = direction.tolist()
    return Gaze(math.degrees(math.atan2(x, z)), math.degrees(math.asin(max(-1.0, min(1.0, y)))))


def face_action(sighting: Sighting) -> FaceAction:
    """Compute what a face does in one picture, about half a millisecond."""
    face, head = sighting.landmarks, sighting.pose
    pixels = sighting.pixels / crop_square(head).side  # of the file, for one of the picture
    left, top = (face.points[:, :2].min(axis=0) * pixels).tolist()
    right, bottom = (face.points[:, :2].max(axis=0) * pixels).tolist()
    to_camera, in_head = gaze(face, head)
    return FaceAction(
        sighting.at,
        sighting.track,
        FaceBox(left, top, right - left, bottom - top),
        face.score,
        HeadPose(head.yaw, head.pitch, head.roll),
        to_camera,
        in_head,
        mouth_opening(face, head),
        blendshapes(face),
    )
