"""Leaks that equal ids do not show, each in a corpus made for it and absent from a clean one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.acoustics import Acoustics
from moodal.core.emotions import EmotionSpace, Values
from moodal.core.manifest import Manifest, Ratings
from moodal.core.records import Clip, Frames, Utterance, media_of
from moodal.evaluation.protocols.audit import audit
from moodal.evaluation.protocols.leaks import _overlapping
from moodal.evaluation.protocols.near_texts import ComparedTexts, near_pairs, normalised
from moodal.features.acoustics import measured

N = 60
TRAIN, TEST = np.arange(40), np.arange(40, N)


def corpus(*, texts=None, clips=None, ids=None, features=None, space=None, labels=None):
    rng = np.random.default_rng(0)
    utterances = tuple(
        Utterance(
            ids[i] if ids else f"u{i}",
            media=media_of(text=texts[i] if texts else None, speech=clips[i] if clips else None),
        )
        for i in range(N)
    )
    space = space or EmotionSpace(["anger", "joy"])
    if labels is None:
        labels = np.eye(2)[rng.integers(0, 2, N)]
    frames = features if features is not None else rng.normal(size=(N, 3, 4))
    return Manifest(
        corpus="made up",
        space=space,
        utterances=utterances,
        labels=np.asarray(labels, np.float32),
        features={"speech": Frames.from_list([np.asarray(f, np.float32) for f in frames])},
    )


def found(manifest, streams=("text", "speech")):
    findings = audit(manifest, TRAIN, [], TEST, streams)
    return {f.what: f for f in findings}


def test_a_clean_corpus_has_no_leak():
    rng = np.random.default_rng(1)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    texts = [" ".join("".join(rng.choice(letters, 6)) for _ in range(8)) for _ in range(N)]
    clips = [Clip(f"{i}.wav", 0.0, 1.0) for i in range(N)]
    assert set(found(corpus(texts=texts, clips=clips))) == {"unknown speakers"}


def test_clips_of_one_recording_and_clips_that_overlap():
    clips = [Clip(f"{i}.wav", 0.0, 1.0) for i in range(N)]
    clips[45], clips[46] = Clip("3.wav", 1.0, 2.0), Clip("4.wav", 0.9, 1.6)
    findings = found(corpus(clips=clips))
    shared = findings["recordings"]
    assert (shared.level, shared.count, shared.share) == ("warning", 2, 0.1)
    over = findings["overlapping clips"]
    assert (over.level, over.count, over.examples) == ("error", 1, ("u46",))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=8),
)
def test_overlaps_are_those_of_all_pairs(first, second):
    a = [(float(s), float(s + d), i) for i, (s, d) in enumerate(first)]
    b = [(float(s), float(s + d), i) for i, (s, d) in enumerate(second)]
    pairs = {row for s, e, row in b if any(s < other and start < e for start, other, _ in a)}
    assert _overlapping(a, b) == pairs


def test_texts_that_are_nearly_equal():
    rng = np.random.default_rng(2)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    texts = [" ".join("".join(rng.choice(letters, 6)) for _ in range(8)) for _ in range(N)]
    texts[3] = "I would never have said that to anybody in this house!"
    texts[50] = "i would never have said that to anybody in that house"
    finding = found(corpus(texts=texts))["similar texts"]
    assert (finding.level, finding.count) == ("warning", 1)
    assert finding.examples == (f"{normalised(texts[3])} / {normalised(texts[50])}",)
    assert found(corpus(texts=texts), streams=("speech",))["similar texts"].level == "note"


def near(first, second):
    return near_pairs(ComparedTexts.of(first), ComparedTexts.of(second))


def test_near_pairs_find_what_a_search_of_all_pairs_finds():
    rng = np.random.default_rng(3)
    letters = np.array(list("abcdefghij "))
    base = ["".join(rng.choice(letters, 60)) for _ in range(60)]
    changed = [
        text[:k] + "x" + text[k + 1 :]
        for text, k in zip(base, rng.integers(0, 60, 60), strict=True)
    ]
    assert near(base, changed) == {i: i for i in range(60)}
    assert near(base, base) == {}  # equal ones are another finding
    assert near(["short text"], ["short texts"]) == {}


def test_a_column_that_is_the_label():
    rng = np.random.default_rng(4)
    labels = np.eye(2)[rng.integers(0, 2, N)]
    frames = rng.normal(size=(N, 3, 4))
    frames[:, :, 2] = 10 * labels[:, :1]
    finding = found(corpus(features=frames, labels=labels))["speech features that hold the label"]
    assert (finding.level, finding.examples) == ("error", ("column 2",))
    assert "hold joy" in finding.detail or "hold anger" in finding.detail
    # of a stream that the system does not read it is no matter
    assert not any(
        "hold" in what for what in found(corpus(features=frames, labels=labels), streams=("text",))
    )


def test_a_column_that_is_the_value():
    rng = np.random.default_rng(5)
    labels = rng.uniform(-1, 1, (N, 1))
    frames = rng.normal(size=(N, 3, 4))
    frames[:, :, 1] = -3 * labels + 0.01 * rng.normal(size=(N, 3))
    manifest = corpus(features=frames, labels=labels, space=Values(["valence"]))
    finding = found(manifest)["speech features that hold the label"]
    assert "correlation of 1.000" in finding.detail or "correlation of 0.999" in finding.detail


def test_a_column_that_is_a_value_next_to_emotions():
    rng = np.random.default_rng(6)
    numbers = rng.uniform(-1, 1, (N, 1)).astype(np.float32)
    frames = rng.normal(size=(N, 3, 4))
    frames[:, :, 3] = numbers
    manifest = corpus(features=frames)
    what = "speech features that hold the label"
    assert what not in found(manifest)
    rated = dataclasses.replace(manifest, ratings=Ratings(Values(["valence"]), numbers))
    finding = found(rated)[what]
    assert (finding.level, finding.examples) == ("error", ("column 3",))
    assert "hold valence" in finding.detail


@pytest.mark.parametrize(("liars", "level"), [(0, "warning"), (5, "note")])
def test_texts_that_say_their_label(liars, level):
    labels = np.zeros((N, 2))
    labels[:, 1] = 1
    labels[44:49, 0], labels[44:49, 1] = 1, 0
    texts = [f"nothing to see {i}" for i in range(N)]
    for i in range(44, 49):
        texts[i] = f"I feel anger {i}."
    for i in range(50, 50 + liars):
        texts[i] = f"Anger is what you feel {i}"
    finding = found(corpus(texts=texts, labels=labels))["label words"]
    assert (finding.level, finding.count, finding.share) == (level, 5, 0.25)
    assert "label words" not in found(corpus(texts=texts, labels=labels), streams=("speech",))


@pytest.mark.parametrize(
    "name",
    ["03-01-05-01-02-01-{:02}", "10{:02}_DFA_ANG_XX", "data/actor_{:02}/a"],
)
def test_speakers_whom_names_tell(name):
    ids = [f"{name.format(i % 7)}#{i}" for i in range(N)]
    finding = found(corpus(ids=ids))["named speakers"]
    assert (finding.level, finding.count, finding.share) == ("warning", 7, 1.0)
    assert "Give a column speaker" in finding.detail


def acoustics_of(sounds):
    return Acoustics.of([measured(np.asarray(sound, np.float32))[None] for sound in sounds])


def bursts(seed, size=12000):
    """Bursts of tones at random times."""
    rng = np.random.default_rng(seed)
    t = np.arange(size) / 16000
    at, wide = rng.uniform(0.1, 0.6, 9), rng.uniform(0.03, 0.1, 9)
    pitch = rng.uniform(200, 3000, 9)
    return (np.exp(-(((t[:, None] - at) / wide) ** 2)) * np.sin(6.28 * pitch * t[:, None])).sum(1)


def test_sounds_that_are_copies():
    sounds = [bursts(seed) for seed in range(N)]
    clean = dataclasses.replace(corpus(), acoustics=acoustics_of(sounds))
    assert "near sounds" not in found(clean)
    sounds[45] = np.pad(0.1 * sounds[7], (3000, 1000))
    sounds[50] = np.zeros(100)
    sounds[3] = np.zeros(100)  # two that are silent are no copies
    leaky = dataclasses.replace(clean, acoustics=acoustics_of(sounds))
    finding = found(leaky)["near sounds"]
    assert (finding.level, finding.count, finding.examples) == ("warning", 1, ("u7 / u45",))
    assert finding.share == pytest.approx(1 / 20)
    assert found(leaky, streams=("text",))["near sounds"].level == "note"
