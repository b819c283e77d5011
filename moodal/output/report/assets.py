"""The files of the view (moodal/output/page), and its modules joined into one script."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_IMPORT = re.compile(
    r'^import\s[^;]*?from\s"\./(?P<name>[\w.-]+\.js)";\n', re.MULTILINE | re.DOTALL
)
_EXPORT = re.compile(r"^export (?=function|const|class|async )", re.MULTILINE)


@cache
def asset(name: str) -> str:
    """Return the text of a file of the view, such as "styles.css"."""
    return files("moodal.output").joinpath("page", name).read_text(encoding="utf-8")


def joined(entry: str) -> str:
    """Return a module and all that it imports as one module without imports.

    Each file comes once, after those that it imports. The files name what they define at their
    top differently, so one scope holds all of it (tests/output/report/test_assets.py).

    Args:
        entry: the module's file, such as "report.js".
    """
    texts: dict[str, str] = {}
    _collect(entry, texts)
    return "\n".join(f"// {name}\n{text}" for name, text in texts.items())


def _collect(name: str, texts: dict[str, str]) -> None:
    """Add the imports of a module, then the module itself, without import and export."""
    text = asset(name)
    for match in _IMPORT.finditer(text):
        if match["name"] not in texts:
            _collect(match["name"], texts)
    texts[name] = _EXPORT.sub("", _IMPORT.sub("", text)).strip() + "\n"
