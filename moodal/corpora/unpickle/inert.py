"""Inert stand-ins for what a pickle names: names, objects and sizes that run no code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moodal.core.errors import MoodalError


class Refused(MoodalError):
    """A pickle that asks for something that would run code; ``what`` names it in a few words."""

    def __init__(self, what: str):
        super().__init__(what)
        self.what = what


class Inert:
    """An object whose state the opcode BUILD sets, as data."""

    def set_state(self, state: Any) -> None:
        """Store the state from the file.

        Raises:
            ValueError: it does not have the expected form.
        """
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Name:
    """A name that pickles may use: ``build`` creates its object; None for a name that is data."""

    dotted: str
    build: Callable[..., Any] | None = None


class Budget:
    """The number of bytes (or items) that a file may still ask to be copied.

    A file of a few bytes can refer to one long string a million times. Each use is charged, so that
    the memory stays in proportion to the size of the file.
    """

    def __init__(self, size: int):
        self.size = size
        self.left = 8 * size + 65536

    def spend(self, amount: int) -> None:
        """Charge an amount of bytes or items.

        Raises:
            ValueError: the file asks for far more than it holds.
        """
        self.left -= amount
        if self.left < 0:
            raise ValueError("it asks for far more memory than it has bytes")


def key(value: Any) -> Any:
    """Return a value that may be a dict's key or a set's member: plain, or a flat tuple of plain.

    Raises:
        ValueError: it is anything else (hashing deep tuples can overflow the C stack).
    """
    plain = (str, bytes, int, float, type(None))
    if isinstance(value, plain):
        return value
    if type(value) is tuple and all(isinstance(x, plain) for x in value):
        return value
    raise ValueError(f"a {type(value).__name__} stands as a key")


def shown(value: Any) -> str:
    """Shorten a text of the file for a message, without control characters."""
    if isinstance(value, str):
        return value[:80].encode("unicode_escape").decode()
    return f"a {type(value).__name__}"
