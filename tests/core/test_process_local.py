"""ProcessLocal: made once in a process, by one of the threads that ask; made again in a copy."""

import copy
import os
import pickle
import threading
import time

import pytest

from moodal.core.process_local import ProcessLocal, forked


class Model:
    """A model that counts how often it was loaded, and notes where it was freed."""

    loaded = 0
    freed: list[int] = []  # noqa: RUF012

    def __init__(self):
        time.sleep(0.05)  # for the other threads to come
        Model.loaded += 1

    def __del__(self):
        Model.freed.append(os.getpid())


def test_of_many_threads_one_loads_it(monkeypatch):
    monkeypatch.setattr(Model, "loaded", 0)
    holder, models = ProcessLocal(Model), []
    threads = [threading.Thread(target=lambda: models.append(holder.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Model.loaded == 1
    assert models == [holder.get()] * 8


def test_a_failure_is_not_kept():
    outcomes = iter([OSError("busy"), "model"])

    def make():
        outcome = next(outcomes)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    holder = ProcessLocal(make)
    with pytest.raises(OSError, match="busy"):
        holder.get()
    assert holder.get() == "model"


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_makes_its_own(copied):
    holder = ProcessLocal(list)
    twin = copied(holder)
    assert twin.get() == holder.get() == []
    assert twin.get() is not holder.get()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_makes_its_own_and_does_not_free_its_parents(monkeypatch):
    monkeypatch.setattr(Model, "freed", [])
    holder = ProcessLocal(Model)
    first = id(holder.get())
    child = os.fork()
    if not child:
        own = id(holder.get()) != first
        os._exit(0 if own and forked() and not Model.freed else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert id(holder.get()) == first
    assert not forked()
