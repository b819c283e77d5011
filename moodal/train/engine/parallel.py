"""Several trainings at once, each in a process of its own.

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


def run_parts(task: Callable[[int], None], parts: int, jobs: int) -> None:
    """Call ``task(0)`` to ``task(parts - 1)``, ``jobs`` at a time.

    The first error ends all of them; what was finished stays.

    Args:
        task: can be pickled, since each process starts afresh and imports what it needs.

    Raises:
        MoodalError: a process was ended from outside.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, parts), mp_context=context)
    once = partial(_run_part, task, max(1, torch.get_num_threads() // jobs), _gpus())
    try:
        for done in as_completed([pool.submit(once, part) for part in range(parts)]):
            done.result()
    except BrokenProcessPool:
        raise MoodalError(
            "A process that trained a fold was ended from outside, perhaps for want of memory; "
            "run the same command again with fewer --jobs, and it resumes."
        ) from None
    except BaseException:
        # the other folds would train for hours before the error is shown
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _gpus() -> list[str]:
    """List the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip()]
    return [str(i) for i in range(torch.cuda.device_count())]


def _run_part(task: Callable[[int], None], threads: int, gpus: Sequence[str], part: int) -> None:
    """Run one part on this process's share of the machine."""
    if gpus:  # before PyTorch looks for them
        worker = multiprocessing.current_process()._identity[-1] - 1
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[worker % len(gpus)]
    torch.set_num_threads(threads)
    task(part)
