"""The moving table of a live session; how it looks was looked at by eye."""

from __future__ import annotations

import dataclasses
import io

from rich.console import Console

from moodal.output.live_table import live_table


def shown(timeline, provisional=(), height=40, width=80, encoding="utf-8"):
    console = Console(file=io.StringIO(), width=width)
    console.print(live_table(timeline, provisional, width, height, encoding))
    return console.file.getvalue()


def test_what_goes_on_stands_last_and_is_marked(made):
    timeline = made.timeline()
    [*before, last] = timeline
    text = shown(dataclasses.replace(timeline, predictions=tuple(before)), [last])
    assert "live · 0:20 · 4 utterances" in text
    rows = [line for line in text.splitlines() if "–" in line and " s" in line]
    assert [" s …" in row for row in rows] == [False] * 4 + [True]


def test_of_many_utterances_the_latest_are_shown(made):
    timeline = made.timeline()
    many = dataclasses.replace(timeline, predictions=timeline.predictions * 50)
    text = shown(many, height=24)
    assert len(text.splitlines()) <= 24
    assert "250 utterances" in text


def test_before_the_first_utterance_there_is_a_heading(made):
    text = shown(dataclasses.replace(made.timeline(), predictions=(), duration=0.0))
    assert "0:00 · 0 utterances" in text


def test_values_have_a_column_each(made):
    timeline = made.valued(made.timeline())
    text = shown(timeline, timeline[:1])
    assert "valence" in text
    assert "unsure" not in text


def test_characters_that_the_terminal_lacks_are_replaced(made):
    text = shown(made.timeline(), made.timeline()[:1], encoding="ascii")
    assert "█" not in text


def test_control_characters_in_words_do_nothing(made):
    timeline = made.timeline()
    wicked = dataclasses.replace(timeline[0], text="so \x1b[2J[bold]good")
    text = shown(dataclasses.replace(timeline, predictions=(wicked,)), [wicked])
    assert "\x1b[2J" not in text
    assert "[bold]good" in text
