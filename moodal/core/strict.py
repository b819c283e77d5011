"""Strict: sections of recipes without unknown keys, and the sentence on a key that is wrong."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from moodal.core.errors import UsageError

SEEDS = 2**31 - 1
"""The largest seed of a random number generator."""


class Strict(BaseModel):
    """A section of a recipe: no unknown keys, no silent conversions, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], values: Mapping[str, Any], where: str) -> Model:
    """Validate ``values`` as a ``model``; ``where`` names their source in messages.

    Raises:
        UsageError: a key is unknown or missing, or a value has the wrong type or range.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        if first["type"] == "extra_forbidden":
            known = _known(model, first["loc"])
            matches = difflib.get_close_matches(str(first["loc"][-1]), known, 1)
            hint = (
                f"did you mean {matches[0]!r}?" if matches else f"known keys: {', '.join(known)}."
            )
            raise UsageError(f"{where}: unknown key {key!r}{more}; {hint}") from None
        if first["type"] == "missing":
            raise UsageError(f"{where}: key {key!r} is missing{more}.") from None
        what = first["msg"].removeprefix("Value error, ")
        what = what[:1].lower() + what[1:] if first["type"] == "value_error" else what.lower()
        value = f"{key} = {first['input']!r}: " if key else ""
        raise UsageError(f"{where}: {value}{what}{more}.") from None


def _known(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys that are valid at ``loc``; none where any would be."""
    for part in loc[:-1]:
        field = model.model_fields.get(str(part))
        annotation = field.annotation if field else None
        inner = [annotation, *typing.get_args(annotation)]  # of a table of tables: the inner one
        section = next(
            (kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)), None
        )
        if section is not None:
            model = section
        elif typing.get_origin(annotation):
            return []
    return list(model.model_fields)
