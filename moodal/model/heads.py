"""Heads: small networks that read numbers, such as valence, from the features of a branch.

    x_t  = (features of step t - mean) / deviation                    [T, F]
    z_t  = max(0, x_t P + p)                                          [T, h]
    a_tk = softmax over t of (z_t A + b)_k                            [T, k]
    y    = mean_t x_t L + (sum_t a_t1 z_t, ..., sum_t a_tk z_t, mean_t z_t) O + o

A head without P is the linear part alone. The features are the states of the branch's network or,
where its graph has the output "layers", those of its last layers side by side. Each head lies in a
file of its own in the artefact, since the licence of its corpus may differ from the others'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from moodal.core.errors import DataError
from moodal.model.artefact import Artefact
from moodal.model.info import HeadInfo

SHAPES: dict[str, tuple[str, ...]] = {
    "mean": ("features",),
    "deviation": ("features",),
    "linear": ("features", "values"),
    "offset": ("values",),
    "project": ("features", "hidden"),
    "project_bias": ("hidden",),
    "attend": ("hidden", "pools"),
    "attend_bias": ("pools",),
    "out": ("pooled", "values"),
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
        numbers = np.clip(outputs(self.tensors, features), self.low, self.high)
        return {name: float(number) for name, number in zip(self.names, numbers, strict=True)}


def outputs(tensors: Mapping[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """Compute the output [C] of a head for features [T, F], T above 0."""
    x = (features.astype(np.float64) - tensors["mean"]) / tensors["deviation"]
    y = x.mean(0) @ tensors["linear"] + tensors["offset"]
    if "project" not in tensors:
        return np.asarray(y)
    z = np.maximum(0.0, x @ tensors["project"] + tensors["project_bias"])
    scores = z @ tensors["attend"] + tensors["attend_bias"]
    weights = np.exp(scores - scores.max(0))
    pooled = (weights / weights.sum(0)).T @ z
    return np.asarray(y + np.concatenate([pooled.ravel(), z.mean(0)]) @ tensors["out"])


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
    sizes = {"values": count, "features": len(tensors["mean"])}
    if "project" in tensors:
        sizes |= {"hidden": tensors["project"].shape[-1], "pools": tensors["attend"].shape[-1]}
        sizes["pooled"] = sizes["hidden"] * (sizes["pools"] + 1)
    for name in needed:
        shape = tuple(sizes[size] for size in SHAPES[name])
        if tensors[name].shape != shape or tensors[name].dtype.kind != "f":
            return f"the tensor {name} is {list(tensors[name].shape)}; {list(shape)} is needed"
    return "" if (tensors["deviation"] > 0).all() else "the tensor deviation must be above 0"
