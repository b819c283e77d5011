"""The audit of a split: what its sides share, examined before training and kept in the report.

A figure on held-out rows describes new speakers, dialogues or sentences only if these rows are
new in that respect. Where they are not, the figure answers a narrower question, and the reader
must know which.
"""

from __future__ import annotations

import hashlib
import weakref
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from moodal.core.emotions import Values
from moodal.core.manifest import Manifest
from moodal.core.records import Frames
from moodal.evaluation.protocols.audit_finding import AuditFinding, Level, listed
from moodal.evaluation.protocols.leaks import leaks
from moodal.evaluation.protocols.near_texts import normalised

PLACES = 16
"""The places of a row that are compared before it is hashed."""

_cached: dict[int, tuple[weakref.ref[np.ndarray], np.ndarray, list[bytes | None]]] = {}
"""Address of a stream's values -> the values, their lengths and the digests."""


class _Check(NamedTuple):
    """One comparison of two sides: what is compared, by which key, and what sharing it means."""

    what: str
    key: Callable[[Manifest, np.ndarray], Sequence[Hashable | None]]
    level: Level
    meaning: str


def audit(
    manifest: Manifest,
    train_rows: Sequence[int] | np.ndarray,
    valid_rows: Sequence[int] | np.ndarray,
    test_rows: Sequence[int] | np.ndarray,
    streams: Sequence[str] | None = None,
    unseen: Collection[str] = (),
) -> list[AuditFinding]:
    """List what each pair of train, validation and test has in common, and what one side lacks.

    The audit compares ids, speakers, sessions, dialogues, scripts (``extra["script"]``), texts
    (without case and punctuation) and, for each stream, features that are bitwise equal. Shared
    scripts and texts are a warning for a system that reads words, otherwise a note. The audit also
    names emotions that are tested and never trained (a warning), or trained and never tested, and
    adds the notes of the corpus, e.g. about features that contain the label. What equal keys do not
    show is found by `moodal.evaluation.protocols.leaks`.

    Args:
        manifest: the corpus.
        train_rows, valid_rows, test_rows: rows of the manifest.
        streams: the streams that the system reads (default: all of the corpus); "text" also for a
            system that learns to transcribe.
        unseen: emotions that the protocol keeps from training on purpose.

    Returns:
        Findings, errors first. A side without rows is skipped. Validation on the test rows is one
        error.
    """
    sides = {"train": train_rows, "valid": valid_rows, "test": test_rows}
    rows = {side: np.asarray(r, np.int64) for side, r in sides.items()}
    pairs = [("train", "test"), ("valid", "test"), ("train", "valid")]
    pairs = [(a, b) for a, b in pairs if len(rows[a]) and len(rows[b])]
    findings: list[AuditFinding] = []
    if len(rows["test"]) and np.array_equal(rows["valid"], rows["test"]):
        findings.append(_selected_on_test(manifest, rows["test"]))
        pairs, rows["valid"] = pairs[:1], rows["valid"][:0]
    for check in _checks(manifest, manifest.features if streams is None else streams):
        keys = {side: check.key(manifest, r) for side, r in rows.items() if len(r)}
        findings += (f for a, b in pairs if (f := _shared(check, a, b, keys, manifest, rows[b])))
    read = set(manifest.features) if streams is None else set(streams)
    findings += leaks(manifest, rows, pairs, read)
    findings += _emotions(manifest, rows["train"], rows["test"], unseen)
    findings += _unknown(manifest, rows["test"])
    findings += (AuditFinding("note", "notes", "all rows", 1, 1.0, (), n) for n in manifest.notes)
    return sorted(findings, key=lambda f: ("error", "warning", "note").index(f.level))


