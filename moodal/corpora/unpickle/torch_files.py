"""Reading of torch's two file formats without torch: the zip, and the older stream.

The zip holds ``<name>/data.pkl``, a pickle whose tensors refer to ``<name>/data/<key>`` by
persistent ids. The stream is a magic number, a version, a note on the system, the pickle, the list
of storage keys, and the count and bytes of each storage.
"""

from __future__ import annotations

import io
import pickletools
import zipfile
from typing import IO, Any

from moodal.corpora.unpickle.inert import Budget, Name, shown
from moodal.corpora.unpickle.machine import Machine
from moodal.corpora.unpickle.names import finish, names
from moodal.corpora.unpickle.tensors import STORAGES, Storage

MAGIC = 0x1950A86A20F9469CFC6C


def read(file: Any, budget: Budget) -> Any:
    """Read a plain pickle, a torch stream or a torch zip from an open binary file, as numpy.

    Raises:
        Refused: the file names something that would run code.
        Exception: of many kinds, if the file is damaged.
    """
    return finish(_read(file, budget), budget)


def _read(file: Any, budget: Budget) -> Any:
    if file.read(4) == b"PK\x03\x04":
        return _zip(file, budget)
    file.seek(0)
    table = _table(budget)
    first = Machine(file, table).run()
    if first != MAGIC or isinstance(first, float):
        return first
    return _stream(file, budget, table)


def _table(budget: Budget) -> dict[tuple[str, str], Name]:
    def load_bytes(data: Any) -> Any:
        if not isinstance(data, bytes | bytearray):
            raise ValueError("a tensor storage in it is no bytes")
        budget.spend(2 * len(data))
        return _read(io.BytesIO(data), budget)

    return names(budget, load_bytes)


class _Storages:
    """The storages to which a pickle refers by persistent ids, by their key."""

    def __init__(self) -> None:
        self.by_key: dict[str, Storage] = {}

    def find(self, number: Any) -> Storage:
        if type(number) is not tuple or len(number) not in (5, 6) or number[0] != "storage":
            raise ValueError("it refers to something that is no tensor storage")
        _, kind, key, _, count, *view = number
        if not isinstance(kind, Name) or not isinstance(key, str) or any(view):
            raise ValueError("its reference to a tensor storage is damaged")
        short = kind.dotted.rsplit(".", 1)[-1]
        if short != "UntypedStorage" and short not in STORAGES:
            raise ValueError(f"it has a storage of {kind.dotted}")
        storage = Storage(STORAGES.get(short), count)
        first = self.by_key.setdefault(key, storage)
        if (first.code, first.count) != (storage.code, storage.count):
            raise ValueError(f"it describes tensor storage {shown(key)} in two ways")
        return first


def _zip(file: Any, budget: Budget) -> Any:
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: info for info in archive.infolist()}
        roots = [name[: -len("data.pkl")] for name in members if name.endswith("data.pkl")]
        if len(roots) != 1:
            raise ValueError("it is a zip file, but none that torch.save writes")

        def member(name: str) -> bytes:
            if roots[0] + name not in members:
                raise ValueError(f"its part {shown(name)} is missing")
            info = members[roots[0] + name]
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError("it is compressed, which torch.save never does")
            budget.spend(info.file_size)
            return archive.read(info)

        storages = _Storages()
        value = Machine(io.BytesIO(member("data.pkl")), _table(budget), storages.find).run()
        order = member("byteorder") if roots[0] + "byteorder" in members else b"little"
        for key, storage in storages.by_key.items():
            storage.fill(member(f"data/{key}"), big_endian=order != b"little")
        return value


def _stream(file: IO[bytes], budget: Budget, table: dict[tuple[str, str], Name]) -> Any:
    if Machine(file, table).run() != 1001:
        raise ValueError("it is of a torch format version that was never published")
    system = Machine(file, table).run()
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("its tensors are of the other byte order")
    storages = _Storages()
    value = Machine(file, table, storages.find).run()
    keys = Machine(file, table).run()
    if not isinstance(keys, list) or set(keys) != set(storages.by_key):
        raise ValueError("its list of tensor storages does not fit its tensors")
    for key in keys:
        storage = storages.by_key[key]
        count = pickletools.read_uint8(file)
        if count != storage.count:
            raise ValueError(f"a tensor storage should have {storage.count} values, has {count}")
        budget.spend(storage.nbytes)
        storage.fill(file.read(storage.nbytes))
    return value
