"""Scored: predictions for N utterances with their truth, stored so that reports can be remade."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args
from zipfile import BadZipFile

import numpy as np

from moodal.core.emotions import Targets, Task, Value, Values
from moodal.core.errors import DataError, SpaceError
from moodal.core.files import load_json, replacing
from moodal.core.guard import cell
from moodal.core.records import Utterance
from moodal.evaluation.report.rated_rows import ARRAYS, RatedRows, join_rated

FORMAT = 1
ClusterKind = Literal["speaker", "dialogue", "utterance"]


@dataclass(frozen=True)
class ScoredRows:
    """The rows behind N predictions: which they are, and which of them belong together.

    Attributes:
        ids: N names of utterances.
        clusters: N names; rows of one name are not independent. None: every row is independent.
        cluster_kind: what the clusters are.
        groups: column -> N values by which a report is broken down, "" where a row has none.
    """

    ids: Sequence[str]
    clusters: Sequence[str] | None = None
    cluster_kind: ClusterKind = "utterance"
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Scored:
    """Predictions and truth of N utterances for C emotions or values.

    Attributes:
        ids: N names of utterances.
        probabilities: [N, C], 0 to 1: the sigmoid (multi) or softmax (single) of the logits; for
            values the logits, clipped to their ranges.
        logits: [N, C], the output of the system; metrics of values are computed from them, as in
            papers.
        targets: [N, C], 0 or 1, or the true values.
        labels: C names of emotions or values.
        task: see `moodal.core.emotions.Task`.
        clusters: N names; rows of one name are not independent (one speaker, one video).
        cluster_kind: what the clusters are.
        subset: the rows in words, e.g. "test" or "fold 2 test".
        info: further JSON values (corpus, fingerprint, system, seed).
        groups: column -> N values ("" where a row has none) by which reports are broken down, e.g.
            {"style": ("scripted", "improvised", ...)}.
        values: for the task "regression" the C values and their ranges (default: the built-in
            ranges), otherwise none.
        context: the parts of the report of these rows that are no figures of them (marks,
            thresholds, ...; see `moodal.evaluation.report.stored.context_of`), so that a report
            made again has them, too.
        train_targets: of values the targets of training [M, C], which the baselines need.
        rated: the shares of raters, where the corpus has them; the targets are then made of them,
            and are 0 throughout where a row has no single true emotion.

    Raises:
        DataError: the sizes do not agree, a number is NaN or infinite, or a range is unknown.
    """

    ids: tuple[str, ...]
    probabilities: np.ndarray
    logits: np.ndarray
    targets: np.ndarray
    labels: tuple[str, ...]
    task: Task
    clusters: tuple[str, ...]
    cluster_kind: ClusterKind = "utterance"
    subset: str = "test"
    info: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: tuple[Value, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    train_targets: np.ndarray | None = None
    rated: RatedRows | None = None

    def __post_init__(self) -> None:
        for name in ("ids", "labels", "clusters"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        groups = {column: tuple(map(str, values)) for column, values in self.groups.items()}
        object.__setattr__(self, "groups", groups)
        if self.task not in get_args(Task) or self.cluster_kind not in get_args(ClusterKind):
            raise DataError(
                f"Unknown task {self.task!r} or cluster kind {self.cluster_kind!r}; choose from "
                f"{', '.join(get_args(Task))} and {', '.join(get_args(ClusterKind))}."
            )
        if self.task == "regression":
            known = _known_values(self.values, self.labels, self.subset)
            object.__setattr__(self, "values", known.values)
        shape = (len(self.ids), len(self.labels))
        for name in ("probabilities", "logits", "targets"):
            array = np.asarray(getattr(self, name))
            object.__setattr__(self, name, array)
            if array.shape != shape:
                raise DataError(
                    f"{self.subset}: {shape[0]} utterances and {shape[1]} emotions need {name} "
                    f"{list(shape)}; got {list(array.shape)}."
                )
            if not np.isfinite(array).all():
                row = int(np.argmin(np.isfinite(array).all(1)))
                raise DataError(
                    f"{self.subset}: the {name} of {self.ids[row]!r} contain NaN or infinity; "
                    "check its features and the training loss."
                )
        if self.rated is not None:
            self.rated.require(shape, self.subset)
        for what, names in {"clusters": self.clusters, **self.groups}.items():
            if len(names) != shape[0]:
                raise DataError(f"{self.subset}: {shape[0]} utterances, but {len(names)} {what}.")

    @classmethod
    def from_logits(
        cls,
        logits: np.ndarray,
        targets: np.ndarray,
        space: Targets,
        rows: ScoredRows,
        *,
        subset: str = "test",
        info: Mapping[str, Any] | None = None,
    ) -> Scored:
        """Compute the probabilities, or the values within their ranges, from logits.

        Args:
            logits, targets: [N, C], the columns in the order of ``space``.
            space: the emotions or values.
            rows: the N rows.
            subset, info: see `Scored`.
        """
        logits = np.asarray(logits)
        if isinstance(space, Values):
            probabilities = space.clip(logits)
        else:
            probabilities = sigmoid(logits) if space.task == "multi" else softmax(logits)
        clusters = rows.ids if rows.clusters is None else rows.clusters
        return cls(
            ids=tuple(rows.ids),
            probabilities=probabilities,
            logits=logits,
            targets=targets,
            labels=space.labels,
            task=space.task,
            clusters=tuple(clusters),
            cluster_kind=rows.cluster_kind,
            subset=subset,
            info=info or {},
            groups={column: tuple(values) for column, values in rows.groups.items()},
            values=space.values if isinstance(space, Values) else (),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def clear(self) -> np.ndarray:
        """The rows that have a single true emotion, where shares are known; else all: [N] bool."""
        return np.ones(len(self), bool) if self.rated is None else self.rated.clear

    @property
    def hard(self) -> Scored:
        """The rows with a single true emotion, without the shares of raters."""
        if self.rated is None:
            return self
        return dataclasses.replace(self.rows(np.flatnonzero(self.clear)), rated=None)

    @property
    def each(self) -> np.ndarray:
        """The probability of each emotion by itself, the sigmoid of its logit: [N, C], 0 to 1."""
        return self.probabilities if self.task == "multi" else sigmoid(self.logits)

    @property
    def columns(self) -> list[str]:
        """The labels; values have their ranges added."""
        return [str(value) for value in self.values] or list(self.labels)

    @property
    def sentiment(self) -> np.ndarray:
        """The columns that are sentiment from -3 to 3: [C] bool."""
        return np.array([v.is_sentiment for v in self.values] or [False] * len(self.labels), bool)

    @property
    def evident(self) -> np.ndarray:
        """The columns of which a modality of some row has evidence: [C] bool.

        ``info["without_evidence"]`` names the others: their scores rank nothing.
        """
        without = self.info.get("without_evidence", ())
        return np.array([label not in without for label in self.labels], bool)

    def select(self, labels: Sequence[str]) -> Scored:
        """Select the columns of ``labels``, in that order; probabilities are not renormalised."""
        columns = [self.labels.index(label) for label in labels]
        return dataclasses.replace(
            self,
            probabilities=self.probabilities[:, columns],
            logits=self.logits[:, columns],
            targets=self.targets[:, columns],
            labels=tuple(labels),
            values=tuple(self.values[c] for c in columns) if self.values else (),
            train_targets=None if self.train_targets is None else self.train_targets[:, columns],
            rated=None if self.rated is None else self.rated.select(columns),
        )

    def rows(self, which: Sequence[int] | np.ndarray) -> Scored:
        """Select rows, in this order."""
        which = np.asarray(which, np.int64)

        def pick(names: Sequence[str]) -> tuple[str, ...]:
            return tuple(names[i] for i in which)

        return dataclasses.replace(
            self,
            ids=pick(self.ids),
            probabilities=self.probabilities[which],
            logits=self.logits[which],
            targets=self.targets[which],
            clusters=pick(self.clusters),
            groups={column: pick(values) for column, values in self.groups.items()},
            rated=None if self.rated is None else self.rated.rows(which),
        )

    def save(self, folder: Path | str, name: str = "predictions") -> Path:
        """Write ``name``.npz (numbers), ``name``.json (texts) and ``name``.csv (a table to read).

        Returns:
            The path of the .npz file.

        Raises:
            OutputError: the folder cannot be written.
        """
        folder = Path(folder)
        head = {
            "format": FORMAT,
            "ids": self.ids,
            "labels": self.labels,
            "task": self.task,
            "clusters": self.clusters,
            "cluster_kind": self.cluster_kind,
            "subset": self.subset,
            "info": dict(self.info),
            **({"groups": self.groups} if self.groups else {}),
            **({"values": Values(self.values).ranges()} if self.values else {}),
            **({"context": self.context} if self.context else {}),
            **({"rated": self.rated.head()} if self.rated else {}),
        }
        arrays = {"probabilities": self.probabilities, "logits": self.logits}
        arrays |= self.rated.arrays() if self.rated else {}
        if self.train_targets is not None:
            arrays["train_targets"] = self.train_targets
        with replacing(folder / f"{name}.npz") as part, open(part, "wb") as numbers:
            np.savez(numbers, allow_pickle=False, targets=self.targets, **arrays)
        with replacing(folder / f"{name}.json") as part:
            part.write_text(json.dumps(head, allow_nan=False) + "\n", encoding="utf-8")
        with (
            replacing(folder / f"{name}.csv") as part,
            open(part, "w", encoding="utf-8", newline="") as file,
        ):
            self._write_csv(file)
        return folder / f"{name}.npz"

    def _write_csv(self, file: Any) -> None:
        """Write ids, clusters, groups, truth, shares and probabilities or values, row by row."""
        kind = "value" if self.task == "regression" else "probability"
        writer = csv.writer(file)
        truth = [f"true:{label}" for label in self.labels]
        scores = [f"{kind}:{label}" for label in self.labels]
        if self.rated is not None:
            truth += [f"share:{label}" for label in self.labels]
        writer.writerow(map(cell, ["id", self.cluster_kind, *self.groups, *truth, *scores]))
        for row, (name, cluster) in enumerate(zip(self.ids, self.clusters, strict=True)):
            groups = (values[row] for values in self.groups.values())
            predicted = (f"{p:.6g}" for p in self.probabilities[row])
            true = [f"{t:g}" for t in self.targets[row]]
            if self.rated is not None:
                true += [f"{share:.6g}" for share in self.rated.shares[row]]
            writer.writerow([*map(cell, (name, cluster, *groups)), *true, *predicted])


def load(folder: Path | str, name: str = "predictions") -> Scored:
    """Read the files of `Scored.save`.

    Raises:
        DataError: a file is missing or damaged.
    """
    folder = Path(folder)
    try:
        head = load_json(folder / f"{name}.json")
        if head.pop("format") != FORMAT:
            raise DataError(f"{folder}/{name}.json has another format; run the evaluation again.")
        with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
            names = ["probabilities", "logits", "targets"]
            names += [name for name in ("train_targets",) if name in arrays]
            numbers = {key: arrays[key] for key in names}
            rated = {key: arrays[key] for key in ARRAYS if key in arrays}
        values = tuple(Value(**value) for value in head.pop("values", ()))
        about = head.pop("rated", None)
        shares = None if about is None else RatedRows.read(rated, about)
        return Scored(**head, **numbers, values=values, rated=shares)
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} has no stored predictions: {error.filename} is missing; "
            "evaluate the run again."
        ) from None
    except (ValueError, KeyError, TypeError, EOFError, OSError, BadZipFile, SpaceError) as error:
        raise DataError(
            f"{folder}/{name}.npz or .json is damaged ({error}); evaluate the run again."
        ) from None


def _known_values(values: Sequence[Value], labels: Sequence[str], subset: str) -> Values:
    """Return the values of some columns, with built-in ranges where none are given.

    Raises:
        DataError: a range is unknown, or the values belong to other columns.
    """
    try:
        known = Values(values or labels)
    except SpaceError as error:
        raise DataError(f"{subset}: {error}") from None
    if known.labels != tuple(labels):
        raise DataError(
            f"{subset}: the ranges belong to {', '.join(known.labels)}, but the numbers to "
            f"{', '.join(labels)}."
        )
    return known


def clusters_of(utterances: Sequence[Utterance]) -> tuple[tuple[str, ...], ClusterKind]:
    """Return the cluster of each utterance and their kind: speaker, dialogue or utterance.

    The first kind that is known for every utterance is used.

    >>> clusters_of([Utterance("a", dialogue="v1"), Utterance("b", dialogue="v1", speaker="x")])
    (('v1', 'v1'), 'dialogue')
    """
    speakers, dialogues = [u.speaker for u in utterances], [u.dialogue for u in utterances]
    if None not in speakers:
        return tuple(map(str, speakers)), "speaker"
    if None not in dialogues:
        return tuple(map(str, dialogues)), "dialogue"
    return tuple(u.id for u in utterances), "utterance"


def join(parts: Sequence[Scored], subset: str = "all folds") -> Scored:
    """Concatenate the rows of several predictions, e.g. of the folds of one corpus.

    Raises:
        DataError: their labels, ranges or tasks differ.
    """
    first = parts[0]
    if any((p.labels, p.task, p.values) != (first.labels, first.task, first.values) for p in parts):
        raise DataError("Only predictions of the same labels, ranges and task can be joined.")
    same_kind = len({p.cluster_kind for p in parts}) == 1
    return Scored(
        ids=tuple(i for p in parts for i in p.ids),
        probabilities=np.concatenate([p.probabilities for p in parts]),
        logits=np.concatenate([p.logits for p in parts]),
        targets=np.concatenate([p.targets for p in parts]),
        labels=first.labels,
        task=first.task,
        clusters=tuple(c for p in parts for c in (p.clusters if same_kind else p.ids)),
        cluster_kind=first.cluster_kind if same_kind else "utterance",
        subset=subset,
        info=first.info,
        groups={
            column: tuple(x for p in parts for x in p.groups[column])
            for column in first.groups
            if all(column in p.groups for p in parts)
        },
        values=first.values,
        rated=join_rated([p.rated for p in parts]),
    )


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Compute 1 / (1 + exp(-x)) as float64, without overflow."""
    x = np.asarray(logits, np.float64)
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Compute exp(x) / sum of exp(x) over the last axis, as float64."""
    x = np.asarray(logits, np.float64)
    raised = np.exp(x - x.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)
