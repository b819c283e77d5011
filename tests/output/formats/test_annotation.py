"""TextGrid and EAF, read back by readers of the tests' own."""

from __future__ import annotations

import dataclasses
import itertools
import re
import xml.etree.ElementTree as ET

import pytest

from moodal.core.emotions import Value
from moodal.core.errors import UsageError
from moodal.output import formats
from moodal.output.formats import render, timed, to_eaf, to_textgrid


def _tiers(text):
    """Name -> [(start, end, text)] of a TextGrid, and its end; counts are checked."""
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\n')
    end = float(re.search(r"^xmax = (\S+)$", text, re.M)[1])
    head, *items = re.split(r"^    item \[\d+\]:\n", text, flags=re.M)
    assert f"size = {len(items)}\n" in head
    made = {}
    for item in items:
        assert float(re.search(r"^        xmax = (\S+)$", item, re.M)[1]) == end
        name = re.search(r'^        name = "(.*)"$', item, re.M)[1].replace('""', '"')
        found = re.findall(r'xmin = (\S+)\n +xmax = (\S+)\n +text = "(.*)"\n', item)
        assert f"intervals: size = {len(found)}\n" in item
        assert name not in made
        made[name] = [(float(a), float(b), t.replace('""', '"')) for a, b, t in found]
    return made, end


def _overlapping(made, texts=("a", "b", "c", "d"), tracks=(1, 2, 1, 2)):
    parts = [
        made.prediction(i, text, "anger", i * 2.0, i * 2.0 + 3.0, track=track)
        for i, (text, track) in enumerate(zip(texts, tracks, strict=True))
    ]
    return dataclasses.replace(made.timeline(), predictions=tuple(parts))


def test_tiers_cover_the_whole_without_gaps(made):
    timeline = made.timeline()
    tiers, end = _tiers(to_textgrid(timeline))
    assert end == timeline.duration
    expected = ["utterance", "text", "word", "emotion", *(f"P({e})" for e in made.BASICS)]
    assert list(tiers) == expected
    for intervals in tiers.values():
        assert (intervals[0][0], intervals[-1][1]) == (0, end)
        assert all(a < b for a, b, _ in intervals)
        assert all(a[1] == b[0] for a, b in itertools.pairwise(intervals))
    said = [x for x in tiers["text"] if x[2]]
    assert said == [(p.start, p.end, p.text) for p in timeline]
    assert [x[2] for x in tiers["emotion"] if x[2]] == [
        "anger",
        "unsure",
        "happiness",
        "surprise",
        "sadness",
    ]
    assert float(tiers["P(anger)"][1][2]) == pytest.approx(
        timeline[0].probabilities["anger"], abs=0.006
    )


def test_values_have_a_tier_each_and_no_emotions(made):
    timeline = made.valued(made.timeline())
    tiers, _ = _tiers(to_textgrid(timeline))
    assert list(tiers) == ["utterance", "text", "valence", "arousal", "trust"]
    for name in ("valence", "trust"):
        numbers = [float(text) for _, _, text in tiers[name] if text]
        assert numbers == pytest.approx([p.values[name] for p in timeline], abs=0.006)
    root = ET.fromstring(to_eaf(timeline))
    names = {t.get("TIER_ID"): t.get("LINGUISTIC_TYPE_REF") for t in root.iter("TIER")}
    assert names == {"utterance": "utterance", **dict.fromkeys(timeline[0].values, "value")}
    types = {t.get("LINGUISTIC_TYPE_ID") for t in root.iter("LINGUISTIC_TYPE")}
    assert types == {"utterance", "word", "value"}
    assert root.find("CONTROLLED_VOCABULARY") is None
    numbers = [x.text for x in root.findall(".//TIER[@TIER_ID='arousal']//ANNOTATION_VALUE")]
    assert numbers == [f"{p.values['arousal']:.2f}" for p in timeline]


def test_a_value_called_as_another_tier_has_a_name_of_its_own(made):
    timeline = made.valued(made.timeline(), (Value("text", 0, 1),))
    tiers, _ = _tiers(to_textgrid(timeline))
    assert list(tiers) == ["utterance", "text", "text (value)"]


def test_quotes_lines_and_controls_in_tiers(made):
    timeline = _overlapping(made, ['He said "no"\n\x07now', "b", "c", "d"], (1, 1, 1, 1))
    tiers, _ = _tiers(to_textgrid(timeline))
    assert tiers["text (layer 1)"][0][2] == 'He said "no" now'


def test_faces_that_overlap_have_tiers_of_their_own(made):
    tiers, _ = _tiers(to_textgrid(_overlapping(made)))
    assert [t for t in tiers if t.startswith("text")] == ["text (face 1)", "text (face 2)"]
    assert [x[2] for x in tiers["text (face 2)"] if x[2]] == ["b", "d"]
    one_after_another = made.timeline()  # several faces, but never at once
    changed = [dataclasses.replace(p, track=i) for i, p in enumerate(one_after_another)]
    one_after_another = dataclasses.replace(one_after_another, predictions=tuple(changed))
    assert "text" in _tiers(to_textgrid(one_after_another))[0]


