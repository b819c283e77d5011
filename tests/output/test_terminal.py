"""What stands in the terminal; how it looks was looked at by eye."""

from __future__ import annotations

import dataclasses
import io
import re

import pytest
from rich.console import Console

from moodal.output.style import colours, letters
from moodal.output.terminal import show


def _shown(timelines, width=80, **more):
    out = io.StringIO()
    show(timelines, Console(file=out, width=width, **more))
    return out.getvalue()


def test_utterances_with_times_words_emotions_and_shares(made):
    text = _shown(made.timeline())
    assert "clip.mp4 · video · 20.0 s · 5 utterances" in text
    row = next(line for line in text.splitlines() if line.startswith("1 "))
    for part in ("0.4–4.4 s", "I told you", "anger 95 %", "voice +1.6"):
        assert part in row, part
    assert "words −0.2" in text
    assert "unsure" in text
    assert "(neutral 31 %)" in text
    assert "Utterance 4: without the face, no face." in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_values_have_a_row_of_bars_and_a_column_each(made):
    timeline = made.valued(made.timeline())
    low, high = ({"valence": v, "arousal": -v, "trust": 2.0} for v in (-1.0, 1.0))
    ends = [dataclasses.replace(p, values=v) for p, v in zip(timeline, (low, high), strict=False)]
    timeline = dataclasses.replace(timeline, predictions=(*ends, *timeline[2:]))
    text = _shown(timeline)
    lines = text.splitlines()
    assert lines[1].strip().startswith("valence (−1 to 1) 0 ")
    bars = "".join(dict.fromkeys(c for c in lines[1].split(") 0 ")[1] if c in "▁▂▃▄▅▆▇█"))
    assert bars.startswith("▁█")
    assert "▅" in lines[3]  # the middle of trust
    row = next(line for line in lines if line.startswith("2 "))
    assert row.split()[-3:] == ["+1.00", "−1.00", "2.00"]
    assert "unsure" not in text
    assert max(map(len, lines)) <= 80
    console = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="ascii"), width=80)
    show(timeline, console)
    console.file.seek(0)
    assert "11111" in console.file.read()


def test_values_of_a_text_are_drawn_sentence_by_sentence(made):
    lines = _shown(made.valued(made.text_timeline())).splitlines()
    assert lines[1].startswith("  valence (−1 to 1)")
    assert "·" not in lines[1]


def test_the_strip_reads_by_letters(made):
    strip, legend = _shown(made.timeline()).splitlines()[1:3]
    cells = strip.split()[1]
    order = "".join(dict.fromkeys(c for c in cells if c != "·"))
    assert order == "A?HUS"
    assert cells.count("A") == pytest.approx(len(cells) * 4.02 / 19.98, abs=1.5)
    assert legend.split("   ")[0].strip() == "A anger"


def test_a_short_word_in_a_long_recording_is_not_lost(made):
    lines = [made.prediction(0, "Oh.", "fear", 5000.0, 5000.2, name="x")]
    timeline = dataclasses.replace(
        made.timeline(), duration=10800.0, predictions=tuple(lines), waveform=None
    )
    text = _shown(timeline)
    assert text.splitlines()[1].count("F") == 1
    assert "1:23:20–1:23:20" in text


def test_each_face_has_its_strip(made):
    parts = tuple(
        made.prediction(i, "a", "anger", i * 1.0, i + 1.5, track=1 + i % 2) for i in range(4)
    )
    text = _shown(dataclasses.replace(made.timeline(), predictions=parts))
    assert "  face 1: 0 AA" in text
    assert "  face 2: 0 ··" in text


def test_flags_once_and_what_is_guessed(made):
    timeline = made.timeline(emotions=(*made.BASICS, "jealous"))
    parts = [dataclasses.replace(p, flags=("It is noisy.",)) for p in timeline]
    timeline = dataclasses.replace(timeline, predictions=tuple(parts))
    text = " ".join(_shown(timeline).split())
    assert text.count("It is noisy.") == 1
    assert "All: It is noisy." in text
    assert "jealous (a guess from the word's vector)" in text
    seven = "anger, disgust, fear, happiness, neutral, sadness, surprise"
    assert f"Words, the voice and the face: {seven} (learned);" in text
    some = [
        dataclasses.replace(p, flags=("Far.",) if i in (0, 2, 3) else ())
        for i, p in enumerate(timeline)
    ]
    text = _shown(dataclasses.replace(timeline, predictions=tuple(some)))
    assert "Utterances 1, 3–4: Far." in text
    assert "all of these emotions (learned)" in _shown(made.timeline())


