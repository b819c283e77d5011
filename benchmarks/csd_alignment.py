"""Compare the alignment of .csd files with that of CMU-MultimodalSDK, on a look-alike.

    pip download --no-deps cmu-multimodal-sdk==0.0.6     # and unpack it
    pip install validators tqdm requests
    PYTHONPATH=cmu-multimodal-sdk-0.0.6:. python benchmarks/csd_alignment.py

The frames of speech and face are moved by up to 30 ms, so that they overlap each other and the
words' borders. The package of 2019 has an epsilon of 1e-3 s, the SDK's repository 1e-5 s since;
the latter is set. Its `impute` does not run on Python 3; zeros are filled in here instead.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import h5py
import numpy as np
from mmsdk import mmdatasdk
from mmsdk.mmdatasdk.dataset import dataset

from moodal.corpora import CORPORA
from moodal.lookalikes import LOOKALIKES

SEQUENCES = {
    "text": ("CMU_MOSEI_TimestampedWordVectors", "glove_vectors"),
    "speech": ("CMU_MOSEI_COVAREP", "COVAREP"),
    "face": ("CMU_MOSEI_VisualFacet42", "FACET 4.2"),
}
LABELS = ("CMU_MOSEI_Labels", "All Labels")


def move_frames(folder: Path, rng: np.random.Generator) -> None:
    """Move the ends of all frames of speech and face by up to 30 ms."""
    for name, root in (SEQUENCES["speech"], SEQUENCES["face"]):
        with h5py.File(folder / f"{name}.csd", "r+") as file:
            for video in file[f"{root}/data"].values():
                moved = video["intervals"][...]
                moved += rng.uniform(-0.03, 0.03, moved.shape)
                moved.sort(axis=1)
                video["intervals"][...] = np.sort(moved, axis=0)


def in_memory(sequence) -> None:
    """Read the data of a sequence, which the SDK leaves in the file."""
    sequence.data = {
        video: {key: np.array(entry[key]) for key in ("features", "intervals")}
        for video, entry in sequence.data.items()
    }


def aligned_by_sdk(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return stream -> segment -> features [words, D], as the SDK's example makes them."""
    dataset.epsilon = 1e-5
    files = {stream: str(folder / f"{name}.csd") for stream, (name, _) in SEQUENCES.items()}
    sequences = mmdatasdk.mmdataset(files)
    for stream in files:
        in_memory(sequences[stream])
    sequences.align("text", collapse_functions=[lambda _, features: features.mean(axis=0)])
    for stream in ("speech", "face"):
        width = next(iter(sequences[stream].data.values()))["features"].shape[1]
        for key, word in sequences["text"].data.items():
            absent = {"intervals": word["intervals"], "features": np.zeros((1, width))}
            sequences[stream].data.setdefault(key, absent)
    sequences.add_computational_sequences({"labels": str(folder / f"{LABELS[0]}.csd")}, None)
    in_memory(sequences["labels"])
    sequences.align("labels")
    return {
        stream: {key: entry["features"] for key, entry in sequences[stream].data.items()}
        for stream in files
    }


def main() -> None:
    """Print the number of compared sequences and their largest difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=600)
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        LOOKALIKES["mosei-csd"](Path(folder), args.utterances, args.seed)
        move_frames(Path(folder), np.random.default_rng(args.seed))
        theirs = aligned_by_sdk(Path(folder))
        ours = CORPORA["mosei-csd"](Path(folder))
    rows = {utterance.id: row for row, utterance in enumerate(ours.utterances)}
    differences = []
    for stream, segments in theirs.items():
        assert segments.keys() == rows.keys(), stream
        for key, features in segments.items():
            own = ours.features[stream][rows[key]]
            assert own.shape == features.shape, (stream, key)
            differences.append(float(np.abs(own - features).max()))
    print(f"{len(differences)} sequences, largest difference {max(differences):.2g}")


if __name__ == "__main__":
    main()
