"""parallel: several trainings at once, each in a process of its own.

With several GPUs the processes take them in turn; on a CPU they share its cores.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import torch

from moodal.core.errors import MoodalError


def each(task: Callable[[int], None], parts: int, jobs: int) -> None:
    """Call ``task(0)`` to ``task(parts - 1)``, ``jobs`` at a time.

    The first mistake ends it; what was finished stays.

    Args:
        task: can be pickled; the processes start anew and import what it needs.

    Raises:
        MoodalError: a process was ended from outside.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, parts), mp_context=context)
    once = partial(_one, task, max(1, torch.get_num_threads() // jobs), _gpus())
    try:
        for done in as_completed([pool.submit(once, part) for part in range(parts)]):
            done.result()
    except BrokenProcessPool:
        raise MoodalError(
            "A process that trained a fold was ended from outside, perhaps for want of memory; "
            "run the same command again, with fewer --jobs: it goes on."
        ) from None
    except BaseException:
        # the folds beside it would train on for hours before the mistake is told
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        return [name for name in told.split(",") if name.strip()]
    return [str(i) for i in range(torch.cuda.device_count())]


def _one(task: Callable[[int], None], threads: int, gpus: Sequence[str], part: int) -> None:
    """One of them, on this process's share of the machine."""
    if gpus:  # before PyTorch looks for them
        worker = multiprocessing.current_process()._identity[-1] - 1
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[worker % len(gpus)]
    torch.set_num_threads(threads)
    task(part)