def _checks(manifest: Manifest, streams: Collection[str]) -> list[_Check]:
    """List the comparisons for a system that reads ``streams``."""
    # a shared script helps only a model that reads the words
    reads = "text" in streams
    script: Level = "warning" if reads else "note"
    checks = [
        _Check("ids", _column("id"), "error", "the same utterances are on both sides"),
        _Check("speakers", _column("speaker"), "warning", "the figures describe known speakers"),
        _Check("sessions", _column("session"), "warning", "rooms and dialogue partners are known"),
        _Check(
            "dialogues",
            _column("dialogue"),
            "warning",
            "neighbouring utterances of one recording are on both sides",
        ),
        _Check("scripts", _column("script"), script, "the same lines are spoken on both sides"),
        _Check("texts", _texts, script, "the model knows these sentences"),
    ]
    return checks + [
        _Check(
            f"{stream} features",
            _features(stream),
            "warning",
            "identical inputs are on both sides",
        )
        for stream in manifest.features
        if stream in streams
    ]


def _column(name: str) -> Callable[[Manifest, np.ndarray], list[Hashable | None]]:
    """Return a function to the values of a column; None where a row has none."""

    def keys(manifest: Manifest, rows: np.ndarray) -> list[Hashable | None]:
        column = manifest.column(name)
        return [column[i] or None for i in rows]

    return keys


def _texts(manifest: Manifest, rows: np.ndarray) -> list[Hashable | None]:
    """Return the normalised text of each row; None where it is empty."""
    texts = (manifest.utterances[i].text for i in rows)
    return [(normalised(text) or None) if text else None for text in texts]


def _features(stream: str) -> Callable[[Manifest, np.ndarray], list[Hashable | None]]:
    """Return a function to the digest of each row's frames; None where no other row equals it."""

    def keys(manifest: Manifest, rows: np.ndarray) -> list[Hashable | None]:
        all_rows = digests(manifest.features[stream])
        return [all_rows[i] for i in rows]

    return keys


def _shared(
    check: _Check,
    a: str,
    b: str,
    keys: Mapping[str, Sequence[Hashable | None]],
    manifest: Manifest,
    rows: np.ndarray,
) -> AuditFinding | None:
    """Report what sides ``a`` and ``b`` have in common; ``rows`` are those of ``b``."""
    common = {k for k in keys[a] if k is not None} & {k for k in keys[b] if k is not None}
    if not common:
        return None
    hit = [i for i, key in enumerate(keys[b]) if key in common]
    share = len(hit) / len(rows)
    many = len(common)
    detail = (
        f"{a} and {b} share {many} {check.what if many > 1 else _one(check.what)}, "
        f"{share:.1%} of the {b} rows: {check.meaning}."
    )
    examples = tuple(_examples(check, keys[b], hit, manifest, rows))
    return AuditFinding(check.level, check.what, f"{a} and {b}", many, share, examples, detail)


def _examples(
    check: _Check,
    keys: Sequence[Hashable | None],
    hit: Sequence[int],
    manifest: Manifest,
    rows: np.ndarray,
) -> Iterable[str]:
    """Yield the three shared keys with the most rows; for features, the utterances."""
    for key, _ in Counter(keys[i] for i in hit).most_common(3):
        utterance = manifest.utterances[rows[next(i for i in hit if keys[i] == key)]]
        if check.what == "texts":
            yield str(utterance.text)
        else:
            yield utterance.id if check.what.endswith("features") else str(key)


def _one(what: str) -> str:
    """Return the singular of what is shared."""
    return "set of " + what if what.endswith("features") else what.removesuffix("s")


def _selected_on_test(manifest: Manifest, rows: np.ndarray) -> AuditFinding:
    """Report that the validation rows are the test rows."""
    ids = tuple(manifest.utterances[i].id for i in rows[:3])
    detail = (
        "The validation rows are the test rows: the epoch and the thresholds were selected on the "
        "test, so the figures are too high."
    )
    return AuditFinding("error", "ids", "valid and test", len(rows), 1.0, ids, detail)


