"""adapt: a word learned from few clips, kept in a new artefact."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from moodal import load
from moodal.core.errors import DataError, UsageError
from moodal.core.records import Clip
from moodal.evaluation.metrics import auc
from moodal.modalities.speech.spoken import Spoken
from moodal.model import adapt as adapting
from moodal.model.adapt import Gaussian, adapt, discriminant, known_as
from moodal.model.examples import read_negatives
from moodal.model.rows import RowEncoder
from moodal.model.states import States

H = 32


def drawn(seed, apart=2.0):
    """Mean of a word, and a function that draws n states of a word with a given mean."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(H, H)) / np.sqrt(H) + 0.3 * np.eye(H)
    direction = rng.normal(size=H)
    shift = root @ (apart * direction / np.linalg.norm(direction))
    return shift, lambda mean, n: mean + rng.normal(size=(n, H)) @ root.T, root @ root.T


def areas(clips, seeds=range(12)):
    found = []
    for seed in seeds:
        shift, states, covariance = drawn(seed)
        known = Gaussian(np.zeros(H), covariance, 8.0)
        key, constant = discriminant(states(shift, clips), known, np.zeros(H))
        test = np.concatenate([states(shift, 100), states(np.zeros(H), 300)])
        truth = np.arange(400) < 100
        found.append(float(auc(truth, test @ key + constant)))
    return np.mean(found)


def test_five_clips_are_well_above_chance_and_more_are_better():
    five, twenty = areas(5), areas(20)
    assert five > 0.75
    assert twenty > five
    assert areas(400) == pytest.approx(0.92, abs=0.03)  # Phi(2 / sqrt 2)


def test_of_many_clips_it_is_the_log_of_the_ratio():
    rng = np.random.default_rng(3)
    usual, shift = rng.normal(size=H), rng.normal(size=H) / 4
    known = Gaussian(usual, 0.5 * np.eye(H), 5.0)
    clips = usual + shift + np.sqrt(0.5) * rng.normal(size=(200_000, H))
    key, constant = discriminant(clips, known, np.zeros(H))
    assert key == pytest.approx(2 * shift, abs=0.02)
    there = usual + shift
    assert constant == pytest.approx(-(there @ there - usual @ usual), abs=0.02)


def test_few_clips_stay_near_the_mean_or_the_guess():
    shift, states, covariance = drawn(4)
    clips = states(shift, 2)
    believed = [
        np.linalg.norm(discriminant(clips, Gaussian(np.zeros(H), covariance, c), np.zeros(H))[0])
        for c in (0.1, 10.0, 1000.0)
    ]
    assert believed[0] > 3 * believed[1] > 30 * believed[2]
    guess = np.random.default_rng(0).normal(size=H)
    far = Gaussian(np.zeros(H), covariance, 1e6)
    key = discriminant(clips, far, guess)[0]
    assert key / np.linalg.norm(key) == pytest.approx(guess / np.linalg.norm(guess), abs=1e-3)


def test_one_clip_does_not_make_the_word_likely_everywhere():
    """Averaged over what is usual, p(h | word) / p(h) is 1."""
    for seed in range(5):
        _, states, covariance = drawn(seed)
        known = Gaussian(np.zeros(H), covariance, 4.0)
        usual = states(np.zeros(H), 4000)
        key, constant = discriminant(states(np.zeros(H), 1), known, np.zeros(H))
        assert np.exp(usual @ key + constant).mean() == pytest.approx(1, abs=0.05)


def test_negatives_say_what_is_usual_where_the_clips_come_from():
    """A microphone that shifts all states is not taken for the word."""
    shift, states, covariance = drawn(6)
    known = Gaussian(np.zeros(H), covariance, 4.0)
    room = 3.0 * np.random.default_rng(1).normal(size=H)
    clips, others = states(shift + room, 5), states(room, 20)
    with_them = discriminant(clips, known, np.zeros(H), others)
    without = discriminant(clips, known, np.zeros(H))
    usual = states(room, 500)
    assert (usual @ with_them[0] + with_them[1]).mean() < 0
    assert (usual @ without[0] + without[1]).mean() > 0


def tones(folder, frequency, n, seed=0):
    """Sounds that the made-up speech branch tells apart by their pitch."""
    import soundfile

    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    paths = []
    for i in range(n):
        at = np.arange(8000) / 16000
        tone = 0.4 * np.sin(2 * np.pi * frequency * rng.uniform(0.97, 1.03) * at)
        paths.append(folder / f"{frequency}-{i}.wav")
        soundfile.write(paths[-1], tone + rng.normal(0, 0.02, 8000), 16000)
    return paths


