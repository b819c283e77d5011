"""Leaks that equal ids do not show: overlapping clips, near copies, inputs that hold the label.

Each check reads a manifest and the rows of two sides, and yields findings of the audit.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from moodal.core.emotions import Values
from moodal.core.manifest import Manifest
from moodal.core.records import Clip
from moodal.evaluation.metrics import auc
from moodal.evaluation.protocols.audit_finding import AuditFinding, Level
from moodal.evaluation.protocols.near_texts import ComparedTexts, near_pairs, normalised

TELLING = 0.98
"""The AUC, or the absolute correlation with a value, from which on a single feature column is
taken to hold the label."""

FEWEST = 10
"""Rows with and without an emotion that such an AUC needs."""

MOST_ROWS = 2000
"""Rows in which feature columns are examined."""

NAMED, SURE = 0.01, 0.9
"""The share of test rows whose text holds the word of their label that is told, and the share of
rows with the word that have the label from which on it is a warning."""

COPY = 0.96
"""The cosine of two prints from which on sounds are taken for copies: no two different recordings
of CREMA-D and RAVDESS reach it, but copies do (benchmarks/sound_prints.py)."""

TOGETHER = 1000
"""Sounds that are compared at once."""

IDS: Mapping[str, re.Pattern[str]] = {
    "RAVDESS": re.compile(r"(?:\d\d-){6}(\d\d)(?!\d)"),
    "CREMA-D": re.compile(r"(\d{4})_[A-Z]{3}_[A-Z]{3}_[A-Z]{2}"),
    "IEMOCAP": re.compile(r"(Ses0\d[FM])_"),
    "Emo-DB": re.compile(r"(?<![A-Za-z0-9])(\d\d)[a-z]\d\d[A-Z][a-z]?(?![A-Za-z0-9])"),
    "SAVEE": re.compile(r"(?<![A-Za-z])(DC|JE|JK|KL)_?(?:a|d|f|h|n|sa|su)\d\d"),
    "a folder or name such as actor_12": re.compile(
        r"(?:actor|speaker|spk|subject|participant|patient)[_\- ]?(\d+)", re.I
    ),
}
"""Corpus -> how its file names tell the speaker, which is the pattern's group."""


def leaks(
    manifest: Manifest,
    rows: Mapping[str, np.ndarray],
    pairs: Sequence[tuple[str, str]],
    streams: Collection[str],
) -> Iterator[AuditFinding]:
    """Yield what two sides share without equal ids, and inputs that hold the label.

    Args:
        manifest: the corpus.
        rows: side, such as "train" -> its rows.
        pairs: the pairs of sides that are compared.
        streams: the streams that the system reads.
    """
    sides = {side for pair in pairs for side in pair}
    texts = {side: ComparedTexts.of(_texts(manifest, rows[side])) for side in sides}
    for a, b in pairs:
        yield from _clips(manifest, a, b, rows)
        yield from _near_texts(a, b, texts, "text" in streams)
        yield from _near_sounds(manifest, a, b, rows, "speech" in streams)
        yield from _named_speakers(manifest, a, b, rows)
    if len(rows["train"]):
        yield from _telling_columns(manifest, rows["train"], streams)
        if manifest.ratings is not None:
            yield from _telling_columns(manifest.rated, rows["train"], streams)
    if "text" in streams and len(rows["test"]):
        yield from _label_words(manifest, rows["test"])


def _clips(
    manifest: Manifest, a: str, b: str, rows: Mapping[str, np.ndarray]
) -> Iterator[AuditFinding]:
    """Report recordings with clips on both sides, and clips that overlap in time."""
    spans = {side: _spans(manifest, rows[side]) for side in (a, b)}
    shared = [path for path in spans[b] if path in spans[a]]
    if not shared:
        return
    rows_b = {row for path in shared for _, _, row in spans[b][path]}
    detail = (
        f"{a} and {b} share {len(shared)} recording{'s' * (len(shared) > 1)}, "
        f"{len(rows_b) / len(rows[b]):.1%} of the {b} rows: other clips of one file, with its "
        "voice, room and topic, are on both sides."
    )
    share = len(rows_b) / len(rows[b])
    names = tuple(shared[:3])
    yield AuditFinding("warning", "recordings", f"{a} and {b}", len(shared), share, names, detail)
    over = sorted({row for path in shared for row in _overlapping(spans[a][path], spans[b][path])})
    if over:
        ids = tuple(manifest.utterances[row].id for row in over[:3])
        detail = (
            f"{len(over)} of the {b} rows ({len(over) / len(rows[b]):.1%}) overlap in time with a "
            f"clip of {a}: the same sound or pictures are on both sides."
        )
        share = len(over) / len(rows[b])
        yield AuditFinding(
            "error", "overlapping clips", f"{a} and {b}", len(over), share, ids, detail
        )


