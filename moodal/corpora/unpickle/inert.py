"""What stands in for the things a pickle names: names, objects and sizes that can do nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moodal.core.errors import MoodalError


class Refused(MoodalError):
    """The pickle wants something that would run code; ``what`` says what, in a few words."""

    def __init__(self, what: str):
        super().__init__(what)
        self.what = what


class Inert:
    """What a builder returns where the file goes on to BUILD it: it takes a state, as data."""

    def set_state(self, state: Any) -> None:
        """Keep ``state``, which the file gave.

        Raises:
            ValueError: it has not the expected form.
        """
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Name:
    """A name in the table: ``build`` makes its object, or None for a name that is only data."""

    dotted: str
    build: Callable[..., Any] | None = None


class Budget:
    """How many bytes (or items) a file may still ask to be copied.

    A file of a few bytes can point at one long string a million times; each
    use is charged here, so that what is made stays in proportion to the file.
    """

    def __init__(self, size: int):
        self.size = size
        self.left = 8 * size + 65536

    def spend(self, amount: int) -> None:
        """Charge ``amount``.

        Raises:
            ValueError: the file asks for far more than it holds.
        """
        self.left -= amount
        if self.left < 0:
            raise ValueError("it asks for far more memory than it has bytes")


def key(value: Any) -> Any:
    """``value``, if it may be a dict's key or a set's member: plain, or a flat tuple of plain.

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
    """A file's word, short and without control characters, fit for a message."""
    if isinstance(value, str):
        return value[:80].encode("unicode_escape").decode()
    return f"a {type(value).__name__}"