@pytest.fixture(scope="module")
def centred(tiny, tmp_path_factory):
    """A small artefact whose speech branch knows how tones scatter."""
    folder = tmp_path_factory.mktemp("centred")
    base = load(tiny.write_tiny(folder / "base"), threads=1)
    branch, frames = base.scorer.branches["speech"], RowEncoder("speech", Spoken())
    encoder = States.of(base.artefact, branch, frames)
    sounds = [p for f in (200, 500, 1200, 2500) for p in tones(folder / "t", f, 4)]
    states = np.concatenate([encoder.encode(Clip(str(p))) for p in sounds]).astype(np.float64)
    within = states - np.repeat(states.reshape(4, 4, -1).mean(1), 4, 0)
    weights = base.artefact.weights()
    weights["speech.mean"] = states.mean(0).astype(np.float32)
    weights["speech.covariance"] = (within.T @ within / 12 + 1e-3 * np.eye(8)).astype(np.float32)
    made = adapting.write_adapted(
        base.artefact, folder / "made", base.info, weights, base.artefact.vectors(), ""
    )
    return load(made, threads=1)


def told(model, paths, word, **options):
    return np.array(
        [
            model.predict(p, emotions=[word], whole=True, asr=False, **options)[0].shares["speech"][
                word
            ]
            for p in paths
        ]
    )


