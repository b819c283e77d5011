"""What is shown of streams, of whatever name."""

from __future__ import annotations

import csv
import dataclasses
import io

from rich.console import Console

from moodal.core.records import BUILT_IN, ModalityInfo
from moodal.modalities import MODALITIES
from moodal.output import formats
from moodal.output.plot import plot
from moodal.output.style import HATCHES, streams_of
from moodal.output.terminal import show

PULSE = ModalityInfo("pulse", "heartbeat", "#123456", "+", "table")


def with_pulse(made):
    """A clip of words and pulse, the second utterance without pulse."""
    streams = ("text", "pulse")
    utterances = [
        made.prediction(0, "I told you.", "anger", 0.0, 2.0, streams=streams),
        made.prediction(
            1, "Oh.", "surprise", 2.5, 3.5, streams=("text",), absent={"pulse": "no beats"}
        ),
    ]
    infos = (BUILT_IN["text"], PULSE)
    clip = made.timeline(lines=(), pictures=False)
    return dataclasses.replace(
        clip, predictions=tuple(utterances), duration=4.0, kind="audio", modalities=infos
    )


def test_the_built_in_streams_are_shown_as_their_modalities_say():
    assert {name: modality.info for name, modality in MODALITIES.items()} == BUILT_IN
    assert set(HATCHES) == {info.mark for info in BUILT_IN.values()}


def test_what_a_timeline_says_of_its_streams_is_shown(made):
    timeline = with_pulse(made)
    assert streams_of(timeline) == {"text": BUILT_IN["text"], "pulse": PULSE}
    bare = dataclasses.replace(timeline, modalities=())
    assert streams_of(bare)["pulse"].label == "pulse"
    assert list(streams_of(made.timeline())) == ["text", "speech", "face"]


def test_another_stream_is_in_the_terminal_and_the_plot(made, tmp_path):
    timeline = with_pulse(made)
    console = Console(width=120, file=io.StringIO())
    show(timeline, console)
    printed = console.file.getvalue()
    assert "heartbeat +" in printed
    assert "without the heartbeat, no beats" in printed
    drawn = plot(timeline, tmp_path / "a.svg").read_text()
    assert "heartbeat" in drawn
    assert PULSE.colour in drawn
    untimed = [dataclasses.replace(p, start=None, end=None) for p in timeline]
    text = dataclasses.replace(timeline, predictions=tuple(untimed), kind="text")
    assert ", heartbeat +" in plot(text, tmp_path / "b.svg").read_text()


def test_another_stream_is_in_the_files(made):
    timeline = with_pulse(made)
    [again] = formats.from_json(formats.render([timeline], "json"))
    assert again.modalities == (PULSE,)
    assert streams_of(again) == streams_of(timeline)
    assert again[0].shares["pulse"].keys() == timeline[0].shares["pulse"].keys()
    assert "modalities" not in formats.render([made.timeline()], "json")
    first = next(csv.DictReader(io.StringIO(formats.render([timeline], "csv"))))
    assert float(first["share_pulse_anger"]) == round(timeline[0].shares["pulse"]["anger"], 5)
