"""What the measures of faces are worth on films of people who look into the camera.

    python benchmarks/face_actions.py $MOODAL_DATA/face_video_samples

Prints for each film the milliseconds of the measures of one face, the gaze relative to the camera
(mean and standard deviation of yaw and pitch, degrees), and how it agrees with the graph of the
blendshapes, which estimates the direction of the eyes apart from it (correlations of yaw and pitch
in the head); in the end, the blendshapes that never exceed 0.05. Less than a minute on one core.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from moodal.core.face_action import BLENDSHAPES, FaceAction
from moodal.media.video import frames
from moodal.modalities.face.actions import face_action
from moodal.modalities.face.pixels import LONGEST
from moodal.modalities.face.track import Follower

FPS = 10.0
LEAST = 0.05


def main(folder: Path) -> None:
    """Measure on the films of a folder."""
    largest = np.zeros(len(BLENDSHAPES))
    for path in sorted(folder.glob("*.mp4")):
        follower = Follower()
        sightings = [s for p in frames(path, FPS, longest=LONGEST) for s in follower.look(p)]
        start = time.process_time()
        actions = [face_action(sighting) for sighting in sightings]
        spent = (time.process_time() - start) / len(actions)
        gaze = np.array([action.gaze for action in actions])
        (yaw, pitch), (wide, high) = gaze.mean(axis=0), gaze.std(axis=0)
        across, up = agreement(actions)
        print(
            f"{path.name}: {len(actions)} faces, {1000 * spent:.2f} ms each; "
            f"gaze yaw {yaw:+.1f} ({wide:.1f}), pitch {pitch:+.1f} ({high:.1f}); "
            f"correlations {across:.2f} and {up:.2f}"
        )
        largest = np.maximum(largest, np.max([action.coefficients for action in actions], axis=0))
    idle = [name for name, most in zip(BLENDSHAPES, largest, strict=True) if most <= LEAST]
    print(f"never above {LEAST:g}: {', '.join(idle)}")


def agreement(actions: list[FaceAction]) -> tuple[float, float]:
    """Correlate the gaze in the head with the blendshapes of the eyes: yaw and pitch."""
    rows = [action.blendshapes for action in actions]
    across = [
        r["eyeLookOutLeft"] - r["eyeLookInLeft"] + r["eyeLookInRight"] - r["eyeLookOutRight"]
        for r in rows
    ]
    up = [
        r["eyeLookUpLeft"] - r["eyeLookDownLeft"] + r["eyeLookUpRight"] - r["eyeLookDownRight"]
        for r in rows
    ]
    own = np.array([action.gaze_in_head for action in actions])
    return (
        float(np.corrcoef(across, own[:, 0])[0, 1]),
        float(np.corrcoef(up, own[:, 1])[0, 1]),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
