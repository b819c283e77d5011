"""The scores of a fused artefact: sums over modalities, and over the steps of each."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from moodal.core.records import RATE, Clip, Frames, Sound
from moodal.core.timeline import Word
from moodal.modalities.modality import Window
from moodal.modalities.speech.observe import ObservedSpeech
from moodal.modalities.text.minilm import tokenizer
from moodal.modalities.text.observe import Text

NOISE = np.random.default_rng(0).normal(0, 0.1, 20 * RATE).astype(np.float32)


@pytest.fixture(scope="module")
def scorer(model):
    return model.scorer


@pytest.fixture(scope="module")
def asked(scorer):
    return scorer.ask(["joy", "relieved"])


def steps(model, modality, item, asked):
    """The parts [T, C] of a branch's logits step by step, and its constants [C]."""
    branch = model.scorer.branches[modality]
    keys, constants = branch.keys(asked.words, asked.vectors)
    states = model.scorer.states(modality, model.encoders[modality].encode(item))
    return states @ keys / len(states), constants


def logits(model, modality, item, asked):
    """A branch's logits [C]: the mean over its states, and the constants."""
    parts, constants = steps(model, modality, item, asked)
    return parts.sum(0) + constants


def summed(division, parts):
    """Sum the parts of steps by what they belong to, and those that belong to nothing."""
    sums = np.zeros((len(division.parts), parts.shape[1]))
    inside = division.places >= 0
    np.add.at(sums, division.places[inside], parts[inside])
    return sums, parts[~inside].sum(0)


def divided(model, observed, parts):
    """Divide an observation as the model's encoder of texts does."""
    return observed.divide(len(parts), model.encoders["text"].places(observed.item))


def test_the_words_of_a_text_have_its_logits(model, asked):
    text = "Well, I didn't expect THAT naïve café answer!"
    (observed,) = Text().observe(Window(text=text))
    parts, constants = steps(model, "text", text, asked)
    words, special = summed(divided(model, observed, parts), parts)
    assert len(words) == len(text.split())
    branch = model.scorer.branches["text"]
    keys, _ = branch.keys(asked.words, asked.vectors)
    pieces = len(tokenizer().encode(text).ids)
    # [CLS] and [SEP], whose numbers the encoder raises by one
    expected = (branch.states(np.array([[102.0], [103.0]])) @ keys).sum(0) / pieces
    assert special == pytest.approx(expected, abs=1e-5)
    whole = logits(model, "text", text, asked)
    assert words.sum(0) + special + constants == pytest.approx(whole, abs=1e-5)


def test_a_word_has_its_own_pieces(model, asked):
    (observed,) = Text().observe(Window(text="joyful day"))
    parts, _ = steps(model, "text", "joyful day", asked)
    words, _ = summed(divided(model, observed, parts), parts)
    ids = tokenizer().encode("joyful", add_special_tokens=False).ids
    keys, _ = model.scorer.branches["text"].keys(asked.words, asked.vectors)
    states = model.scorer.branches["text"].states(np.array(ids)[:, None] + 1.0)
    assert words[0] == pytest.approx((states @ keys).sum(0) / len(parts), abs=1e-5)


def test_timed_words_change_no_logit(model):
    """Times say where a word lies, and nothing else."""
    timed = (Word("I", 1.0, 1.2), Word("won.", 1.3, 1.9))
    (observed,) = Text().observe(Window(text="I won.", words=timed))
    (plain,) = Text().observe(Window(text="I won."))
    assert observed.item == plain.item


def test_any_characters_are_scored(model, asked):
    rng = np.random.default_rng(0)
    for n in rng.integers(1, 7, 300):
        low, high = rng.integers(0, 0x3100, n), rng.integers(0xE000, 0x10FFFF, n)
        text = "".join(map(chr, np.where(rng.random(n) < 0.7, low, high)))
        frames = model.encoders["text"].encode(text)
        if len(frames):
            assert np.isfinite(logits(model, "text", text, asked)).all()


def test_seconds_of_speech_add_up(model, asked):
    samples = NOISE[:40000]
    observed = ObservedSpeech(Sound(samples, (0.0, 2.5)), start=10.0, seconds=2.5)
    parts, constants = steps(model, "speech", observed.item, asked)
    division = divided(model, observed, parts)
    assert [round(p.start, 2) for p in division.parts] == [10.0, 11.0, 12.0]
    assert division.parts[-1].end == pytest.approx(12.5)
    seconds, rest = summed(division, parts)
    assert rest.tolist() == [0.0] * len(asked.words)
    whole = logits(model, "speech", observed.item, asked)
    assert seconds.sum(0) + constants == pytest.approx(whole, abs=1e-5)


def test_speech_longer_than_the_window_is_heard_whole(model, asked):
    def heard(samples):
        return logits(model, "speech", Sound(samples, (0.0, len(samples) / RATE)), asked)

    parts, _ = steps(model, "speech", Sound(NOISE, (0.0, 20.0)), asked)
    assert len(parts) == pytest.approx(20 * 50, abs=3)  # three windows, at 50 states a second
    assert len(ObservedSpeech(Sound(NOISE), seconds=20.0).divide(len(parts)).parts) == 20
    halves = [heard(x) for x in np.array_split(NOISE, 2)]
    assert heard(NOISE) == pytest.approx(np.mean(halves, 0), abs=0.02)


@pytest.mark.parametrize("n", [1, 799, 801])
def test_the_shortest_sound_is_heard(model, asked, n):
    sound = Sound(np.full(n, 0.5, np.float32), (0.0, n / RATE))
    assert np.isfinite(logits(model, "speech", sound, asked)).all()
    division = ObservedSpeech(sound, seconds=n / RATE).divide(3)
    assert division.parts[-1].end <= 0.06


