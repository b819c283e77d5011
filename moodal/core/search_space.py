"""Search space: a TOML file of the recipe keys that a search varies, each with its range.

    train.lr = { low = 1e-5, high = 1e-2, log = true }
    train.batch_size = { low = 16, high = 64, step = 16 }
    system.hidden = { choices = [64, 128, 256] }

Two whole numbers make a range of whole numbers. What is tested, and by what a trial is chosen,
cannot be varied.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from moodal.core.errors import UsageError
from moodal.core.files import load_toml
from moodal.core.strict import Strict, parse

FIXED = (
    "title",
    "about",
    "split",
    "protocol",
    "report",
    "data.prepared",
    "data.labels",
    "data.merges",
    "data.where",
    "train.select",
    "train.select_on",
    "train.record",
    "train.seed",
    "train.seeds",
    "train.accelerator",
    "train.devices",
    "train.strategy",
)
"""Keys, and sections, that no search varies: its trials would not be comparable."""

RANGE = ("low", "high", "log", "step", "choices")
"""Keys of a range."""


class SearchRange(Strict):
    """The values among which a search chooses: a range of numbers, or choices."""

    low: int | float = 0
    high: int | float = 0
    log: bool = False
    """Whether small and large values are equally likely per factor, as for a learning rate."""
    step: int | float | None = Field(default=None, gt=0)
    """The distance between values (None: 1 for whole numbers, any value for others)."""
    choices: list[Any] = Field(default_factory=list)
    """Values to choose from: numbers, texts, true and false, or lists of these."""

    @model_validator(mode="after")
    def _whole(self) -> SearchRange:
        """Check that the keys make one range."""
        if self.choices:
            if self.model_fields_set != {"choices"}:
                raise ValueError("a range has either choices, or low and high")
            self._require_choices()
            return self
        if not {"low", "high"} <= self.model_fields_set:
            raise ValueError("a range needs low and high, or choices with at least one value")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"low must be below high; got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"with log = true, low must be above 0; got {self.low}")
        if self.log and self.step is not None:
            raise ValueError("a range has either log = true or a step")
        if self.whole and not isinstance(self.step or 1, int):
            raise ValueError(f"the step of whole numbers is whole; got {self.step}")
        return self

    def _require_choices(self) -> None:
        """Check that each choice can stand in a recipe as key=value, once."""
        written = []
        for choice in self.choices:
            parts = choice if isinstance(choice, list) else [choice]
            if not all(isinstance(part, str | int | float) for part in parts):
                raise ValueError(
                    f"choices are numbers, texts, true, false, or lists of these; got {choice!r}"
                )
            written.append(json.dumps(choice))
        if repeated := [text for i, text in enumerate(written) if text in written[:i]]:
            raise ValueError(f"{repeated[0]} is a choice twice")

    @property
    def whole(self) -> bool:
        """True for a range of whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def ends(self) -> list[Any]:
        """The values that a recipe must take: all choices, or the ends of the range."""
        return list(self.choices) or [self.low, self.high]

    def __str__(self) -> str:
        if self.choices:
            return f"one of {', '.join(map(json.dumps, self.choices))}"
        how = ", logarithmic" if self.log else f", in steps of {self.step}" if self.step else ""
        return f"{self.low} to {self.high}{how}"


def read_search_space(path: Path | str) -> dict[str, SearchRange]:
    """Read the ranges of a search: recipe key ("train.lr") -> its range.

    Raises:
        UsageError: the file is missing or not TOML, or a key or range in it is wrong.
    """
    path = Path(path)
    try:
        values = load_toml(path)
    except FileNotFoundError:
        raise UsageError(f"There is no search space {path}; docs/search.md shows one.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Cannot read the search space {path}: {error}.") from None
    except ValueError as error:
        raise UsageError(f"{path} is not TOML: {error}.") from None
    space = {key: _range(path, key, value) for key, value in _leaves(path, values)}
    if not space:
        raise UsageError(
            f"{path} varies no key; write for instance "
            "train.lr = { low = 1e-5, high = 1e-2, log = true }."
        )
    return dict(sorted(space.items()))


def _leaves(
    path: Path, values: Mapping[str, Any], above: Sequence[str] = ()
) -> list[tuple[str, dict[str, Any]]]:
    """List the recipe keys with their ranges; a table of ranges is a section."""
    leaves = []
    for name, value in values.items():
        key = ".".join((*above, name))
        if not isinstance(value, dict):
            raise UsageError(
                f"{path}: {key} = {value!r} is no range; write {{ low = .., high = .. }} or "
                "{ choices = [..] }, and set other values on the command line as key=value."
            )
        if set(value) & set(RANGE):
            leaves.append((key, value))
        else:
            leaves += _leaves(path, value, (*above, name))
    return leaves


def _range(path: Path, key: str, value: Mapping[str, Any]) -> SearchRange:
    """Check one range.

    Raises:
        UsageError: its key is not to be varied, or its values make no range.
    """
    fixed = next((f for f in FIXED if key == f or key.startswith(f"{f}.")), None)
    if fixed is not None:
        raise UsageError(
            f"{path}: {key} cannot be varied, since trials would then be tested on other rows or "
            "chosen by another figure; set it in the recipe."
        )
    return parse(SearchRange, value, f"{path}, {key}")


def assignments(values: Mapping[str, Any]) -> list[str]:
    """Write values as the overrides of a recipe, in TOML.

    >>> assignments({"train.lr": 1e-05, "train.optimiser": "adamw"})
    ['train.lr=1e-05', 'train.optimiser="adamw"']
    """
    return [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
