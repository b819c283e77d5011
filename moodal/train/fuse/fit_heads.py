"""Fit the heads of a fused artefact: valence, arousal and dominance, and intensity.

A head reads the mean features of a branch's graph (`moodal.model.heads`), so prediction computes
nothing twice. Training rows fit it, validation rows choose its penalty and whether it has a hidden
layer, and test rows only measure it. Features are kept in the folder of the branch's training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.concatenation import origins
from moodal.core.dimensions import DIMENSIONS, INTENSITY
from moodal.core.emotions import Value
from moodal.core.errors import DataError, UsageError
from moodal.core.fusion_recipe import FusionRecipe, HeadPart
from moodal.core.manifest import Manifest
from moodal.core.records import Clip
from moodal.corpora import CORPORA
from moodal.evaluation.metrics import pearson
from moodal.modalities.build import build
from moodal.modalities.modality import Absent
from moodal.model.branches import features_of, session
from moodal.model.heads import outputs as head_outputs
from moodal.model.rows import observe_row
from moodal.model.value_info import HeadInfo, ValueInfo
from moodal.train.encoders import ENCODERS
from moodal.train.export import onnx
from moodal.train.fuse.branch_scores import kept_array
from moodal.train.fuse.train_branch import FusedBranch

PARTS = ("train", "valid", "test")
PENALTIES = tuple(10.0**power for power in np.arange(1, 5.5, 0.5))
"""The penalties of ridge regression that are tried."""
HIDDEN, DROPOUT, EPOCHS, BATCH, RATE, DECAY = 64, 0.5, 12, 64, 1e-3, 0.05
"""The hidden layer's width and its training: AdamW with one cycle of the learning rate."""
VOTES = {"voice_level": "voice_vote"}
"""Column of intensities -> the column of what raters heard: the intensity of neutral is none."""
NEUTRAL_VOTE = "N"


@dataclass(frozen=True)
class HeadRows:
    """The rows from which a head is learned: part -> mean features [n, F], and numbers [n, C]."""

    features: Mapping[str, np.ndarray]
    numbers: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class FittedHeads:
    """The heads of an artefact.

    Attributes:
        dimensions, intensity: modality -> its head.
        files: name -> content of their files.
    """

    dimensions: dict[str, HeadInfo]
    intensity: dict[str, HeadInfo]
    files: dict[str, bytes]


def graphs_of(learned: Mapping[str, FusedBranch], recipe: FusionRecipe) -> dict[str, bytes]:
    """Export the graph of each branch, with its layers as an output where a head reads them."""
    graphs = {s: one.graph(recipe.parts[s].bits) for s, one in learned.items()}
    return {s: onnx.with_layers(g) if s in recipe.dimensions else g for s, g in graphs.items()}


def require_heads(recipe: FusionRecipe, data: Path) -> None:
    """Check the corpora of the heads before any training starts.

    Raises:
        UsageError, DataError: as `fit_heads`.
    """
    for part in recipe.dimensions.values():
        manifest = _read(part, data)
        if manifest.space.labels != DIMENSIONS:
            raise UsageError(
                f"{part.corpus} has {', '.join(manifest.space.labels)}; a head of dimensions needs "
                f"{', '.join(DIMENSIONS)}."
            )
        _require_rows(part, {p: manifest.rows(p) for p in PARTS})
    for part in recipe.intensity.values():
        extras = (utterance.extra for utterance in _read(part, data).utterances)
        if all(intensity_of(extra, part.column) is None for extra in extras):
            raise DataError(f"{part.corpus} has no numbers in a column {part.column}.")


def fit_heads(
    learned: Mapping[str, FusedBranch],
    graphs: Mapping[str, bytes],
    recipe: FusionRecipe,
    data: Path,
) -> FittedHeads:
    """Fit the heads that a recipe names, and measure them.

    Args:
        graphs: modality -> the graph of its branch, see `graphs_of`.
        data: the folder of all corpora.

    Raises:
        UsageError: a corpus is not known, or has no such values or column.
        DataError: a corpus is missing or damaged.
    """
    from safetensors.numpy import save

    fitted: dict[str, dict[str, HeadInfo]] = {"dimensions": {}, INTENSITY: {}}
    files: dict[str, bytes] = {}
    for kind, parts in (("dimensions", recipe.dimensions), (INTENSITY, recipe.intensity)):
        for modality, part in parts.items():
            branch, graph = learned[modality], graphs[modality]
            values: tuple[Value, ...]
            if kind == INTENSITY:
                rows, values = _intensities(branch, graph, part, data), (Value(INTENSITY, 0, 1),)
            else:
                rows = _dimensions(branch, graph, part, data)
                values = tuple(Value.of(name) for name in DIMENSIONS)
            tensors = fit_head(rows)
            name = f"{kind}-{part.corpus}"
            files[f"{name}.safetensors"] = save(tensors)
            files[f"{name}.LICENCE.txt"] = _terms(name, part).encode()
            fitted[kind][modality] = HeadInfo(
                file=f"{name}.safetensors",
                terms=f"{name}.LICENCE.txt",
                values=tuple(ValueInfo(name=v.name, low=v.low, high=v.high) for v in values),
                corpus=part.corpus,
                licence=part.licence,
                rows={p: len(rows.numbers[p]) for p in PARTS},
                valid=_correlations(tensors, rows, "valid", [v.name for v in values]),
                test=_correlations(tensors, rows, "test", [v.name for v in values]),
            )
    return FittedHeads(fitted["dimensions"], fitted[INTENSITY], files)