def test_faces_add_up_and_their_number_changes_nothing(model, asked):
    faces = np.random.default_rng(0).integers(0, 256, (70, 48, 48), np.uint8)
    branch = model.scorer.branches["face"]
    keys, constants = branch.keys(asked.words, asked.vectors)
    encoder = model.encoders["face"]
    seen = branch.states(encoder.encode(faces)) @ keys
    one_by_one = np.concatenate([branch.states(encoder.encode(f[None])) for f in faces[:3]]) @ keys
    assert seen[:3] == pytest.approx(one_by_one, abs=1e-4)
    whole = logits(model, "face", faces, asked)
    assert whole == pytest.approx(seen.mean(0) + constants, abs=1e-5)


def test_constants_are_less_the_words_share(scorer):
    asked = scorer.ask(["relieved"])
    branch = scorer.branches["speech"]
    _, constants = branch.keys(asked.words, asked.vectors)
    plain = asked.vectors @ branch.offset
    assert constants[0] == pytest.approx(plain[0] - np.log(branch.learned["anger"]), abs=1e-5)
    typical = np.mean(np.log(list(branch.learned.values())))
    assert constants[-1] == pytest.approx(plain[-1] - typical, abs=1e-5)


@pytest.fixture(scope="module")
def rows(model):
    """Frames of five utterances: with all modalities, some, and none."""
    faces = np.random.default_rng(1).integers(0, 256, (9, 48, 48), np.uint8)
    items = {
        "text": ["I am so happy.", "Leave me alone!", None, None, None],
        "speech": [Sound(NOISE[:9000]), None, Sound(NOISE[:30000]), None, None],
        "face": [faces[:2], faces[2:3], faces[3:], faces[:1], None],
    }
    frames = {}
    for modality, some in items.items():
        encoder = model.encoders[modality]
        nothing = np.zeros((0, encoder.width), np.float32)
        frames[modality] = Frames.from_list(
            [nothing if item is None else encoder.encode(item) for item in some]
        )
    return frames


def test_an_utterance_is_scored_as_if_it_were_alone(model, rows, asked):
    states = model.scorer.prepared(rows)
    many = model.scorer.score(states, asked)
    assert many.sets == ("text+speech+face", "text+face", "speech+face", "face", "")
    for row in range(4):
        own = {m: f.select([row]) for m, f in states.items() if f.lengths[row]}
        alone = model.scorer.score(own, asked)
        assert many.logits[row] == pytest.approx(alone.logits[0], abs=1e-6)
        assert many.probabilities[row] == pytest.approx(alone.probabilities[0], abs=1e-6)
        for modality, share in alone.shares.items():
            assert many.shares[modality][row] == pytest.approx(share[0], abs=1e-6)
    assert not many.decided[4].any()


def test_the_mean_state_has_the_scores_of_all_states(model, rows, asked):
    """Prediction scores every state, to know its part; evaluation their mean."""
    scorer = model.scorer
    pooled = scorer.score(scorer.prepared(rows), asked)
    every = {
        m: Frames.from_list(
            [
                scorer.states(m, x) if len(x) else np.zeros((0, len(scorer.branches[m].map)))
                for x in f
            ]
        )
        for m, f in rows.items()
    }
    scores = scorer.score(every, asked)
    assert scores.probabilities == pytest.approx(pooled.probabilities, abs=1e-5)
    assert scores.logits == pytest.approx(pooled.logits, abs=1e-4)
    assert np.abs(pooled.probabilities[:4] - pooled.probabilities[0]).max() > 0.01


def test_shares_and_bias_are_the_logits(model, rows, asked):
    states = model.scorer.prepared(rows)
    scores = model.scorer.score(states, asked)
    assert scores.logits == pytest.approx(scores.bias + sum(scores.shares.values()), abs=1e-6)
    for modality, frames in states.items():
        absent = frames.lengths == 0
        assert (scores.shares[modality][absent] == 0).all()
        assert (scores.shares[modality][~absent] != 0).any()


def test_scores_of_frames_are_those_of_the_media(model, tmp_path):
    """`Model.scores` of what the encoders give, and `Model.predict` of the recording."""
    import soundfile

    soundfile.write(tmp_path / "a.wav", NOISE[:24000], RATE)
    frames = model.encoders["speech"].encode(Clip(str(tmp_path / "a.wav")))
    scores = model.scores({"speech": Frames.from_list([frames])})
    (answer,) = model.predict(tmp_path / "a.wav", whole=True, asr=False)
    assert list(answer.probabilities.values()) == pytest.approx(scores.probabilities[0], abs=1e-5)


def test_keys_are_computed_once_for_a_question(scorer, asked):
    branch = scorer.branches["speech"]
    keys, constants = branch.keys(asked.words, asked.vectors)
    again = branch.keys(asked.words, asked.vectors.copy())
    assert again[0] is keys
    assert again[1] is constants
    with pytest.raises(ValueError, match="read-only"):
        keys[0, 0] = 1  # what others read
    other = scorer.ask(["joy", "bored"])
    assert not np.array_equal(branch.keys(other.words, other.vectors)[0], keys)
    word = asked.words[0]
    adapted = dataclasses.replace(branch, adapted={word: (np.zeros(len(keys)), 3.0)})
    assert adapted.keys(asked.words, asked.vectors)[1][0] == 3
    assert branch.keys(asked.words, asked.vectors)[0] is keys
