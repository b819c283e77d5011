"""Footnotes: a remark of one kind is said once, however many utterances have it."""

from __future__ import annotations

import dataclasses

from moodal.output.footnotes import footnotes


def noted(made, flags, notes=()):
    parts = [
        made.prediction(i, "So", "anger", float(i), i + 0.9, flags=(flag,) if flag else ())
        for i, flag in enumerate(flags)
    ]
    return dataclasses.replace(made.timeline(), predictions=tuple(parts), notes=tuple(notes))


def test_many_alike_are_one_line(made):
    timeline = noted(made, [f"Speech: noisy (about {n} dB)." for n in range(1, 8)] + ["", "Other."])
    lines = list(footnotes(timeline))
    assert "Utterances 1–7: Speech: noisy (about 1 dB), and 6 alike." in lines
    assert "Utterance 9: Other." in lines
    assert sum("noisy" in line for line in lines) == 1


def test_a_few_are_listed_one_by_one(made):
    lines = list(footnotes(noted(made, ["Noisy (1 dB).", "Noisy (2 dB).", "Noisy (3 dB)."])))
    assert [line for line in lines if "Noisy" in line] == [
        "Utterance 1: Noisy (1 dB).",
        "Utterance 2: Noisy (2 dB).",
        "Utterance 3: Noisy (3 dB).",
    ]


def test_contradictions_are_of_one_kind_whatever_is_answered(made):
    flags = [
        f"contradiction of modalities: words: {one} (9{i}%), voice: {other} (8{i}%)"
        for i, (one, other) in enumerate([("anger", "fear"), ("fear", "anger")] * 3)
    ]
    lines = [line for line in footnotes(noted(made, flags)) if "contradiction" in line]
    assert len(lines) == 1
    assert lines[0].startswith("All: contradiction of modalities: words: anger (90%)")
    assert lines[0].endswith("and 5 alike.")


def test_notes_of_one_kind_are_counted(made):
    notes = [f"A subtitle begins at {n}.0 s, after the sound ends." for n in range(90, 130)]
    lines = list(footnotes(noted(made, [""], [*notes, "Another note."])))
    assert "A subtitle begins at 90.0 s, after the sound ends. 39 notes are alike." in lines
    assert "Another note." in lines
