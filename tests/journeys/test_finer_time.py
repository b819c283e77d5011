"""Finer time, through the command line and the artefact in the package."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import av
import pytest

from moodal.cli.main import main
from moodal.media.video import frames

CLIP = Path(__file__).parents[2] / "examples" / "clip.mp4"


def run(capsys, *words):
    """Run `moodal predict` without transcription: exit code, output and errors."""
    code = main(["predict", *map(str, words), "--no-asr"])
    captured = capsys.readouterr()
    return code or 0, captured.out, captured.err


def test_a_row_per_half_second_in_place_of_an_utterance(capsys):
    code, out, _ = run(capsys, CLIP, "--step", "0.5", "--format", "csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["id"] for row in rows[:3]] == [f"clip.mp4#1.{i}" for i in (1, 2, 3)]
    lengths = [float(row["end"]) - float(row["start"]) for row in rows]
    assert all(0.25 <= length < 0.75 for length in lengths)
    assert {row["streams"] for row in rows} == {"text+speech+face"}
    assert [row["decided"] for row in rows if row["id"].startswith("clip.mp4#1.")] == [
        "happiness"
    ] * 3
    _, out, _ = run(capsys, CLIP, "--step", "0.5", "--json")
    [recording] = json.loads(out)["recordings"]
    assert recording["step"] == 0.5
    assert sum(len(u["slices"]) for u in recording["utterances"]) == len(rows)


@pytest.mark.parametrize("step", ["0.2", "6"])
def test_another_step_is_refused_in_a_sentence(step, capsys):
    with pytest.raises(SystemExit) as ended:
        run(capsys, CLIP, "--step", step)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"moodal: step is 0.25 to 5 seconds; got {step}.\n"


def test_a_second_without_expression_and_a_smile_are_two_utterances(tmp_path, capsys):
    """They were one of five seconds, "happiness"."""
    pictures = list(frames(str(CLIP), longest=320))
    neutral, smile = (min(pictures, key=lambda p: abs(p.at - s)).rgb for s in (0.2, 1.2))
    path = tmp_path / "smile.mp4"
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=5)
        video.height, video.width, video.pix_fmt = *neutral.shape[:2], "yuv420p"
        for rgb in [neutral] * 5 + [smile] * 20:
            file.mux(video.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        file.mux(video.encode(None))
    _, out, _ = run(capsys, path, "--json")
    first, second = json.loads(out)["recordings"][0]["utterances"]
    assert (first["start"], first["end"]) == (0.0, 1.0)
    assert (second["start"], second["decided"]) == (1.0, ["happiness"])
    top = max(first["probabilities"], key=first["probabilities"].get)
    assert top == "neutral"
