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


def test_what_was_begun_is_made_once_in_another_thread():
    makers = []

    def make():
        makers.append(threading.current_thread())
        time.sleep(0.05)
        return len(makers)

    holder = ProcessLocal(make)
    for _ in range(3):
        holder.begin()
    assert holder.get() == 1
    holder.begin()
    assert len(makers) == 1
    assert makers[0] is not threading.current_thread()


def test_an_error_of_what_was_begun_is_raised_by_who_needs_it():
    def make():
        raise OSError("damaged")

    holder = ProcessLocal(make)
    holder.begin()
    with pytest.raises(OSError, match="damaged"):
        holder.get()


def test_two_are_made_at_the_same_time():
    both = threading.Barrier(2, timeout=10)
    holders = [ProcessLocal(both.wait) for _ in range(2)]
    holders[0].begin()
    holders[1].get()
    holders[0].get()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_does_not_wait_for_what_its_parent_was_making():
    started, go_on = threading.Event(), threading.Event()

    def make():
        started.set()
        if threading.current_thread() is not threading.main_thread():
            go_on.wait(10)
        return "value"

    holder = ProcessLocal(make)
    holder.begin()
    started.wait(10)
    child = os.fork()
    if not child:
        os._exit(0 if holder.get() == "value" else 1)
    assert os.waitpid(child, 0)[1] == 0
    go_on.set()
    assert holder.get() == "value"


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
