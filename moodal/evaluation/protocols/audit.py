"""What the sides of a split share, found before any run; the report carries the findings.

A figure on a held-out side means what it says only if that side is new: new speakers, new
dialogues, new sentences. Where it is not, the figure may still be right, but for a narrower
question, and the reader must know which.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from moodal.core.manifest import Manifest
from moodal.evaluation.protocols.identical import digests

Level = Literal["note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing to know.

    Attributes:
        level: error where the figures cannot be trusted, warning where they answer a narrower
            question, note where it is as well to know.
        what: what is shared, e.g. "speakers"; or "notes" of the corpus.
        between: the two sides, e.g. "train and test".
        count: how many different ones both sides have.
        share: of the rows of the second side, 0 to 1, those concerned.
        examples: up to three, as they stand in the data.
        detail: the sentence for people.
    """

    level: Level
    what: str
    between: str
    count: int
    share: float
    examples: tuple[str, ...]
    detail: str


class _Look(NamedTuple):
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
) -> list[AuditFinding]:
    """What train and test, validation and test, and train and validation share.

    Looks at ids, speakers, sessions, dialogues, scripts (``extra["script"]``), texts (case,
    accents of form and punctuation aside) and, stream by stream, features that are the same to
    the last bit; then tells the corpus's notes, e.g. of inputs that bear labels. Scripts and
    texts on both sides are a warning where words are read, else a note.

    Args:
        streams: those that the system reads (default: all that the corpus has); "text" also
            for one that learns to write the words down.

    Returns:
        Findings, errors first; a side without rows is passed over, and validation that is the
        test itself is one error.
    """
    sides = {"train": train_rows, "valid": valid_rows, "test": test_rows}
    rows = {side: np.asarray(r, np.int64) for side, r in sides.items()}
    pairs = [("train", "test"), ("valid", "test"), ("train", "valid")]
    pairs = [(a, b) for a, b in pairs if len(rows[a]) and len(rows[b])]
    found: list[AuditFinding] = []
    if len(rows["test"]) and np.array_equal(rows["valid"], rows["test"]):
        found.append(_selected_on_test(manifest, rows["test"]))
        pairs, rows["valid"] = pairs[:1], rows["valid"][:0]
    for look in _looks(manifest, manifest.features if streams is None else streams):
        keys = {side: look.key(manifest, r) for side, r in rows.items() if len(r)}
        found += (f for a, b in pairs if (f := _shared(look, a, b, keys, manifest, rows[b])))
    found += _unknown(manifest, rows["test"])
    found += (AuditFinding("note", "notes", "all rows", 1, 1.0, (), n) for n in manifest.notes)
    return sorted(found, key=lambda f: ("error", "warning", "note").index(f.level))


@functools.lru_cache(maxsize=1 << 17)
def normalised(text: str) -> str:
    """A text as the audit compares it: lower case, letters and digits, single spaces.

    >>> normalised("  Well -- it's 10 O’clock! ")
    'well it s 10 o clock'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


def _looks(manifest: Manifest, streams: Collection[str]) -> list[_Look]:
    # the same script on both sides can only help a model that reads the words
    reads = "text" in streams
    script: Level = "warning" if reads else "note"
    looks = [
        _Look("ids", _column("id"), "error", "the same utterances are on both sides"),
        _Look("speakers", _column("speaker"), "warning", "the figures are for known speakers"),
        _Look("sessions", _column("session"), "warning", "rooms and partners are known"),
        _Look(
            "dialogues",
            _column("dialogue"),
            "warning",
            "neighbouring utterances of one recording are on both sides",
        ),
        _Look("scripts", _column("script"), script, "the same lines are spoken on both sides"),
        _Look("texts", _texts, script, "sentences are not new to the model"),
    ]
    return looks + [
        _Look(
            f"{stream} features",
            _features(stream),
            "warning",
            "the very same inputs are on both sides",
        )
        for stream in manifest.features
        if stream in streams
    ]


def _column(name: str) -> Callable[[Manifest, np.ndarray], list[Hashable | None]]:
    def keys(manifest: Manifest, rows: np.ndarray) -> list[Hashable | None]:
        column = manifest.column(name)
        return [column[i] or None for i in rows]

    return keys


def _texts(manifest: Manifest, rows: np.ndarray) -> list[Hashable | None]:
    texts = (manifest.utterances[i].text for i in rows)
    return [(normalised(text) or None) if text else None for text in texts]


def _features(stream: str) -> Callable[[Manifest, np.ndarray], list[Hashable | None]]:
    """A digest of each row's frames; None where nothing of the corpus equals them."""

    def keys(manifest: Manifest, rows: np.ndarray) -> list[Hashable | None]:
        all_rows = digests(manifest.features[stream])
        return [all_rows[i] for i in rows]

    return keys


def _shared(
    look: _Look,
    a: str,
    b: str,
    keys: Mapping[str, Sequence[Hashable | None]],
    manifest: Manifest,
    rows: np.ndarray,
) -> AuditFinding | None:
    """What of ``look`` side ``a`` and side ``b`` (its rows given) both have."""
    common = {k for k in keys[a] if k is not None} & {k for k in keys[b] if k is not None}
    if not common:
        return None
    hit = [i for i, key in enumerate(keys[b]) if key in common]
    share = len(hit) / len(rows)
    many = len(common)
    detail = (
        f"{a} and {b} share {many} {look.what if many > 1 else _one(look.what)}, "
        f"{share:.1%} of the {b} rows: {look.meaning}."
    )
    examples = tuple(_examples(look, keys[b], hit, manifest, rows))
    return AuditFinding(look.level, look.what, f"{a} and {b}", many, share, examples, detail)


def _examples(
    look: _Look,
    keys: Sequence[Hashable | None],
    hit: Sequence[int],
    manifest: Manifest,
    rows: np.ndarray,
) -> Iterable[str]:
    """The three that concern most rows; for features, the utterances that have them."""
    for key, _ in Counter(keys[i] for i in hit).most_common(3):
        utterance = manifest.utterances[rows[next(i for i in hit if keys[i] == key)]]
        if look.what == "texts":
            yield str(utterance.text)
        else:
            yield utterance.id if look.what.endswith("features") else str(key)


def _one(what: str) -> str:
    return "set of " + what if what.endswith("features") else what.removesuffix("s")


def _selected_on_test(manifest: Manifest, rows: np.ndarray) -> AuditFinding:
    ids = tuple(manifest.utterances[i].id for i in rows[:3])
    detail = (
        "The validation rows are the test rows: what was chosen on them was chosen on the test, "
        "and the figures are too high."
    )
    return AuditFinding("error", "ids", "valid and test", len(rows), 1.0, ids, detail)


def _unknown(manifest: Manifest, rows: np.ndarray) -> list[AuditFinding]:
    """What could not be looked at, because the corpus does not say it."""
    missing = [i for i in rows if not manifest.utterances[i].speaker]
    if not missing:
        return []
    share = len(missing) / len(rows)
    detail = (
        f"The speaker of {share:.1%} of the test rows is unknown: whether train has heard "
        "them cannot be said."
    )
    ids = tuple(manifest.utterances[i].id for i in missing[:3])
    return [
        AuditFinding("note", "unknown speakers", "train and test", len(missing), share, ids, detail)
    ]
