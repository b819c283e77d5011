"""A timeline as an ELAN document (EAF 3.0): utterances with their emotions in dependent tiers."""

from __future__ import annotations

import mimetypes
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from moodal.core.guard import plain
from moodal.core.timeline import UNSURE, Timeline
from moodal.output.formats import timed

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_CONSTRAINTS = {
    "Time_Subdivision": "Time subdivision of parent annotation's time interval, no time gaps "
    "allowed within this interval",
    "Symbolic_Subdivision": "Symbolic subdivision of a parent annotation. Annotations refering "
    "to the same parent are ordered",
    "Symbolic_Association": "1-1 association with a parent annotation",
    "Included_In": "Time alignable annotations within the parent annotation's time interval, "
    "gaps are allowed",
}
_VOCABULARY = "emotions"


def to_eaf(timelines: Sequence[Timeline]) -> str:
    """Write an utterance tier (its text) with dependent tiers: word, emotion and P(EMOTION).

    A model of values gives a tier per value, called as the value, instead of emotions. Where
    utterances have slices, a tier of these lies between the utterance and its emotions or values.
    The tiers of dimensions and intensity follow, see `timed.dimension_tiers`, and those of what the
    face does come before the emotions, see `timed.face_tiers`. Where they are known, the tiers
    speaker and language come after the utterances. The emotion tier has a vocabulary of the
    emotions, to choose from when correcting. Overlapping utterances, such as those of several
    faces, get separate tiers, "utterance (face 2)".

    Raises:
        UsageError: there are several recordings, or the recording has no times.
    """
    timeline = timed.only(timelines, "eaf")
    annotations = timed.annotate(timeline, "eaf")
    page = _Page(timeline)
    for lane in timed.lanes(annotations):
        name = f" ({lane.name})" if lane.name else ""
        parent = f"utterance{name}"
        spans = [(c.start, c.end, c.prediction.text or "") for c in lane.annotations]
        ids = page.timed_tier(parent, "utterance", spans)
        for tier, texts in timed.label_tiers(timeline, lane):
            page.dependent_tier(f"{tier}{name}", tier, parent, ids, texts)
        if words := timed.words(lane):
            page.timed_tier(f"word{name}", "word", words, parent)
        fine = timed.rows(lane).annotations
        if timeline.step is not None:
            spans = [(c.start, c.end, c.prediction.id) for c in fine]
            parent, above = f"slice{name}", parent
            ids = page.timed_tier(parent, "slice", spans, above)
        predictions = [c.prediction for c in fine]
        for value in timeline.values:
            values = (f"{p.values[value.name]:.2f}" for p in predictions)
            page.dependent_tier(f"{timed.value_tier(value)}{name}", "value", parent, ids, values)
        for tier, texts in timed.face_tiers(timeline, lane):
            page.dependent_tier(f"{tier}{name}", "face", parent, ids, texts)
        if timeline.values:
            continue
        values = (p.label for p in predictions)
        page.dependent_tier(f"emotion{name}", "emotion", parent, ids, values)
        for e in timeline.emotions:
            values = (f"{p.probabilities[e]:.2f}" for p in predictions)
            page.dependent_tier(f"P({e}){name}", "probability", parent, ids, values)
        for tier, texts in timed.dimension_tiers(timeline, lane):
            page.dependent_tier(f"{tier}{name}", "dimension", parent, ids, texts)
    return page.text()