def fit_head(rows: HeadRows, seed: int = 0) -> dict[str, np.ndarray]:
    """Fit a linear head and one with a hidden layer, and keep the better one on validation rows.

    Returns:
        The tensors of the head, see `moodal.model.heads.SHAPES`, in 16 bits.
    """
    train, numbers = rows.features["train"], rows.numbers["train"]
    mean, deviation = train.mean(0), train.std(0) + 1e-3
    x = {p: (f - mean) / deviation for p, f in rows.features.items()}
    scales = {"mean": mean, "deviation": deviation}
    candidates = [
        {**scales, **_linear(x, rows.numbers)},
        {**scales, **_hidden(x["train"], numbers, seed)},
    ]
    # safetensors writes the memory of a transposed array as it lies
    halves = [{k: np.ascontiguousarray(v, np.float16) for k, v in c.items()} for c in candidates]
    return max(halves, key=lambda c: np.mean(_pearson(c, rows, "valid")))


def _linear(
    x: Mapping[str, np.ndarray], numbers: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Fit ridge regression; each value has the penalty that is best on validation rows."""
    offset = numbers["train"].mean(0)
    spectrum, basis = np.linalg.eigh(x["train"].T @ x["train"])
    target = basis.T @ (x["train"].T @ (numbers["train"] - offset))
    tried = [basis @ (target / (spectrum[:, None] + penalty)) for penalty in PENALTIES]
    scores = np.stack([correlations(x["valid"] @ w, numbers["valid"]) for w in tried])
    best = scores.argmax(0)
    linear = np.stack([tried[i][:, column] for column, i in enumerate(best)], 1)
    return {"linear": linear, "offset": offset}


def _hidden(x: np.ndarray, numbers: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Train a hidden layer of rectified units on standardised numbers, with dropout."""
    import torch
    from torch import nn

    offset, scale = numbers.mean(0), numbers.std(0) + 1e-6
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    project, out = nn.Linear(x.shape[1], HIDDEN), nn.Linear(HIDDEN, numbers.shape[1])
    network = nn.Sequential(nn.Dropout(DROPOUT), project, nn.ReLU(), nn.Dropout(DROPOUT), out)
    inputs = torch.tensor(x, dtype=torch.float32)
    targets = torch.tensor((numbers - offset) / scale, dtype=torch.float32)
    count = max(1, len(x) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, total_steps=EPOCHS * count, pct_start=0.1
    )
    for _ in range(EPOCHS):
        for batch in np.array_split(rng.permutation(len(x)), count):
            loss = ((network(inputs[batch]) - targets[batch]) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            cycle.step()
    weights = {
        "project": project.weight.T,
        "project_bias": project.bias,
        "out": out.weight.T * torch.tensor(scale, dtype=torch.float32),
        "offset": out.bias * torch.tensor(scale) + torch.tensor(offset),
    }
    arrays = {name: values.detach().double().numpy() for name, values in weights.items()}
    return {"linear": np.zeros((x.shape[1], numbers.shape[1])), **arrays}


def correlations(predicted: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Compute Pearson's r of each column [C]; 0 where a column does not vary."""
    return np.nan_to_num(pearson(numbers, predicted))


def _pearson(tensors: Mapping[str, np.ndarray], rows: HeadRows, part: str) -> np.ndarray:
    return correlations(head_outputs(_wide(tensors), rows.features[part]), rows.numbers[part])


def _wide(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: values.astype(np.float64) for name, values in tensors.items()}


def _correlations(
    tensors: Mapping[str, np.ndarray], rows: HeadRows, part: str, names: Sequence[str]
) -> dict[str, float]:
    return dict(zip(names, _pearson(tensors, rows, part).tolist(), strict=True))


def _dimensions(branch: FusedBranch, graph: bytes, part: HeadPart, data: Path) -> HeadRows:
    """Read a corpus with values and a split, and compute the features of its rows."""
    manifest = _read(part, data)
    encoder = build(branch.experiment.manifest.encoders[branch.stream], ENCODERS)
    items, rows = [], []
    for row, utterance in enumerate(manifest.utterances):
        medium = utterance.media.get(branch.stream)
        if isinstance(medium, Clip):
            medium = replace(medium, path=str(Path(manifest.root or "") / medium.path))
        observed = Absent("") if medium is None else observe_row(branch.stream, medium)
        if not isinstance(observed, Absent) and utterance.split in PARTS:
            items.append(observed.item)
            rows.append(row)
    kept = manifest.select(rows)
    means = _stored(branch, graph, kept, lambda: encoder.encode_many(items))
    parts = {p: kept.rows(p) for p in PARTS}
    _require_rows(part, parts)
    return HeadRows(
        {p: means[own] for p, own in parts.items()},
        {p: kept.labels[own].astype(np.float64) for p, own in parts.items()},
    )


def _intensities(branch: FusedBranch, graph: bytes, part: HeadPart, data: Path) -> HeadRows:
    """Take the rows of the branch's corpus with the intensities that a column of the corpus tells.

    The split is that of the branch, so that the test rows are of speakers whom it never heard.
    """
    known = {
        (part.corpus, utterance.id): number
        for utterance in _read(part, data).utterances
        if (number := intensity_of(utterance.extra, part.column)) is not None
    }
    experiment, frames = branch.experiment, branch.experiment.manifest.features[branch.stream]
    own = {"train": experiment.train, "valid": experiment.valid, "test": experiment.test}
    names = origins(experiment.manifest)
    rows = {p: [int(i) for i in own[p] if names[i] in known and len(frames[int(i)])] for p in PARTS}
    _require_rows(part, rows)
    means = {
        p: _stored(branch, graph, experiment.manifest.select(chosen), _frames_of(branch, chosen))
        for p, chosen in rows.items()
    }
    numbers = {p: np.array([[known[names[i]]] for i in chosen]) for p, chosen in rows.items()}
    return HeadRows(means, numbers)


def intensity_of(extra: Mapping[str, str], column: str) -> float | None:
    """Return how strong an emotion raters heard, 0 to 1; None without a rating.

    Raters say how strong what they heard is, also where they heard no emotion: neutral counts
    as 0. Tied votes have a rating each, with colons between them, and count alike.

    >>> intensity_of({"voice_level": "80:60", "voice_vote": "A:N"}, "voice_level")
    0.4
    """
    ratings = [text for text in extra.get(column, "").split(":") if text]
    votes = extra.get(VOTES.get(column, ""), "").split(":")
    if not ratings:
        return None
    if len(votes) != len(ratings):
        votes = votes[:1] * len(ratings)
    levels = [
        0.0 if vote == NEUTRAL_VOTE else float(rating) / 100
        for vote, rating in zip(votes, ratings, strict=True)
    ]
    return sum(levels) / len(levels)


def _frames_of(branch: FusedBranch, rows: Sequence[int]) -> Callable[[], list[np.ndarray]]:
    frames = branch.experiment.manifest.features[branch.stream]
    return lambda: [np.asarray(frames[row], np.float32) for row in rows]


def _stored(
    branch: FusedBranch,
    graph: bytes,
    rows: Manifest,
    frames: Callable[[], Sequence[np.ndarray]],
) -> np.ndarray:
    """Return the mean features [n, F] of rows, computed once and kept with the branch's states."""
    named = "\n".join(f"{u.id} {u.text}" for u in rows.utterances)
    key = graph + f"{rows.corpus} {named}".encode()

    def compute() -> np.ndarray:
        network = session(graph)
        return np.stack([_mean_features(network, own) for own in frames()])

    return kept_array(branch.folder, f"features-{rows.corpus}", key, compute)


def _mean_features(network: Any, frames: np.ndarray) -> np.ndarray:
    """Compute the mean features [F] of one utterance, in pieces as prediction computes them."""
    return np.asarray(features_of(network, frames)[-1].mean(0), np.float64)


def _read(part: HeadPart, data: Path) -> Manifest:
    if part.corpus not in CORPORA:
        raise UsageError(f"There is no corpus {part.corpus}; there are {', '.join(CORPORA)}.")
    return CORPORA[part.corpus](data / part.root)


def _require_rows(part: HeadPart, rows: Mapping[str, Sequence[int] | np.ndarray]) -> None:
    if empty := [name for name in PARTS if not len(rows[name])]:
        what = f"with {part.column}" if part.column else "that can be read"
        raise DataError(
            f"{part.corpus} has no {' and no '.join(empty)} rows {what}; a head needs some of each."
        )


def _terms(name: str, part: HeadPart) -> str:
    """Write the file that names the licence of a head's weights."""
    return (
        f"{name}.safetensors holds weights that were learned from the corpus {part.corpus}, "
        f"{part.licence}.\nThey are shared under the licence of that corpus: {part.licence}.\n"
    )
