"""How FER2013's images lie around dlib's boxes: the framing that `face_boxes.crop` repeats.

    python benchmarks/face_framing.py $MOODAL_DATA/fer2013

Prints the medians and quartiles from which `MARGIN` and `LIFT` in moodal/modalities/face/detect.py
were taken. About 40 s on one core.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import av
import numpy as np

from moodal.modalities.face.detect import STILL, Box, detect_near

PAD = 16
IMAGES = 2000


def main(folder: Path) -> None:
    """Measure on ``folder``/images.npz with metadata.csv."""
    with np.load(folder / "images.npz") as data:
        offsets, jpeg = data["offsets"], data["jpeg"].tobytes()
    with open(folder / "metadata.csv", newline="") as table:
        train = [i for i, row in enumerate(csv.DictReader(table)) if row["split"] == "train"]
    rng = np.random.default_rng(0)
    boxes = []
    for i in rng.choice(np.array(train), IMAGES, replace=False):
        with av.open(io.BytesIO(jpeg[offsets[i] : offsets[i + 1]])) as file:
            image = next(file.decode(video=0)).to_ndarray(format="gray")
        wide = np.pad(image, PAD, mode="edge")
        # a start near where faces are, but never the same: boxes lean on where they start
        half = 20.5 * np.exp(rng.normal(0, 0.1))
        x, y = 24 + PAD + rng.normal(0, 2), 27 + PAD + rng.normal(0, 2)
        box = detect_near(wide, Box(x - half, y - half, x + half, y + half), sizes=STILL)
        if box is not None:
            boxes.append((box.side, *box.centre, box.score))
    side, x, y, score = np.array(boxes).T
    sure = score >= 0.5
    print(
        f"found in {len(boxes) / IMAGES:.3f}, with a score of 0.5 or more {sure.sum() / IMAGES:.3f}"
    )
    for name, values in {
        "MARGIN: image's side / box's side": 48 / side,
        "image's centre right of the box's / box's side": (24 + PAD - x) / side,
        "LIFT: image's centre above the box's / box's side": (y - 24 - PAD) / side,
    }.items():
        low, middle, high = np.percentile(values[sure], (25, 50, 75))
        print(f"{name}: {middle:.3f} (quartiles {low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
