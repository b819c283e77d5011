"""Consistency checks between the keys and tensors of an artefact; each fault is one sentence.

`moodal.model.info` checks each value separately. The checks here concern several of them, so that
no later code meets a missing word, a matrix of another shape, or a NaN.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain, combinations

import numpy as np

from moodal.core.dimensions import DIMENSIONS, INTENSITY
from moodal.model.fusion import NEUTRAL, key
from moodal.model.fusion_info import ChannelInfo, FusionWeights
from moodal.model.info import ACTIVATIONS, ArtefactInfo, BranchInfo, FusedBody, SystemBody

LARGEST = 1e6
"""The limit of a weight or vector; larger ones would overflow in a sum."""


def contradiction(info: ArtefactInfo) -> str:
    """Return the first contradiction within a description; "" if it has none."""
    faults = [_labels(info), _streams(info), _training(info)]
    if isinstance(info.body, FusedBody):
        body = info.body
        own = (_fusion(body), _level(body), _corrections(body), _heads(info, body))
        faults += [_words(info, info.body), _branches(info, info.body), *own]
    return next(chain.from_iterable(faults), "")


def tensor_fault(
    info: ArtefactInfo, weights: Mapping[str, np.ndarray], vectors: Mapping[str, np.ndarray]
) -> str:
    """Return the first tensor that contradicts the description; "" if none does.

    Args:
        weights: the weights of a fused artefact; those of a system are checked when it is built.
    """
    checks = [_feature_scales(info, vectors), _row_hashes(vectors)]
    if "emotions" in vectors:
        checks.append(_shaped("emotions", vectors, (len(info.labels), None)))
    if isinstance(info.body, FusedBody):
        checks.append(_fused_tensors(info.body, weights, vectors))
    return next(chain.from_iterable(checks), "")


def not_finite(tensors: Mapping[str, np.ndarray]) -> str:
    """Return the name of the first tensor with NaN or infinity in it; "" if all are finite."""
    for name, values in tensors.items():
        if values.dtype.kind in "fc" and not np.isfinite(values).all():
            return name
    return ""


def _labels(info: ArtefactInfo) -> Iterator[str]:
    if len(set(info.labels)) < len(info.labels):
        yield "labels must be different words"
    if len(info.thresholds.values) != len(info.labels):
        yield f"thresholds must hold {len(info.labels)} numbers, one for each label"
    if other := _others(info.trained, info.labels):
        yield f"trained has {other}, which is not in labels"
    if info.activation != ACTIVATIONS[info.task]:
        yield f"activation is {info.activation}, which does not go with the task {info.task}"
    yield from _values(info)
    if "weights.safetensors" not in info.files:
        yield "files does not list weights.safetensors"


def _values(info: ArtefactInfo) -> Iterator[str]:
    names = tuple(value.name for value in info.values)
    expected = info.labels if info.task == "regression" else ()
    further = info.labels[max(1, len(info.labels) - len(names)) :]
    if info.task != "regression" and isinstance(info.body, SystemBody) and names == further:
        expected = further  # values next to emotions
    if names != expected:
        named = ", ".join(expected) or "nothing"
        yield f"values must give the ranges of {named}, as labels and task say"
    for value in info.values:
        if value.low >= value.high:
            yield f"values.{value.name} goes from {value.low:g} to {value.high:g}"


def _streams(info: ArtefactInfo) -> Iterator[str]:
    named: dict[str, Mapping[str, object]] = {
        "encoders": info.encoders,
        "readers": info.readers,
        "modalities": info.modalities,
    }
    for place, streams in named.items():
        if other := _others(streams, info.widths):
            yield f"{place} has {other}, which is not in widths"
    for stream, encoder in info.encoders.items():
        if encoder.width != info.widths[stream]:
            yield (
                f"encoders.{stream}.width is {encoder.width}, but widths.{stream} is "
                f"{info.widths[stream]}"
            )
    for stream, modality in info.modalities.items():
        if modality.name != stream:
            yield f"modalities.{stream} is called {modality.name}"


def _training(info: ArtefactInfo) -> Iterator[str]:
    known = info.data.trained
    if known is None:
        return
    if other := _others(known.counts, info.labels):
        yield f"data.trained.counts has {other}, which is not in labels"
    if other := _others(known.means, info.labels):
        yield f"data.trained.means has {other}, which is not in labels"
    largest = max(known.counts.values(), default=0)
    if info.task == "single":
        largest = sum(known.counts.values())
    if largest > known.rows:
        yield f"data.trained counts {largest} labels in {known.rows} rows"


def _words(info: ArtefactInfo, body: FusedBody) -> Iterator[str]:
    if info.task != "single":
        yield f"task is {info.task}, but a fused artefact chooses a single emotion"
    if body.basics != info.labels:
        yield "labels and body.basics must be the same"
    if len(set(body.words)) < len(body.words):
        yield "body.words must be different words"
    if other := _others(body.basics, body.words):
        yield f"body.basics has {other}, which is not in body.words"
    for name, word in body.synonyms.items():
        if not any(c.isalpha() for c in word):
            yield f"body.synonyms.{name} is {word!r}, which is no word"


def _branches(info: ArtefactInfo, body: FusedBody) -> Iterator[str]:
    if set(body.branches) != set(info.widths):
        yield "body.branches and widths must name the same modalities"
    if other := _others(body.branches, info.encoders):
        yield f"encoders does not name the encoder of {other}"
    for stream, branch in body.branches.items():
        place = f"body.branches.{stream}"
        named = {"learned": branch.learned, "adapted": branch.adapted}
        for part, words in named.items():
            if other := _others(words, body.words):
                yield f"{place}.{part} has {other}, which is not in body.words"
        if other := _others(branch.thresholds, branch.learned):
            yield f"{place}.thresholds has {other}, which is not in learned"
        if len(set(branch.adapted)) < len(branch.adapted):
            yield f"{place}.adapted must be different words"
        if not set(branch.learned) & set(body.basics):
            yield f"{place}.learned has none of the basic emotions"
        if branch.graph not in info.files:
            yield f"{place}.graph is {branch.graph}, which files does not list"


def _heads(info: ArtefactInfo, body: FusedBody) -> Iterator[str]:
    """Check that each head has its modality, its files, and the values of its kind."""
    for kind, modality, head in body.heads:
        place = f"body.{kind}.{modality}"
        if modality not in body.branches:
            yield f"{place} is not in body.branches"
        for file in (head.file, head.terms):
            if file not in info.files:
                yield f"{place} names {file}, which files does not list"
        expected = DIMENSIONS if kind == "dimensions" else (INTENSITY,)
        if tuple(value.name for value in head.values) != expected:
            yield f"{place}.values must be {', '.join(expected)}"
        if any(low >= high for low, high in head.ranges):
            yield f"{place}.values must go from a lower to a higher number"


def _fusion(body: FusedBody) -> Iterator[str]:
    streams = list(body.branches)
    if body.channel is not None:
        if body.fusion:
            yield "body.fusion and body.channel contradict each other; one of them is needed"
        yield from _channel(body.channel, body)
        return
    if len(body.fusion) != 2 ** len(streams) - 1:
        yield f"body.fusion must have weights for each of the {2 ** len(streams) - 1} sets"
        return
    for members in _sets(streams):
        name = key(members)
        if name not in body.fusion:
            yield f"body.fusion lacks the weights of {name}"
        else:
            yield from _set_weights(name, set(members), body.fusion[name], body)


def _channel(channel: ChannelInfo, body: FusedBody) -> Iterator[str]:
    """Check that the channel model has its parameters of every modality and every pattern."""
    own: dict[str, Mapping[str, object]] = {
        "sharpness": channel.sharpness,
        "floor": channel.floor,
        "expected": channel.expected,
    }
    for name, values in own.items():
        if set(values) != set(body.branches):
            yield f"body.channel.{name} must have one number for each of body.branches"
    patterns = {"", *(key(members) for members in _sets(list(body.branches)))}
    if set(channel.telling) != patterns:
        yield f"body.channel.telling must have weights for each of the {len(patterns)} patterns"
    elif any(abs(sum(column) - 1) > 1e-6 for column in zip(*channel.telling.values(), strict=True)):
        yield "body.channel.telling must add up to 1, for emotions and for neutral"
    if other := _others(channel.certainty, patterns):
        yield f"body.channel.certainty has {other}, which is no set of body.branches"
    if NEUTRAL not in body.basics:
        yield "body.channel needs neutral among body.basics"
    if set(channel.trained) != set(body.basics):
        yield "body.channel.trained must have one number for each of body.basics"


def _level(body: FusedBody) -> Iterator[str]:
    """Check that a stored level has a channel model, and numbers of the basic emotions."""
    if body.level is None:
        return
    if body.channel is None:
        yield "body.level needs body.channel"
    if other := _others(body.level.shifts, body.branches):
        yield f"body.level.shifts has {other}, which is none of body.branches"
    if any(set(own) != set(body.basics) for own in body.level.shifts.values()):
        yield "body.level.shifts must have one number for each of body.basics"
    if set(body.level.utterances) != set(body.level.shifts):
        yield "body.level.utterances must have one number for each of body.level.shifts"


def _corrections(body: FusedBody) -> Iterator[str]:
    """Check that scales and offsets have a channel model, and numbers of the basic emotions."""
    if body.corrections is None:
        return
    if body.channel is None:
        yield "body.corrections needs body.channel"
    for name, own in (("scales", body.corrections.scales), ("offsets", body.corrections.offsets)):
        if set(own) != set(body.basics):
            yield f"body.corrections.{name} must have one number for each of body.basics"


def _sets(streams: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield every set of modalities but the empty one."""
    for size in range(1, len(streams) + 1):
        yield from combinations(streams, size)


