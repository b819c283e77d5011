"""What half precision changes in the frames that speech-backbone keeps: relative errors.

    python benchmarks/half_precision.py FOLDER_OF_SOUNDS [--path whisper-tiny] [--clips 200]

Relative error of x' against x: |x' - x| / |x|, both over all frames of a clip.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from moodal.cli.main import user_errors
from moodal.core.errors import UsageError
from moodal.media.audio import read_audio
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.speech import build_speech


def main() -> None:
    """Print the mean and the largest error over clips, of what is kept and of what follows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--path", default="whisper-tiny")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--clips", type=int, default=200)
    args = parser.parse_args()
    sounds = sorted(p for p in args.folder.rglob("*") if p.suffix in (".wav", ".ogg", ".flac"))
    with user_errors("half_precision.py"):
        if not sounds or args.clips < 1:
            raise UsageError(
                f"{args.folder} holds no .wav, .ogg or .flac file, or --clips is below 1; name "
                "the folder of a corpus's recordings."
            )
    settings = Backbone(path=args.path, layers=args.layers, freeze=-1)
    reading = build_speech(settings, 1).eval()
    going_on = build_speech(settings, reading.front).eval()
    rows = []
    for path in sounds[:: max(1, len(sounds) // args.clips)]:
        wave = torch.from_numpy(read_audio(path)[:210_000])[None]
        with torch.inference_mode():
            front, lengths = reading.front_end(wave, torch.tensor([wave.shape[1]]))
            states, _ = going_on(front, lengths)
            after, _ = going_on(front.half().float(), lengths)
        rows.append(
            [_error(front.half(), front), _error(after, states), _error(states.half(), states)]
        )
    names = (
        "front-end frames kept in half precision",
        f"states of layer {args.layers} computed from them",
        f"states of layer {args.layers} kept in half precision",
    )
    errors = np.array(rows)
    print(f"{args.path}, {len(errors)} clips")
    for name, mean, most in zip(names, errors.mean(0), errors.max(0), strict=True):
        print(f"{name}: {mean:.1e} on average, {most:.1e} at most")


def _error(changed: torch.Tensor, of: torch.Tensor) -> float:
    return float((changed.float() - of).norm() / of.norm())


if __name__ == "__main__":
    main()