Span = tuple[float, float, int]


def _spans(manifest: Manifest, rows: np.ndarray) -> dict[str, list[Span]]:
    """Return the clips that are parts of a file: path -> (start, end, row)."""
    spans: dict[str, list[Span]] = defaultdict(list)
    for row in rows.tolist():
        clips = {c for c in manifest.utterances[row].media.values() if isinstance(c, Clip)}
        for clip in clips:
            if clip.start is not None or clip.end is not None:
                end = float("inf") if clip.end is None else clip.end
                spans[clip.path].append((clip.start or 0.0, end, row))
    return spans


def _overlapping(first: Sequence[Span], second: Sequence[Span]) -> set[int]:
    """Return the rows of the second spans that overlap one of the first by more than 10 ms."""
    starts = sorted(first)
    reach = np.maximum.accumulate([end for _, end, _ in starts])
    begins = np.array([start for start, _, _ in starts])
    return {
        row
        for start, end, row in second
        if (at := int(np.searchsorted(begins, end - 0.01))) and reach[at - 1] > start + 0.01
    }


def _near_sounds(
    manifest: Manifest, a: str, b: str, rows: Mapping[str, np.ndarray], reads: bool
) -> Iterator[AuditFinding]:
    """Report sounds of one side that are copies of the other's, louder, coded anew or cut."""
    if manifest.acoustics is None:
        return
    prints = manifest.acoustics.prints
    first, second = (prints[rows[side]].astype(np.float32) for side in (a, b))
    copies: list[tuple[int, int]] = []
    for begin in range(0, len(second), TOGETHER):
        alike = second[begin : begin + TOGETHER] @ first.T
        nearest = alike.argmax(1)
        near = np.flatnonzero(alike[np.arange(len(alike)), nearest] >= COPY)
        copies += [(int(rows[a][nearest[i]]), int(rows[b][begin + i])) for i in near]
    if not copies:
        return
    share = len(copies) / len(rows[b])
    ids = tuple(" / ".join(manifest.utterances[i].id for i in pair) for pair in copies[:3])
    detail = (
        f"{len(copies)} of the {b} rows ({share:.1%}) sound like copies of a row of {a}, perhaps "
        f"louder, coded anew or with other quiet around them: {', '.join(ids)}."
    )
    level: Level = "warning" if reads else "note"
    yield AuditFinding(level, "near sounds", f"{a} and {b}", len(copies), share, ids, detail)


def _texts(manifest: Manifest, rows: np.ndarray) -> list[str]:
    """Return the normalised text of each row, "" without one."""
    return [normalised(manifest.utterances[i].text or "") for i in rows]


def _near_texts(
    a: str, b: str, compared: Mapping[str, ComparedTexts], reads: bool
) -> Iterator[AuditFinding]:
    """Report texts of one side that are nearly a text of the other."""
    near = near_pairs(compared[a], compared[b])
    if not near:
        return
    first, second = compared[a].texts, compared[b].texts
    share = len(near) / len(second)
    names = tuple(f"{first[i]} / {second[j]}" for j, i in list(near.items())[:3])
    detail = (
        f"{len(near)} of the {b} rows ({share:.1%}) have nearly the text of a row of {a}: the "
        "model knows these sentences but for a few letters."
    )
    level: Level = "warning" if reads else "note"
    yield AuditFinding(level, "similar texts", f"{a} and {b}", len(near), share, names, detail)


def _named_speakers(
    manifest: Manifest, a: str, b: str, rows: Mapping[str, np.ndarray]
) -> Iterator[AuditFinding]:
    """Report speakers whom ids or file names tell, where the corpus names none."""
    sides = np.concatenate([rows[a], rows[b]])
    if any(manifest.utterances[i].speaker for i in sides.tolist()):
        return
    for corpus, pattern in IDS.items():
        named = {
            side: [_first(pattern, manifest, row) for row in rows[side].tolist()] for side in (a, b)
        }
        known = [name for name in named[a] + named[b] if name]
        if len(known) < 0.9 * len(sides) or len(set(known)) < 2:
            continue
        common = set(named[a]) & set(named[b]) - {None}
        if not common:
            return
        hit = sum(name in common for name in named[b])
        share = hit / len(rows[b])
        names = tuple(sorted(map(str, common))[:3])
        detail = (
            f"No speakers are given, but the names tell them as in {corpus}: {a} and {b} share "
            f"{len(common)} of them, {share:.1%} of the {b} rows. Give a column speaker."
        )
        yield AuditFinding(
            "warning", "named speakers", f"{a} and {b}", len(common), share, names, detail
        )
        return


