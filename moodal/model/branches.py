"""Branches: the networks of a fused artefact, on ONNX Runtime.

A branch turns the frames of its encoder into states [T, H], one for each word piece, 20 ms frame or
face, and has a key [H] for each word: the logit is the mean over steps of state . key, plus a
constant. So a logit is an exact sum over steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError
from moodal.core.process_local import ProcessLocal
from moodal.core.records import RATE
from moodal.modalities.face.pixels import TOGETHER
from moodal.model.artefact import Artefact
from moodal.model.graph import require_safe
from moodal.model.info import BranchInfo

WINDOW = 8 * RATE
"""The most samples that the speech network reads at once; longer utterances are divided."""
MANY = 75
"""The windows of one utterance (10 minutes) from which its states are joined by the second."""
SECONDS = WINDOW // RATE
SHORTEST = 800
"""The least number of samples (50 ms); shorter sounds are padded with silence."""


STEPS, LAYERS = "steps", "layers"
"""The outputs of a graph: the states, and in some graphs the states of its last layers side by
side, which heads read."""


Keys = tuple[np.ndarray, np.ndarray]
"""The keys [H, C] and constants [C] of C words."""

QUESTIONS = 32
"""The largest number of questions whose keys are kept."""


@dataclass(frozen=True)
class Branch:
    """The network of one modality; threads may share it, and it can be copied and pickled.

    Attributes:
        modality: its name.
        map: M [H, d]; offset: o [d]. The key of a word with vector v is M v + k, its constant
            o . v.
        learned: word -> its share in the training.
        graph: the ONNX file.
        threads: the number of threads of the network.
        adapted: word -> (key [H], constant), taught by `moodal adapt`.
        unpacked: see `session`.
        bias: k [H], a part that all keys share; None for none.
        input: name of the graph's input, if it reads the medium itself; None: any of `INPUTS`.
    """

    modality: str
    map: np.ndarray
    offset: np.ndarray
    learned: Mapping[str, float]
    graph: str
    threads: int = 1
    adapted: Mapping[str, tuple[np.ndarray, float]] = field(default_factory=dict)
    unpacked: bool = False
    bias: np.ndarray | None = None
    input: str | None = None
    _session: ProcessLocal[Any] = field(init=False, repr=False, compare=False)
    _keys: dict[tuple[Any, ...], Keys] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        opened = partial(session, self.graph, self.threads, unpacked=self.unpacked)
        object.__setattr__(self, "_session", ProcessLocal(opened))

    def begin(self) -> None:
        """Begin to load the network in another thread, so that the first states come earlier."""
        self._session.begin()

    def keys(self, words: Sequence[str], vectors: np.ndarray) -> Keys:
        """Return keys [H, C] and constants [C] of words with vectors [C, d].

        The log share of a learned word is subtracted from its constant, so that a logit measures
        the evidence beyond the prior; for another word the mean log share is subtracted.

        They are computed once for a question: their product is large enough to wake the threads of
        NumPy's BLAS, which then wait for more by spinning, longer than an utterance takes.
        """
        question = (*words, vectors.tobytes())
        keys = self._keys.get(question)
        if keys is None:
            keys = self._compute_keys(words, vectors)
            if len(self._keys) >= QUESTIONS:
                self._keys.clear()
            self._keys[question] = keys
        return keys

    def _compute_keys(self, words: Sequence[str], vectors: np.ndarray) -> Keys:
        keys = self.map @ vectors.T
        if self.bias is not None:
            keys = keys + self.bias[:, None]
        constants = vectors @ self.offset - self.log_shares(words)
        for i, word in enumerate(words):
            if word in self.adapted:
                keys[:, i], constants[i] = self.adapted[word]
        keys.flags.writeable = constants.flags.writeable = False
        return keys, constants

    def log_shares(self, words: Sequence[str]) -> np.ndarray:
        """Return the logarithms [C] of words' shares in training.

        A word that the branch never learned gets their mean, an adapted one 0.
        """
        typical = float(np.log(list(self.learned.values())).mean())
        logs = {word: float(np.log(share)) for word, share in self.learned.items()}
        logs |= dict.fromkeys(self.adapted, 0.0)
        return np.array([logs.get(word, typical) for word in words], np.float32)

    def states(self, frames: np.ndarray) -> np.ndarray:
        """Compute states [T', H] of an encoder's frames [T, D]; T' may differ from T.

        Raises:
            DataError: the graph reads other frames, or returns states of another shape.
        """
        return self._outputs(frames, (STEPS,))[0]

    def features(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute states [T', H], and the features [T', F] that heads read.

        The features are the graph's output `LAYERS`, or the states where it has none.

        Raises:
            DataError: as `states`.
        """
        outputs = self._outputs(frames, (STEPS, LAYERS))
        return outputs[0], outputs[-1]

    def _outputs(self, frames: np.ndarray, names: Sequence[str]) -> list[np.ndarray]:
        """Compute those of the named outputs that the graph has; the states are the first."""
        if not len(frames):
            return [np.zeros((0, len(self.map)), np.float32)]
        network = self._session.get()
        name = input_of(network)
        if name not in (self.input or name, "frames"):
            raise DataError(
                f"{self.graph} reads {name}, and a {self.modality} branch is given {self.input}; "
                "copy the artefact again."
            )
        if INPUTS[name].padded and not frames.any():
            return [np.zeros((0, len(self.map)), np.float32)]
        try:
            whole = _in_windows(network, frames, names)
        except Exception as error:  # onnxruntime's own classes, which it does not export
            first = (str(error).splitlines() or ["no reason given"])[0]
            raise DataError(f"{self.graph} cannot be run ({first[:160]}).") from None
        states = whole[0]
        if states.shape[1:] != (len(self.map),) or not np.isfinite(states).all():
            raise DataError(
                f"{self.graph} does not give {len(self.map)} finite numbers a step, as its "
                f"{self.modality} branch needs; copy the artefact again."
            )
        return whole


def _ids(frames: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the numbers of word pieces, which the encoder `pieces` raises by one."""
    yield frames[None, :, 0].astype(np.int64) - 1


def _wave(frames: np.ndarray) -> Iterator[np.ndarray]:
    """Yield samples, padded with silence to `SHORTEST`."""
    yield np.pad(frames[:, 0].astype(np.float32), (0, max(0, SHORTEST - len(frames))))[None]


def _pixels(frames: np.ndarray) -> Iterator[np.ndarray]:
    """Yield faces in small batches."""
    for i in range(0, len(frames), TOGETHER):
        yield frames[i : i + TOGETHER].astype(np.float32)


def _frames(frames: np.ndarray) -> Iterator[np.ndarray]:
    """Yield all features of an utterance at once."""
    yield frames.astype(np.float32)


@dataclass(frozen=True)
class GraphInput:
    """The way in which frames [T, D] are fed to a graph.

    Attributes:
        arrays: divides the frames into the arrays of one call each.
        batched: whether the returned states have a first axis of length 1.
        window: the most steps that a network reads at once (0: any number); longer sequences
            are divided into equal pieces.
        padded: whether steps of nothing but zeros are padding, as in training.
    """

    arrays: Callable[[np.ndarray], Iterator[np.ndarray]]
    batched: bool
    window: int = 0
    padded: bool = False


INPUTS = {
    "ids": GraphInput(_ids, batched=True),
    "wave": GraphInput(_wave, batched=True, window=WINDOW),
    "pixels": GraphInput(_pixels, batched=False),
    "frames": GraphInput(_frames, batched=False, padded=True),
}
"""Name of a graph's one input -> how frames are fed to it: word pieces [1, T] int64, samples
[1, S], pixels of faces [N, 2304], or features of any modality [T, D]."""


READ = {"text": "ids", "sound": "wave", "pictures": "pixels"}
"""Medium of a modality -> the input of a graph that reads the medium instead of features."""


def input_of(network: Any) -> str:
    """Return the name of the one input of a session of ONNX Runtime.

    Raises:
        DataError: the graph has several inputs, or none of `INPUTS`.
    """
    names = [wanted.name for wanted in network.get_inputs()]
    if len(names) != 1 or names[0] not in INPUTS:
        raise DataError(
            f"A branch's graph reads {', '.join(names) or 'nothing'}; one input is needed, of "
            f"{', '.join(INPUTS)}. Copy the artefact again."
        )
    return str(names[0])


def run(network: Any, frames: np.ndarray) -> np.ndarray:
    """Compute the states [T', H] of frames [T, D], T above 0, with an ONNX Runtime session."""
    return outputs(network, frames, (STEPS,))[0]


def outputs(network: Any, frames: np.ndarray, names: Sequence[str]) -> list[np.ndarray]:
    """Compute the outputs [T', ...] of frames [T, D], T above 0: the first, and others by name.

    Args:
        names: those that are computed where the graph has them; a graph's first output always is.
    """
    name = input_of(network)
    chosen = INPUTS[name]
    first, *others = [output.name for output in network.get_outputs()]
    wanted = [first, *(other for other in others if other in names)]
    calls = [network.run(wanted, {name: part}) for part in chosen.arrays(frames)]
    return [
        np.concatenate([values[0] if chosen.batched else values for values in output])
        for output in zip(*calls, strict=True)
    ]


def features_of(network: Any, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute states and features as `Branch.features` does, with a session of ONNX Runtime."""
    whole = _in_windows(network, frames, (STEPS, LAYERS))
    return whole[0], whole[-1]


def _in_windows(network: Any, frames: np.ndarray, names: Sequence[str]) -> list[np.ndarray]:
    """Compute outputs as `outputs` does, of at most a window of frames at once.

    From `MANY` windows on, about one state a second is kept, so that hours need no more memory
    than their samples: each stands for as many steps, weighted so that the mean stays the same.
    """
    window = INPUTS[input_of(network)].window or len(frames)
    pieces = np.array_split(frames, max(1, -(-len(frames) // window)))
    if len(pieces) < MANY:
        parts = [outputs(network, piece, names) for piece in pieces]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]
    sums: list[list[np.ndarray]] = []
    total = 0
    for piece in pieces:
        values = outputs(network, piece, names)
        total += len(values[0])
        first = np.unique(np.arange(SECONDS) * len(values[0]) // SECONDS)
        sums.append([np.add.reduceat(each, first, dtype=np.float64) for each in values])
    joined = [np.concatenate(part) for part in zip(*sums, strict=True)]
    return [(each * (len(each) / total)).astype(np.float32) for each in joined]


def session(path: str | bytes, threads: int = 1, *, unpacked: bool = False) -> Any:
    """Open an ONNX Runtime session.

    Args:
        path: the file, or its content.
        unpacked: whether 8-bit weights are converted to 32 bits when the graph is opened. The
            runtime's kernels are faster so for convolutions, and slower for matrices.

    Raises:
        DataError: ONNX Runtime cannot run the file, or it is not safe to (`require_safe`).
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    # with the arena, the buffers of the longest utterance would never be freed
    options.enable_cpu_mem_arena = False
    # threads that wait by spinning take the cores of the decoder and of other networks
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_quant_qdq", "1" if unpacked else "0")
    name = path if isinstance(path, str) else "The graph"
    content = _content(path) if isinstance(path, str) else path
    require_safe(content, name)
    try:
        # without a fallback, which would print of its own accord
        return onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
    except Exception as error:  # onnxruntime's own classes, which it does not export
        first = (str(error).splitlines() or ["damaged"])[0]
        raise DataError(f"{name} cannot be run ({first[:160]}); copy the artefact again.") from None


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from None


def read_branches(artefact: Artefact, threads: int = 1) -> dict[str, Branch]:
    """Read the branches of a fused artefact: modality -> its network.

    Raises:
        DataError: the artefact is not a fused one.
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
    graph = str(artefact.file(info.graph).absolute())  # opened later, maybe elsewhere
    medium = artefact.info.modality(modality).medium
    return Branch(
        modality,
        *maps,
        info.learned,
        graph,
        threads,
        adapted,
        unpacked=medium == "pictures",
        bias=weights.get(f"{modality}.bias"),
        input=READ.get(medium),
    )
