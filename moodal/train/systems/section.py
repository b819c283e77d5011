"""The [system] section of a recipe or an artefact, as a system's name and its checked config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moodal.core.errors import UsageError
from moodal.core.strict import Strict, parse
from moodal.train.systems import SYSTEMS

FORMS = {
    "2022": ("mmer_2022", ("lambda", "lambda_", "losses", "temperature")),
    "2023": ("mmer", ("alpha",)),
}
"""The ``form`` that mmer once had -> the system it is now, and the other form's keys."""


def current(section: Mapping[str, Any], where: str = "[system]") -> dict[str, Any]:
    """Translate a section of an earlier moodal, in which both MMER papers were one system.

    >>> current({"name": "mmer", "form": "2022", "alpha": 0.3, "losses": ["ctc"]})
    {'name': 'mmer_2022', 'alpha': 0.3}

    Raises:
        UsageError: there is no such form.
    """
    if section.get("name") != "mmer" or "form" not in section:
        return dict(section)
    form = section["form"]
    if not isinstance(form, str) or form not in FORMS:
        raise UsageError(
            f"{where}: form = {form!r}: input should be '2022' or '2023'. Instead of a form, name "
            "the system mmer_2022 or mmer."
        )
    name, without_effect = FORMS[form]
    dropped = ("name", "form", *without_effect)
    return {"name": name} | {k: v for k, v in section.items() if k not in dropped}


def parse_system(section: Mapping[str, Any], where: str) -> tuple[str, Strict]:
    """Check a [system] section and return the system's name and config.

    Args:
        where: the recipe or the file that holds it, for messages.

    Raises:
        UsageError: there is no such system, or it has no such key.
    """
    values = current(section, f"{where}, [system]")
    name = str(values.pop("name", ""))
    if name not in SYSTEMS:
        raise UsageError(f"{where}: no system {name!r}; choose among {', '.join(SYSTEMS)}.")
    return name, parse(SYSTEMS[name].Config, values, f"{where}, [system]")
