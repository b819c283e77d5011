"""The specification of features that a user brings in files: what made them, width and rate."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
from typing import Any

from moodal.core.errors import UsageError

NAME = "files"
"""The name by which an encoder specification says that features come in files."""

SUFFIX = "_features"
"""Ends the name of a column with the files of a stream's features, such as speech_features."""


@dataclasses.dataclass(frozen=True)
class FeatureSpec:
    """Features in files, and what is known of them.

    Attributes:
        of: what made them, such as "emotion2vec"; it goes into the fingerprint.
        width: values per step; 0: that of the first row that has them.
        rate: steps per second; 0: not stated, or steps are words or whole utterances.
        path: one file with a row per utterance, or a folder with a file per utterance; "": the
            table has a column of files.
        columns: the columns of a csv file to read, as patterns separated by "|" ("AU*_r|gaze*");
            "": all numbers that are no times and no marks of a frame.
        cut: whether a file covers a whole recording, of which each row is the part from its start
            to its end; steps count by where they begin.
        absent: whether an utterance that the file or folder lacks has no such stream; otherwise it
            is an error.
    """

    of: str = "files"
    width: int = 0
    rate: float = 0.0
    path: str = ""
    columns: str = ""
    cut: bool = False
    absent: bool = False

    def described(self, stream: str, width: int, rate: float, names: tuple[str, ...]) -> Any:
        """Return the specification that a manifest keeps, a JSON object.

        The fingerprint depends on stream, maker, width, rate and the columns' names, not on the
        values: other files of the same maker fit a model that was trained on these.
        """
        about = [stream, self.of, width, rate, *names]
        digest = hashlib.sha256(json.dumps(["own features", *about]).encode()).hexdigest()
        return {
            "name": "as-given",
            "version": self.of,
            "width": width,
            "fingerprint": digest[:16],
            **({"parameters": {"rate": rate}} if rate else {}),
            **({"columns": list(names)} if names else {}),
        }


def is_files(spec: object) -> bool:
    """Return whether an encoder's specification says that its features come in files."""
    return isinstance(spec, str) and spec.partition(":")[0].strip() == NAME


def parse(stream: str, text: str) -> FeatureSpec:
    """Read a specification such as ``files:of=emotion2vec,width=768,rate=50``.

    Raises:
        UsageError: a key is unknown, or a value is not of its kind.

    >>> parse("speech", "files:of=wavlm,width=768,rate=50").width
    768
    """
    place = f"--encoder {stream}={text}"
    fields = {field.name: field.default for field in dataclasses.fields(FeatureSpec)}
    values: dict[str, Any] = {}
    for pair in filter(None, map(str.strip, text.partition(":")[2].split(","))):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if key not in fields or not equals:
            near = difflib.get_close_matches(key, fields, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise UsageError(
                f"{place}: features in files have no key {pair!r}{hint}; write "
                f"key=value with {', '.join(fields)}."
            )
        values[key] = _typed(place, key, value, fields[key])
    spec = FeatureSpec(**values)
    if spec.width < 0 or spec.rate < 0 or not math.isfinite(spec.rate):
        raise UsageError(f"{place}: width and rate are numbers above 0.")
    return spec


def _typed(place: str, key: str, value: str, default: object) -> object:
    """Convert a value to the type of its key's default."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        if isinstance(default, bool):
            return words[value.lower()]
        return type(default)(value)  # type: ignore[call-arg]
    except (KeyError, ValueError):
        kind = {bool: "true or false", int: "a whole number", float: "a number"}[type(default)]
        raise UsageError(f"{place}: {key} must be {kind}; got {value!r}.") from None
