"""Branches: the networks of a fused artefact, on ONNX Runtime.

A branch turns what its encoder gave into states [T, H], one for each word piece, 20 ms frame or
seen face, and knows a word by a key [H]: its logit is the mean over steps of state . key, and a
constant. So a logit is a sum over steps, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from moodal.core.errors import DataError
from moodal.core.records import RATE
from moodal.modalities.face.pixels import TOGETHER
from moodal.model.artefact import Artefact
from moodal.model.info import BranchInfo

WINDOW = 8 * RATE
"""Samples that the speech network hears at once; longer utterances are heard piece by piece."""
SHORTEST = 800
"""Samples; silence follows what is shorter (50 ms)."""


@dataclass(frozen=True)
class Branch:
    """One modality of a fused artefact; threads may share it, and it can be copied and pickled.

    Attributes:
        stream: "text", "speech" or "face".
        map: M [H, d]; offset: o [d]. The key of a word with vector v is M v, its constant o . v.
        learned: word -> its share in the training.
        adapted: word -> (key [H], constant), taught by `moodal adapt`.
        graph: the ONNX file.
    """

    stream: str
    map: np.ndarray
    offset: np.ndarray
    learned: Mapping[str, float]
    graph: str
    threads: int = 1
    adapted: Mapping[str, tuple[np.ndarray, float]] = field(default_factory=dict)
    _session: ProcessLocal[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        opened = partial(session, self.graph, self.threads, unpacked=self.stream == "face")
        object.__setattr__(self, "_session", ProcessLocal(opened))

    def _run(self, name: str, values: np.ndarray) -> np.ndarray:
        """Run the network on its one input."""
        output: np.ndarray = self._session.get().run(None, {name: values})[0]
        return output

    def keys(self, words: Sequence[str], vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keys [H, C] and constants [C] of words with vectors [C, d].

        The constant of a learned word is less its log share, so that a logit says how much the
        steps tell beyond it; that of another word is less the mean of those.
        """
        keys = self.map @ vectors.T
        constants = vectors @ self.offset - self.log_shares(words)
        for i, word in enumerate(words):
            if word in self.adapted:
                keys[:, i], constants[i] = self.adapted[word]
        return keys, constants

    def log_shares(self, words: Sequence[str]) -> np.ndarray:
        """Logarithms [C] of words' shares in the training; their mean for words it never learned,
        0 for adapted ones."""
        typical = float(np.log(list(self.learned.values())).mean())
        return np.array(
            [
                0.0
                if word in self.adapted
                else np.log(self.learned[word])
                if word in self.learned
                else typical
                for word in words
            ],
            np.float32,
        )

    def pieces(self, ids: np.ndarray) -> np.ndarray:
        """Word pieces [T] int64 -> states [T, H]."""
        return self._run("ids", ids[None])[0]

    def sound(self, samples: np.ndarray) -> np.ndarray:
        """[samples] at 16 kHz -> states [T, H], about 50 a second.

        What is longer than 8 s is heard in equal pieces of at most that.
        """
        return np.concatenate(list(self.windows(samples)))

    def windows(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        """The same piece by piece, so that hours need not be held."""
        n = max(1, -(-len(samples) // WINDOW))
        for part in np.array_split(samples, n):
            padded = np.pad(part.astype(np.float32), (0, max(0, SHORTEST - len(part))))
            yield self._run("wave", padded[None])[0]

    def faces(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels [T, 2304] in 0..1 -> states [T, H]."""
        parts = [
            self._run("pixels", pixels[i : i + TOGETHER].astype(np.float32))
            for i in range(0, len(pixels), TOGETHER)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.map)), np.float32)


def session(path: str, threads: int = 1, *, unpacked: bool = False) -> Any:
    """An ONNX Runtime session.

    Args:
        unpacked: weights in 8 bits become 32 bits at once, for kernels of convolutions: the
            runtime has its fast ones for those alone (for matrices it is the other way round).

    Raises:
        DataError: the file is no graph that it can run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    # else it keeps the buffers of the longest utterance for good
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.disable_quant_qdq", "1" if unpacked else "0")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes, which it does not export
        first = (str(error).splitlines() or ["damaged"])[0]
        raise DataError(f"{path} cannot be run ({first[:160]}); copy the artefact again.") from None


def read_branches(found: Artefact, threads: int = 1) -> dict[str, Branch]:
    """The branches of a fused artefact.

    Raises:
        DataError: it is no fused artefact, or not whole.
    """
    try:
        return {
            stream: _branch(found, stream, told, found.weights(), threads)
            for stream, told in found.fused.branches.items()
        }
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(
            f"{found.folder} is no whole fused artefact ({error!r}); copy it again."
        ) from None


def _branch(
    found: Artefact,
    stream: str,
    told: BranchInfo,
    weights: Mapping[str, np.ndarray],
    threads: int,
) -> Branch:
    adapted = {
        word: (weights[f"{stream}.adapted"][i], float(weights[f"{stream}.constants"][i]))
        for i, word in enumerate(told.adapted)
    }
    maps = weights[f"{stream}.map"], weights[f"{stream}.offset"]
    graph = str(found.file(told.graph))
    return Branch(stream, *maps, told.learned, graph, threads, adapted)
