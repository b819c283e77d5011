"""How FER2013's images lie around the landmarks: the framing that face crops repeat.

    python benchmarks/face_framing.py $MOODAL_DATA/fer2013

Prints in how many images landmarks are found, and the medians and quartiles from which `MARGIN` and
`CENTRE` in moodal/modalities/face/align.py were taken (MARGIN a little below the median side, since
tighter crops show the face alone). About a minute on one core.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import av
import numpy as np

from moodal.modalities.face.align import CENTRE, pose
from moodal.modalities.face.crops import landmarks_of_crop
from moodal.modalities.face.landmarks import PRESENT

IMAGES = 2000
SIDE = 48


def main(folder: Path) -> None:
    """Measure on ``folder``/images.npz with metadata.csv."""
    with np.load(folder / "images.npz") as data:
        offsets, jpeg = data["offsets"], data["jpeg"].tobytes()
    with open(folder / "metadata.csv", newline="") as table:
        train = [i for i, row in enumerate(csv.DictReader(table)) if row["split"] == "train"]
    rng = np.random.default_rng(0)
    measures = []
    for i in rng.choice(np.array(train), IMAGES, replace=False):
        with av.open(io.BytesIO(jpeg[offsets[i] : offsets[i + 1]])) as file:
            image = next(file.decode(video=0)).to_ndarray(format="gray")
        face = landmarks_of_crop(image)
        if face.score < PRESENT:
            continue
        head = pose(face)
        away = (SIDE / 2 - head.place(np.array([0.0, 0.0, CENTRE[2]]))) / head.scale
        roll = np.radians(head.roll)
        across = away @ [np.cos(roll), np.sin(roll)]
        up = away @ [np.sin(roll), -np.cos(roll)]
        measures.append((SIDE / head.scale, across, up, abs(head.yaw), abs(head.roll)))
    print(f"landmarks in {len(measures) / IMAGES:.3f} of {IMAGES} images")
    names = (
        "MARGIN: image's side in cm of the canonical face",
        "CENTRE, x: image's centre to the left of the face's axis, cm",
        "CENTRE, y: image's centre above the eyes' level of the canonical face, cm",
        "yaw, degrees to either side",
        "roll, degrees to either side",
    )
    for name, values in zip(names, np.array(measures).T, strict=True):
        low, middle, high = np.percentile(values, (25, 50, 75))
        print(f"{name}: {middle:.2f} (quartiles {low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
