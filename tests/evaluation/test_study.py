"""A study: designs, observations, means of participants first, contrasts and what is missing."""

from __future__ import annotations

import csv
import dataclasses
import io

import numpy as np
import pytest

from moodal.core.dimensions import ANSWER, Dimensions
from moodal.core.emotions import Value
from moodal.core.errors import DataError
from moodal.core.timeline import Prediction, Timeline
from moodal.evaluation.design import Design, DesignRow, read_design
from moodal.evaluation.study import COLUMNS, study
from moodal.evaluation.study_observations import observe

EMOTIONS = ("anger", "neutral")


def utterance(anger, start=0.0, end=1.0, **more):
    probabilities = {"anger": anger, "neutral": 1 - anger}
    fields = {"decided": ("anger",) if anger > 0.6 else (), "start": start, "end": end}
    return Prediction("x", probabilities, **fields | more)


def recording(path, *predictions, **more):
    return Timeline(path, tuple(predictions), EMOTIONS, **more)


def table(tmp_path, text, name="design.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def paired(differences, base=0.2):
    """Recordings of participants in two conditions that differ by so much in anger."""
    rows, timelines = [], []
    for i, difference in enumerate(differences):
        for condition, anger in (("rest", base), ("stress", base + difference)):
            name = f"data/p{i}_{condition}.wav"
            rows.append(DesignRow(f"p{i}_{condition}.wav", f"p{i}", condition))
            timelines.append(recording(name, utterance(anger)))
    return timelines, Design(tuple(rows))


def figure(study_, kind, measure, **keys):
    rows = [
        r
        for r in study_.to_dict()[kind]
        if r["measure"] == measure and all(r[k] == v for k, v in keys.items())
    ]
    [row] = rows
    return row


def test_a_contrast_is_the_mean_difference_within_participants():
    differences = [0.1, 0.2, 0.3, 0.2]
    timelines, design = paired(differences)
    answer = study(timelines, design)
    row = figure(answer, "contrasts", "p_anger")
    assert (row["first"], row["second"], row["participants"]) == ("rest", "stress", 4)
    assert row["difference"] == pytest.approx(np.mean(differences))
    assert row["paired"]
    assert 0.1 < row["low"] < row["difference"] < row["high"] < 0.3
    mean = figure(answer, "conditions", "p_anger", condition="stress")
    assert mean["mean"] == pytest.approx(0.2 + np.mean(differences))


def test_the_interval_is_the_percentile_bootstrap_of_participants():
    differences = np.array([0.1, 0.2, 0.4, 0.05, 0.3])
    timelines, design = paired(differences)
    row = figure(study(timelines, design, draws=4000), "contrasts", "p_anger")
    rng = np.random.default_rng(7)
    means = differences[rng.integers(0, 5, (4000, 5))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    assert row["low"] == pytest.approx(low, abs=0.015)
    assert row["high"] == pytest.approx(high, abs=0.015)


def test_a_participant_with_many_recordings_counts_once():
    rows = [DesignRow(f"a{i}", "a") for i in range(9)] + [DesignRow("b", "b")]
    timelines = [recording(f"a{i}", utterance(0.0)) for i in range(9)]
    timelines.append(recording("b", utterance(1.0)))
    answer = study(timelines, Design(tuple(rows)))
    assert figure(answer, "conditions", "p_anger")["mean"] == pytest.approx(0.5)
    assert figure(answer, "conditions", "p_anger")["participants"] == 2


def test_means_are_weighted_by_time():
    timeline = recording("a", utterance(0.9, 0, 3), utterance(0.1, 3, 4))
    design = Design((DesignRow("a", "a"),))
    [observation], _ = observe(design, [timeline], {"a": 0})
    assert observation.values["p_anger"] == pytest.approx(0.7)
    assert observation.values["time_anger"] == pytest.approx(0.75)
    assert observation.values["undecided"] == pytest.approx(0.25)
    assert observation.seconds == 4


def test_recordings_of_a_participant_are_weighted_by_time():
    long, short = recording("a", utterance(0.9, 0, 3)), recording("b", utterance(0.1, 0, 1))
    text = recording("c", utterance(0.5, None, None))
    rows = (DesignRow("a", "p"), DesignRow("b", "p"))
    [mean] = [c for c in study([long, short], Design(rows)).conditions if c.measure == "p_anger"]
    assert mean.mean == pytest.approx(0.7)
    several = Design((*rows, DesignRow("c", "p")))  # without times all weigh the same
    [mean] = [c for c in study([long, short, text], several).conditions if c.measure == "p_anger"]
    assert mean.mean == pytest.approx(0.5)


def test_texts_without_times_weigh_the_same():
    texts = [utterance(0.9, None, None), utterance(0.1, None, None)]
    [observation], _ = observe(Design((DesignRow("a", "a"),)), [recording("a", *texts)], {"a": 0})
    assert observation.values["p_anger"] == pytest.approx(0.5)
    assert observation.seconds is None


def test_slices_stand_for_their_utterance():
    slices = (utterance(0.8, 0, 1), utterance(0.2, 1, 2))
    timeline = recording("a", utterance(0.0, 0, 2, slices=slices))
    [observation], _ = observe(Design((DesignRow("a", "a"),)), [timeline], {"a": 0})
    assert observation.values["p_anger"] == pytest.approx(0.5)
    assert observation.utterances == 1


def test_channels_of_a_call_are_persons():
    call = recording(
        "calls/c1.wav",
        utterance(0.9, speaker="channel 1", person="channel 1"),
        utterance(0.1, speaker="channel 2", person="channel 2"),
        utterance(0.3, speaker="channel 2", person="channel 2"),
    )
    rows = (DesignRow("c1", "agent", channel="1"), DesignRow("c1", "caller", channel="channel 2"))
    answer = study([call], Design(rows))
    means = {r["participant"]: r["value"] for r in answer.rows if r["measure"] == "p_anger"}
    assert means == pytest.approx({"agent": 0.9, "caller": 0.2})


def test_a_channel_that_nobody_speaks_in_is_missing():
    call = recording("c1.wav", utterance(0.9, speaker="ANNA"))
    rows = (DesignRow("c1", "a", channel="ANNA"), DesignRow("c1", "b", channel="BEN"))
    answer = study([call], Design(rows))
    assert [(m.recording, m.reason) for m in answer.missing] == [("c1, BEN", "no such channel")]


def test_persons_without_channels_are_taken_together_and_that_is_said():
    call = recording("c1.wav", utterance(0.9, person="ANNA"), utterance(0.1, person="BEN"))
    answer = study([call], Design((DesignRow("c1", "a"),)))
    assert any("taken together in c1.wav" in note for note in answer.notes)


def test_missing_recordings_are_counted_and_named():
    timelines, design = paired([0.1, 0.2, 0.3])
    silent = recording("silent.wav")
    rows = (*design.rows, DesignRow("silent.wav", "p9", "rest"))
    given = [*timelines[1:], silent, recording("other.wav", utterance(0.5))]
    answer = study(given, Design(rows))
    assert [(m.recording, m.reason, m.participant) for m in answer.missing] == [
        ("p0_rest.wav", "not given", "p0"),
        ("silent.wav", "nothing to judge", "p9"),
        ("other.wav", "not in the design", ""),
    ]
    assert answer.counts["missing"] == 3
    assert answer.counts["participants"] == 3
    assert answer.counts["participants_without"] == 1


def test_who_lacks_a_condition_counts_in_the_means_and_is_named():
    timelines, design = paired([0.1, 0.2, 0.3])
    answer = study(timelines[1:], design)
    assert figure(answer, "contrasts", "p_anger")["participants"] == 2
    assert figure(answer, "conditions", "p_anger", condition="stress")["participants"] == 3
    assert answer.counts["incomplete"] == 1
    assert any(note.startswith("p0 has not every condition") for note in answer.notes)


def test_groups_of_different_participants_are_not_paired():
    rows = [DesignRow(f"r{i}", f"p{i}", "ab"[i % 2]) for i in range(12)]
    timelines = [recording(f"r{i}", utterance(0.2 + 0.3 * (i % 2) + 0.01 * i)) for i in range(12)]
    row = figure(study(timelines, Design(tuple(rows))), "contrasts", "p_anger")
    assert not row["paired"]
    assert row["participants"] == 12
    assert row["difference"] == pytest.approx(0.31)
    assert row["low"] < 0.31 < row["high"]


def test_one_participant_has_no_interval():
    timelines, design = paired([0.1])
    answer = study(timelines, design)
    row = figure(answer, "contrasts", "p_anger")
    assert (row["low"], row["high"]) == (None, None)
    assert row["difference"] == pytest.approx(0.1)
    assert answer.notes[0].startswith("Only 1 participant")


def test_dimensions_on_two_scales_are_two_measures():
    learned, mapped = Dimensions(0.5, 0, 0, "learned"), Dimensions(-0.5, 0, 0, "mapped")
    timeline = recording(
        "a",
        utterance(0.5, dimensions={"text": learned}),
        utterance(0.5, dimensions={"text": learned, ANSWER: mapped}),
    )
    answer = study([timeline], Design((DesignRow("a", "a"),)))
    values = {r["measure"]: r["value"] for r in answer.rows}
    assert values["valence_learned"] == 0.5
    assert values["valence_mapped"] == -0.5


def test_values_are_measured_in_their_range():
    p = Prediction("x", {}, values={"trust": 3.0}, start=0, end=1)
    timeline = Timeline("a", (p,), (), values=(Value("trust", 0, 4),))
    answer = study([timeline], Design((DesignRow("a", "a"),)))
    [measure] = answer.measures
    assert (measure.name, measure.low, measure.high) == ("value_trust", 0, 4)
    assert answer.rows[0]["value"] == 3


def test_the_long_table_reads_back(tmp_path):
    timelines, design = paired([0.1, 0.2])
    answer = study(timelines, design)
    path = answer.write_csv(tmp_path / "study.csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 4 * len(answer.measures) == len(answer.rows)
    assert float(rows[0]["value"]) == answer.rows[0]["value"]


def test_names_that_are_formulas_are_harmless():
    timelines = [recording("a", utterance(0.5))]
    answer = study(timelines, Design((DesignRow("a", "=cmd()"),)))
    assert ",'=cmd()," in answer.to_csv()


def test_the_seed_decides():
    timelines, design = paired([0.1, 0.2, 0.4, 0.3])
    assert study(timelines, design).to_dict() == study(timelines, design).to_dict()
    assert study(timelines, design, seed=1).contrasts != study(timelines, design).contrasts


def test_recordings_of_different_questions_are_refused():
    first = recording("a", utterance(0.5))
    other = dataclasses.replace(first, path="b", emotions=("joy",))
    design = Design((DesignRow("a", "a"), DesignRow("b", "b")))
    with pytest.raises(DataError, match="different emotions"):
        study([first, other], design)
    other = dataclasses.replace(first, path="b", prior="talk")
    with pytest.raises(DataError, match="different priors"):
        study([first, other], design)


def test_a_study_of_other_recordings_is_refused():
    with pytest.raises(DataError, match="None of the 1 recordings"):
        study([recording("b", utterance(0.5))], Design((DesignRow("a", "a"),)))


def test_a_table_is_read_with_the_columns_it_has(tmp_path):
    design = read_design(
        table(
            tmp_path, "recording;Participant;condition;age\nx.wav;p1;rest;31\ny.wav;p1;stress;31\n"
        )
    )
    assert design.rows[1] == DesignRow("y.wav", "p1", "stress")
    assert design.conditions == ("rest", "stress")
    alone = read_design(table(tmp_path, "recording\nx.wav\ny.wav\n"))
    assert alone.participants == ("x.wav", "y.wav")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("file,participant\na,b\n", "no column recording"),
        ("recording,participant\na,p\na,q\n", "two rows of 'a'"),
        ("recording,participant,channel\na,p,1\na,q,1\n", "two rows of 'a, channel 1'"),
        ("recording,participant,channel\na,p,\na,q,1\n", "a row of all of 'a'"),
        ("recording,participant\na,\n", "row 1 has no participant"),
        ("recording,participant,condition\na,p,x\nb,p,\n", "row 2 has no condition"),
        ("recording\n", "no rows"),
    ],
)
def test_a_wrong_table_is_one_sentence(tmp_path, text, problem):
    with pytest.raises(DataError, match=problem) as error:
        read_design(table(tmp_path, text))
    assert "design.csv" in str(error.value)


def test_recordings_are_found_by_path_end_and_stem():
    paths = ["a/p1.wav", "b/p1.wav", "b/p2.mp4", "p3.wav"]
    names = ("a/p1.wav", "b/p1", "p2", "./p3.wav", "b\\none.wav")
    design = Design(tuple(DesignRow(n, n) for n in names))
    assert design.match(paths) == {"a/p1.wav": 0, "b/p1": 1, "p2": 2, "./p3.wav": 3}


def test_a_name_that_may_be_two_recordings_is_refused():
    with pytest.raises(DataError, match=r"may be 'a/p1\.wav' and 'b/p1\.wav'"):
        Design((DesignRow("p1", "p"),)).match(["a/p1.wav", "b/p1.wav"])
    both = Design((DesignRow("p1", "p"), DesignRow("a/p1.wav", "q")))
    with pytest.raises(DataError, match=r"both 'a/p1\.wav'"):
        both.match(["a/p1.wav"])