def test_nothing_said_and_nothing_there(made):
    empty = dataclasses.replace(made.timeline(), predictions=())
    tiers, end = _tiers(to_textgrid(empty))
    assert tiers["text"] == tiers["emotion"] == [(0, end, "")]
    short = dataclasses.replace(
        made.timeline(), duration=0.0, predictions=(made.prediction(0, "x", "anger", 0.0, 0.00001),)
    )
    tiers, end = _tiers(to_textgrid(short))
    assert (end, tiers["text"]) == (0.001, [(0.0, 0.001, "x")])


def test_words_stay_within_their_utterance_and_apart(made):
    p = made.prediction(0, "one two three", "anger", 1.0, 2.0)
    times = [(0.8, 1.4), (1.3, 1.6), (1.9, 2.5)]
    words = [
        dataclasses.replace(w, start=a, end=b) for w, (a, b) in zip(p.words, times, strict=True)
    ]
    p = dataclasses.replace(p, words=tuple(words))
    found = timed.words(timed.Lane("", [timed.Annotation(1000, 2000, p)]))
    assert found == [(1000, 1400, "one"), (1400, 1600, "two"), (1900, 2000, "three")]


def test_an_elan_document_of_a_recording_that_is_not_there_tells_no_folder(made):
    media = ET.fromstring(to_eaf(made.timeline("recording-a b")).encode()).find(
        "HEADER/MEDIA_DESCRIPTOR"
    )
    assert media.get("MEDIA_URL") == "./recording-a%20b"
    assert media.get("RELATIVE_MEDIA_URL") == "./recording-a b"


def test_an_elan_document_holds_together(made, monkeypatch, tmp_path):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my clip.mp4").write_bytes(b"")
    timeline = made.timeline("my clip.mp4")
    text = to_eaf(timeline)
    assert text == to_eaf(timeline)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT ')
    root = ET.fromstring(text.encode())
    assert {k: root.get(k) for k in ("FORMAT", "VERSION", "AUTHOR")} == {
        "FORMAT": "3.0",
        "VERSION": "3.0",
        "AUTHOR": "moodal",
    }
    assert root.get("DATE") == "1970-01-01T00:00:00+00:00"
    order = list(dict.fromkeys(child.tag for child in root))
    assert order == [
        "HEADER",
        "TIME_ORDER",
        "TIER",
        "LINGUISTIC_TYPE",
        "LANGUAGE",
        "CONSTRAINT",
        "CONTROLLED_VOCABULARY",
    ]
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    assert media.get("MEDIA_URL").startswith("file:///")
    assert media.get("MEDIA_URL").endswith("/my%20clip.mp4")
    assert (media.get("MIME_TYPE"), media.get("RELATIVE_MEDIA_URL")) == (
        "video/mp4",
        "./my clip.mp4",
    )
    slots = {s.get("TIME_SLOT_ID"): int(s.get("TIME_VALUE")) for s in root.iter("TIME_SLOT")}
    assert list(slots.values()) == sorted(slots.values())
    ids = [a.get("ANNOTATION_ID") for a in root.iter() if a.get("ANNOTATION_ID")]
    assert len(set(ids)) == len(ids) > 0
    assert root.find("HEADER/PROPERTY").text == str(len(ids))
    kinds = {k.get("LINGUISTIC_TYPE_ID"): k for k in root.iter("LINGUISTIC_TYPE")}
    stereotypes = {c.get("STEREOTYPE") for c in root.iter("CONSTRAINT")}
    names = [t.get("TIER_ID") for t in root.iter("TIER")]
    assert len(set(names)) == len(names)
    for tier in root.iter("TIER"):
        kind = kinds[tier.get("LINGUISTIC_TYPE_REF")]
        assert (tier.get("PARENT_REF") is None) == (kind.get("CONSTRAINTS") is None)
        assert kind.get("CONSTRAINTS") in {None, *stereotypes}
        assert tier.get("PARENT_REF") in {None, *names}
        for a in tier.iter("ALIGNABLE_ANNOTATION"):
            assert slots[a.get("TIME_SLOT_REF1")] < slots[a.get("TIME_SLOT_REF2")]
        above = [a.get("ANNOTATION_REF") for a in tier.iter("REF_ANNOTATION")]
        assert set(above) <= set(ids)
        assert len(set(above)) == len(above)


def _values(root, tier):
    return [v.text for v in root.find(f"TIER[@TIER_ID='{tier}']").iter("ANNOTATION_VALUE")]


