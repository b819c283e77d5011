"""Studies from recordings to contrasts: 12 participants in 2 conditions; calls of two people."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moodal.cli.main import main
from moodal.evaluation.study import study
from moodal.lookalikes.voice import RATE, speaker, voice, write_wav
from moodal.media.audio import read_audio
from moodal.output.results import read_results

CLIP = Path(__file__).parents[2] / "examples" / "clip.mp4"
PARTICIPANTS = 12
LINES = {
    "rest": ["The train leaves from platform {} at noon.", "I put the {} cups on the table."],
    "stress": [
        "You broke it again, number {}, I am furious!",
        "Stop it, all {} of you, I hate it!",
    ],
}


def cue(number, start, text):
    return f"{number}\n00:00:0{start},000 --> 00:00:0{start + 1},500\n{text}\n\n"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A voice and its subtitles for each participant in each condition, and their table."""
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(PARTICIPANTS):
        who = speaker(rng, female=bool(i % 2))
        for condition, emotion in (("rest", "neutral"), ("stress", "anger")):
            name = f"p{i:02d}_{condition}"
            turns = [voice(emotion, who, rng)[: 2 * RATE] for _ in "12"]
            turns = [np.pad(turn, (0, 2 * RATE - len(turn))) for turn in turns]
            write_wav(folder / f"{name}.wav", np.concatenate(turns))
            said = [line.format(i + 2) for line in LINES[condition]]
            (folder / f"{name}.srt").write_text(cue(1, 0, said[0]) + cue(2, 2, said[1]))
            rows.append({"recording": f"{name}.wav", "participant": f"p{i:02d}"})
            rows[-1] |= {"condition": condition, "session": "1"}
    with open(folder / "design.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def results(recordings, tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    streams = ("--streams", "text,speech")
    main(["predict", str(recordings), *streams, "--format", "json", "--out", f"{out}/"])
    return read_results(out)


def contrast(answer, measure):
    [row] = [c for c in answer.contrasts if c.measure == measure]
    return row


def test_twelve_participants_in_two_conditions(recordings, results, tmp_path):
    answer = study(results, recordings / "design.csv")
    assert answer.counts["participants"] == PARTICIPANTS
    assert answer.counts["observations"] == len(results) == 2 * PARTICIPANTS
    assert answer.missing == ()
    anger = contrast(answer, "p_anger")
    assert (anger.first, anger.second) == ("rest", "stress")
    assert (anger.participants, anger.paired) == (PARTICIPANTS, True)
    assert 0 < anger.low < anger.difference < anger.high  # the words are angry under stress
    rows = list(csv.DictReader(answer.write_csv(tmp_path / "study.csv").open(encoding="utf-8")))
    own = [r for r in rows if r["participant"] == "p03" and r["measure"] == "p_anger"]
    by_hand = {}
    for row in own:
        [timeline] = [t for t in results if t.path.endswith(row["recording"])]
        seconds = [p.end - p.start for p in timeline]
        means = np.average([p.probabilities["anger"] for p in timeline], weights=seconds)
        by_hand[row["condition"]] = means
        assert float(row["value"]) == pytest.approx(means, abs=1e-5)
    differences = [
        float(r["value"]) * (1 if r["condition"] == "stress" else -1)
        for r in rows
        if r["measure"] == "p_anger"
    ]
    assert sum(differences) / PARTICIPANTS == pytest.approx(anger.difference, abs=1e-5)


def test_recordings_that_are_lost_are_named(recordings, results):
    kept = [t for t in results if not t.path.endswith("p05_stress.wav")]
    answer = study(kept, recordings / "design.csv")
    assert [(m.recording, m.reason) for m in answer.missing] == [("p05_stress.wav", "not given")]
    assert contrast(answer, "p_anger").participants == PARTICIPANTS - 1
    assert any("p05 has not every condition" in note for note in answer.notes)


@pytest.fixture
def said():
    """Six seconds of the example clip's synthetic voice."""
    if not CLIP.exists():
        pytest.skip("the example clip is not here")
    return read_audio(CLIP, rate=RATE)[: 6 * RATE]


def write_calls(folder, said, count):
    """Write calls in which an agent speaks, then a caller in the other channel; and their table."""
    silence = np.zeros_like(said)
    calls = folder / "calls"
    calls.mkdir()
    lines = ["recording,participant,condition,channel"]
    for i in range(count):
        loud = said * (0.5 + 0.2 * i)
        left, right = np.concatenate([loud, silence]), np.concatenate([silence, said])
        soundfile.write(calls / f"call{i}.wav", np.stack([left, right], axis=1), RATE)
        lines += [f"call{i}.wav,agent{i},agent,1", f"call{i}.wav,caller{i},caller,2"]
    design = folder / "design.csv"
    design.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return calls, design


BY_CHANNEL = ("--speakers", "channels", "--streams", "speech", "--no-asr")


def test_calls_with_a_person_per_channel(said, tmp_path):
    calls, design = write_calls(tmp_path, said, 3)
    out = tmp_path / "results"
    main(["predict", str(calls), *BY_CHANNEL, "--format", "jsonl", "--out", str(out / "c.jsonl")])
    results = read_results(out)
    answer = study(results, design)
    assert answer.counts["observations"] == 6
    assert answer.missing == ()
    assert {r["participant"] for r in answer.rows} == {f"{w}{i}" for w in WHO for i in range(3)}
    for o in answer.observations:
        [timeline] = [t for t in results if t.path.endswith(o.row.recording)]
        own = [p for p in timeline if p.speaker == f"channel {o.row.channel}"]
        assert o.utterances == len(own) > 0
        first_half = [p.start < len(said) / RATE for p in own]
        assert all(first_half) == (o.row.condition == "agent")
    assert not contrast(answer, "p_anger").paired
    assert any("Nobody has two conditions" in note for note in answer.notes)


WHO = ("agent", "caller")


def test_a_report_of_calls_shows_a_person_per_channel(said, tmp_path, new_page):
    calls, design = write_calls(tmp_path, said, 2)
    out, table = tmp_path / "report.html", tmp_path / "study.csv"
    study_options = ["--design", str(design), "--csv", str(table), "--embed"]
    main(["report", str(calls), *BY_CHANNEL, *study_options, "--out", str(out)])

    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    assert {(r["recording"], r["participant"], r["condition"], r["channel"]) for r in rows} == {
        (f"call{i}.wav", f"{who}{i}", who, str(channel))
        for i in range(2)
        for channel, who in enumerate(WHO, 1)
    }
    page = new_page()
    page.goto(out.as_uri())
    page.wait_for_selector(".stage audio")  # the call is a part of the page
    persons = [
        name.split("\n")[0] for name in page.locator(".decided .track-name").all_inner_texts()
    ]
    assert persons == ["channel 1", "channel 2"]
    places = {}
    for utterance in page.locator(".utterance").all():
        who = utterance.locator(".who").inner_text().strip()
        start = float(utterance.locator(".when").inner_text().split("–")[0])
        places.setdefault(who, []).append(start)
    assert set(places) == {"channel 1:", "channel 2:"}
    assert max(places["channel 1:"]) < len(said) / RATE - 0.5 < min(places["channel 2:"])
    shown = page.locator(".study").inner_text()
    assert "4 participants" in shown
    assert "different people, not paired" in shown
    means = page.locator(".study-table").first.locator("tr")
    for condition in WHO:
        values = [
            float(r["value"])
            for r in rows
            if (r["measure"], r["condition"]) == ("p_anger", condition)
        ]
        own = means.filter(has_text=condition).locator(".figure:nth-last-child(3)")
        assert f"{np.mean(values):.3f}" in own.all_inner_texts()
