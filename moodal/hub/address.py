"""Addresses of the hub: hf://owner/name@revision."""

from __future__ import annotations

import re
from dataclasses import dataclass

from moodal.core.errors import UsageError

SCHEME = "hf://"

_NAME = r"[A-Za-z0-9](?:[\w.-]{0,94}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"({_NAME}/{_NAME})(?:@([A-Za-z0-9][\w./+-]{{0,200}}))?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


def is_address(text: object) -> bool:
    """Return whether a text is meant as an address of the hub.

    >>> is_address("hf://owner/name"), is_address("runs/eea/artefact")
    (True, False)
    """
    return isinstance(text, str) and text.startswith(SCHEME)


@dataclass(frozen=True)
class HubAddress:
    """A repository of the hub, at a revision.

    Attributes:
        repository: "owner/name".
        revision: a commit (40 hexadecimal digits), a tag or a branch.
    """

    repository: str
    revision: str = "main"

    @classmethod
    def parse(cls, text: str) -> HubAddress:
        """Read an address; hf:// may be left out.

        >>> HubAddress.parse("hf://anna/calls@v1")
        HubAddress(repository='anna/calls', revision='v1')

        Raises:
            UsageError: it is none.
        """
        match = _ADDRESS.fullmatch(text.removeprefix(SCHEME))
        if match is None or ".." in text or "--" in text or match[1].endswith(".git"):
            raise UsageError(
                f"{text!r} is no address of the hub; write hf://owner/name or "
                "hf://owner/name@revision, where the revision is a commit, a tag or a branch."
            )
        return cls(match[1], match[2] or "main")

    @property
    def pinned(self) -> bool:
        """Return whether the revision is a commit, which always has the same content."""
        return bool(_COMMIT.fullmatch(self.revision))

    def at(self, commit: str) -> HubAddress:
        """Return the address of the same repository at a commit."""
        return HubAddress(self.repository, commit)

    def __str__(self) -> str:
        return f"{SCHEME}{self.repository}@{self.revision}"
