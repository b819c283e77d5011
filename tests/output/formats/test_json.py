"""JSON: by its published schema, back again, and its sums hold."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.output import formats
from moodal.output.formats import from_json, json_, schema, to_json

SCHEMA = Path(schema.__file__).with_name("timeline.schema.json")


def _complaints(value, rule, root, place="$"):
    """A tiny validator of the JSON Schema words that ours uses."""
    if "$ref" in rule:
        rule = root["$defs"][rule["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in rule:
        if all(list(_complaints(value, r, root, place)) for r in rule["anyOf"]):
            yield f"{place}: fits none"
        return
    kinds = {
        "object": dict,
        "array": list,
        "string": str,
        "number": (int, float),
        "integer": int,
        "null": type(None),
    }
    if "type" in rule and (isinstance(value, bool) or not isinstance(value, kinds[rule["type"]])):
        yield f"{place}: no {rule['type']}"
        return
    if "const" in rule and value != rule["const"]:
        yield f"{place}: not {rule['const']}"
    if "enum" in rule and value not in rule["enum"]:
        yield f"{place}: not of {rule['enum']}"
    low, high = rule.get("minimum", -math.inf), rule.get("maximum", math.inf)
    if isinstance(value, (int, float)) and not low <= value <= high:
        yield f"{place}: out of range"
    if isinstance(value, dict):
        known = rule.get("properties", {})
        yield from (f"{place}: lacks {k}" for k in rule.get("required", ()) if k not in value)
        for key, inner in value.items():
            if key in known or isinstance(rule.get("additionalProperties"), dict):
                beneath = known.get(key) or rule["additionalProperties"]
                yield from _complaints(inner, beneath, root, f"{place}.{key}")
            else:
                yield f"{place}.{key}: unknown"
    if isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _complaints(inner, rule["items"], root, f"{place}[{i}]")


def test_the_schema_that_is_published_is_the_models():
    assert SCHEMA.read_text() == schema.json_schema()
    assert schema.NAME == json_.NAME


def test_documents_keep_the_schema_and_have_no_other_field(made):
    root = json.loads(SCHEMA.read_text())
    document = json.loads(to_json([made.timeline(), made.text_timeline()]))
    assert list(_complaints(document, root, root)) == []
    for path, wrong in (
        (("kind",), "song"),
        (("utterances", 0, "probabilities", "anger"), 1.2),
        (("utterances", 0, "start"), -1),
        (("emotions",), None),
    ):
        bad = json.loads(json.dumps(document))
        place = bad["recordings"][0]
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = wrong
        assert list(_complaints(bad, root, root)), path


def test_values_keep_the_schema_and_come_back(made):
    root = json.loads(SCHEMA.read_text())
    timeline = made.valued(made.timeline())
    text = to_json([timeline, made.text_timeline()])
    document = json.loads(text)
    assert list(_complaints(document, root, root)) == []
    first, second = document["recordings"]
    assert first["values"][2] == {"name": "trust", "low": 0.0, "high": 4.0}
    assert "values" not in second
    back = from_json(text)
    assert (back[0].values, back[0].emotions, back[1].values) == (timeline.values, (), ())
    for p, q in zip(timeline, back[0], strict=True):
        assert q.values == pytest.approx(p.values, abs=5e-5)
        assert q.probabilities == {}
    assert to_json(back) == text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r["utterances"][0]["values"].update(trust=4.2), "trust is 4.2, outside of 0 to"),
        (
            lambda r: r["utterances"][0]["values"].pop("trust"),
            "has the values valence, arousal, but",
        ),
        (lambda r: r["values"][0].update(low=2.0), "low must be below high"),
    ],
)
def test_values_that_contradict_their_range_are_refused(made, change, said):
    document = json.loads(to_json(made.valued(made.timeline())))
    change(document["recordings"][0])
    with pytest.raises(DataError, match=said):
        from_json(json.dumps(document))


def test_back_again_but_for_pictures(made):
    several = [made.timeline(), made.text_timeline(emotions=(*made.BASICS, "jealous"))]
    back = from_json(to_json(several))
    for before, after in zip(several, back, strict=True):
        assert (after.path, after.kind, after.notes) == (before.path, before.kind, before.notes)
        assert after.duration == before.duration
        if before.waveform is None:
            assert after.waveform is None
        else:
            np.testing.assert_allclose(after.waveform, before.waveform, atol=1 / 253)
        for p, q in zip(before, after, strict=True):
            same = (
                "id",
                "start",
                "end",
                "text",
                "decided",
                "streams",
                "sources",
                "absent",
                "flags",
                "track",
                "quality",
            )
            assert {k: getattr(p, k) for k in same} == {k: getattr(q, k) for k in same}
            assert q.probabilities == pytest.approx(p.probabilities, abs=5e-5)
            assert q.logits == pytest.approx(p.logits, abs=json_.TOLERANCE)
            assert [w.text for w in q.words] == [w.text for w in p.words]
    assert to_json(back) == to_json(several)


def test_sums_hold_as_written(made):
    for p in from_json(to_json([made.timeline()]))[0]:
        written = json.loads(to_json([dataclasses.replace(made.timeline(), predictions=(p,))]))
        utterance = written["recordings"][0]["utterances"][0]
        for emotion, logit in utterance["logits"].items():
            total = utterance["bias"][emotion]
            total += sum(s[emotion] for s in utterance["shares"].values())
            assert abs(total - logit) < 1e-9
            for stream, share in utterance["shares"].items():
                parts = [w["shares"] for w in utterance["words"]] if stream == "text" else []
                parts += [m["shares"] for m in utterance["moments"] if m["stream"] == stream]
                total = sum(x[emotion] for x in parts) + utterance["rest"][stream][emotion]
                assert abs(total - share[emotion]) < 2e-6


def test_the_summary_follows_from_what_is_written(made):
    tracked = made.timeline()
    tracked = dataclasses.replace(
        tracked,
        predictions=tuple(dataclasses.replace(p, track=1 + i % 2) for i, p in enumerate(tracked)),
    )
    several = [made.timeline(), made.text_timeline(), made.valued(made.timeline()), tracked]
    document = json.loads(to_json(several))
    root = json.loads(SCHEMA.read_text())
    assert list(_complaints(document, root, root)) == []
    film, text, valued, faces = (recording["summary"] for recording in document["recordings"])
    assert film["utterances"] == 5
    assert sum(film["decided"].values()) + film["undecided"] == pytest.approx(1, abs=5e-4)
    unsure = several[0][1]
    assert film["undecided"] == pytest.approx(
        (unsure.end - unsure.start) / film["seconds"], abs=5e-5
    )
    assert film["telling"][0]["id"] == "clip.mp4#1"
    assert (text["seconds"], text["telling"][0]["start"]) == (None, None)
    assert (valued["undecided"], list(valued["values"])) == (None, ["valence", "arousal", "trust"])
    assert "tracks" not in film
    assert [track["track"] for track in faces["tracks"]] == [1, 2]
    back = from_json(json.dumps(document))
    for recording, timeline in zip(document["recordings"], back, strict=True):
        summary = timeline.summary()
        assert recording["summary"]["decided"] == pytest.approx(summary.decided, abs=5e-5)
        assert recording["summary"]["undecided"] == pytest.approx(summary.undecided, abs=5e-5)


def test_documents_of_earlier_versions_have_no_summary(made):
    document = json.loads(to_json(made.timeline()))
    del document["recordings"][0]["summary"]
    (timeline,) = from_json(json.dumps(document))
    assert timeline.summary().utterances == 5


def test_what_is_undefined_is_null_and_a_broken_answer_is_refused(made):
    p = dataclasses.replace(made.timeline()[0], quality={"speech": {"snr_db": math.inf}})
    text = to_json(dataclasses.replace(made.timeline(), predictions=(p,)))
    assert '"snr_db": null' in text
    assert math.isnan(from_json(text)[0][0].quality["speech"]["snr_db"])
    p = dataclasses.replace(p, shares={**p.shares, "face": dict.fromkeys(made.BASICS, math.nan)})
    with pytest.raises(DataError, match=r"clip.mp4#1, anger: the value nan is not finite"):
        to_json(dataclasses.replace(made.timeline(), predictions=(p,)))


def test_names_that_are_no_text_are_written(made):
    text = to_json(made.timeline("bad\udcff name.mp4"))
    assert from_json(text)[0].path == "bad? name.mp4"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t[:-30], "x.json is not JSON"),
        (lambda t: "[1]", "has no schema"),
        (lambda t: t.replace("moodal-timeline/1", "moodal-timeline/9"), "timeline/9'; this"),
        (lambda t: t.replace('"kind": "video"', '"kind": 3'), r"recordings.0.kind: Input"),
        (lambda t: t.replace('"path"', '"pfad"'), r"recordings.0.path: Field required"),
        (lambda t: re.sub(r'("logits": {\s*"anger": )[-\d.]+', r"\g<1>9.0", t), "its logit is 9.0"),
        (lambda t: re.sub(r'"start": 0.4', '"start": NaN', t, count=1), "not a moodal-timeline/1"),
    ],
)
def test_wrong_documents_are_told_in_a_sentence(change, said, made):
    with pytest.raises(DataError, match=said):
        from_json(change(to_json(made.timeline())), "x.json")


def test_fields_of_later_versions_are_passed_over(made):
    content = json.loads(to_json(made.timeline()))
    content["recordings"][0]["utterances"][0]["valence"] = 0.3
    assert len(from_json(json.dumps(content))[0]) == 5
    assert formats.from_json is from_json


def test_slices_come_back_and_are_checked(made):
    timeline = made.sliced(pictures=False)
    text = to_json([timeline])
    [read] = from_json(text)
    assert read.step == timeline.step
    assert [s.id for s in read.rows] == [s.id for s in timeline.rows]
    for one, other in zip(read.rows, timeline.rows, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)
        assert (one.start, one.decided) == (pytest.approx(other.start, abs=1e-3), other.decided)
    summary = json.loads(text)["recordings"][0]["summary"]
    assert summary["utterances"] == len(timeline)
    assert summary == json.loads(to_json([read]))["recordings"][0]["summary"]
    document = json.loads(text)
    document["recordings"][0]["utterances"][0]["slices"][0]["bias"]["anger"] += 1
    with pytest.raises(DataError, match=r"clip\.mp4#1\.1: shares and bias of anger"):
        from_json(json.dumps(document))


def test_without_slices_nothing_is_written_of_them(made):
    assert "slices" not in to_json([made.timeline()])
    assert '"step"' not in to_json([made.timeline()])


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_speakers_come_back(made, format):
    timeline = made.named(made.sliced())
    text = formats.render([timeline], format)
    assert "\x1b" not in text
    (back,) = (from_json if format == "json" else formats.from_jsonl)(text)
    assert [p.speaker for p in back] == list(made.NAMES)
    assert [p.speaker for p in back.rows] == [p.speaker for p in timeline.rows]
    assert formats.render([back], format) == text


def test_speakers_keep_the_schema_and_only_the_named_are_written(made):
    root = json.loads(SCHEMA.read_text())
    document = json.loads(to_json(made.named(made.timeline())))
    assert list(_complaints(document, root, root)) == []
    utterances = document["recordings"][0]["utterances"]
    assert [u.get("speaker") for u in utterances] == list(made.NAMES)
    assert ["speaker" in u for u in utterances] == [True, False, True, True, True]
    utterances[0]["speaker"] = 3
    assert list(_complaints(document, root, root))
    with pytest.raises(DataError, match=r"utterances\.0\.speaker"):
        from_json(json.dumps(document))


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_no_control_character_reaches_a_terminal_and_words_come_back(made, format):
    timeline = made.timeline()
    words = "so\x9b31m \x7fgood\x1b[0m"
    first = dataclasses.replace(timeline[0], text=words, words=())
    timeline = dataclasses.replace(timeline, predictions=(first, *timeline[1:]))
    text = formats.render([timeline], format)
    assert not any(c in text for c in "\x9b\x7f\x1b")
    (back,) = (from_json if format == "json" else formats.from_jsonl)(text)
    assert back[0].text == words
