"""Reading of tiers from ELAN documents and Praat TextGrids: stretches of time with a text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from moodal.core.errors import DataError, MissingDependencyError, installation


class Stretch(NamedTuple):
    """A stretch of a tier: its seconds and its text."""

    start: float
    end: float
    text: str


Tiers = Mapping[str, list[Stretch]]
"""Name of a tier -> its stretches that have a text, in order."""


def read_tiers(path: Path) -> Tiers:
    """Read the tiers of an ELAN document (.eaf) or a Praat TextGrid (.TextGrid).

    Points of a TextGrid have no duration and are left out.

    Raises:
        DataError: the file cannot be read, or is no such document.
        MissingDependencyError: it is a TextGrid, and praatio is not installed.
    """
    return _elan(path) if path.suffix.lower() == ".eaf" else _praat(path)


def _praat(path: Path) -> Tiers:
    try:
        from praatio import textgrid
        from praatio.utilities.errors import PraatioException
    except ModuleNotFoundError:
        raise MissingDependencyError(
            f"TextGrids are read by praatio; {installation('annotations')}."
        ) from None
    try:
        grid = textgrid.openTextgrid(
            str(path),
            includeEmptyIntervals=False,
            reportingMode="silence",
            duplicateNamesMode="rename",
        )
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from None
    except (PraatioException, ValueError, IndexError, KeyError, AttributeError):
        raise DataError(f"{path} is no Praat TextGrid; save it again in Praat.") from None
    return {
        tier.name: [Stretch(float(start), float(end), text) for start, end, text in tier.entries]
        for tier in grid.tiers
        if isinstance(tier, textgrid.IntervalTier)
    }


def _elan(path: Path) -> Tiers:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from None
    if re.search(rb"<!(DOCTYPE|ENTITY)", content[:4096]):
        raise DataError(f"{path} declares XML entities, which ELAN does not; save it in ELAN.")
    try:
        root = ET.fromstring(content)
    except ET.ParseError as error:
        raise DataError(f"{path} is no ELAN document ({error}); save it again in ELAN.") from None
    times = {
        slot.get("TIME_SLOT_ID"): float(slot.get("TIME_VALUE", "nan")) / 1000
        for slot in root.iter("TIME_SLOT")
    }
    spans: dict[str | None, tuple[float, float]] = {}
    references: dict[str | None, str | None] = {}
    for one in root.iter("ALIGNABLE_ANNOTATION"):
        edges = (times.get(one.get(f"TIME_SLOT_REF{i}"), float("nan")) for i in (1, 2))
        spans[one.get("ANNOTATION_ID")] = (next(edges), next(edges))
    for one in root.iter("REF_ANNOTATION"):
        references[one.get("ANNOTATION_ID")] = one.get("ANNOTATION_REF")
    return {
        tier.get("TIER_ID", ""): _stretches(tier, spans, references) for tier in root.iter("TIER")
    }


def _stretches(
    tier: ET.Element,
    spans: Mapping[str | None, tuple[float, float]],
    references: Mapping[str | None, str | None],
) -> list[Stretch]:
    """Return the stretches of a tier; an annotation of a dependent tier has its parent's times."""
    stretches = []
    for one in tier.iter():
        if one.tag not in ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION"):
            continue
        at, steps = one.get("ANNOTATION_ID"), 0
        while at not in spans and at in references and steps <= len(references):
            at, steps = references[at], steps + 1
        start, end = spans.get(at, (float("nan"), float("nan")))
        text = (one.findtext("ANNOTATION_VALUE") or "").strip()
        if text and end > start:
            stretches.append(Stretch(start, end, text))
    return sorted(stretches)
