"""Checkpoints: the state of a training, to go on after a kill; never a product.

Read with ``weights_only``, so that a checkpoint cannot run code.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from moodal.errors import DataError, OutputError
from moodal.files import replacing


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` to ``path`` in one piece: a kill leaves the old one or the new one."""
    with replacing(path) as part:
        try:
            torch.save(state, part)
        except RuntimeError as error:  # torch's own word for a full disk
            raise OutputError(f"Cannot write {path}: {error}.") from None


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state that `save` wrote.

    Raises:
        DataError: the file is damaged, or is no checkpoint of moodal's.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise DataError(
            f"{path} is not a checkpoint that can be read ({str(error).splitlines()[0]}); "
            "delete it to start this training anew."
        ) from None
    if not isinstance(state, dict):
        raise DataError(f"{path} is not a checkpoint of moodal's; delete it to start anew.")
    return state
