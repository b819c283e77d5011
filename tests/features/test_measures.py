"""Findings of sounds: silence, and lengths far from those that are stated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from moodal.core.acoustics import Acoustics
from moodal.core.emotions import EmotionSpace
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Utterance
from moodal.features.acoustics import SoundMeasures
from moodal.features.measures import sound_findings, stated_seconds
from moodal.modalities.speech.spoken import QUIET

MEASURES = SoundMeasures()


def corpus(*utterances: Utterance) -> Manifest:
    """Make a corpus of the utterances."""
    labels = np.ones((len(utterances), 1), np.float32)
    return Manifest("voices", EmotionSpace(["joy"]), utterances, labels)


def spoken(name: str, **extra: str) -> Utterance:
    """Make an utterance with a whole file of sound."""
    return Utterance(name, media={"speech": Clip(f"{name}.wav")}, extra=extra)


def measured(*values: tuple[float, float] | None) -> Acoustics:
    """Make measures of seconds and peaks."""
    rows = [np.zeros((0, MEASURES.width)) for _ in values]
    for row, value in enumerate(values):
        if value is not None:
            rows[row] = np.zeros((1, MEASURES.width), np.float32)
            rows[row][0, :2] = value
    return Acoustics.of(rows)


def test_a_clip_and_its_samples_are_measured_alike(tmp_path: Path) -> None:
    samples = np.zeros(24000, np.float32)
    samples[100] = -0.5
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    for item in (samples, Clip(str(tmp_path / "a.wav"))):
        np.testing.assert_allclose(MEASURES.encode(item)[:, :2], [[1.5, 0.5]])
    clip = Clip(str(tmp_path / "a.wav"), 0.5, 1.0)
    assert MEASURES.encode(clip)[:, :2].tolist() == [[0.5, 0.0]]
    assert MEASURES.encode(np.zeros(0, np.float32))[:, :2].tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(("peak", "silent"), [(0.0, True), (QUIET / 2, True), (QUIET * 2, False)])
def test_silence_is_what_prediction_calls_silence(peak: float, silent: bool) -> None:
    findings = list(sound_findings(corpus(spoken("a")), "speech", measured((2.0, peak))))
    assert [f.what for f in findings] == ["silence"] * silent


def test_lengths_far_from_those_of_the_rows_are_named() -> None:
    manifest = corpus(
        spoken("right", start="00:00:01,100", end="00:00:02,700"),
        spoken("long", start="00:59:58,100", end="01:00:00,000"),
        spoken("short", start="10.5", end="20.5"),
        spoken("untold"),
        spoken("swapped", start="5", end="4"),
        spoken("little", start="0", end="0.2"),
        Utterance("mute", extra={"start": "1", "end": "2"}),
    )
    values = measured((1.7, 1), (300.0, 1), (2, 1), (3, 1), (9, 1), (0.9, 1), None)
    (finding,) = sound_findings(manifest, "speech", values)
    assert (finding.level, finding.what) == ("warning", "lengths")
    assert finding.detail == (
        "2 clips last much longer or shorter than the rows say: long (300.0 s; from its start to "
        "its end 1.9 s), short (2.0 s; from its start to its end 10.0 s)."
    )


def test_a_clip_far_longer_than_the_others_is_named_where_no_row_tells() -> None:
    manifest = corpus(*(spoken(name) for name in "abcd"))
    (finding,) = sound_findings(manifest, "speech", measured((2, 1), (3, 1), (2, 1), (75, 1)))
    assert finding.detail == (
        "1 clip lasts far longer than the others, whose median is 2.5 s: d (75.0 s)."
    )
    assert not list(sound_findings(manifest, "speech", measured((9, 1), (8, 1), (7, 1), (75, 1))))


def test_a_span_of_a_recording_has_no_stated_length() -> None:
    clip = Clip("a.wav", 1.0, 2.0)
    row = Utterance("a", media={"speech": clip}, extra={"start": "1", "end": "9"})
    assert stated_seconds(row, "speech") is None
