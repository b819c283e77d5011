"""Heads: small networks that read numbers, such as valence, from the features of a branch.

    x = (mean over steps t of f_t - mean) / deviation        [F]
    y = x L + o + max(0, x P + p) O                          [C]

f_t are the features of step t: the states of the branch's network or, where its graph has the
output "layers", those of its layers side by side. A head without P is linear. Each head lies in a
file of its own in the artefact, since the licence of its corpus may differ from the others'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from moodal.core.dimensions import DIMENSIONS, Dimensions
from moodal.core.errors import DataError
from moodal.model.artefact import Artefact
from moodal.model.value_info import HeadInfo

SHAPES: dict[str, tuple[str, ...]] = {
    "mean": ("features",),
    "deviation": ("features",),
    "linear": ("features", "values"),
    "offset": ("values",),
    "project": ("features", "hidden"),
    "project_bias": ("hidden",),
    "out": ("hidden", "values"),
}
"""Tensor of a head -> its sizes; those after "offset" may be missing together."""
LINEAR = ("mean", "deviation", "linear", "offset")


@dataclass(frozen=True)
class Head:
    """The head of one modality.

    Attributes:
        names: of its C values.
        low, high: [C], the ends of their ranges.
        tensors: name -> weights, see `SHAPES`.
    """

    names: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    tensors: Mapping[str, np.ndarray] = field(repr=False)

    def read(self, features: np.ndarray) -> dict[str, float]:
        """Return the values, within their ranges, of one utterance's features [T, F], T above 0."""
        numbers = np.clip(outputs(self.tensors, features.mean(0)), self.low, self.high)
        return {name: float(number) for name, number in zip(self.names, numbers, strict=True)}


def outputs(tensors: Mapping[str, np.ndarray], means: np.ndarray) -> np.ndarray:
    """Compute the outputs [..., C] of a head for mean features [..., F]."""
    x = (means.astype(np.float64) - tensors["mean"]) / tensors["deviation"]
    y = x @ tensors["linear"] + tensors["offset"]
    if "project" in tensors:
        hidden = np.maximum(0.0, x @ tensors["project"] + tensors["project_bias"])
        y = y + hidden @ tensors["out"]
    return np.asarray(y)


def read_head(artefact: Artefact, info: HeadInfo) -> Head:
    """Read a head from its file.

    Raises:
        DataError: a tensor is missing or has another shape than the description says.
    """
    tensors = artefact.tensors(info.file)
    if fault := _fault(tensors, len(info.values)):
        raise DataError(f"{artefact.folder / info.file}: {fault}. Copy the artefact again.")
    low, high = np.array(info.ranges).T
    names = tuple(value.name for value in info.values)
    return Head(names, low, high, {k: v.astype(np.float64) for k, v in tensors.items()})


def _fault(tensors: Mapping[str, np.ndarray], count: int) -> str:
    """Return what is wrong with the tensors of a head of ``count`` values; "" if nothing is."""
    needed = SHAPES if "project" in tensors else LINEAR
    if missing := [name for name in needed if name not in tensors]:
        return f"the tensor {missing[0]} is missing"
    if other := [name for name in tensors if name not in needed]:
        return f"a head has no tensor {other[0]}"
    sizes = {"values": count, "features": tensors["mean"].size}
    if "project" in tensors:
        sizes["hidden"] = tensors["project_bias"].size
    for name in needed:
        shape = tuple(sizes[size] for size in SHAPES[name])
        if tensors[name].shape != shape or tensors[name].dtype.kind != "f":
            return f"the tensor {name} is {list(tensors[name].shape)}; {list(shape)} is needed"
    return "" if (tensors["deviation"] > 0).all() else "the tensor deviation must be above 0"


def learned_dimensions(numbers: Mapping[str, float]) -> Dimensions:
    """Return what a head of dimensions read, marked as learned."""
    valence, arousal, dominance = (numbers[name] for name in DIMENSIONS)
    return Dimensions(valence, arousal, dominance, "learned")
