"""Servers for tests, each a process of its own, and clients for them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

for needed in ("fastapi", "uvicorn", "websockets", "python_multipart", "prometheus_client"):
    pytest.importorskip(needed)

ROOT = Path(__file__).parents[2]


@dataclass
class Answer:
    """An answer of HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return self.json["error"]


def form(fields=None, **files) -> tuple[bytes, str]:
    """Return a body and its type; a file is its name and its content."""
    boundary = uuid.uuid4().hex
    parts = []
    for name, value in (fields or {}).items():
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        )
        parts.append(f"{value}\r\n".encode())
    for kind, (name, content) in files.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{kind}"; filename="{name}"'
        parts += [f"{head}\r\nContent-Type: x/y\r\n\r\n".encode(), content, b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


@dataclass
class Running:
    """A server that runs.

    Attributes:
        settings: its settings.
        process: of it.
        page: its one-time address.
        base: its address.
        token: of programs.
        log: what it writes to standard error.
    """

    settings: dict
    process: subprocess.Popen = None
    page: str = ""
    base: str = ""
    token: str = ""
    log: Path = None
    headers: dict = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, int]:
        parts = urlsplit(self.base)
        return parts.hostname, parts.port

    @property
    def folder(self) -> Path:
        return Path(self.settings["folder"])

    def start(self) -> Running:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    str(Path(__file__).with_name("serving.py")),
                    json.dumps(self.settings),
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                cwd=ROOT,
            )
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        told = json.loads(line)
        self.page, self.base = told["page"], told["base"]
        self.token = Path(told["token"]).read_text().strip()
        self.headers = {"Authorization": f"Bearer {self.token}"}
        return self

    def stop(self, how=signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)
        self.process.stdout.close()

    def ask(self, method, path, body=None, headers=None, *, token=True, timeout=60) -> Answer:
        """Send a request; headers may replace those of a program."""
        connection = http.client.HTTPConnection(*self.place, timeout=timeout)
        own = {**(self.headers if token else {}), **(headers or {})}
        with contextlib.closing(connection):
            connection.request(method, path, body, own)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, answer.read())

    def send(self, path, fields=None, headers=None, **files) -> Answer:
        """Send a form."""
        body, kind = form(fields, **files)
        return self.ask("POST", path, body, {"Content-Type": kind, **(headers or {})})

    def job(self, fields=None, **files) -> str:
        answer = self.send("/v1/jobs", fields, **files)
        assert answer.status == 202, answer.body
        return answer.json["id"]

    def wait(self, id, seconds=60, until=("done", "failed", "cancelled")) -> dict:
        """Wait until a job has a status."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state = self.ask("GET", f"/v1/jobs/{id}").json
            if state["status"] in until:
                return state
            time.sleep(0.05)
        raise AssertionError(state)

    def workers(self) -> list[int]:
        """The numbers of the worker processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        numbers = []
        for number in map(int, children.split()):
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{number}/cmdline").read_bytes()
                if b"spawn_main" in command:
                    numbers.append(number)
        return numbers


@pytest.fixture(scope="session")
def launch(tiny_artefact, tmp_path_factory):
    """Return a function that starts a server with some settings; all are stopped at the end."""
    started = []

    def start(**settings) -> Running:
        folder = tmp_path_factory.mktemp("serve")
        own = {"folder": str(folder / "data"), "artefact": str(tiny_artefact), **settings}
        server = Running(own, log=folder / "log.txt").start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def server(launch):
    """A server that many tests share."""
    return launch(queue=64)


@pytest.fixture
def fresh(launch):
    """Return a function that starts a server for one test, and stops it afterwards."""
    own = []

    def start(**settings):
        own.append(launch(**settings))
        return own[-1]

    yield start
    for server in own:
        server.stop()


@pytest.fixture(scope="session")
def clip():
    """The example film."""
    return (ROOT / "examples/clip.mp4").read_bytes()


@pytest.fixture(scope="session")
def words():
    """The subtitles of the example film."""
    return (ROOT / "examples/clip.srt").read_bytes()
