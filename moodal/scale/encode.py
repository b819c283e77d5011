"""Encoding of a corpus by a cluster, for `moodal.features.prepare.prepare`."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from moodal.core.errors import DataError, MoodalError
from moodal.core.records import Clip
from moodal.core.version import __version__
from moodal.features.encode import Pack, encode_pack
from moodal.modalities.encoder import Encoder, Item
from moodal.scale.blocks import Lost, answers
from moodal.scale.files import Files
from moodal.scale.recordings import lies_here

Keyed = tuple[str, Item]
"""An item with its key in the feature store."""


@dataclass(frozen=True)
class ClusterWorkers:
    """The workers of a cluster that encode; within `moodal.scale.cluster.connected`.

    An item that ends the process that reads it is tried once more, alone, and then counts as
    unreadable.

    Attributes:
        count: the number of workers.
    """

    count: int

    def encode(
        self, encoder: Encoder, packs: Sequence[Sequence[Keyed]], companion: Encoder | None
    ) -> Iterator[Pack]:
        """Yield the features of each pack, as `moodal.features.encode.encode_pack` does."""
        paths = {item.path for pack in packs for _, item in pack if isinstance(item, Clip)}
        sizes = {path: Path(path).stat().st_size for path in paths if Path(path).is_file()}
        begin = _Encoding(encoder, companion, Files.here(sorted(paths)), sizes)
        for answer in answers(begin, packs, self.count):
            if isinstance(answer, Lost):
                key, item = answer.item
                name = item.path if isinstance(item, Clip) else "it"
                yield [(key, f"{name} {answer.reason}")], {}
            else:
                yield answer


@dataclass(frozen=True)
class _Encoding:
    """Makes a worker ready: it holds the encoders."""

    encoder: Encoder
    companion: Encoder | None
    files: Files
    sizes: Mapping[str, int]
    version: str = __version__

    def __call__(self) -> Callable[[Sequence[Keyed]], Pack]:
        if self.version != __version__:
            raise MoodalError(
                f"A machine of the cluster has moodal {__version__}; install moodal "
                f"{self.version} on all of them."
            )
        return partial(_work, self)


def _work(encoding: _Encoding, pack: Sequence[Keyed]) -> Pack:
    """Encode a pack whose files are copied here, where this machine does not see them."""
    with contextlib.ExitStack() as stack:
        folder = functools.cache(lambda: _temporary(stack))
        items: list[Keyed] = []
        lost: list[tuple[str, str]] = []
        copies: dict[str, str] = {}
        for key, item in pack:
            try:
                items.append((key, _seen_here(item, encoding, folder, copies)))
            except DataError as error:
                lost.append((key, str(error)))
        results, further = (
            encode_pack(encoding.encoder, items, encoding.companion) if items else ([], {})
        )
    for path, copy in copies.items():
        results = [(k, r.replace(copy, path) if isinstance(r, str) else r) for k, r in results]
    return [*results, *lost], further


def _temporary(stack: contextlib.ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moodal-")))


def _seen_here(
    item: Item, encoding: _Encoding, folder: Callable[[], Path], copies: dict[str, str]
) -> Item:
    """Return an item whose file is on this machine's disk.

    Raises:
        DataError: it cannot be copied.
    """
    if not isinstance(item, Clip) or lies_here(item.path, encoding.sizes.get(item.path)):
        return item
    if item.path not in copies:
        target = folder() / f"{len(copies)}{Path(item.path).suffix}"
        encoding.files.copy(item.path, target)
        copies[item.path] = str(target)
    return dataclasses.replace(item, path=copies[item.path])
