"""parallel: several trainings at once, each in a process of its own.

With several GPUs the processes take them in turn; on a CPU they share its cores.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

import torch

from moodal.errors import MoodalError


def each(task: Callable[[int], None], parts: int, jobs: int) -> None:
    """Call ``task(0)`` to ``task(parts - 1)``, ``jobs`` at a time.

    The first mistake ends it; what was finished stays.

    Args:
        task: can be pickled; the processes start anew and import what it needs.

    Raises:
        MoodalError: a process was ended from outside.
    """
    threads = max(1, (os.cpu_count() or 1) // jobs)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, parts), mp_context=context)
    try:
        for done in as_completed([pool.submit(_one, task, part, threads) for part in range(parts)]):
            done.result()
    except BrokenProcessPool:
        raise MoodalError(
            "A process that trained a fold was ended from outside, perhaps for want of memory; "
            "run the same command again, with fewer --jobs: it goes on."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _one(task: Callable[[int], None], part: int, threads: int) -> None:
    """One of them, on this process's share of the machine."""
    if torch.cuda.is_available():
        worker = multiprocessing.current_process()._identity[-1] - 1
        os.environ["CUDA_VISIBLE_DEVICES"] = str(worker % torch.cuda.device_count())
    else:
        torch.set_num_threads(threads)
    task(part)