class _Page:
    """An ELAN document under construction, with its counters of ids."""

    def __init__(self, timeline: Timeline) -> None:
        ET.register_namespace("xsi", _XSI)
        self.root = ET.Element(
            "ANNOTATION_DOCUMENT",
            {
                "AUTHOR": "moodal",
                "DATE": _now(),
                "FORMAT": "3.0",
                "VERSION": "3.0",
                f"{{{_XSI}}}noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
            },
        )
        self.header = ET.SubElement(
            self.root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"}
        )
        if timeline.path not in ("", "-") and timeline.kind in ("audio", "video"):
            ET.SubElement(self.header, "MEDIA_DESCRIPTOR", _media(timeline.path))
        self.times = ET.SubElement(self.root, "TIME_ORDER")
        self.slots: list[tuple[int, str]] = []
        self.annotations = 0
        self.emotions, self.values = timeline.emotions, timeline.values
        self.sliced = timeline.step is not None
        self.labels = [name for name, _ in timed.label_tiers(timeline, timed.Lane("", []))]
        self.dimensions = any(p.dimensions or p.intensity for p in timeline)
        self.face = any(p.face for p in timeline)

    def timed_tier(
        self, name: str, kind: str, spans: Iterable[tuple[int, int, str]], parent: str = ""
    ) -> list[str]:
        """Add a tier of (start ms, end ms, text) and return the ids of its annotations."""
        tier = self._tier(name, kind, parent)
        ids = []
        for start, end, text in spans:
            ids.append(self._next())
            refs = {"TIME_SLOT_REF1": self._slot(start), "TIME_SLOT_REF2": self._slot(end)}
            holder = ET.SubElement(tier, "ANNOTATION")
            self._value(holder, "ALIGNABLE_ANNOTATION", {"ANNOTATION_ID": ids[-1], **refs}, text)
        return ids

    def dependent_tier(
        self, name: str, kind: str, parent: str, ids: Sequence[str], values: Iterable[str]
    ) -> None:
        """Add a tier with one value for each annotation of its parent tier."""
        tier = self._tier(name, kind, parent)
        for parent_id, value in zip(ids, values, strict=True):
            holder = ET.SubElement(tier, "ANNOTATION")
            names = {"ANNOTATION_ID": self._next(), "ANNOTATION_REF": parent_id}
            self._value(holder, "REF_ANNOTATION", names, value)

    def text(self) -> str:
        """Complete the document with its types, constraints and vocabulary; return it as XML."""
        for time, slot in sorted(self.slots, key=lambda s: s[0]):
            names = {"TIME_SLOT_ID": slot, "TIME_VALUE": str(time)}
            ET.SubElement(self.times, "TIME_SLOT", names)
        last = ET.SubElement(self.header, "PROPERTY", {"NAME": "lastUsedAnnotationId"})
        last.text = str(self.annotations)
        self._types()
        ET.SubElement(
            self.root,
            "LANGUAGE",
            {
                "LANG_ID": "und",
                "LANG_LABEL": "undetermined (und)",
                "LANG_DEF": "http://cdb.iso.org/lg/CDB-00130975-001",
            },
        )
        for name, about in _CONSTRAINTS.items():
            ET.SubElement(self.root, "CONSTRAINT", {"STEREOTYPE": name, "DESCRIPTION": about})
        if not self.values:
            self._vocabulary()
        ET.indent(self.root)
        body = ET.tostring(self.root, encoding="unicode")
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'

    def _tier(self, name: str, kind: str, parent: str) -> ET.Element:
        names = {"LINGUISTIC_TYPE_REF": kind, "TIER_ID": plain(name)}
        return ET.SubElement(self.root, "TIER", names | ({"PARENT_REF": parent} if parent else {}))

    def _types(self) -> None:
        associated = {"TIME_ALIGNABLE": "false", "CONSTRAINTS": "Symbolic_Association"}
        kinds = {
            "utterance": {"TIME_ALIGNABLE": "true"},
            "word": {"TIME_ALIGNABLE": "true", "CONSTRAINTS": "Included_In"},
        }
        kinds |= dict.fromkeys(self.labels, associated)
        if self.sliced:
            kinds["slice"] = kinds["word"]
        if self.values:
            kinds["value"] = associated
        else:
            kinds["emotion"] = {**associated, "CONTROLLED_VOCABULARY_REF": _VOCABULARY}
            kinds["probability"] = associated
        if self.dimensions:
            kinds["dimension"] = associated
        if self.face:
            kinds["face"] = associated
        for name, more in kinds.items():
            first = {"LINGUISTIC_TYPE_ID": name, "GRAPHIC_REFERENCES": "false"}
            ET.SubElement(self.root, "LINGUISTIC_TYPE", first | more)

    def _vocabulary(self) -> None:
        words = ET.SubElement(self.root, "CONTROLLED_VOCABULARY", {"CV_ID": _VOCABULARY})
        ET.SubElement(words, "DESCRIPTION", {"LANG_REF": "und"})
        for i, emotion in enumerate((*self.emotions, UNSURE)):
            entry = ET.SubElement(words, "CV_ENTRY_ML", {"CVE_ID": f"cve{i}"})
            about = {"DESCRIPTION": "", "LANG_REF": "und"}
            ET.SubElement(entry, "CVE_VALUE", about).text = plain(emotion)

    def _value(self, holder: ET.Element, kind: str, names: dict[str, str], text: str) -> None:
        annotation = ET.SubElement(holder, kind, names)
        ET.SubElement(annotation, "ANNOTATION_VALUE").text = plain(text)

    def _slot(self, time: int) -> str:
        self.slots.append((time, f"ts{len(self.slots) + 1}"))
        return self.slots[-1][1]

    def _next(self) -> str:
        self.annotations += 1
        return f"a{self.annotations}"


def _media(path: str) -> dict[str, str]:
    """Describe the media file: ELAN tries MEDIA_URL, then the path relative to the document.

    Of a recording that is not there, such as one with a pseudonym, the name alone is written: a
    path would tell where the program ran.
    """
    whole = Path(path).expanduser().absolute()
    relative = f"./{plain(whole.name)}"
    return {
        "MEDIA_URL": whole.as_uri() if _exists(whole) else quote(relative),
        "MIME_TYPE": mimetypes.guess_type(path)[0] or "unknown",
        "RELATIVE_MEDIA_URL": relative,
    }


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # no name of a file on this system
        return False


def _now() -> str:
    """Return the current time in ISO 8601, or SOURCE_DATE_EPOCH if that is set."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
    return moment.isoformat(timespec="seconds")