@pytest.fixture(scope="module")
def adapted(centred, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapted")
    made = adapt(centred, "Relieved", tones(folder / "c", 500, 5, 1), folder / "made")
    return load(made, threads=1)


def test_a_word_is_known_by_its_clips(adapted, centred, tmp_path):
    right, wrong = tones(tmp_path, 500, 6, 2), tones(tmp_path, 1200, 6, 2)
    of_word, of_others = told(adapted, right, "relieved"), told(adapted, wrong, "relieved")
    assert of_word.min() > max(0, of_others.max())
    answer = adapted.predict(right[0], emotions=["relieved"], whole=True, asr=False)[0]
    assert answer.sources == {"relieved": {"speech": "adapted"}}
    parts = sum(m.shares["relieved"] for m in answer.moments) + answer.rest["speech"]["relieved"]
    assert parts == pytest.approx(answer.shares["speech"]["relieved"], abs=1e-5)
    before = centred.predict(right[0], whole=True, asr=False)[0].probabilities
    after = adapted.predict(right[0], whole=True, asr=False)[0].probabilities
    assert dict(after) == pytest.approx(dict(before))


def test_the_new_artefact_says_what_it_is(adapted, centred):
    info = adapted.info
    assert info.digest != centred.info.digest
    assert info.data.adapted == {"relieved": {"speech": 5}}
    assert adapted.artefact.fused.branches["speech"].adapted == ("relieved",)
    assert "relieved" in adapted.artefact.fused.words
    card = adapted.artefact.file("README.md").read_text()
    assert "## Adapted: relieved" in card
    assert "# Tiny" in card
    for name in ("text.onnx", "speech.onnx"):
        assert info.files[name] == centred.info.files[name]


def test_a_second_word_and_the_same_again(adapted, tmp_path):
    second = load(adapt(adapted, "bored", tones(tmp_path / "b", 1200, 4), tmp_path / "two"))
    assert list(second.scorer.branches["speech"].adapted) == ["relieved", "bored"]
    low, high = tones(tmp_path / "t", 500, 3, 5), tones(tmp_path / "t", 1200, 3, 5)
    assert told(second, high, "bored").min() > told(second, low, "bored").max()
    assert told(second, low, "relieved") == pytest.approx(told(adapted, low, "relieved"), abs=1e-5)
    again = load(adapt(second, "relieved", high, tmp_path / "three"))
    assert list(again.scorer.branches["speech"].adapted) == ["relieved", "bored"]
    assert again.info.data.adapted == {
        "relieved": {"speech": 3},
        "bored": {"speech": 4},
    }
    assert told(again, high, "relieved").min() > told(again, low, "relieved").max()


def test_texts_pictures_and_tables_are_clips_too(model, tmp_path):
    from PIL import Image

    from moodal.lookalikes.face import draw_face

    Image.fromarray(draw_face(48)).save(tmp_path / "face.png")
    (tmp_path / "said.txt").write_text("Phew, that was close.\n\nAt last it is over.\n")
    (tmp_path / "said.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nThank god.\n")
    rows = [
        {"id": "1", "text": "What a relief.", "label": "Relieved", "face": ""},
        {"id": "2", "text": "I hate it.", "label": "anger", "face": "face.png"},
    ]
    with open(tmp_path / "t.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    clips = [tmp_path / n for n in ("face.png", "said.txt", "said.srt", "t.csv")]
    made = load(adapt(model, "relieved", clips, tmp_path / "made"))
    assert made.info.data.adapted == {"relieved": {"text": 4, "face": 1}}
    assert made.predict(text="Phew.", emotions=["relieved"])[0].sources == {
        "relieved": {"text": "adapted"}
    }


def test_known_words_are_not_overridden_unasked(model, tmp_path):
    (tmp_path / "a.txt").write_text("Thank you so much.\n")
    clips = [tmp_path / "a.txt"]
    for word in ("anger", "Joy", "happiness"):
        with pytest.raises(UsageError, match="basic"):
            adapt(model, word, clips, tmp_path / "out")
    with pytest.raises(UsageError, match="learned from text"):
        adapt(model, "gratitude", clips, tmp_path / "out")
    sound = tones(tmp_path / "s", 500, 2)
    made = load(adapt(model, "gratitude", [*clips, *sound], tmp_path / "out"))
    assert made.info.data.adapted == {"gratitude": {"speech": 2}}
    made = load(adapt(model, "joy", clips, tmp_path / "out", replace=True))
    answer = made.predict(text="Thank you.")[0]
    assert answer.sources["happiness"] == {"text": "adapted"}
    assert sum(answer.probabilities.values()) == pytest.approx(1)


def test_what_cannot_be_read_is_refused_only_where_nothing_is_left(model, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF, but no sound")
    with pytest.raises(DataError, match="No clip"):
        adapt(model, "relieved", [tmp_path / "bad.wav"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    good = tones(tmp_path / "s", 500, 1)
    adapt(model, "relieved", [tmp_path / "bad.wav", *good], tmp_path / "out")
    with pytest.raises(UsageError, match="choose another"):
        adapt(model, "relieved", good, model.artefact.folder)


def test_an_artefact_without_background_cannot_be_adapted(tiny, tmp_path):
    base = load(tiny.write_tiny(tmp_path / "base"))
    weights = {k: v for k, v in base.artefact.weights().items() if k != "speech.covariance"}
    made = adapting.write_adapted(
        base.artefact, tmp_path / "less", base.info, weights, base.artefact.vectors(), ""
    )
    with pytest.raises(DataError, match="compose"):
        adapt(load(made), "relieved", tones(tmp_path / "s", 500, 1), tmp_path / "out")


def test_the_words_own_rows_are_no_negatives(tmp_path):
    rows = ["text,label", "I am so relieved,Relieved", "go away,anger", "rain,"]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    (tmp_path / "n.txt").write_text("nothing\nmuch\n")
    failed: list[str] = []
    found = read_negatives([tmp_path / "t.csv", tmp_path / "n.txt"], "relieved", failed)
    assert sorted(x["text"] for x in found) == ["go away", "much", "nothing", "rain"]
    assert failed == []


def test_a_synonym_is_known_as_its_basic_emotion_where_that_is_replaced(model):
    assert known_as(model, "  Happy ", replace=True) == "happiness"
    assert known_as(model, "Relieved  At Last") == "relieved at last"
    with pytest.raises(UsageError, match="basic"):
        known_as(model, "happy")


@pytest.mark.parametrize("forged", [np.zeros((8, 8)), -np.eye(8), np.triu(np.ones((8, 8)))])
def test_moments_that_are_no_covariance_are_refused(tiny, tmp_path, forged):
    base = load(tiny.write_tiny(tmp_path / "base"), threads=1).artefact
    weights = {**base.weights(), "speech.covariance": forged.astype(np.float32)}
    made = adapting.write_adapted(base, tmp_path / "forged", base.info, weights, base.vectors(), "")
    with pytest.raises(DataError, match=r"speech\.covariance is no covariance"):
        adapt(load(made, threads=1), "relieved", tones(tmp_path / "s", 500, 1), tmp_path / "out")
    assert not (tmp_path / "out").exists()
