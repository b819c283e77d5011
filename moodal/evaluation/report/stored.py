"""A report as JSON, and the parts of it that are stored with its predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError
from moodal.core.files import save_json
from moodal.evaluation.report.scores import Scored


def checked(report: dict[str, Any]) -> dict[str, Any]:
    """Return the report as it will be read back from JSON.

    Raises:
        DataError: it holds NaN, infinity, or an object that JSON cannot represent.
    """
    try:
        return json.loads(json.dumps(report, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise DataError(f"The report cannot be written as JSON: {error}.") from None


def save(report: Mapping[str, Any], path: Path | str) -> Path:
    """Write report.json atomically and return its path."""
    path = Path(path)
    save_json(path, report, finite=True)
    return path


CONTEXT = ("bootstrap", "thresholds", "protocol", "train", "valid", "extras")
"""Keys of a report that are stored with its predictions."""


def context_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a report that its predictions need to be reported on again."""
    return {key: report[key] for key in CONTEXT if key in report}


def stored_targets(test: Scored) -> np.ndarray | None:
    """Build training targets [M, C] for the baselines from what is stored with predictions.

    Of emotions the counts are stored, and each column has as many rows as training had; of values
    the targets themselves. None: they are unknown, or an earlier version stored the predictions.
    """
    if test.train_targets is not None:
        return test.train_targets
    train = test.context.get("train", {})
    if "counts" not in train:
        return None
    targets = np.zeros((train["rows"], len(test.labels)), np.float32)
    for column, label in enumerate(test.labels):
        targets[: train["counts"].get(label, 0), column] = 1
    return targets