def _set_weights(
    name: str, members: set[str], weights: FusionWeights, body: FusedBody
) -> Iterator[str]:
    place = f"body.fusion.{name}"
    if set(weights.weights) != members or set(weights.neutral) != members:
        yield f"{place} must have weights and neutral weights of {name.replace('+', ' and ')}"
    if set(weights.bias) != set(body.basics):
        yield f"{place}.bias must have one number for each of body.basics"


def _fused_tensors(
    body: FusedBody, weights: Mapping[str, np.ndarray], vectors: Mapping[str, np.ndarray]
) -> Iterator[str]:
    yield from _shaped("words", vectors, (len(body.words), None))
    for stream, branch in body.branches.items():
        yield from _branch_tensors(stream, branch, weights, vectors["words"].shape[1])


def _branch_tensors(
    stream: str, branch: BranchInfo, weights: Mapping[str, np.ndarray], width: int
) -> Iterator[str]:
    """Check the map [H, d], offset [d] and bias [H], the moments of the states, and the keys."""
    yield from _shaped(f"{stream}.map", weights, (None, width))
    yield from _shaped(f"{stream}.offset", weights, (width,))
    states = len(weights[f"{stream}.map"])
    shapes: dict[str, tuple[int | None, ...]] = {
        f"{stream}.bias": (states,),
        f"{stream}.mean": (states,),
        f"{stream}.covariance": (states, states),
    }
    adapted = {
        f"{stream}.adapted": (len(branch.adapted), states),
        f"{stream}.constants": (len(branch.adapted),),
    }
    for name, shape in shapes.items():
        if name in weights:  # the bias may be 0; only `moodal adapt` needs the moments
            yield from _shaped(name, weights, shape)
    for name, shape in adapted.items():
        if name in weights or branch.adapted:
            yield from _shaped(name, weights, shape)


