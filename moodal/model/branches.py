"""Branches: the networks of a fused artefact, on ONNX Runtime.

A branch turns what its encoder gave into states [T, H], one for each word piece, 20 ms frame or
seen face, and knows a word by a key [H]: its logit is the mean over steps of state . key, and a
constant. So a logit is a sum over steps, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from moodal.core.errors import DataError
from moodal.core.process_local import ProcessLocal
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
    """The network of one modality; threads may share it, and it can be copied and pickled.

    Attributes:
        modality: its name.
        map: M [H, d]; offset: o [d]. The key of a word with vector v is M v, its constant o . v.
        learned: word -> its share in the training.
        graph: the ONNX file.
        threads: of the network.
        adapted: word -> (key [H], constant), taught by `moodal adapt`.
        unpacked: see `session`.
        input: name of the graph's input, one of `FEEDS`; None: any of them.
    """

    modality: str
    map: np.ndarray
    offset: np.ndarray
    learned: Mapping[str, float]
    graph: str
    threads: int = 1
    adapted: Mapping[str, tuple[np.ndarray, float]] = field(default_factory=dict)
    unpacked: bool = False
    input: str | None = None
    _session: ProcessLocal[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        opened = partial(session, self.graph, self.threads, unpacked=self.unpacked)
        object.__setattr__(self, "_session", ProcessLocal(opened))

    def keys(self, words: Sequence[str], vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute keys [H, C] and constants [C] of words with vectors [C, d].

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
        """Logarithms [C] of words' shares in the training.

        A word that it never learned has the mean of those, an adapted one 0.
        """
        typical = float(np.log(list(self.learned.values())).mean())
        logs = {word: float(np.log(share)) for word, share in self.learned.items()}
        logs |= dict.fromkeys(self.adapted, 0.0)
        return np.array([logs.get(word, typical) for word in words], np.float32)

    def states(self, frames: np.ndarray) -> np.ndarray:
        """Compute states [T', H] of an encoder's frames [T, D]; T' may differ from T.

        Raises:
            DataError: the graph is not one of such frames, or gives no such states.
        """
        network = self._session.get()
        names = [wanted.name for wanted in network.get_inputs()]
        if len(names) != 1 or names[0] not in FEEDS or self.input not in (None, names[0]):
            raise DataError(
                f"{self.graph} reads {' and '.join(names) or 'nothing'}, which is not what a "
                f"{self.modality} branch is given; copy the artefact again."
            )
        try:
            parts = [network.run(None, {names[0]: x})[0] for x in FEEDS[names[0]](frames)]
        except Exception as error:  # onnxruntime's own classes, which it does not export
            first = (str(error).splitlines() or ["no reason given"])[0]
            raise DataError(f"{self.graph} cannot be run ({first[:160]}).") from None
        if names[0] != "pixels":
            parts = [part[0] for part in parts]
        states = np.concatenate(parts) if parts else np.zeros((0, len(self.map)), np.float32)
        if states.shape[1:] != (len(self.map),) or not np.isfinite(states).all():
            raise DataError(
                f"{self.graph} does not give {len(self.map)} finite numbers a step, as the "
                f"{self.modality} branch needs; copy the artefact again."
            )
        return states


def _ids(frames: np.ndarray) -> Iterator[np.ndarray]:
    """Numbers of word pieces, which the encoder `pieces` raises by one."""
    yield frames[None, :, 0].astype(np.int64) - 1


def _windows(frames: np.ndarray) -> Iterator[np.ndarray]:
    """Samples in equal pieces of at most 8 s."""
    samples = frames[:, 0]
    count = max(1, -(-len(samples) // WINDOW))
    for part in np.array_split(samples, count):
        yield np.pad(part.astype(np.float32), (0, max(0, SHORTEST - len(part))))[None]


def _batches(frames: np.ndarray) -> Iterator[np.ndarray]:
    """Faces, a few at a time."""
    for i in range(0, len(frames), TOGETHER):
        yield frames[i : i + TOGETHER].astype(np.float32)


FEEDS: dict[str, Callable[[np.ndarray], Iterator[np.ndarray]]] = {
    "ids": _ids,
    "wave": _windows,
    "pixels": _batches,
}
"""Name of a graph's input -> what cuts an encoder's frames [T, D] into that input."""

INPUTS = {"text": "ids", "sound": "wave", "pictures": "pixels"}
"""Medium of a modality -> name of its graph's input."""


def session(path: str, threads: int = 1, *, unpacked: bool = False) -> Any:
    """Open an ONNX Runtime session.

    Args:
        unpacked: weights in 8 bits become 32 bits at once, for networks of convolutions: the
            runtime has its fast kernels for those alone (for matrices it is the other way round).

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


def read_branches(artefact: Artefact, threads: int = 1) -> dict[str, Branch]:
    """Read the branches of a fused artefact: modality -> its network.

    Raises:
        DataError: it is no fused artefact.
    """
    weights = artefact.weights()
    return {
        modality: _branch(artefact, modality, info, weights, threads)
        for modality, info in artefact.fused.branches.items()
    }


def _branch(
    artefact: Artefact,
    modality: str,
    info: BranchInfo,
    weights: Mapping[str, np.ndarray],
    threads: int,
) -> Branch:
    adapted = {
        word: (weights[f"{modality}.adapted"][i], float(weights[f"{modality}.constants"][i]))
        for i, word in enumerate(info.adapted)
    }
    maps = weights[f"{modality}.map"], weights[f"{modality}.offset"]
    graph = str(artefact.file(info.graph))
    medium = artefact.info.modality(modality).medium
    return Branch(
        modality,
        *maps,
        info.learned,
        graph,
        threads,
        adapted,
        unpacked=medium == "pictures",
        input=INPUTS.get(medium),
    )
