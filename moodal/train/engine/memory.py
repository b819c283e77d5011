"""Memory that training frees and soon allocates again."""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""glibc's numbers for `mallopt`."""


def keep_freed() -> bool:
    """Ask glibc to keep freed memory instead of returning it to the system.

    Each step frees and allocates the same tens of megabytes; by default every page of
    them is returned, fetched and cleared again, about a tenth of a training
    step of EEA on a CPU. The process keeps its peak until it ends.

    Returns:
        Whether glibc agreed; other allocators are left alone.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has none
        return False
    # Older versions allow at most 32 MiB for single blocks.
    blocks = mallopt(MMAP_THRESHOLD, 1 << 30) or mallopt(MMAP_THRESHOLD, 32 << 20)
    return bool(blocks) and bool(mallopt(TRIM_THRESHOLD, (1 << 31) - 1))