def _first(pattern: re.Pattern[str], manifest: Manifest, row: int) -> str | None:
    """Return what a pattern finds in the id or in a path of a row."""
    one = manifest.utterances[row]
    paths = (medium.path for medium in one.media.values() if isinstance(medium, Clip))
    for text in (one.id, *paths):
        if match := pattern.search(text):
            return match.group(1)
    return None


def _telling_columns(
    manifest: Manifest, rows: np.ndarray, streams: Collection[str]
) -> Iterator[AuditFinding]:
    """Report feature columns whose mean over time alone tells an emotion or a value."""
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False))
    for stream, frames in manifest.features.items():
        present = rows[frames.lengths[rows] > 0]
        if stream not in streams or len(present) < 2 * FEWEST:
            continue
        means = np.stack([np.asarray(frames[row], np.float64).mean(0) for row in present])
        means = np.where(np.isfinite(means), means, 0.0)
        for column, label in enumerate(manifest.space.labels):
            targets = np.asarray(manifest.labels[present, column], np.float64)
            strength = _strength(means, targets, isinstance(manifest.space, Values))
            if strength is None or not (telling := np.flatnonzero(strength >= TELLING)).size:
                continue
            best = telling[np.argmax(strength[telling])]
            figure = "correlation" if isinstance(manifest.space, Values) else "AUC"
            columns = ", ".join(str(n) for n in telling[:5])
            detail = (
                f"{stream} features hold {label}: by its mean, column {best} alone has an "
                f"absolute {figure} of {strength[best]:.3f} in training (columns from 0: "
                f"{columns}{', ...' * (len(telling) > 5)}). Leave such columns out, unless they "
                "are known before the label."
            )
            yield AuditFinding(
                "error",
                f"{stream} features that hold the label",
                "train",
                len(telling),
                1.0,
                tuple(f"column {n}" for n in telling[:3]),
                detail,
            )


def _strength(means: np.ndarray, targets: np.ndarray, is_value: bool) -> np.ndarray | None:
    """Return how well each column alone tells a label, 0 to 1; None where nothing can be said."""
    known = np.isfinite(targets)
    x, y = means[known], targets[known]
    if is_value:
        if len(y) < 2 * FEWEST or y.std() < 1e-9:
            return None
        x, y = x - x.mean(0), y - y.mean()
        below = np.sqrt((x**2).sum(0) * (y**2).sum())
        return np.abs(np.divide(y @ x, below, out=np.zeros(x.shape[1]), where=below > 1e-12))
    positive = y > 0
    if min(positive.sum(), (~positive).sum()) < FEWEST:
        return None
    repeated = np.repeat(positive[:, None].astype(float), x.shape[1], axis=1)
    areas = np.nan_to_num(auc(repeated, x), nan=0.5)
    return np.maximum(areas, 1 - areas)


def _label_words(manifest: Manifest, rows: np.ndarray) -> Iterator[AuditFinding]:
    """Report texts that say the word of their label, such as "I feel anger."."""
    if isinstance(manifest.space, Values):
        return
    texts = [set(text.split()) for text in _texts(manifest, rows)]
    saying, own = set[int](), set[int]()
    for column, label in enumerate(manifest.space.labels):
        word = normalised(label)
        with_word = [i for i, words in enumerate(texts) if word in words]
        saying |= set(with_word)
        own |= {i for i in with_word if manifest.labels[rows[i], column] > 0}
    share = len(own) / len(rows)
    if share < NAMED:
        return
    precision = len(own) / len(saying)
    level: Level = "warning" if precision >= SURE else "note"
    ids = tuple(manifest.utterances[rows[i]].id for i in sorted(own)[:3])
    detail = (
        f"The text of {share:.1%} of the test rows says the word of its label, and {precision:.0%} "
        "of the rows that say such a word have the label: words alone give the answer there."
    )
    yield AuditFinding(level, "label words", "test", len(own), share, ids, detail)
