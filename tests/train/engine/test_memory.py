"""Freed memory stays with the process on glibc."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from moodal.train.engine.memory import keep_freed
if sys.argv[1] == "keep":
    assert keep_freed()
def use():
    for _ in range(20):
        np.ones(4 << 20)  # 32 MiB, taken and freed
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator only")
def test_pages_are_not_fetched_again() -> None:
    assert faults("keep") < 0.2 * faults("default")
