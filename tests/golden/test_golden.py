"""Every command gives what it gave before: tests/golden/outputs, written by record.py.

Where a change of behaviour is meant, record again and read the difference before it is committed::

    python tests/golden/record.py --out tests/golden/outputs
"""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

for needed in ("torch", "onnx", "opensmile"):
    pytest.importorskip(needed)

HERE = Path(__file__).parent
OUTPUTS = HERE / "outputs"
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
TRAINED = ("train", "evaluate", "compare", "main", "compose", "predict-composed", "inspect")
"""Commands whose numbers come from a training, or from sums that differ between machines."""
RANKED = 0.1
"""Of ranks in the folds' small test sets: one pair of clips in another order is no difference."""


def load_record() -> Any:
    """Load record.py, which lies in no package."""
    spec = importlib.util.spec_from_file_location("golden_record", HERE / "record.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


record = load_record()


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> dict[str, Any]:
    """What every command gives now, all run once in one folder."""
    return dict(record.run_all(tmp_path_factory.mktemp("golden")))


def differences(actual: Any, expected: Any, tolerance: float, where: str = "") -> list[str]:
    """Name each place where two reduced outputs differ by more than the tolerance."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        extra = [f"{where}: {key} is new" for key in actual.keys() - expected.keys()]
        gone = [f"{where}: {key} is missing" for key in expected.keys() - actual.keys()]
        both = expected.keys() & actual.keys()
        pairs = [(actual[key], expected[key], f"{where}/{key}") for key in sorted(both)]
    elif isinstance(expected, list) and isinstance(actual, list) and len(actual) == len(expected):
        extra, gone = [], []
        both_items = enumerate(zip(actual, expected, strict=True))
        pairs = [(a, e, f"{where}[{number}]") for number, (a, e) in both_items]
    elif _same(actual, expected, RANKED if _is_ranked(where) else tolerance):
        return []
    else:
        return [f"{where}: {_short(expected)} became {_short(actual)}"]
    within = [line for a, e, place in pairs for line in differences(a, e, tolerance, place)]
    return [*extra, *gone, *within]


def _same(actual: Any, expected: Any, tolerance: float) -> bool:
    """Whether two values are equal, numbers (also those within a text) up to the tolerance."""
    if isinstance(expected, bool) or isinstance(actual, bool) or expected is None:
        return actual is expected
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return bool(actual == pytest.approx(expected, rel=1e-4, abs=tolerance))
    if isinstance(expected, str) and isinstance(actual, str) and actual != expected:
        theirs, ours = (list(map(float, NUMBER.findall(text))) for text in (expected, actual))
        return NUMBER.sub("#", actual) == NUMBER.sub("#", expected) and (
            ours == pytest.approx(theirs, rel=1e-4, abs=tolerance)
        )
    return bool(actual == expected)


def _is_ranked(where: str) -> bool:
    return where.startswith("train-folds/") and "/auc_each/" in where


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 120 else f"{text[:117]}..."


@pytest.mark.parametrize("name", record.COMMANDS)
def test_a_command_gives_what_it_gave(name, outputs) -> None:
    expected = json.loads((OUTPUTS / f"{name}.json").read_text(encoding="utf-8"))
    # four decimals are printed of a probability: a difference in the last one is none
    tolerance = 2e-3 if name.startswith(TRAINED) else 1.5e-4 if name.startswith("predict") else 1e-5
    differing = differences(outputs[name], expected, tolerance, name)
    assert not differing, "\n".join(differing[:20])


def test_no_output_is_left_of_a_command_that_is_gone() -> None:
    assert {path.stem for path in OUTPUTS.glob("*.json")} == set(record.COMMANDS)
