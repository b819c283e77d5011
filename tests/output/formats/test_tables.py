"""CSV and SubRip, read back."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re

import pytest

from moodal.core.emotions import Value
from moodal.core.errors import UsageError
from moodal.media.subtitles import parse_subtitles
from moodal.output.formats import render, to_csv, to_srt, to_summary_csv, write


def _rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_per_utterance_and_its_numbers(made):
    several = [made.timeline(), made.text_timeline()]
    rows = _rows(to_csv(several))
    assert [r["id"] for r in rows] == [p.id for t in several for p in t]
    for row, p in zip(rows, [p for t in several for p in t], strict=True):
        for emotion in made.BASICS:
            assert float(row[f"p_{emotion}"]) == pytest.approx(p.probabilities[emotion], abs=5e-5)
            parts = [row[f"share_{s}_{emotion}"] for s in ("text", "speech", "face")]
            total = sum(float(x) for x in parts if x) + float(row[f"bias_{emotion}"])
            assert total == pytest.approx(p.logits[emotion], abs=1e-4)
    assert rows[1]["decided"] == "unsure"
    assert (rows[0]["p_anger"], rows[0]["share_text_anger"]) == ("0.9502", "1.49029")
    assert (rows[0]["start"], rows[5]["start"]) == ("0.4", "")
    assert rows[3]["absent"] == "face: no face"
    assert rows[5]["share_face_anger"] == ""


def test_a_stream_that_cannot_tell_an_emotion_has_no_share_of_it(made):
    first, *others = made.timeline()
    sources = {**first.sources, "surprise": {**first.sources["surprise"], "speech": "absent"}}
    shares = {**first.shares, "speech": {**first.shares["speech"], "surprise": 0.0}}
    bias = {**first.bias, "surprise": first.bias["surprise"] + first.shares["speech"]["surprise"]}
    first = dataclasses.replace(first, sources=sources, shares=shares, bias=bias)
    timeline = dataclasses.replace(made.timeline(), predictions=(first, *others))
    row = _rows(to_csv(timeline))[0]
    assert (row["share_speech_surprise"], row["share_speech_anger"] != "") == ("", True)
    (written,) = json.loads(render(timeline, "json"))["recordings"]
    utterance = written["utterances"][0]
    assert "surprise" not in utterance["shares"]["speech"]
    assert "surprise" in utterance["shares"]["text"]
    assert not any(
        "surprise" in m["shares"] for m in utterance["moments"] if m["stream"] == "speech"
    )


def test_values_are_columns_behind_all_others(made):
    emotions, values = made.timeline(), made.valued(made.text_timeline())
    text = to_csv([emotions, values])
    assert text.splitlines()[0].endswith("bias_surprise,value_valence,value_arousal,value_trust")
    rows = _rows(text)
    assert rows[0]["value_trust"] == ""
    for row, p in zip(rows[len(emotions) :], values, strict=True):
        assert (row["decided"], row["probability"], row["p_anger"]) == ("", "", "")
        assert float(row["value_trust"]) == pytest.approx(p.values["trust"], abs=5e-5)


def test_a_summary_is_a_row_per_recording_and_per_face(made):
    film = made.timeline()
    faces = dataclasses.replace(
        film,
        path="=faces.mp4",
        predictions=tuple(dataclasses.replace(p, track=1 + i % 2) for i, p in enumerate(film)),
    )
    several = [film, made.text_timeline(), made.valued(film), faces]
    rows = _rows(render(several, "csv", summary=True))
    assert [(r["recording"], r["track"], r["utterances"]) for r in rows] == [
        ("clip.mp4", "", "5"),
        ("letter.txt", "", "5"),
        ("clip.mp4", "", "5"),
        *(("'=faces.mp4", track, count) for track, count in (("", "5"), ("1", "3"), ("2", "2"))),
    ]
    summary = film.summary()
    for emotion in made.BASICS:
        mean, share = float(rows[0][f"p_{emotion}"]), float(rows[0][f"decided_{emotion}"])
        assert mean == pytest.approx(summary.probabilities[emotion], abs=5e-5)
        assert share == pytest.approx(summary.decided[emotion], abs=5e-5)
    assert float(rows[0]["undecided"]) == pytest.approx(summary.undecided, abs=5e-5)
    assert (rows[0]["first_anger"], rows[0]["first_fear"]) == ("0.4", "")
    assert rows[0]["telling"].startswith("anger 0.9502 at 0.4; happiness")
    assert (rows[1]["seconds"], rows[1]["first_happiness"]) == ("", "letter.txt#3")
    assert (rows[2]["p_anger"], rows[2]["undecided"], rows[0]["value_trust_mean"]) == ("", "", "")
    trust = several[2].summary().values["trust"]
    assert float(rows[2]["value_trust_mean"]) == pytest.approx(trust.mean, abs=5e-5)
    assert float(rows[2]["value_trust_highest_start"]) == trust.highest_start


def test_a_summary_has_its_own_formats(made, tmp_path):
    with pytest.raises(UsageError, match="no summary in json; the formats with one are csv"):
        render([made.timeline()], "json", summary=True)
    (path,) = write([made.timeline()], "csv", tmp_path / "all.csv", summary=True)
    assert len(_rows(path.read_text(encoding="utf-8"))) == 1


def test_subtitles_have_the_values_before_the_words(made):
    timeline = made.valued(made.timeline(), (Value.of("valence"), Value("trust", 0, 4)))
    numbers = {"valence": -0.104, "trust": 3.2}
    first = dataclasses.replace(timeline[0], values=numbers)
    text = to_srt(dataclasses.replace(timeline, predictions=(first, *timeline[1:])))
    assert text.splitlines()[2].startswith("[valence −0.10, trust 3.20] I told you not")


def test_emotions_of_all_recordings_are_columns(made):
    rows = _rows(to_csv([made.timeline(), made.text_timeline(emotions=("anger", "jealous"))]))
    assert rows[0]["p_jealous"] == ""
    assert rows[-1]["p_fear"] == ""


@pytest.mark.parametrize("text", ['=HYPERLINK("x")', "+1", "-1", "@SUM(A1)", "\t=1", "＝1", "\n=1"])
def test_no_cell_is_a_formula(text, made):
    p = made.prediction(text=text, name=text)
    row = _rows(to_csv(dataclasses.replace(made.timeline(path=text), predictions=(p,))))[0]
    for key in ("text", "recording", "id"):
        assert row[key].startswith("'"), key
    assert float(row["bias_anger"]) < 0  # figures are left alone


def test_a_spreadsheets_lines_and_quotes(made):
    p = made.prediction(text='He said "no",\nthen; left')
    row = _rows(to_csv(dataclasses.replace(made.timeline(), predictions=(p,))))[0]
    assert row["text"] == 'He said "no", then; left'


def _cues(text):
    cue = re.compile(r"(\d+)\n(\S+) --> (\S+)\n(.+)\n\n")
    found = cue.findall(text)
    assert cue.sub("", text) == ""
    return found


def test_cues_have_words_under_their_emotion(made):
    cues = _cues(to_srt(made.timeline()))
    assert cues[0] == (
        "1",
        "00:00:00,400",
        "00:00:04,420",
        "[anger 95 %] I told you not to touch that, now look at it!",
    )
    assert cues[1][3] == "[unsure] Well, it cannot be helped."
    assert len(cues) == 5


def test_cues_of_silence_of_hours_and_of_several_faces(made):
    late = [
        made.prediction(0, None, "anger", 3 * 3600 + 61.0019, 3 * 3600 + 61.0019, track=1),
        made.prediction(1, "a --> b\n\n2", "anger", 1.0, 2.0, track=2),
    ]
    cues = _cues(to_srt(dataclasses.replace(made.timeline(), predictions=tuple(late))))
    assert cues[0][1:] == ("00:00:01,000", "00:00:02,000", "[face 2: anger 88 %] a → b 2")
    assert cues[1][1:3] == ("03:01:01,002", "03:01:01,003")
    assert cues[1][3].endswith("] (no words)")


@pytest.mark.parametrize("format", ["srt", "textgrid", "eaf"])
def test_formats_over_time_refuse_what_has_none(format, made):
    with pytest.raises(UsageError, match=rf"letter.txt has no times, but {format} needs them"):
        render(made.text_timeline(), format)
    still = dataclasses.replace(made.timeline("me.png"), kind="image")
    with pytest.raises(UsageError, match="json or csv instead"):
        render([still], format)
    with pytest.raises(UsageError, match=r"holds one recording, but there are 2: name a folder"):
        render([made.timeline(), made.timeline()], format)


def test_slices_are_rows_in_place_of_their_utterance(made):
    timeline = made.sliced()
    rows = list(csv.DictReader(io.StringIO(to_csv([timeline]))))
    assert [row["id"] for row in rows] == [s.id for s in timeline.rows]
    assert {row["text"] for row in rows} == {p.text for p in timeline}
    assert [float(row["p_sadness"]) for row in rows] == pytest.approx(
        [s.probabilities["sadness"] for s in timeline.rows], abs=1e-4
    )
    [row] = csv.DictReader(io.StringIO(to_summary_csv([timeline])))
    assert int(row["utterances"]) == len(timeline)
    assert float(row["p_sadness"]) == pytest.approx(
        timeline.summary().probabilities["sadness"], abs=1e-4
    )
    assert (
        row["p_sadness"]
        != next(csv.DictReader(io.StringIO(to_summary_csv([made.timeline()]))))["p_sadness"]
    )


def test_a_recording_with_nothing_to_judge_keeps_a_row_that_says_why(made):
    empty = dataclasses.replace(
        made.timeline(), path="silent.wav", predictions=(), absent={"speech": "silence"}
    )
    rows = list(csv.DictReader(io.StringIO(to_csv([made.timeline(), empty]))))
    assert rows[-1]["recording"] == "silent.wav"
    assert (rows[-1]["id"], rows[-1]["decided"], rows[-1]["p_anger"]) == ("", "", "")
    assert rows[-1]["absent"] == "speech: silence"
    assert [row["recording"] for row in rows].count("silent.wav") == 1


def test_speakers_are_a_column_after_the_text_if_any_is_named(made):
    rows = _rows(to_csv([made.text_timeline(), made.named(made.timeline())]))
    names = [row["speaker"] for row in rows]
    assert names == [""] * 5 + ["ANNA", "", "Maria Lee", "ANNA, BOB", "'=1+1[31m -->"]
    assert list(rows[0])[4:8] == ["end", "text", "speaker", "decided"]
    assert "speaker" not in _rows(to_csv(made.timeline()))[0]
    unnamed = [{k: v for k, v in row.items() if k != "speaker"} for row in rows[5:]]
    assert unnamed == _rows(to_csv(made.timeline()))


def test_speakers_of_slices_are_those_of_their_utterance(made):
    timeline = made.named(made.sliced(), ("ANNA", *[None] * 4))
    rows = _rows(to_csv(timeline))
    count = len(timeline[0].slices)
    assert [row["speaker"] for row in rows] == ["ANNA"] * count + [""] * (len(rows) - count)


def test_names_in_cues_are_read_back_as_names(made):
    text = to_srt(made.named(made.timeline()))
    assert _cues(text)[0][3].startswith("ANNA: [anger 95 %] I told")
    assert "\x1b" not in text
    cues = parse_subtitles(text)
    assert [cue.speaker for cue in cues[:3]] == ["ANNA", None, "Maria Lee"]
    for cue, plain in zip(cues[:3], parse_subtitles(to_srt(made.timeline())), strict=False):
        assert cue.text == plain.text
    assert len(cues) == 5  # an arrow in a name begins no cue
    assert _cues(text)[4][3].startswith("[=1+1[31m →]: [")
