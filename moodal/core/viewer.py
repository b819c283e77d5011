"""The viewer of timelines, which a room above provides: core knows no HTML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moodal.core.errors import UsageError

_VIEWERS: dict[str, Callable[..., Any]] = {}


def provide(name: str, viewer: Callable[..., Any]) -> None:
    """Set the function that shows a timeline under a name, such as "notebook"."""
    _VIEWERS[name] = viewer


def viewer(name: str) -> Callable[..., Any]:
    """Return the function that shows a timeline under a name.

    Raises:
        UsageError: nothing provides one.
    """
    if name not in _VIEWERS:
        raise UsageError(f"There is no viewer {name!r}; there are {', '.join(_VIEWERS) or 'none'}.")
    return _VIEWERS[name]
