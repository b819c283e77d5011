"""A server of the whole model in a process of its own, and browsers that are signed in to it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


class Server:
    """A running `moodal serve`: its addresses, its token, and its end."""

    def __init__(self, data):
        command = [sys.executable, "-m", "moodal", "serve", "--no-browser", "--port", "0"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [*command, "--data", str(data)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(r"(http://[\d.]+:\d+/)\?key=\S+", line):
                self.once, self.base = found[0], found[1]
            if "token in" in line:
                break
        else:
            pytest.fail(f"the server ended: {''.join(self.lines)}")
        self.token = (data / "token").read_text().strip()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        self.lines.extend(self.process.stdout)

    def stop(self):
        """Interrupt the server, and wait for its end."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory, chromium):
    """A server for the tests of one module."""
    pytest.importorskip("fastapi")
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def signed_in(server, chromium):
    """The cookies of a browser that opened the one-time address."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(server.once)
    page.wait_for_selector("#files", state="attached")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def home(server, signed_in, new_page):
    """Return a function that opens the page: home(width=1280, scheme="light") -> Page."""

    def open_page(**options):
        page = new_page(storage_state=signed_in, **options)
        page.goto(server.base)
        page.wait_for_selector("#files", state="attached")
        return page

    return open_page
