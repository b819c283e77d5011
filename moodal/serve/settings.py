"""Settings: where the server listens, where it keeps its data, and what it takes from clients."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from moodal.core.errors import UsageError

PORT = 8765
_HOST = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
"""A host name or address, perhaps with a port."""


def default_folder() -> Path:
    """Return the folder in which a server keeps its data where none is named."""
    shared = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(shared) / "moodal" / "serve"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on what one request, one job and one live session may cost.

    Attributes:
        upload: bytes of one request's body.
        fields: bytes of all fields of a form that are no files.
        parts: the number of parts of a form.
        body: bytes of a body that is JSON.
        idle: seconds that a client may be silent while it sends or does not read.
        head: seconds in which the head of a request has to arrive.
        rate: the least bytes a second of a body, on average after ``idle`` seconds.
        duration: seconds of a recording.
        computing: seconds that a job may take.
        silence: seconds in which a process of live sessions has to answer what it was sent.
        waiting: seconds that `POST /v1/predict` waits for its answer.
        sessions: live sessions at a time.
        connections: open connections.
    """

    upload: int = 2 << 30
    fields: int = 4 << 20
    parts: int = 64
    body: int = 64 << 10
    idle: float = 30.0
    head: float = 20.0
    rate: float = 1024.0
    duration: float = 4 * 3600.0
    computing: float = 4 * 3600.0
    silence: float = 300.0
    waiting: float = 900.0
    sessions: int = 32
    connections: int = 512


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """The settings of one server.

    Attributes:
        folder: its data: jobs, results, tokens.
        host, port: where it listens; port 0 for any free one.
        artefacts: the names of the models that clients may ask for; the first is the default.
        workers: processes that answer jobs.
        live_workers: processes that answer live sessions and other words of kept evidence.
        queue: jobs that may wait or run at a time.
        retain: seconds that the result of a job is kept.
        pseudonyms: the key by which recordings, speakers and files are renamed in all that the
            server answers and keeps; None: names remain.
        text: whether answers hold words, and anything keeps them when a job has ended.
        keep_media: whether uploads are kept as long as their job's result.
        tls_cert, tls_key: PEM files, for HTTPS.
        proxy: the host name under which a proxy with TLS is reached, with its port if need be.
        names: further host names by which clients call the server; a port is left out.
        limits: bounds on requests.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = PORT
    artefacts: tuple[str, ...] = ("default",)
    workers: int = 1
    live_workers: int = 1
    queue: int = 32
    retain: float = 86400.0
    pseudonyms: Path | None = None
    text: bool = True
    keep_media: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    proxy: str | None = None
    names: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name, least in (("workers", 1), ("live_workers", 1), ("queue", 1), ("port", 0)):
            value = {"workers": self.workers, "live_workers": self.live_workers}.get(name)
            value = {"queue": self.queue, "port": self.port}.get(name, value)
            if value is not None and value < least:
                raise UsageError(f"{name.replace('_', ' ')} is {least} or more; got {value}.")
        if self.port > 65535:
            raise UsageError(f"A port is at most 65535; got {self.port}.")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise UsageError("HTTPS needs both --tls-cert and --tls-key.")
        for path in (self.tls_cert, self.tls_key):
            if path is not None and not path.is_file():
                raise UsageError(f"There is no file {path}, which is named for HTTPS.")
        key, data = self.pseudonyms, self.folder.resolve()
        if key is not None and key.resolve().is_relative_to(data):
            raise UsageError(
                f"{key} lies in the data folder, which --purge empties; name a key of pseudonyms "
                "elsewhere."
            )
        if not self.is_local and not self.tls and self.proxy is None:
            raise UsageError(
                f"{self.host} can be reached from other machines: give --tls-cert and --tls-key, "
                "or name the proxy with TLS before it by --behind-proxy HOSTNAME."
            )
        for name in (*self.names, *filter(None, [self.proxy])):
            if not _HOST.fullmatch(name):
                raise UsageError(f"{name!r} is no name of a host, such as emotions.example.org.")
        if self.is_everywhere and not (self.names or self.proxy):
            raise UsageError(
                f"With --host {self.host}, say by which name or address others call the server: "
                "--name emotions.example.org (may be repeated)."
            )

    @property
    def tls(self) -> bool:
        """True if the server speaks HTTPS itself."""
        return self.tls_cert is not None

    @property
    def is_local(self) -> bool:
        """True if the server is reached from this machine alone."""
        return is_loopback(self.host)

    @property
    def is_everywhere(self) -> bool:
        """True if the server listens on all addresses of this machine."""
        return self.host in ("0.0.0.0", "::")

    @property
    def hosts(self) -> frozenset[str]:
        """The host names by which clients may call the server, in lower case, without ports."""
        names = {"localhost", "127.0.0.1", "[::1]"}
        if not self.is_everywhere:
            names.add(f"[{self.host}]" if ":" in self.host else self.host.lower())
        for name in (*self.names, *filter(None, [self.proxy])):
            names.add(re.sub(r":\d+$", "", name.lower()))
        return frozenset(names)


def is_loopback(host: str) -> bool:
    """Return whether an address or name is this machine's loopback.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
