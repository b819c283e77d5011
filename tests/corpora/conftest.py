"""What the tests of pickles share."""

from pathlib import Path

import pytest


@pytest.fixture
def write(tmp_path):
    """Bytes to a file, as a stranger's pickle."""

    def write(data: bytes) -> Path:
        path = tmp_path / "given.pkl"
        path.write_bytes(data)
        return path

    return write
