"""A real cluster of two machines in small: processes of Ray on this one, and short recordings."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path

import pytest

# read when ray is imported; without it, Ray leaves a token in the home folder
os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))

MEMORY = 100 << 20
"""Bytes of the object store of each machine."""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A cluster of two machines with one processor each; machines may be added and removed."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    from moodal.scale.cluster import SHORT

    folder = tempfile.mkdtemp(prefix="mr-", dir=SHORT if Path(SHORT).is_dir() else None)
    about = {"num_cpus": 1, "object_store_memory": MEMORY, "include_dashboard": False}
    # where Ray notes the address of the last cluster; it makes this folder only for its own files
    Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR", SHORT), "ray").mkdir(
        parents=True, exist_ok=True
    )
    machines = Cluster(initialize_head=True, head_node_args={**about, "temp_dir": folder})
    machines.add_node(num_cpus=1, object_store_memory=MEMORY)
    yield machines
    machines.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def engine(cluster):
    """The engine of the cluster."""
    from moodal.scale.cluster import Engine

    return Engine(cluster.address)


@pytest.fixture
def calls(tmp_path, speech):
    """A folder of sounds, texts and files that are none, and subtitles beside one."""
    folder = tmp_path / "calls"
    folder.mkdir()
    for i in range(6):
        os.replace(speech(f"call{i}.wav", seconds=1 + i / 10, seed=i), folder / f"call{i}.wav")
    (folder / "call0.srt").write_text("1\n00:00:00,100 --> 00:00:00,900\nSo good.\n")
    (folder / "said.txt").write_text("I am so happy. Leave me alone!")
    (folder / "bad.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(90))
    (folder / "empty.wav").write_bytes(b"")
    return folder