def _feature_scales(info: ArtefactInfo, vectors: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Check the mean and deviation by which the features of a modality are standardised."""
    for stream, width in info.widths.items():
        names = (f"{stream}.mean", f"{stream}.deviation")
        if not any(name in vectors for name in names):
            continue
        for name in names:
            yield from _shaped(name, vectors, (width,))
        if not (vectors[names[1]] > 0).all():
            yield f"the tensor {names[1]} must be above 0"


def _row_hashes(vectors: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Check the hashes of the rows that trained."""
    for name, values in vectors.items():
        if "trained" in name.split(".") and (values.ndim != 1 or values.dtype != np.uint64):
            yield f"the tensor {name} must be a row of hashes (64 bits, without sign)"


def _shaped(
    name: str, tensors: Mapping[str, np.ndarray], shape: tuple[int | None, ...]
) -> Iterator[str]:
    """Check that a tensor exists, has the shape (None: any length), and holds numbers."""
    if name not in tensors:
        yield f"the tensor {name} is missing"
        return
    values = tensors[name]
    expected = ", ".join("any" if n is None else str(n) for n in shape)
    fits = values.ndim == len(shape) and all(
        n in (None, m) for n, m in zip(shape, values.shape, strict=True)
    )
    if not fits or not values.size:
        yield f"the tensor {name} is {list(values.shape)}; [{expected}] is needed"
    elif values.dtype.kind != "f":
        yield f"the tensor {name} holds {values.dtype}, not floating-point numbers"
    elif not_finite({name: values}) or float(np.abs(values).max()) > LARGEST:
        yield f"the tensor {name} holds NaN, infinity or a number above {LARGEST:g}"


def _others(names: Iterable[str], known: Container[str]) -> str:
    """List the names that are not known, separated by commas."""
    return ", ".join(name for name in names if name not in known)
