"""The connection to a cluster of Ray: one that runs, or one that is started on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moodal.core.errors import MissingDependencyError, OutputError, UsageError

STORE_MEMORY = 200 << 20
"""Bytes of the object store of a cluster on this machine: blocks and answers are small."""

PATIENCE = 5.0
"""Seconds in which an address has to answer."""

_TOKEN = secrets.token_hex(32)
"""The token of clusters that this process starts."""

SILENCE = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    # of what workers and machines report while they end, which would land in standard output
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}
"""Variables that silence Ray's reports; it reads them when it is imported."""

SHORT = "/tmp"
"""A folder with a short name, for sockets; the files in it are this user's alone."""

BLOCK = 8 << 20
"""Bytes of answers that Ray Data expects of a block, by which it plans the object store."""


@dataclass(frozen=True)
class Engine:
    """The engine that runs a command on several machines.

    Attributes:
        address: HOST:PORT of a running cluster, or "auto" for that of this machine; None: a
            cluster is started on this machine, and ended with the command.
        workers: the number of workers, each on one processor; None: all processors of the cluster.
    """

    address: str | None = None
    workers: int | None = None

    @classmethod
    def of(cls, text: str, workers: int | None = None) -> Engine:
        """Read ``ray`` or ``ray:ADDRESS``.

        Raises:
            UsageError: it is neither.
        """
        name, colon, address = text.partition(":")
        if name != "ray" or (colon and not address):
            raise UsageError(f"--engine is ray, or ray:HOST:PORT of a cluster; got {text!r}.")
        if address.startswith("ray://"):
            raise UsageError(
                f"--engine ray:{address} is an address of Ray's client; run the command on a "
                "machine of the cluster with --engine ray:auto, or give HOST:PORT of its head."
            )
        if workers is not None and workers < 1:
            raise UsageError(f"--jobs must be 1 or more; got {workers}.")
        return cls(address or None, workers)


@contextlib.contextmanager
def connected(engine: Engine) -> Iterator[int]:
    """Connect to the engine's cluster, and give the number of workers.

    A cluster that this process is already connected to is used as it is. One on this machine
    has a token of its own, so that nobody else can send it work, no dashboard, and no files that
    stay.

    Raises:
        UsageError: the address is none, the cluster has other versions of Ray or Python, or a
            cluster that is started here could not be protected.
        MissingDependencyError: no cluster answers at the address, Ray cannot be started, or the
            connection was lost.
        OutputError: the cluster's object store is full.
    """
    with contextlib.ExitStack() as stack:
        if not engine.address:
            _lock()
        for name, value in SILENCE.items():
            os.environ.setdefault(name, value)
        import ray
        import ray.data

        _quiet(ray)
        if not ray.is_initialized():
            stack.callback(ray.shutdown)
            if engine.address:
                _join(ray, engine.address)
            else:
                _start(ray, engine.workers or os.cpu_count() or 1, stack)
        processors = max(1, int(ray.cluster_resources().get("CPU", 1)))
        try:
            yield min(engine.workers or processors, processors)
        except (ray.exceptions.ObjectStoreFullError, ray.exceptions.OutOfDiskError):
            raise OutputError(
                "The cluster's object store is full, and so is the disk that it spills to: free "
                "room there, or start Ray with a larger --object-store-memory; what is done is "
                "kept, so run the same command again."
            ) from None
        except ray.exceptions.RayTaskError:  # a fault of ours, as without Ray
            raise
        except ray.exceptions.RayError as error:
            raise MissingDependencyError(
                f"The cluster no longer answers: {_first(error)}; what is done is kept, so run the "
                "same command again when its machines are there."
            ) from None


def _quiet(ray: Any) -> None:
    """Silence Ray's own reports; what matters is raised or listed."""
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # what a block that fails held is tried again, one by one
    context.target_max_block_size = BLOCK


def _join(ray: Any, address: str) -> None:
    """Connect to a running cluster."""
    if os.environ.get("RAY_AUTH_TOKEN") == _TOKEN:
        raise UsageError(
            "This process started a cluster of its own before, whose token holds for the process; "
            f"join {address} from a new one."
        )
    if address != "auto":
        _require_answer(address)
    try:
        with _silent():
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except (ConnectionError, TimeoutError, ValueError) as error:
        raise MissingDependencyError(
            f"No cluster of Ray can be joined at {address}: {_first(error)}; start one with `ray "
            "start --head`, and run this command on one of its machines."
        ) from None
    except RuntimeError as error:
        if "ersion mismatch" not in str(error):
            raise MissingDependencyError(
                f"The cluster of Ray at {address} cannot be joined: {_first(error)}."
            ) from None
        raise UsageError(
            f"The cluster at {address} has another version of Ray or Python than this machine: "
            "install the same on all of them."
        ) from None


def _require_answer(address: str) -> None:
    """Check that something listens, since Ray itself would wait for minutes.

    Raises:
        UsageError: it is no HOST:PORT.
        MissingDependencyError: nothing answers.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"--engine ray:{address} is no address; write ray:HOST:PORT or ray:auto.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except OSError as error:
        raise MissingDependencyError(
            f"No cluster of Ray answers at {address} ({error.strerror or error}); check the "
            "address, or leave it out to use this machine alone."
        ) from None


def _start(ray: Any, processors: int, stack: contextlib.ExitStack) -> None:
    """Start a cluster on this machine."""
    # short, since the name of a socket has at most 107 bytes
    folder = tempfile.mkdtemp(prefix="moodal-ray-", dir=SHORT if Path(SHORT).is_dir() else None)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    stack.callback(ray.shutdown)  # before its folder goes
    try:
        with _silent():
            ray.init(
                num_cpus=processors,
                object_store_memory=STORE_MEMORY,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                _temp_dir=folder,
                _node_ip_address="127.0.0.1",
            )
    except (ConnectionError, TimeoutError, RuntimeError, ValueError, OSError) as error:
        raise MissingDependencyError(f"Ray cannot be started here: {_first(error)}.") from None


def _lock() -> None:
    """Let clusters that are started here take work from this process alone.

    Ray listens on all addresses of a machine and runs what it is sent. It reads the token when it
    is imported (since 2.52), so the variables stay.

    Raises:
        UsageError: the process imported Ray before, without a token.
    """
    ray = sys.modules.get("ray")
    if ray is None:
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=_TOKEN)
    elif os.environ.get("RAY_AUTH_MODE") != "token" and not ray.is_initialized():
        raise UsageError(
            "Ray was imported before, without a token, so that a cluster started here would take "
            "work from anybody who reaches it: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN first, "
            "or call ray.init() yourself."
        )


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Let what native code writes to standard error go nowhere, as that its level was read."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _first(error: Exception) -> str:
    """Return the first sentence of an error of Ray, which explains at length."""
    return str(error).strip().split("\n")[0].split(". ")[0].rstrip(".") or type(error).__name__
