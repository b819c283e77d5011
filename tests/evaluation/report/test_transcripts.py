"""The character error rate covers all utterances, and its interval resamples clusters."""

from __future__ import annotations

import json

import numpy as np
import pytest

from moodal.evaluation.metrics import character_error_rate
from moodal.evaluation.report.intervals import interval
from moodal.evaluation.report.summary import ReportContext, summarise
from moodal.evaluation.report.tables import markdown
from moodal.evaluation.report.transcripts import ctc_combined, ctc_entry

SAID = [f"LINE NUMBER {i * 7919 % 97}" for i in range(60)]
WROTE = [text[: -(i % 4)] if i % 4 else text for i, text in enumerate(SAID)]
SPEAKERS = [f"s{i % 12}" for i in range(60)]


def test_its_interval_is_that_of_the_utterances():
    entry = ctc_entry(SAID, WROTE, SPEAKERS, draws=60, seed=3)
    errors, characters, rate = character_error_rate(SAID, WROTE)
    low, high = interval(lambda w: w @ errors / (w @ characters), SPEAKERS, draws=60, seed=3)
    found = [entry["character_error_rate"], entry["low"], entry["high"]]
    np.testing.assert_allclose(found, [rate, low, high])
    assert (entry["rows"], entry["silent"]) == (60, 0)
    json.dumps(entry, allow_nan=False)


def test_folds_are_combined_as_if_they_were_one():
    half = [slice(0, 30), slice(30, 60)]
    parts = [
        ctc_entry(SAID[s], WROTE[s], SPEAKERS[s], infinite={"clips": i + 1})
        for i, s in enumerate(half)
    ]
    both = ctc_combined(parts, draws=60, seed=3)
    assert both == ctc_entry(SAID, WROTE, SPEAKERS, draws=60, seed=3, infinite={"clips": 3})


def test_empty_references_have_no_rate():
    entry = ctc_entry(["", ""], ["A", ""], ["x", "y"], draws=10)
    assert (entry["character_error_rate"], entry["low"], entry["silent"]) == (None, None, 2)
    assert entry["errors"] == 1


def test_the_rate_is_in_the_report(predictions):
    test = predictions("single", n=60)
    entry = ctc_entry(SAID, WROTE, test.clusters, infinite={"too_short_clips": 2})
    report = summarise(
        test, train_targets=test.targets, draws=10, context=ReportContext(extras={"ctc": entry})
    )
    text = markdown(report)
    assert f"CTC: character error rate {entry['character_error_rate']:.3f} [" in text
    assert "infinite losses: too short clips 2." in text
    silent = ctc_entry([""], [""], ["x"], draws=10)
    report = summarise(
        test, train_targets=test.targets, draws=10, context=ReportContext(extras={"ctc": silent})
    )
    assert "as no reference has any text" in markdown(report)


@pytest.mark.parametrize("draws", [0, 5])
def test_intervals_only_where_they_are_drawn(draws):
    assert (ctc_entry(SAID, WROTE, SPEAKERS, draws=draws)["low"] is None) == (draws == 0)
