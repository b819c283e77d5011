"""The feature store: features on disk, so that nothing is computed twice.

A store is a folder. In it each encoder has a subfolder (a shelf), named by its fingerprint, and a
shelf holds packs: ``.npz`` files of some hundred entries, written once, under a temporary name
first, and never changed. The key of an entry is the sha256 of its medium: of the text, or of the
file's bytes and the span. A text counts as its encoder reads it, with emoji spelt out in words:
features that were stored before emoji were spelt out have other keys and are computed again, those
of all other texts stay. Any number of processes may write to one shelf at once, and may be killed
at any moment: a pack is complete or absent. A pack that cannot be read back (each array carries a
CRC-32) is deleted, and its entries are computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from moodal.core.errors import DataError, writing
from moodal.core.files import version_of
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Medium, Sound, Utterance
from moodal.modalities.encoder import Encoder, Item, file_hash
from moodal.modalities.text.spelling import spell_out

AS_GIVEN = "as-given"
"""The encoder that a manifest names for features that came in a corpus's files."""

log = logging.getLogger(__name__)

T = TypeVar("T")


class FeatureStore:
    """Features on disk by encoder and medium; the folder is created at the first write.

    >>> import tempfile
    >>> from moodal.modalities.build import build
    >>> store, glove = FeatureStore(tempfile.mkdtemp()), build("glove-50")
    >>> key = store.key("What a day!")
    >>> store.write(glove, {key: glove.encode("What a day!")})
    >>> store.read(glove, [key])[key].shape
    (4, 50)
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self._hashes: dict[str, list[Any]] | None = None
        self._hashes_new = False

    def key(self, item: Item) -> str:
        """Return the content key of a medium, independent of its path.

        Raises:
            DataError: the file cannot be read.
        """
        if isinstance(item, Sound):
            item = item.samples
        if isinstance(item, np.ndarray):
            head = json.dumps([item.dtype.str, item.shape]).encode()
            return hashlib.sha256(b"array\n" + head + item.tobytes()).hexdigest()
        if isinstance(item, str):
            return hashlib.sha256(b"text\n" + spell_out(item).encode()).hexdigest()
        try:
            content = self._hash(os.path.abspath(item.path))  # noqa: PTH100
        except OSError as error:
            raise DataError(f"Cannot read {item.path}: {error.strerror or error}.") from None
        span = json.dumps([item.start, item.end])
        return hashlib.sha256(f"file\n{content}\n{span}".encode()).hexdigest()

    def read(self, encoder: Encoder, keys: Collection[str]) -> dict[str, np.ndarray]:
        """Load the stored features of ``keys`` that pass their checksum: key -> [T, D].

        They are in the encoder's dtype.
        """
        entries: dict[str, np.ndarray] = {}
        for pack in self.packs(encoder, keys):
            entries.update(pack)
        return entries

    def packs(self, encoder: Encoder, keys: Collection[str]) -> Iterator[dict[str, np.ndarray]]:
        """Yield what `read` loads pack by pack, each key once, to bound the memory."""
        wanted, dtype = set(keys), np.dtype(encoder.dtype)
        for path in self._paths(encoder):
            if not wanted:
                return
            pack = _intact(path, lambda p: _read_pack(p, wanted, encoder.width, dtype))  # noqa: B023
            wanted -= pack.keys()
            yield pack

    def lengths(self, encoder: Encoder, keys: Collection[str]) -> dict[str, int]:
        """Return the lengths of stored ``keys``: key -> T; values are neither read nor checked."""
        wanted = set(keys)
        lengths: dict[str, int] = {}
        for path in self._paths(encoder) if wanted else ():
            lengths.update(_intact(path, _read_lengths))
        return {key: steps for key, steps in lengths.items() if key in wanted}

    def _paths(self, encoder: Encoder) -> list[Path]:
        return sorted(self._shelf(encoder).glob("*.npz"))

    def write(self, encoder: Encoder, entries: Mapping[str, np.ndarray]) -> None:
        """Store ``entries``, key -> [T, D], as one pack.

        Raises:
            OutputError: the pack cannot be written; nothing half-written stays.
        """
        if not entries:
            return
        shelf, dtype = self._shelf(encoder), encoder.dtype
        name = hashlib.sha256("".join(sorted(entries)).encode()).hexdigest()[:24]
        with writing(shelf):
            shelf.mkdir(parents=True, exist_ok=True)
            with _replacing(shelf / f"{name}.npz") as part:
                np.savez(
                    part,
                    keys=np.array([bytes.fromhex(key) for key in entries], dtype="V32"),
                    lengths=np.array([len(v) for v in entries.values()], np.int64),
                    values=np.concatenate(list(entries.values())).astype(dtype, copy=False),
                )

    def remember(self) -> None:
        """Store the hashes of the files by path, size and time of change, for the next run."""
        if self._hashes and self._hashes_new:
            with writing(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                with _replacing(self.folder / "hashes.json") as part:
                    part.write(json.dumps(self._read_hashes() | self._hashes).encode())
            self._hashes_new = False

    def _shelf(self, encoder: Encoder) -> Path:
        spec = encoder.spec()
        return self.folder / f"{spec['name']}-{spec['fingerprint']}"

    def _hash(self, path: str) -> str:
        if self._hashes is None:
            self._hashes = self._read_hashes()
        version = [*version_of(path)]
        entry = self._hashes.get(path)
        if entry is None or entry[:-1] != version:
            entry = [*version, file_hash(Path(path))]
            self._hashes[path] = entry
            self._hashes_new = True
        return str(entry[-1])

    def _read_hashes(self) -> dict[str, list[Any]]:
        """Read path -> [version, sha256]; a damaged file counts as an empty one."""
        try:
            hashes = json.loads((self.folder / "hashes.json").read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(hashes, dict):
            return {}
        return {p: v for p, v in hashes.items() if isinstance(v, list) and len(v) == 5}


@contextlib.contextmanager
def _replacing(path: Path) -> Any:
    """Open a temporary binary file that replaces ``path`` once it is complete and on the disk."""
    handle, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as part:
            yield part
            part.flush()
            os.fsync(part.fileno())
        Path(name).chmod(0o644)  # mkstemp makes it unreadable for others
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _intact(path: Path, read: Callable[[Path], dict[str, T]]) -> dict[str, T]:
    """Return what ``read`` returns of a pack; a damaged pack is deleted and gives nothing."""
    try:
        return read(path)
    except FileNotFoundError:  # another process deleted it as damaged
        return {}
    except PermissionError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from None
    except Exception as error:  # readers of zip and npy raise many kinds on damaged bytes
        log.warning("%s is damaged (%s); its features are computed again.", path, error)
        with contextlib.suppress(OSError):
            path.unlink()
        return {}


def _index(pack: zipfile.ZipFile) -> tuple[list[str], np.ndarray]:
    """Read the keys of a pack and the number of steps of each."""
    keys = [key.tobytes().hex() for key in _member(pack, "keys")]
    lengths = _member(pack, "lengths")
    if lengths.shape != (len(keys),) or lengths.dtype != np.int64 or (lengths < 0).any():
        raise ValueError("keys and lengths do not match")
    return keys, lengths


def _read_lengths(path: Path) -> dict[str, int]:
    with zipfile.ZipFile(path) as pack:
        keys, lengths = _index(pack)
        pack.getinfo("values.npy")
    return dict(zip(keys, lengths.tolist(), strict=True))


def _read_pack(
    path: Path, wanted: set[str], width: int, dtype: np.dtype[Any]
) -> dict[str, np.ndarray]:
    """Read the ``wanted`` entries of a pack; the values are read only if it has any.

    Raises:
        Exception: of many kinds, if the pack is damaged.
    """
    with zipfile.ZipFile(path) as pack:
        keys, lengths = _index(pack)
        if wanted.isdisjoint(keys):
            return {}
        values = _member(pack, "values")
    if values.shape != (lengths.sum(), width) or values.dtype != dtype:
        raise ValueError("values and lengths do not match")
    ends = np.cumsum(lengths)
    spans = zip(keys, ends - lengths, ends, strict=True)
    return {key: values[start:end] for key, start, end in spans if key in wanted}


def _member(pack: zipfile.ZipFile, name: str) -> np.ndarray:
    """Read one array of a pack; the bytes are read to the end first, which checks the CRC."""
    array: np.ndarray = np.load(io.BytesIO(pack.read(f"{name}.npy")), allow_pickle=False)
    return array


def resolved(clip: Clip, root: str | None) -> Clip:
    """Return the clip with a path that can be opened; a relative path starts from ``root``."""
    return Clip(str(Path(root or ".") / clip.path), clip.start, clip.end)


def as_item(medium: Medium, root: str | None) -> Medium | None:
    """Return a medium as encoders read it: a clip is resolved, and a blank text is None."""
    if isinstance(medium, Clip):
        return resolved(medium, root)
    return medium if medium.strip() else None


def holds_media(manifest: Manifest, modality: str, encoder: Encoder) -> bool:
    """Return whether the features of a corpus are media that an encoder reads, as crops are.

    That is so of features that came in files, where no row has media besides.
    """
    given = manifest.encoders.get(modality, {}).get("name", AS_GIVEN) == AS_GIVEN
    if not given or modality not in manifest.features:
        return False
    if any(item_of(u, modality, manifest.root) is not None for u in manifest.utterances):
        return False
    first = next((values for values in manifest.features[modality] if len(values)), None)
    return first is not None and encoder.raw(first) is not None


def items_of(manifest: Manifest, modality: str, encoder: Encoder) -> list[Item | None]:
    """Return what an encoder reads in each row; None where the row has no such medium.

    Where a corpus has no media but features that are media themselves, such as crops of faces,
    these are what the encoder reads.
    """
    if not holds_media(manifest, modality, encoder):
        return [item_of(u, modality, manifest.root) for u in manifest.utterances]
    frames = manifest.features[modality]
    return [encoder.raw(values) if len(values) else None for values in frames]


def item_of(utterance: Utterance, modality: str, root: str | None) -> Medium | None:
    """Return what the encoder of a modality reads; None where the utterance has no such medium."""
    return as_item(utterance.media.get(modality, ""), root)
