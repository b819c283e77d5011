"""Files: what lies on the disk of the machine that gave the command, for workers on others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moodal.core.errors import DataError, writing

CHUNK = 8 << 20
"""Bytes that are sent at once."""


class _Reader:
    """An actor on the machine that gave the command; it reads the files of its list alone."""

    def __init__(self, paths: Collection[str]):
        self.paths = frozenset(paths)

    def read(self, path: str, start: int) -> bytes | str:
        """Return bytes of a file from a position on, or why it cannot be read."""
        if path not in self.paths:
            return "it is none of the files of this job"
        try:
            with open(path, "rb") as file:
                file.seek(start)
                return file.read(CHUNK)
        except OSError as error:
            return error.strerror or str(error)


@dataclass(frozen=True)
class Files:
    """Files of the machine that gave the command; it can be pickled.

    Attributes:
        reader: the actor that reads them.
    """

    reader: Any

    @classmethod
    def here(cls, paths: Sequence[str | None]) -> Files:
        """Offer files of this machine, as long as the connection lasts."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        actor = ray.remote(_Reader).options(
            num_cpus=0, scheduling_strategy=here, max_concurrency=4, max_restarts=-1
        )
        return cls(actor.remote({path for path in paths if path}))

    @staticmethod
    def of_folder(folder: Path) -> Any:
        """Put the files of a folder, name -> bytes, where all workers can read them."""
        import ray

        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return ray.put({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})

    def copy(self, path: str, target: Path) -> None:
        """Copy a file to this machine's disk.

        Raises:
            DataError: it cannot be read there.
            OutputError: it cannot be written here.
        """
        import ray

        with writing(target), open(target, "wb") as file:
            while True:
                chunk = ray.get(self.reader.read.remote(path, file.tell()))
                if isinstance(chunk, str):
                    raise DataError(
                        f"{path} cannot be read on the machine that gave the command: {chunk}."
                    )
                if not chunk:
                    return
                file.write(chunk)


def sent(artefact: Any, folder: Path) -> Path | None:
    """Write the files of `Files.of_folder` into a folder; None stays None."""
    import ray

    if artefact is None:
        return None
    for name, content in ray.get(artefact).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
