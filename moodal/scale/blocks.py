"""Work in blocks: each block by one of a pool of workers, and what a worker's end lost once more.

Ray Data streams the blocks through a pool of actors, each of which is made ready once, and holds
back as long as answers are not taken. A block whose worker ends is not repeated as a whole, since
one of its items may be what ended it: each of its items is tried once more, alone.
"""

from __future__ import annotations

import collections
import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from moodal.core.errors import MoodalError

T = TypeVar("T")
R = TypeVar("R")

Work = Callable[[Sequence[T]], R]
"""What is done with the items of a block."""
Begin = Callable[[], Work[T, R]]
"""Makes a worker ready, as by loading a model; it can be pickled."""

IN_FLIGHT = 2
"""Blocks that a worker holds at a time: the one that it works on, and the next."""
RESTARTS = 1000
"""How often a worker that ended is started again."""
STARTS = 3
"""How often in a row a worker may end while it gets ready; then the work is given up."""
NODE_DEATHS = 5
"""How often an item is tried again whose machine died, which is no fault of the item."""

CRASHED = "ended the process that read it, twice: a decoder crashed, or memory ran out."
FULL = (
    "was given up after two attempts, since the memory of a machine ran out: cut it, or use fewer "
    "workers."
)
UNREADY = (
    f"A worker of the cluster ended {STARTS} times while it got ready: its memory ran out, or a "
    "library crashed there; use fewer workers with --jobs, or machines with more memory."
)
DIED = "was given up: the machine that read it died each time."


@dataclass(frozen=True)
class Lost(Generic[T]):
    """An item that ended its workers, and the reason: the rest of a sentence that it begins."""

    item: T
    reason: str


class _Starts:
    """An actor that counts how often each worker has begun to get ready since it last was."""

    def __init__(self) -> None:
        self.begun: collections.Counter[str] = collections.Counter()

    def begin(self, worker: str) -> int:
        self.begun[worker] += 1
        return self.begun[worker]

    def ready(self, worker: str) -> None:
        del self.begun[worker]


class _Pooled:
    """An actor of the pool: one worker that is made ready once."""

    def __init__(self, begin: bytes, starts: Any):
        import ray

        worker = ray.get_runtime_context().get_actor_id()  # the same after it was started again
        if ray.get(starts.begin.remote(worker)) > STARTS:
            fault = pickled(MoodalError(UNREADY))
            self.answer = lambda block: fault
            return
        self.answer = _ready(begin)
        ray.get(starts.ready.remote(worker))

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        answers = [self.answer(block) for block in batch["block"]]
        return {"number": batch["number"], "answer": answers}


def answers(
    begin: Begin[T, R], blocks: Sequence[Sequence[T]], workers: int
) -> Iterator[R | Lost[T]]:
    """Yield the answer to each block as it is known, and the items that ended their workers.

    The items of a block whose worker ended are blocks of their own afterwards. So every item is in
    exactly one answer, or lost.

    Args:
        begin: makes a worker ready.
        blocks: the items, block by block; items and answers can be pickled.
        workers: the number of workers.

    Raises:
        MoodalError: a worker could not be made ready, or all blocks are affected.
    """
    missing = dict(enumerate(blocks))
    for number, content in _streamed(pickled(begin), blocks, workers):
        if number in missing:
            del missing[number]
            yield _opened(content)
    items = [item for block in missing.values() for item in block]
    if items:
        yield from _one_by_one(pickled(begin), items, workers)


def pickled(value: object) -> bytes:
    """Pickle a value, and the code of what workers cannot import."""
    import ray.cloudpickle

    content: bytes = ray.cloudpickle.dumps(value)
    return content


def _streamed(
    begin: bytes, blocks: Sequence[Sequence[T]], workers: int
) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the answer of each block that did not fail, through Ray Data."""
    import ray
    import ray.data

    starts = ray.remote(_Starts).options(num_cpus=0, max_restarts=-1).remote()
    rows = [{"number": i, "block": pickled(list(block))} for i, block in enumerate(blocks)]
    pool = ray.data.ActorPoolStrategy(
        size=min(workers, len(rows)), max_tasks_in_flight_per_actor=IN_FLIGHT
    )
    with warnings.catch_warnings():  # Ray has no other name for the last two yet
        warnings.simplefilter("ignore")
        data = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _Pooled,
            batch_size=None,
            batch_format="numpy",
            compute=pool,
            fn_constructor_args=(begin, starts),
            num_cpus=1,
            max_restarts=RESTARTS,
            max_task_retries=0,
        )
    for batch in data.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
        yield from zip(map(int, batch["number"]), batch["answer"], strict=True)


def _one_by_one(begin: bytes, items: Sequence[T], workers: int) -> Iterator[R | Lost[T]]:
    """Yield the answer to each item by itself, or that it ended its worker again."""
    import ray
    from ray import exceptions

    single = ray.remote(_single).options(num_cpus=1, max_retries=0)
    shared = ray.put(begin)
    waiting = collections.deque((item, 0) for item in items)
    running: dict[Any, tuple[T, int, frozenset[str]]] = {}
    while waiting or running:
        while waiting and len(running) < workers:
            item, deaths = waiting.popleft()
            running[single.remote(shared, pickled([item]))] = item, deaths, _machines(ray)
        [ready], _ = ray.wait(list(running), num_returns=1)
        item, deaths, machines = running.pop(ready)
        try:
            yield _opened(ray.get(ready))
        except exceptions.OutOfMemoryError:
            yield Lost(item, FULL)
        except (
            exceptions.NodeDiedError,
            exceptions.WorkerCrashedError,
            exceptions.ObjectLostError,
        ):
            if machines <= _machines(ray):
                yield Lost(item, CRASHED)
            elif deaths + 1 < NODE_DEATHS:
                waiting.append((item, deaths + 1))
            else:
                yield Lost(item, DIED)
        except exceptions.RayTaskError as error:
            raise error.cause from error  # a fault of ours, as without Ray


def _machines(ray: Any) -> frozenset[str]:
    return frozenset(node["NodeID"] for node in ray.nodes() if node["Alive"])


_READY: dict[bytes, Callable[[bytes], bytes]] = {}
"""What the process of a worker was last made ready for."""


def _single(begin: bytes, block: bytes) -> bytes:
    if begin not in _READY:
        _READY.clear()
        _READY[begin] = _ready(begin)
    return _READY[begin](block)


def _ready(begin: bytes) -> Callable[[bytes], bytes]:
    """Make a worker ready; an error that concerns all blocks is the answer to each."""
    try:
        work = pickle.loads(begin)()
    except MoodalError as error:
        fault = pickled(error)
        return lambda block: fault

    def answer(block: bytes) -> bytes:
        try:
            return pickled(work(pickle.loads(block)))
        except MoodalError as error:
            return pickled(error)

    return answer


def _opened(content: bytes) -> Any:
    """Return an answer of a worker.

    Raises:
        MoodalError: the worker answered with it.
    """
    answer = pickle.loads(content)
    if isinstance(answer, MoodalError):
        raise answer
    return answer
