"""Blocks on a cluster of this machine: each item in one answer, and faults in one sentence."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray")

from moodal.core.errors import DataError, MoodalError, UsageError
from moodal.scale.blocks import Lost, answers
from moodal.scale.cluster import SHORT, Engine, connected
from moodal.scale.files import Files


@pytest.fixture(scope="module")
def workers():
    """The workers of a cluster that is started on this machine."""
    import ray.cloudpickle

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    before = set(Path(SHORT).glob("moodal-ray-*"))
    with connected(Engine(None, 2)) as count:
        yield count
    assert set(Path(SHORT).glob("moodal-ray-*")) <= before
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def doubling():
    """Double numbers; 5 ends the process, 11 is refused, and 13 is a fault of the work."""

    def work(numbers):
        if 5 in numbers:
            os.kill(os.getpid(), signal.SIGSEGV)
        if 11 in numbers:
            raise DataError("Eleven is refused.")
        if 13 in numbers:
            raise ZeroDivisionError("thirteen")
        return [2 * number for number in numbers]

    return work


def refusing():
    raise UsageError("This machine has another artefact.")


def dying():
    """End the process while it gets ready."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_never_gets_ready_is_one_sentence(workers):
    with pytest.raises(MoodalError, match="ended 3 times while it got ready"):
        list(answers(dying, [[1], [2], [3]], workers))


def test_every_item_is_in_one_answer_or_lost(workers):
    assert workers == 2
    stream = list(answers(doubling, [[1, 2], [3], [4, 5, 6], [7, 8]], workers))
    lost = [one for one in stream if isinstance(one, Lost)]
    assert [(one.item, one.reason.split(",")[0]) for one in lost] == [
        (5, "ended the process that read it")
    ]
    done = [number for one in stream if not isinstance(one, Lost) for number in one]
    assert sorted(done) == [2, 4, 6, 8, 12, 14, 16]


def test_what_concerns_all_blocks_is_raised(workers):
    with pytest.raises(UsageError, match="another artefact"):
        list(answers(refusing, [[1], [2]], workers))
    with pytest.raises(DataError, match="Eleven is refused"):
        list(answers(doubling, [[11]], workers))
    with pytest.raises(ZeroDivisionError, match="thirteen"):
        list(answers(doubling, [[13]], workers))


def test_files_of_the_list_are_copied_and_no_others(workers, tmp_path):
    content = os.urandom((8 << 20) + 7)
    (tmp_path / "long.bin").write_bytes(content)
    (tmp_path / "other.bin").write_bytes(b"1")
    files = Files.here([str(tmp_path / "long.bin"), str(tmp_path / "gone.bin"), None])
    files.copy(str(tmp_path / "long.bin"), tmp_path / "copy.bin")
    assert (tmp_path / "copy.bin").read_bytes() == content
    with pytest.raises(DataError, match="none of the files of this job"):
        files.copy(str(tmp_path / "other.bin"), tmp_path / "copy.bin")
    with pytest.raises(DataError, match=r"gone.bin cannot be read .*: No such file"):
        files.copy(str(tmp_path / "gone.bin"), tmp_path / "copy.bin")
