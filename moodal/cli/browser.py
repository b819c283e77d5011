"""Opening of a page in the browser, without its one-time key in a command line."""

from __future__ import annotations

import html
import os
import sys
import tempfile
import threading
from pathlib import Path

SECONDS = 60.0
"""Seconds after which the file that leads to the page is removed."""


def open_page(address: str) -> None:
    """Open a page in the browser of the desktop; nothing happens where there is none.

    Command lines can be read by all users of a machine. So the browser is given a file that only
    this user reads, which leads to the address and is removed soon.

    Args:
        address: with a one-time key.
    """
    import webbrowser

    if not sys.stdout.isatty() or not _has_desktop():
        return
    path = _redirect(address)
    if webbrowser.open(path.as_uri()):
        timer = threading.Timer(SECONDS, path.unlink, kwargs={"missing_ok": True})
        timer.daemon = True
        timer.start()
    else:
        path.unlink(missing_ok=True)


def _redirect(address: str) -> Path:
    """Write the file that leads to an address, readable by this user alone."""
    handle, name = tempfile.mkstemp(prefix="moodal-", suffix=".html")  # with mode 600
    target = html.escape(address, quote=True)
    with open(handle, "w", encoding="utf-8") as file:
        file.write(
            '<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
            f'<meta http-equiv="refresh" content="0; url={target}"><a href="{target}">moodal</a>'
        )
    return Path(name)


def _has_desktop() -> bool:
    """Return whether a browser can show a window here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