def _emotions(
    manifest: Manifest, train: np.ndarray, test: np.ndarray, unseen: Collection[str]
) -> Iterator[AuditFinding]:
    """Report emotions that only the training rows or only the test rows have."""
    if isinstance(manifest.space, Values) or not (len(train) and len(test)):
        return
    counts = {
        side: (manifest.labels[rows] > 0).sum(0).tolist()
        for side, rows in (("train", train), ("test", test))
    }
    levels: tuple[tuple[str, str, Level], ...] = (
        ("train", "test", "warning"),
        ("test", "train", "note"),
    )
    for lacking, having, level in levels:
        columns = [
            column
            for column, label in enumerate(manifest.space.labels)
            if counts[having][column] and not counts[lacking][column] and label not in unseen
        ]
        if not columns:
            continue
        names = [manifest.space.labels[column] for column in columns]
        rows = test if having == "test" else train
        hit = int((manifest.labels[rows][:, columns] > 0).any(1).sum())
        one = len(names) == 1
        consequence = (
            f"figures of {'it' if one else 'them'}, and the means over all emotions, are of "
            f"{'an emotion that was' if one else 'emotions that were'} never learned"
            if having == "test"
            else f"{'it has' if one else 'they have'} no figures, and the means are over the others"
        )
        detail = (
            f"The {lacking} rows have no {listed(names)} ({hit:,} {having} "
            f"row{'s' * (hit != 1)} {'have' if hit != 1 else 'has'} {'it' if one else 'them'}): "
            f"{consequence}."
        )
        share = float((manifest.labels[test][:, columns] > 0).any(1).mean())
        yield AuditFinding(
            level, "emotions", "train and test", len(names), share, tuple(names[:3]), detail
        )


def _unknown(manifest: Manifest, rows: np.ndarray) -> list[AuditFinding]:
    """Report test rows whose speaker is unknown, so that sharing cannot be examined."""
    missing = [i for i in rows if not manifest.utterances[i].speaker]
    if not missing:
        return []
    share = len(missing) / len(rows)
    detail = (
        f"The speaker of {share:.1%} of the test rows is unknown: the speakers may be in the "
        "training rows."
    )
    ids = tuple(manifest.utterances[i].id for i in missing[:3])
    return [
        AuditFinding("note", "unknown speakers", "train and test", len(missing), share, ids, detail)
    ]


def digests(frames: Frames) -> Sequence[bytes | None]:
    """Return a digest for each row that is bitwise equal to another, and None for unique rows.

    Rows are compared in a few places first, and only rows that agree there are hashed completely,
    so that two gigabytes of frames take seconds. The result is cached for the folds of one corpus.
    Rows without frames, or with one constant value, are None too: they contain no recording.
    """
    values = frames.values
    cached = _cached.get(id(values))
    if cached is not None and cached[0]() is values and cached[1] is frames.lengths:
        return cached[2]
    computed = _digests(frames)
    key = id(values)
    forget = weakref.ref(values, lambda _: _cached.pop(key, None))
    _cached[key] = (forget, frames.lengths, computed)
    return computed


def _digests(frames: Frames) -> list[bytes | None]:
    """Hash the rows that agree in length and in some places with another row."""
    candidates: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    flat = np.asarray(frames.values).reshape(-1)
    starts, sizes = frames.offsets[:-1] * frames.width, frames.lengths * frames.width
    for row in np.flatnonzero(sizes).tolist():
        places = starts[row] + np.linspace(0, sizes[row] - 1, PLACES).astype(np.int64)
        candidates[int(sizes[row]), flat[places].tobytes()].append(row)
    out: list[bytes | None] = [None] * len(frames)
    for rows in candidates.values():
        for row in rows if len(rows) > 1 else ():
            values = np.ascontiguousarray(frames[row])
            if (values != values.flat[0]).any():
                out[row] = hashlib.blake2b(values.data, digest_size=16).digest()
    return out
