"""FeatureStore: features kept on disk, so that nothing is computed twice.

A store is a folder; in it each encoder has a shelf, named by its fingerprint, and a
shelf holds packs: ``.npz`` files of some hundred entries each, written once, under a
temporary name first, and never changed. An entry's key is the sha256 of its medium:
of the text, or of the file's bytes and the span. Any number of processes may write to
one shelf at once, and may be killed at any moment: a pack is there whole or not at all.
A pack that does not read back (each array carries a CRC-32) is thrown away and its
entries are computed again.
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
from moodal.core.records import Clip, Medium, Sound, Utterance
from moodal.modalities.encoder import Encoder, Item, file_hash

log = logging.getLogger(__name__)

T = TypeVar("T")


class FeatureStore:
    """Features by encoder and medium, under a folder that is made when first written to.

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
        """What a medium is known by: the same for the same content, wherever it lies.

        Raises:
            DataError: the file cannot be read.
        """
        if isinstance(item, Sound):
            item = item.samples
        if isinstance(item, np.ndarray):
            head = json.dumps([item.dtype.str, item.shape]).encode()
            return hashlib.sha256(b"array\n" + head + item.tobytes()).hexdigest()
        if isinstance(item, str):
            return hashlib.sha256(b"text\n" + item.encode()).hexdigest()
        try:
            content = self._hash(os.path.abspath(item.path))  # noqa: PTH100
        except OSError as error:
            raise DataError(f"Cannot read {item.path}: {error.strerror or error}.") from None
        span = json.dumps([item.start, item.end])
        return hashlib.sha256(f"file\n{content}\n{span}".encode()).hexdigest()

    def read(self, encoder: Encoder, keys: Collection[str]) -> dict[str, np.ndarray]:
        """Those of ``keys`` that are here and sound: key -> [T, D] in the encoder's dtype."""
        found: dict[str, np.ndarray] = {}
        for pack in self.packs(encoder, keys):
            found.update(pack)
        return found

    def packs(self, encoder: Encoder, keys: Collection[str]) -> Iterator[dict[str, np.ndarray]]:
        """The same a pack at a time, each key once, so that not all is in memory at once."""
        wanted, dtype = set(keys), np.dtype(encoder.dtype)
        for path in self._paths(encoder):
            if not wanted:
                return
            found = _sound(path, lambda p: _read_pack(p, wanted, encoder.width, dtype))  # noqa: B023
            wanted -= found.keys()
            yield found

    def lengths(self, encoder: Encoder, keys: Collection[str]) -> dict[str, int]:
        """Those of ``keys`` that are here: key -> T; their values are not read, nor checked."""
        wanted = set(keys)
        found: dict[str, int] = {}
        for path in self._paths(encoder) if wanted else ():
            found.update(_sound(path, _read_lengths))
        return {key: steps for key, steps in found.items() if key in wanted}

    def _paths(self, encoder: Encoder) -> list[Path]:
        return sorted(self._shelf(encoder).glob("*.npz"))

    def write(self, encoder: Encoder, entries: Mapping[str, np.ndarray]) -> None:
        """Keep ``entries``, key -> [T, D], as one pack.

        Raises:
            OutputError: it cannot be written; nothing half-written stays.
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
        """Keep the hashes of the files seen, by path, size and time of change, for next time."""
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
        about = Path(path).stat()
        known = self._hashes.get(path)
        if known is None or known[:2] != [about.st_size, about.st_mtime_ns]:
            known = [about.st_size, about.st_mtime_ns, file_hash(Path(path))]
            self._hashes[path] = known
            self._hashes_new = True
        return str(known[2])

    def _read_hashes(self) -> dict[str, list[Any]]:
        """path -> [size, mtime_ns, sha256], as kept; a damaged file counts as none."""
        try:
            kept = json.loads((self.folder / "hashes.json").read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(kept, dict):
            return {}
        return {p: v for p, v in kept.items() if isinstance(v, list) and len(v) == 3}


@contextlib.contextmanager
def _replacing(path: Path) -> Any:
    """A binary file that takes the place of ``path`` once it is whole and on the disk."""
    handle, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as part:
            yield part
            part.flush()
            os.fsync(part.fileno())
        Path(name).chmod(0o644)  # mkstemp hides it from others
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sound(path: Path, read: Callable[[Path], dict[str, T]]) -> dict[str, T]:
    """What ``read`` finds in a pack; a damaged one is thrown away and holds nothing."""
    try:
        return read(path)
    except FileNotFoundError:  # another process found it damaged
        return {}
    except PermissionError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from None
    except Exception as error:  # whatever zip and npy readers raise on damaged bytes
        log.warning("%s is damaged (%s); its features are computed again.", path, error)
        with contextlib.suppress(OSError):
            path.unlink()
        return {}


def _index(pack: zipfile.ZipFile) -> tuple[list[str], np.ndarray]:
    """A pack's keys, and how many steps each has."""
    keys = [key.tobytes().hex() for key in _member(pack, "keys")]
    lengths = _member(pack, "lengths")
    if lengths.shape != (len(keys),) or lengths.dtype != np.int64 or (lengths < 0).any():
        raise ValueError("keys and lengths do not fit")
    return keys, lengths


def _read_lengths(path: Path) -> dict[str, int]:
    with zipfile.ZipFile(path) as pack:
        keys, lengths = _index(pack)
        pack.getinfo("values.npy")
    return dict(zip(keys, lengths.tolist(), strict=True))


def _read_pack(
    path: Path, wanted: set[str], width: int, dtype: np.dtype[Any]
) -> dict[str, np.ndarray]:
    """The ``wanted`` entries of a pack; its values are read only if it has any.

    Raises:
        Exception: the pack is damaged; of many kinds.
    """
    with zipfile.ZipFile(path) as pack:
        keys, lengths = _index(pack)
        if wanted.isdisjoint(keys):
            return {}
        values = _member(pack, "values")
    if values.shape != (lengths.sum(), width) or values.dtype != dtype:
        raise ValueError("values and lengths do not fit")
    ends = np.cumsum(lengths)
    spans = zip(keys, ends - lengths, ends, strict=True)
    return {key: values[start:end] for key, start, end in spans if key in wanted}


def _member(pack: zipfile.ZipFile, name: str) -> np.ndarray:
    """One array; read to its end first, since only there is the CRC compared."""
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


def item_of(utterance: Utterance, modality: str, root: str | None) -> Medium | None:
    """Return what the encoder of a modality reads; None where the utterance has no such medium."""
    return as_item(utterance.media.get(modality, ""), root)