def test_elan_finds_texts_and_emotions_of_its_vocabulary(made):
    root = ET.fromstring(to_eaf(made.timeline()).encode())
    assert _values(root, "utterance") == [p.text for p in made.timeline()]
    chosen = _values(root, "emotion")
    words = [v.text for v in root.iter("CVE_VALUE")]
    assert words == [*made.BASICS, "unsure"]
    assert set(chosen) <= set(words)
    assert [float(v) for v in _values(root, "P(anger)")] == pytest.approx(
        [p.probabilities["anger"] for p in made.timeline()], abs=0.006
    )


def test_elan_documents_of_odd_text_of_faces_and_of_standard_input(made):
    odd = _overlapping(made, ["<&>\x01\x0b", "b\ufffe", "\ud800", None])
    root = ET.fromstring(to_eaf(dataclasses.replace(odd, path="-")).encode())
    assert root.find("HEADER/MEDIA_DESCRIPTOR") is None
    assert _values(root, "utterance (face 1)") == ["<&>", "?"]
    assert _values(root, "utterance (face 2)") == ["b", None]


def test_slices_have_intervals_of_their_own(made):
    timeline = made.sliced()
    tiers, _ = _tiers(to_textgrid(timeline))
    emotions = [row for row in tiers["emotion"] if row[2]]
    expected = [(s.start, s.end, s.decided[0] if s.decided else "unsure") for s in timeline.rows]
    assert emotions == [
        (pytest.approx(a, abs=1e-3), pytest.approx(b, abs=1e-3), e) for a, b, e in expected
    ]
    assert len([row for row in tiers["text"] if row[2]]) == len(timeline)
    numbers = [row[2] for row in tiers["P(sadness)"] if row[2]]
    assert numbers == [f"{s.probabilities['sadness']:.2f}" for s in timeline.rows]


def test_slices_lie_between_an_elan_utterance_and_its_emotions(made):
    timeline = made.sliced()
    root = ET.fromstring(to_eaf(timeline))
    tiers = {tier.get("TIER_ID"): tier for tier in root.iter("TIER")}
    assert tiers["slice"].get("PARENT_REF") == "utterance"
    assert tiers["emotion"].get("PARENT_REF") == tiers["P(anger)"].get("PARENT_REF") == "slice"
    ids = [a.get("ANNOTATION_ID") for a in tiers["slice"].iter("ALIGNABLE_ANNOTATION")]
    assert [a.get("ANNOTATION_REF") for a in tiers["emotion"].iter("REF_ANNOTATION")] == ids
    assert len(ids) == len(timeline.rows)
    [kind] = [t for t in root.iter("LINGUISTIC_TYPE") if t.get("LINGUISTIC_TYPE_ID") == "slice"]
    assert kind.get("CONSTRAINTS") == "Included_In"
    plain = ET.fromstring(to_eaf(made.timeline()))
    assert not [t for t in plain.iter("TIER") if t.get("TIER_ID") == "slice"]


@pytest.mark.parametrize("format", ["json", "jsonl", "csv", "textgrid", "eaf"])
def test_slices_and_dimensions_go_together(made, format):
    timeline = made.dimensioned(made.sliced())
    assert render([timeline], format)


def test_speakers_have_a_tier_where_any_is_named(made):
    timeline = made.named(made.timeline())
    tiers, end = _tiers(to_textgrid(timeline))
    assert list(tiers)[:4] == ["utterance", "text", "speaker", "word"]
    assert tiers["speaker"][-1][1] == end
    said = [(a, b, name) for a, b, name in tiers["speaker"] if name]
    names = ["ANNA", "Maria Lee", "ANNA, BOB", "=1+1[31m -->"]
    spans = [(p.start, p.end) for p in timeline if p.speaker]
    assert said == [(*span, name) for span, name in zip(spans, names, strict=True)]
    assert "speaker" not in _tiers(to_textgrid(made.timeline()))[0]


@pytest.mark.parametrize("kind", ["timeline", "sliced"])
def test_speakers_belong_to_an_elan_utterance(made, kind):
    timeline = getattr(made, kind)()
    root = ET.fromstring(to_eaf(made.named(timeline)))
    assert _values(root, "speaker") == ["ANNA", None, "Maria Lee", "ANNA, BOB", "=1+1[31m -->"]
    [tier] = [t for t in root.iter("TIER") if t.get("TIER_ID") == "speaker"]
    assert (tier.get("PARENT_REF"), tier.get("LINGUISTIC_TYPE_REF")) == ("utterance", "speaker")
    [kind] = [t for t in root.iter("LINGUISTIC_TYPE") if t.get("LINGUISTIC_TYPE_ID") == "speaker"]
    assert kind.get("CONSTRAINTS") == "Symbolic_Association"
    assert "speaker" not in to_eaf(timeline)


@pytest.mark.parametrize("end", [float("nan"), float("inf")])
def test_times_that_are_none_are_told(made, end):
    timeline = made.timeline()
    first = dataclasses.replace(timeline[0], end=end)
    timeline = dataclasses.replace(timeline, predictions=(first, *timeline[1:]))
    with pytest.raises(UsageError, match="has the times"):
        formats.render([timeline], "textgrid")
