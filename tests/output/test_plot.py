"""Every plot is a picture, the same each time; what it shows was looked at by eye."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import re

import numpy as np
import pytest

from moodal.core.errors import UsageError
from moodal.output import plot_panels
from moodal.output.formats import render, timed
from moodal.output.plot import plot
from moodal.output.style import numeral

PNG = b"\x89PNG\r\n\x1a\n"


def test_png_in_one_piece(made, tmp_path):
    path = plot(made.timeline(), tmp_path / "deep" / "a.PNG")
    assert path.read_bytes().startswith(PNG)
    assert [p.name for p in path.parent.iterdir()] == ["a.PNG"]


@pytest.mark.parametrize("kind", ["timeline", "text_timeline"])
def test_svg_alike_each_time(kind, made, tmp_path):
    first, second = (plot(getattr(made, kind)(), tmp_path / f"{x}.svg").read_text() for x in "ab")
    assert first == second
    assert "<svg" in first


def test_what_is_drawn_over_time(made, tmp_path):
    timeline = made.timeline(emotions=(*made.BASICS, "jealous"))
    text = plot(timeline, tmp_path / "a.svg").read_text()
    for words in (
        "clip.mp4, 20.0 s",
        "anger",
        "jealous (guess)",
        "unsure",
        "73 %",
        "faces",
        "I told you not to touch that,",
        "voice",
        "Utterance 4: without the face, no face.",
        "Made by the artefact moodal-base (0123abcd).",
        "seconds",
    ):
        assert f">{words}<" in text, words


def test_values_are_lines_over_time_within_their_range(made, tmp_path):
    timeline = made.valued(made.timeline())
    text = plot(timeline, tmp_path / "a.svg").read_text()
    numbers = [numeral(v, timeline[0].values[v.name]) for v in timeline.values]
    for words in ("valence", "arousal", "trust", *numbers, "−1", "seconds", "faces"):
        assert f">{words}<" in text, words
    assert "unsure" not in text
    again = plot(timeline, tmp_path / "b.svg").read_text()
    assert again == text


def test_values_of_a_text_are_bars(made, tmp_path):
    timeline = made.valued(made.text_timeline())
    text = plot(timeline, tmp_path / "a.svg").read_text()
    for value in timeline.values:
        assert f">{value.name} {numeral(value, timeline[0].values[value.name])}<" in text


@pytest.mark.parametrize("predictions", [0, 1])
def test_nothing_and_a_single_utterance_with_values(made, tmp_path, predictions):
    timeline = made.valued(made.timeline(pictures=False))
    timeline = dataclasses.replace(timeline, predictions=timeline[:predictions])
    text = plot(timeline, tmp_path / "a.svg").read_text()
    assert (">nothing to predict a value from<" in text) == (not predictions)


def test_what_is_drawn_of_a_text(made, tmp_path):
    lines = (*made.LINES, ("It costs $5 and $6.", "fear"))
    text = plot(made.text_timeline(lines=lines), tmp_path / "a.svg").read_text()
    for words in (
        "letter.txt",
        "wonderful",
        "$5",
        "happiness 53 %",
        "unsure (anger 37 %)",
        "raises logit",
    ):
        assert f">{words}<" in text, words


def test_long_texts_say_how_much_is_drawn(made, tmp_path):
    text = plot(made.text_timeline(lines=[("Yes.", "fear")] * 60), tmp_path / "a.svg").read_text()
    assert "letter.txt: the first 40 of 60 sentences" in text


def test_faces_at_once_have_panels(made, tmp_path):
    parts = tuple(
        made.prediction(i, "a b c", "anger", i * 2.0, i * 2 + 3.0, track=1 + i % 2)
        for i in range(4)
    )
    text = plot(dataclasses.replace(made.timeline(), predictions=parts), tmp_path / "a.svg")
    assert text.read_text().count(">face 2<") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"predictions": ()},
        {"predictions": (), "waveform": None, "thumbnails": ()},
        {"predictions": (), "duration": None, "kind": "text", "waveform": None},
        {"duration": 1e-3},
        {"waveform": np.zeros((1, 2), np.float32)},
        {"kind": "image", "duration": None, "waveform": None},
    ],
)
def test_little_or_nothing_to_draw(change, made, tmp_path):
    path = plot(dataclasses.replace(made.timeline(), **change), tmp_path / "a.png")
    assert path.read_bytes().startswith(PNG)


def test_shares_that_are_too_narrow_are_drawn_as_means(made, tmp_path):
    lines = [made.LINES[i % 5] for i in range(100)]
    text = plot(made.timeline(lines=lines), tmp_path / "a.svg").read_text()
    assert ">mean shares<" in text
    assert "Each curve is a moving average over 10 s" in text
    assert "share of time" not in text  # emotions have bars
    assert "minutes and seconds" in text


def test_thumbnails_stand_apart_and_inside(made):
    many = tuple((t, np.zeros((48, 48), np.uint8)) for t in np.linspace(0, 20, 50))
    timeline = dataclasses.replace(made.timeline(), thumbnails=many)
    inch = 8.3 / 20
    drawn = [x for _, x, _ in plot_panels.place_faces(timeline, 20, inch)]
    assert 10 <= len(drawn) <= 14
    assert np.diff(drawn).min() * inch >= plot_panels.FACE - 1e-9
    assert drawn[0] * inch >= plot_panels.FACE / 2 - 1e-9
    assert (20 - drawn[-1]) * inch >= plot_panels.FACE / 2 - 1e-9


def test_words_do_not_run_into_the_next_ones(made):
    from moodal.output.formats import timed

    timeline = made.timeline(lines=[("supercalifragilistic " * 9, "anger")] * 12)
    lane = timed.lanes(timed.annotate(timeline, "plot"))[0]
    for (start, text), cell in zip(
        plot_panels.words_of(lane, timeline.duration, 8.3 / timeline.duration),
        lane.annotations,
        strict=True,
    ):
        room = (cell.end / 1000 - start) * 8.3 / timeline.duration
        assert max(map(len, text.splitlines()), default=0) * 0.06 < room + 0.2
        assert len(text.splitlines()) <= 4


@pytest.mark.parametrize(("text", "drawn"), [("Oh.", "Oh."), ("Supercalifragilistic", "")])
def test_words_are_not_cut_into_columns_of_few_letters(made, text, drawn):
    from moodal.output.formats import timed

    lane = timed.lanes(timed.annotate(made.timeline(lines=[(text, "anger")]), "plot"))[0]
    length = lane.annotations[0].start / 1000 + 1
    ((_, words),) = plot_panels.words_of(lane, length, 0.36)  # five letters wide
    assert words == drawn


@pytest.mark.parametrize("kind", ["timeline", "text_timeline"])
def test_a_long_file_name_has_several_lines(kind, made, tmp_path):
    name = "INTERVIEW_THAT_HAS_A_LONG_NAME_" * 6 + "2.mp4"
    text = plot(getattr(made, kind)(path=name), tmp_path / "a.svg").read_text()
    assert f">{name}" not in text
    assert ">INTERVIEW_THAT_HAS_A_LONG_NAME_INTERVIEW_" in text
    assert "2.mp4" in text


def test_letters_without_a_font_do_not_complain(made, tmp_path, recwarn, caplog):
    with caplog.at_level(logging.WARNING):
        plot(made.text_timeline(lines=[("日本語 \u0928", "fear")]), tmp_path / "a.png")
    assert not recwarn.list
    assert not caplog.records


def test_other_endings_are_refused(made, tmp_path):
    with pytest.raises(UsageError, match=r"a .png or .svg file; got a.pdf"):
        plot(made.timeline(), tmp_path / "a.pdf")


def test_slices_are_drawn_in_place_of_their_utterance(made, tmp_path):
    plain, fine = (
        plot(t, tmp_path / f"{i}.svg").read_text().count("%")
        for i, t in enumerate((made.timeline(), made.sliced(1.0)))
    )
    assert fine > plain


@pytest.mark.parametrize("gap", [0.0, 0.5, 0.8, 1.0, 3.0])
def test_an_utterance_without_words_close_before_the_next_one_has_none(made, gap):
    silent = dataclasses.replace(made.prediction(0, "", "anger", 0.0, 0.1), text=None, words=())
    following = made.prediction(1, "Well then", "anger", gap, gap + 5)
    lane = timed.Lane("", timed.annotate(_with(made, silent, following), "a plot"))
    assert [words for _, words in plot_panels.words_of(lane, 80.0, 0.1)] == ["", "Well then"]


def _with(made, *predictions):
    return dataclasses.replace(made.timeline(), predictions=predictions, duration=80.0)


def test_one_face_that_is_seen_now_and_then_has_no_number(made, tmp_path):
    parts = tuple(
        made.prediction(i, "So", "anger", 1.0 * i, i + 1.4, track=0 if i % 2 else None)
        for i in range(6)
    )
    timeline = dataclasses.replace(made.timeline(), predictions=parts)
    assert timeline.faces == (0,)
    assert "face 0" not in plot(timeline, tmp_path / "a.svg").read_text()
    assert "face" not in render([timeline], "srt")


def test_each_of_several_faces_in_a_picture_has_its_name(made, tmp_path):
    whole = made.timeline()
    faces = [
        dataclasses.replace(p, track=i, start=None, end=None, text=None, words=(), speaker=None)
        for i, p in enumerate(whole.predictions[:3])
    ]
    timeline = dataclasses.replace(
        whole, kind="image", duration=None, waveform=None, predictions=tuple(faces)
    )
    words = re.findall(r">([^<>]+)<", plot(timeline, tmp_path / "a.svg").read_text())
    pairs = list(itertools.pairwise(word.strip() for word in words if word.strip()))
    assert all(("face", str(number)) in pairs for number in range(3))
