"""Building of encoders from their specification: a name with parameters, or a JSON object."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from moodal.core.errors import UsageError
from moodal.modalities import ENCODERS
from moodal.modalities.encoder import Encoder


def build(
    spec: str | Mapping[str, Any], others: Mapping[str, type[Encoder]] | None = None
) -> Encoder:
    """Build the encoder that a specification names.

    Args:
        spec: ``"egemaps"``, ``"egemaps:rate=10"``, or the JSON object of a manifest or an
            artefact. With a fingerprint, the encoder must still be the same one.
        others: further encoders than `moodal.modalities.ENCODERS`, such as
            `moodal.train.encoders.ENCODERS`, which need PyTorch.

    Raises:
        UsageError: no such encoder or parameter, or the fingerprint differs.
        MissingDependencyError: its package is not installed.

    >>> build("egemaps:rate=5").rate
    5.0
    """
    if isinstance(spec, str):
        name, _, rest = spec.partition(":")
        pairs = [pair.partition("=") for pair in rest.split(",") if pair.strip()]
        parameters: dict[str, Any] = {key.strip(): value.strip() for key, _, value in pairs}
        expected, version = None, ""
    else:
        name, parameters = str(spec.get("name")), dict(spec.get("parameters", {}))
        expected, version = spec.get("fingerprint"), spec.get("version", "of unknown version")
    encoder = _make(name.strip(), parameters, others or {})
    if expected is not None:
        now = encoder.spec()
        stands_in = any(package in version for package in encoder.replaces)
        if now["fingerprint"] != expected and not stands_in:
            raise UsageError(
                f"Encoder {name} is not the one that made these features: that was {version}, "
                f"fingerprint {expected}; here is {now['version']}, {now['fingerprint']}. "
                f"Install the same packages, or encode again."
            )
    return encoder


def _make(name: str, parameters: Mapping[str, Any], others: Mapping[str, type[Encoder]]) -> Encoder:
    table: dict[str, type[Encoder]] = {**ENCODERS, **others}
    if name == "as-given":
        raise UsageError(
            "These features came with the files of the corpus, and no encoder computes them; "
            "they can be read, but not computed from raw media."
        )
    if name not in table:
        raise UsageError(
            f"No encoder is called {name!r}{_nearest(name, table)}; there are {', '.join(table)}."
        )
    kind = table[name]
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for key in parameters:
        if key not in fields:
            parameters_of = f"it has {', '.join(fields)}" if fields else "it has none"
            raise UsageError(
                f"Encoder {name} has no parameter {key!r}{_nearest(key, fields)}; {parameters_of}."
            )
    values = {key: _typed(name, key, v, fields[key].default) for key, v in parameters.items()}
    return kind(**values)


def _nearest(word: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(names), 1, 0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _typed(name: str, key: str, value: Any, default: Any) -> Any:
    """Convert a value to the type of the parameter's default."""
    if isinstance(default, bool):
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if str(value).lower() in words:
            return words[str(value).lower()]
    else:
        try:
            return type(default)(value)
        except (TypeError, ValueError):
            pass
    raise UsageError(
        f"Encoder {name}: {key} must be {type(default).__name__}, e.g. {default}; got {value!r}."
    )
