"""What several commands share: options of the form NAME=VALUE, messages, the default artefact."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moodal.core.errors import UsageError

Arguments = argparse.ArgumentParser


def default_artefact(path: Path) -> Path:
    """Return the artefact in the package, where it is meant by the name "default"."""
    from moodal.model.artefact import DEFAULT

    return DEFAULT if str(path) == "default" and not path.exists() else path


def pair(text: str, option: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or ("=" in value and option == "--map"):
        raise UsageError(f"{option} {text!r} is not NAME=VALUE; give {option} once for each pair.")
    return key, value


def tell(what: Any) -> None:
    """A sentence as it is, a table drawn: brackets in a path are no markup."""
    if isinstance(what, str):
        print(what)
        return
    from rich import print as rich_print

    rich_print(what)


def show_report(report: dict[str, Any]) -> None:
    from moodal.evaluation.report import tables

    tables.show(report)
