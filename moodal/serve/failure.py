"""Failure: an answer of the server that is an error, with its status and one sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from moodal.core.errors import MissingDependencyError, MoodalError
from moodal.core.guard import plain


@dataclass
class Failure(Exception):
    """An error that a client is told.

    Attributes:
        status: of HTTP.
        sentence: what is wrong, and what to do.
        headers: further headers of the answer.
    """

    status: int
    sentence: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.sentence


def sentence_of(error: MoodalError, names: Mapping[str, str]) -> str:
    """Return the sentence of an error, in the words of a client and without the server's paths.

    Args:
        error: the error.
        names: path -> the name by which the client knows the file.
    """
    text = _OPTION.sub(_field, str(error))
    for path, name in sorted(names.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(path, name)
    return plain(_PATH.sub("a file of the server", text))[:1000]


def _field(match: re.Match[str]) -> str:
    """Name the field of a form instead of the option of the command line."""
    name = match["name"].replace("-", "_")
    return f"{name}={match['value']}" if match["value"] else f"the field {name}"


def status_of(error: MoodalError) -> int:
    """Return the status of HTTP for an error of the library."""
    return 501 if isinstance(error, MissingDependencyError) else 422


_OPTION = re.compile(
    r"(?<!\S)--(?P<name>[a-z]+(?:-[a-z]+)*)"
    r"(?:[ =](?P<value>auto|channels|all|base|tiny\.en|level|talk|training)(?!\w))?"
)
"""An option of the command line, with its value if that is one of a few."""

_PATH = re.compile(
    r"""(?<![\w:/.])
    (?: /(?:[^/\n"'<>|:;,]{1,255}/)+              # of Unix; folders may have spaces
      | (?:[A-Za-z]:|\\\\)[\\/]*(?:[^\\/\n"'<>|:;,]{1,255}[\\/]+)*  # of Windows, and of a network
    )
    (?: [^\\/\n"'<>|:;,]{0,255}?\.\w{1,12}(?!\w) | [\w.@+-]* )""",
    re.VERBOSE,
)
"""An absolute path, which no answer carries; what follows it may be taken for a part of it."""
