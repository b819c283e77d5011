"""docs/output.md names every field of the JSON schema, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from moodal.output.formats import FORMATS, schema

PAGE = (Path(__file__).parents[3] / "docs" / "output.md").read_text(encoding="utf-8")


def _fields(table):
    """Names in the first column of the table whose head begins with a word."""
    rows = re.search(rf"^\| {table} \|.*\n\| ---.*\n((?:\|.*\n)+)", PAGE, re.M)[1]
    return [n for row in rows.splitlines() for n in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_every_field_is_told():
    for table, part in (
        ("document", schema.Document),
        ("recording", schema.RecordingPart),
        ("utterance", schema.UtterancePart),
        ("summary", schema.SummaryPart),
    ):
        names = [f.alias or name for name, f in part.model_fields.items()]
        assert sorted(_fields(table)) == sorted(names), table
    for row, part in (
        ("words", schema.WordPart),
        ("moments", schema.MomentPart),
        ("face", schema.FaceActionPart),
        ("modalities", schema.ModalityPart),
        ("telling", schema.DecidedMomentPart),
        ("values", schema.ValuePart),
    ):
        told = re.search(rf"^\| `{row}` \|.*$", PAGE, re.M)[0]
        assert all(f"`{name}`" in told for name in part.model_fields)


def test_every_format_is_told():
    assert _fields("format") == list(FORMATS)
    assert schema.NAME in PAGE
