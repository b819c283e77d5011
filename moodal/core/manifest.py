"""Manifest: a corpus in one common form, independent of its original files.

On disk a manifest is a folder: ``manifest.json`` (labels, encoders, fingerprint),
``utterances.jsonl`` (one line per utterance), ``labels.npy`` [N, C], ``ratings.npy`` [N, V] where
the emotions come with values, and, for each stream with features, ``features/<stream>.npy`` [sum of
T, D] with its lengths. The features of second views are stored in ``views/`` in the same way, with
their row numbers. Measures of sounds, which no system reads, are ``acoustics.npy`` and
``prints.npy``; the fingerprint does not count them.

Format 2 stores the media of an utterance by modality. Format 1, which had one key for each
built-in modality, is still read, and both formats of one corpus have the same fingerprint.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.acoustics import Acoustics
from moodal.core.emotions import Targets, Value, Values
from moodal.core.errors import DataError, SpaceError
from moodal.core.files import load_json, replacing_folder
from moodal.core.records import Clip, Frames, Medium, Utterance, Views
from moodal.core.targets import targets
from moodal.core.votes import NEAR, is_soft, merge_votes

FORMAT = 2
"""The format that is written; formats 1 and 2 are read."""

_OLD_MEDIA = {"text": "text", "audio": "speech", "video": "face"}
"""Key of format 1 -> modality; the fingerprint keeps these keys."""
_OLD_VIEWS = {"augmented_text": "text", "augmented_audio": "speech"}

_COLUMNS = ("id", "split", "speaker", "session", "dialogue", "text")

MADE_UP = "Made-up data, a look-alike: no figure on it says anything about people."
"""The note of a corpus that `moodal synthesise` wrote."""

MARK = "LOOK-ALIKE.txt"
"""The file that `moodal synthesise` adds to such a corpus."""


@dataclass(frozen=True)
class Ratings:
    """The numbers of each utterance of a corpus that has both emotions and values.

    Attributes:
        space: the V values with their ranges.
        numbers: [N, V] float32.
    """

    space: Values
    numbers: np.ndarray

    def select(self, rows: np.ndarray) -> Ratings:
        """Return the ratings of only these rows, in this order."""
        return Ratings(self.space, self.numbers[rows])

    def only(self, labels: Sequence[str]) -> Ratings:
        """Return the ratings of only these values, in that order."""
        columns = [self.space.index(label) for label in labels]
        return Ratings(self.space.select(labels), self.numbers[:, columns])


@dataclass(frozen=True)
class Manifest:
    """Utterances with their labels and, per stream, their features.

    Attributes:
        corpus: the reader's name, e.g. "mosei".
        space: the emotions, or the values, in the order of the label columns.
        utterances: the N utterances.
        labels: [N, C] float32; for emotions 0/1, or of the task "single" the share of raters who
            chose each, 0 to 1; numbers for values; NaN where a row says nothing.
        features: stream -> `Frames` of N sequences.
        encoders: stream -> specification of the encoder of its features, a JSON object
            with at least "name" and "fingerprint"; {"name": "as-given"} for a corpus
            that is published as features.
        aligned: whether step t of all streams is the same time.
        licence: the corpus's licence, as stated.
        notes: remarks for readers of results (e.g. inputs that reveal labels).
        root: the folder to which media paths are relative.
        views: stream -> its second views, see `moodal.core.records.Views`.
        acoustics: measures of the sounds, for audits; None where none were measured.
        ratings: the values that a corpus of emotions has, too; None if it has none.
    """

    corpus: str
    space: Targets
    utterances: tuple[Utterance, ...]
    labels: np.ndarray
    features: Mapping[str, Frames] = field(default_factory=dict)
    encoders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    aligned: bool = False
    licence: str = "unknown"
    notes: tuple[str, ...] = ()
    root: str | None = None
    views: Mapping[str, Views] = field(default_factory=dict)
    acoustics: Acoustics | None = None
    ratings: Ratings | None = None

    def __post_init__(self) -> None:
        n = len(self.utterances)
        if self.labels.shape != (n, len(self.space)):
            raise DataError(
                f"{self.corpus}: {n} utterances and {len(self.space)} emotions need labels "
                f"[{n}, {len(self.space)}]; got {tuple(self.labels.shape)}."
            )
        if self.ratings is not None and self.ratings.numbers.shape != (n, len(self.ratings.space)):
            raise DataError(
                f"{self.corpus}: {n} utterances and {len(self.ratings.space)} values need numbers "
                f"[{n}, {len(self.ratings.space)}]; got {tuple(self.ratings.numbers.shape)}."
            )
        if self.acoustics is not None and len(self.acoustics) != n:
            raise DataError(
                f"{self.corpus}: {n} utterances need measures of {n} sounds; got "
                f"{len(self.acoustics)}."
            )
        for stream, frames in self.features.items():
            if len(frames) != n:
                raise DataError(
                    f"{self.corpus}: stream {stream!r} has {len(frames)} sequences "
                    f"for {n} utterances."
                )

    def __len__(self) -> int:
        return len(self.utterances)

    def rows(self, split: str) -> np.ndarray:
        """Return the row numbers of the utterances whose official split is ``split``."""
        return np.array([i for i, u in enumerate(self.utterances) if u.split == split], np.int64)

    def column(self, name: str) -> list[str | None]:
        """Return a field of every utterance, such as "speaker" or "text", or a key of extra."""
        if name in _COLUMNS:
            return [getattr(u, name) for u in self.utterances]
        return [u.extra.get(name) for u in self.utterances]

    def select(self, rows: Sequence[int] | np.ndarray) -> Manifest:
        """Return the manifest of only these rows, in this order."""
        rows = np.asarray(rows, np.int64)
        return dataclasses.replace(
            self,
            utterances=tuple(self.utterances[i] for i in rows),
            labels=self.labels[rows],
            features={s: f.select(rows) for s, f in self.features.items()},
            views={s: v.select(rows) for s, v in self.views.items()},
            acoustics=None if self.acoustics is None else self.acoustics.select(rows),
            ratings=None if self.ratings is None else self.ratings.select(rows),
        )

    @property
    def rated(self) -> Manifest:
        """Return the same utterances with their values as labels, instead of their emotions.

        Raises:
            DataError: the corpus of emotions has no values.
        """
        if isinstance(self.space, Values):
            return self
        if self.ratings is None:
            raise DataError(
                f"{self.corpus} has the emotions {', '.join(self.space.labels)} and no values; a "
                "table brings both in a column label and columns such as value:valence[1,5]."
            )
        return dataclasses.replace(
            self, space=self.ratings.space, labels=self.ratings.numbers, ratings=None
        )

    def merged(self, merges: Mapping[str, str]) -> Manifest:
        """Return the manifest with some emotions merged into others, or some values renamed.

        See `EmotionSpace.merged`, `Values.merged` and `moodal.core.votes.merge_votes`.
        """
        return dataclasses.replace(
            self,
            utterances=tuple(merge_votes(u, merges) for u in self.utterances),
            space=self.space.merged(merges),
            labels=self.space.merge_labels(self.labels, merges),
        )

    def only(self, labels: Sequence[str]) -> Manifest:
        """Return the manifest of only these emotions; single-label rows of others are dropped.

        Where labels are shares of raters, a row is dropped if less than half of its votes are for
        these emotions; the shares of the other rows are scaled to sum to 1.
        """
        space = self.space.select(labels)
        columns = [self.space.index(label) for label in labels]
        selected = dataclasses.replace(self, space=space, labels=self.labels[:, columns])
        if space.task == "single" and len(space) < len(self.space):
            kept = selected.labels.sum(1)
            if is_soft(self.labels):
                rows = np.flatnonzero(kept >= 0.5 - NEAR)
                scaled = selected.labels / np.maximum(kept, NEAR)[:, None]
                selected = dataclasses.replace(selected, labels=scaled.astype(np.float32))
            else:
                rows = np.flatnonzero((selected.labels > 0).any(axis=1))
            selected = selected.select(rows)
        return selected

    @property
    def fingerprint(self) -> str:
        """Hash of all input of a model; equal input gives an equal hash."""
        digest = hashlib.sha256()
        head = [self.corpus, *self.space.identity]
        digest.update(json.dumps(head).encode())
        for u in self.utterances:
            digest.update(json.dumps(_canonical(u), sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.labels, np.float32).tobytes())
        if self.ratings is not None:
            digest.update(json.dumps(self.ratings.space.identity).encode())
            digest.update(np.ascontiguousarray(self.ratings.numbers, np.float32).tobytes())
        for stream in sorted(self.features):
            frames = self.features[stream]
            digest.update(stream.encode() + frames.lengths.tobytes())
            digest.update(np.ascontiguousarray(frames.values).data)
        for stream in sorted(self.views):
            views = self.views[stream]
            digest.update(f"view {stream}".encode() + views.rows.tobytes())
            digest.update(views.frames.lengths.tobytes() + views.given.tobytes())
            digest.update(np.ascontiguousarray(views.frames.values).data)
        return digest.hexdigest()[:32]

    def write(self, out: Path | str) -> Path:
        """Write the folder ``out`` atomically and return its path.

        Raises:
            OutputError: ``out`` contains something else, or cannot be written.
        """
        with replacing_folder(out, "manifest.json") as part:
            self._write_into(part)
        return Path(out)

    def _write_into(self, folder: Path) -> None:
        head = {
            "format": FORMAT,
            "corpus": self.corpus,
            "task": self.space.task,
            "labels": list(self.space.labels),
            **({"values": self.space.ranges()} if isinstance(self.space, Values) else {}),
            **({"ratings": self.ratings.space.ranges()} if self.ratings else {}),
            "utterances": len(self),
            "streams": {
                s: {"width": f.width, "steps": len(f.values), "rate": f.rate}
                for s, f in self.features.items()
            },
            "encoders": {s: dict(e) for s, e in self.encoders.items()},
            "aligned": self.aligned,
            "licence": self.licence,
            "notes": list(self.notes),
            "root": self.root,
            "views": {s: {"source": v.source, "count": len(v.rows)} for s, v in self.views.items()},
            "fingerprint": self.fingerprint,
        }
        with open(folder / "utterances.jsonl", "w", encoding="utf-8") as file:
            for u in self.utterances:
                file.write(json.dumps(_utterance_json(u), ensure_ascii=False) + "\n")
        np.save(folder / "labels.npy", np.ascontiguousarray(self.labels, np.float32))
        if self.ratings is not None:
            np.save(folder / "ratings.npy", np.ascontiguousarray(self.ratings.numbers, np.float32))
        (folder / "features").mkdir()
        for stream, frames in self.features.items():
            np.save(folder / "features" / f"{stream}.npy", frames.values)
            np.save(folder / "features" / f"{stream}.lengths.npy", frames.lengths)
        for stream, views in self.views.items():
            (folder / "views").mkdir(exist_ok=True)
            np.save(folder / "views" / f"{stream}.npy", views.frames.values)
            np.save(folder / "views" / f"{stream}.lengths.npy", views.frames.lengths)
            np.save(folder / "views" / f"{stream}.rows.npy", np.asarray(views.rows, np.int64))
            np.save(folder / "views" / f"{stream}.given.npy", np.asarray(views.given, bool))
        if self.acoustics is not None:
            np.save(folder / "acoustics.npy", self.acoustics.measures)
            np.save(folder / "prints.npy", self.acoustics.prints)
        (folder / "manifest.json").write_text(json.dumps(head, indent=2) + "\n", encoding="utf-8")


_DAMAGES = (
    *(ValueError, KeyError, TypeError, AttributeError, EOFError, RecursionError),
    SpaceError,
)
"""What a damaged file raises while it is read."""


def read(folder: Path | str) -> Manifest:
    """Read a prepared folder; features are memory-mapped, not loaded.

    Raises:
        DataError: the folder, or a file in it, is missing or damaged.
    """
    folder = Path(folder)
    try:
        head = load_json(folder / "manifest.json")
        if not isinstance(head, dict):
            raise ValueError("manifest.json holds no object")
        parse = {1: _utterance_of_format_1, 2: _utterance}.get(head.get("format", 0))
        if parse is None:
            raise DataError(
                f"{folder}/manifest.json has format {head.get('format')!r}, but this version of "
                f"moodal reads 1 and {FORMAT}; run `moodal prepare` again."
            )
        with open(folder / "utterances.jsonl", encoding="utf-8") as file:
            utterances = tuple(parse(json.loads(line)) for line in file)
        features = {}
        for stream, about in head["streams"].items():
            values = np.load(
                folder / "features" / f"{stream}.npy", mmap_mode="r", allow_pickle=False
            )
            lengths = np.load(folder / "features" / f"{stream}.lengths.npy", allow_pickle=False)
            features[stream] = Frames(values, lengths, about["rate"])
        views = {
            stream: _views(folder / "views", stream, about["source"])
            for stream, about in head.get("views", {}).items()
        }
        return Manifest(
            corpus=head["corpus"],
            space=targets(head["labels"], head["task"], head.get("values")),
            utterances=utterances,
            labels=np.load(folder / "labels.npy", allow_pickle=False),
            features=features,
            encoders=head["encoders"],
            aligned=head["aligned"],
            licence=head["licence"],
            notes=tuple(head["notes"]),
            root=head["root"],
            views=views,
            acoustics=_acoustics(folder, len(utterances)),
            ratings=_ratings(folder, head.get("ratings", [])),
        )
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} is not a prepared corpus: {error.filename} is missing. "
            f"Create one with `moodal prepare CORPUS ROOT {folder}`."
        ) from None
    except NotADirectoryError:
        raise DataError(
            f"{folder} is a file; name the folder that `moodal prepare` wrote."
        ) from None
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}.") from None
    except _DAMAGES as error:
        raise DataError(
            f"{folder} is damaged ({error}); create it again with `moodal prepare`."
        ) from None


def _acoustics(folder: Path, count: int) -> Acoustics | None:
    """Read the measures of sounds, which older folders do not have."""
    if not (folder / "acoustics.npy").exists():
        return None
    acoustics = Acoustics(
        np.load(folder / "acoustics.npy", allow_pickle=False),
        np.load(folder / "prints.npy", allow_pickle=False),
    )
    if len(acoustics) != count:
        raise ValueError(f"acoustics.npy has {len(acoustics)} rows for {count} utterances")
    return acoustics


def _ratings(folder: Path, ranges: Sequence[Mapping[str, Any]]) -> Ratings | None:
    """Read the values of a corpus of emotions; ``ranges`` is empty where it has none."""
    if not ranges:
        return None
    space = Values([Value(**r) for r in ranges])
    return Ratings(space, np.load(folder / "ratings.npy", allow_pickle=False))


def _views(folder: Path, stream: str, source: str) -> Views:
    def part(name: str) -> np.ndarray:
        path = folder / f"{stream}{name}.npy"
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        return array

    return Views(Frames(part(""), part(".lengths")), part(".rows"), part(".given"), source)


def _utterance_json(u: Utterance) -> dict[str, Any]:
    """Return an utterance as JSON, without its empty fields."""
    return {k: v for k, v in dataclasses.asdict(u).items() if v not in (None, {}, ())}


def _canonical(u: Utterance) -> dict[str, Any]:
    """Return the JSON that the fingerprint hashes, with the keys of format 1 where they exist."""
    row = _utterance_json(u)
    for kind, old_keys in (("media", _OLD_MEDIA), ("views", _OLD_VIEWS)):
        others = row.pop(kind, {})
        for key, modality in old_keys.items():
            if others.get(modality) not in (None, ()):
                row[key] = others.pop(modality)
        if others:
            row[kind] = others
    return row


def _utterance(row: dict[str, Any]) -> Utterance:
    media = {name: _medium(value) for name, value in row.pop("media", {}).items()}
    views = {name: tuple(map(_medium, values)) for name, values in row.pop("views", {}).items()}
    return Utterance(**row, media=media, views=views)


def _utterance_of_format_1(row: dict[str, Any]) -> Utterance:
    media = {name: row.pop(key) for key, name in _OLD_MEDIA.items() if key in row}
    views = {name: row.pop(key) for key, name in _OLD_VIEWS.items() if key in row}
    return _utterance({**row, "media": media, "views": views})


def _medium(value: Any) -> Medium:
    return value if isinstance(value, str) else Clip(**value)
