"""Ahead: an iterator that is read on a thread of its own, a few items before they are needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")

_END: Any = object()


def ahead(items: Iterator[Item], count: int) -> Iterator[Item]:
    """Yield the items of an iterator, of which the next ones are made while one is used.

    They come in the same order, and what the iterator raises is raised in its place. It is read on
    one thread alone, and read no more once this generator is closed.

    Args:
        items: read on another thread.
        count: the largest number of items that wait, 1 or more.

    >>> list(ahead(iter("abc"), 2))
    ['a', 'b', 'c']
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as reader:
        waiting = deque(reader.submit(next, items, _END) for _ in range(count))
        try:
            while (item := waiting.popleft().result()) is not _END:
                waiting.append(reader.submit(next, items, _END))
                yield item
        finally:
            for one in waiting:
                one.cancel()
