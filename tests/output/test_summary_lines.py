"""The summary at the foot of the terminal's table."""

from __future__ import annotations

import dataclasses

from moodal.output.summary_lines import summary_lines


def test_shares_of_time_means_and_telling_utterances(made):
    decided, mean, telling = summary_lines(made.timeline())
    assert decided.startswith(
        "Overall, of 16.6 s: sadness 30 %, happiness 28 %, anger 24 %, unsure"
    )
    assert mean.startswith("Overall, mean probability: happiness 30 %, anger 26 %")
    assert telling.startswith(
        "Overall, most telling: anger 95 % (utterance 1, 0:00), happiness 92 %"
    )
    assert "disgust" not in decided


def test_a_text_has_no_times(made):
    decided, _, telling = summary_lines(made.text_timeline())
    assert decided == "Overall, of the utterances: unsure 80 %, happiness 20 %."
    assert telling == "Overall, most telling: happiness 53 % (utterance 3)."


def test_each_face_has_its_own_but_not_in_a_picture(made):
    timeline = made.timeline()
    faces = tuple(dataclasses.replace(p, track=1 + i % 2) for i, p in enumerate(timeline))
    lines = list(summary_lines(dataclasses.replace(timeline, predictions=faces)))
    assert [line.split(",")[0] for line in lines] == ["Overall"] * 3 + ["Face 1"] * 3 + [
        "Face 2"
    ] * 3
    picture = dataclasses.replace(timeline, predictions=faces, kind="image")
    assert len(list(summary_lines(picture))) == 3


def test_values_have_a_mean_and_their_ends(made):
    lines = list(summary_lines(made.valued(made.timeline())))
    assert len(lines) == 3
    assert lines[0] == (
        "Overall: valence +0.15 on average, from −0.94 (utterance 4, 0:13) to +0.90 "
        "(utterance 2, 0:05)."
    )


def test_one_utterance_needs_no_summary(made):
    timeline = made.timeline()
    single = dataclasses.replace(timeline, predictions=timeline.predictions[:1])
    assert list(summary_lines(single)) == []
