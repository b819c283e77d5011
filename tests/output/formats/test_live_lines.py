"""The JSON lines of a live session hold the utterances of JSON."""

from __future__ import annotations

import dataclasses
import json

from moodal.output.formats import from_json, render
from moodal.output.formats.live_lines import answer_line, timeline_line


def test_an_answer_is_the_utterance_of_json(made):
    timeline = made.timeline()
    [recording] = json.loads(render([timeline], "json"))["recordings"]
    so_far = dataclasses.replace(timeline, predictions=timeline[:1])
    for provisional, kind in ((True, "provisional"), (False, "final")):
        text = answer_line(timeline[2], provisional, 3.25, so_far)
        assert text.count("\n") == 1
        assert json.loads(text) == {
            "type": kind,
            "at": 3.25,
            "answer": recording["utterances"][2],
        }


def test_the_timeline_is_the_recording_of_json(made):
    document = json.loads(render([made.timeline()], "json"))
    last = json.loads(timeline_line(made.timeline()))
    assert last == {"type": "timeline", "timeline": document["recordings"][0]}
    [again] = from_json(json.dumps({**document, "recordings": [last["timeline"]]}))
    assert len(again) == len(made.timeline())


def test_escape_codes_in_words_are_no_escape_codes(made):
    wicked = dataclasses.replace(made.timeline()[0], text="so \x1b[2J\u2028good")
    text = answer_line(wicked, False, 1.0, made.timeline())
    assert "\x1b" not in text
    assert json.loads(text)["answer"]["text"] == "so \x1b[2J\u2028good"