def test_texts_and_nothing_at_all(made):
    text = _shown(made.text_timeline())
    assert "letter.txt · text · 5 sentences" in text
    assert "Without the voice: no sound." in text
    empty = dataclasses.replace(
        made.timeline(), predictions=(), absent={"speech": "no speech", "face": "no face"}
    )
    text = _shown([empty, made.timeline()])
    assert "Without the voice: no speech." in text
    assert "There is nothing to recognise an emotion from." in text
    assert text.count("clip.mp4 · video") == 2


def test_no_terminal_and_no_color_mean_no_codes(made, monkeypatch):
    assert "\x1b" not in _shown(made.timeline())
    assert "\x1b[38;2;" in _shown(made.timeline(), force_terminal=True, color_system="truecolor")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in _shown(made.timeline(), force_terminal=True)


def test_hostile_names_and_words_do_not_reach_the_terminal(made):
    p = made.prediction(text="[red]\x1b[31mbold\x1b]0;title\x07 end", name="a")
    timeline = dataclasses.replace(made.timeline(path="[b]\x1b[2Jx.mp4"), predictions=(p,))
    text = _shown(timeline, width=120)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[b][2Jx.mp4" in text
    assert "[red][31mbold]0;title end" in text


def test_signs_that_the_output_lacks_are_replaced(made):
    raw = io.BytesIO()
    p = made.prediction(text="café 日本", name="a")
    out = io.TextIOWrapper(raw, "ascii", write_through=True)
    show(dataclasses.replace(made.timeline(), predictions=(p,)), Console(file=out, width=80))
    text = raw.getvalue().decode("ascii")
    assert "caf? ??" in text
    assert "####" in text


def test_letters_and_colours_are_each_ones_own(made):
    words = [*made.BASICS, "annoyed", "amused", "bored", "ashamed", "hopeful", "無聊"]
    assert len(set(letters(words).values())) == len(words)
    assert len({colours(words)[w] for w in made.BASICS}) == len(made.BASICS)
    assert colours(["fear", "x"])["fear"] == colours(["y", "fear"])["fear"]


def test_slices_have_rows_and_the_words_stand_once(made):
    timeline = made.sliced()
    text = _shown(timeline, width=200)
    for i, p in enumerate(timeline, 1):
        for k in range(1, len(p.slices) + 1):
            assert re.search(rf"^ *{i}\.{k} ", text, re.M)
    assert text.count("Well, it cannot be helped.") == 1
    assert "slice " in text.split("most telling")[1]


def test_names_stand_before_the_words_and_do_not_reach_the_terminal(made):
    text = _shown(made.named(made.timeline()), width=200)
    for line in ("ANNA: I told you", "Maria Lee: We won", "ANNA, BOB: Oh.", "=1+1[31m -->: She"):
        assert line in text
    assert "\x1b" not in text
    assert ": Well, it cannot" not in text
    assert _shown(made.named(made.sliced(), ["ANNA"] * 5), width=200).count("ANNA: ") == 5


@pytest.mark.parametrize(
    ("width", "person", "dimensions"), [(200, True, True), (80, False, True), (66, False, False)]
)
def test_words_have_room_in_a_narrow_terminal(made, width, person, dimensions):
    timeline = made.dimensioned(made.timeline())
    names = ["Annabella", "Bo"] * 2 + ["Bo"]
    own = [dataclasses.replace(p, person=n) for p, n in zip(timeline, names, strict=True)]
    timeline = dataclasses.replace(timeline, predictions=tuple(own))
    text = _shown(timeline, width=width)
    head = next(line for line in text.splitlines() if line.startswith("#"))
    assert ("person" in head.split()) == person
    assert ("dimensions" in head.split()) == dimensions
    assert ("A wider window" in text) != dimensions
    assert ("Annabella: I told" in text) != person
    assert head.index("decided") - head.index("words") >= 18
    assert all(len(line) <= width for line in text.splitlines())
