"""Dimensions and intensity in answers: what heads read, what is mapped, and what stands for all."""

import json
import re

import numpy as np
import pytest

import moodal
from moodal.core.dimensions import ANSWER, DIMENSIONS
from moodal.core.errors import DataError, UsageError
from moodal.core.records import RATE
from moodal.model import artefact
from moodal.model.branches import LAYERS, Branch, session
from moodal.model.coordinates import mapped
from moodal.model.heads import outputs

NOISE = np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32)


@pytest.fixture(scope="module")
def headed(tiny, tmp_path_factory):
    """The folder of the small fused artefact with heads."""
    folder = tiny.write_tiny(tmp_path_factory.mktemp("headed") / "artefact")
    return tiny.add_heads(folder)


@pytest.fixture(scope="module")
def answering(headed):
    return moodal.load(headed, threads=1)


def test_the_words_dimensions_are_those_of_the_head(answering):
    [utterance] = answering.predict(text="What a lovely day")
    branch = answering.scorer.branches["text"]
    states = branch.states(answering.encoders["text"].encode("What a lovely day"))
    tensors = answering.artefact.tensors("dimensions.safetensors")
    expected = outputs({k: v.astype(float) for k, v in tensors.items()}, states.mean(0))
    assert utterance.dimensions["text"].numbers == pytest.approx(np.clip(expected, -1, 1))
    assert utterance.dimensions["text"].known == "learned"
    assert utterance.headline == "text"
    assert not utterance.intensity


def test_a_voice_is_mapped_and_has_an_intensity(answering):
    [utterance] = answering.predict(NOISE, rate=RATE, whole=True)
    assert utterance.dimensions["speech"] == mapped(utterance.probabilities)
    assert 0 < utterance.intensity["speech"] < 1
    assert utterance.headline == "speech"


def test_the_fused_answer_stands_for_several_modalities(answering):
    [utterance] = answering.predict(NOISE, rate=RATE, text="What a lovely day", whole=True)
    assert utterance.streams == ("text", "speech")
    assert utterance.dimensions["text"].known == "learned"
    assert utterance.dimensions[ANSWER] == mapped(utterance.probabilities)
    assert utterance.headline == ANSWER


def test_other_words_change_no_dimension(answering):
    for given in (
        {"text": "What a lovely day"},
        {"text": "Well", "source": NOISE, "rate": RATE, "whole": True},
    ):
        [plain] = answering.predict(**given)
        [asked] = answering.predict(**given, emotions=["gratitude", "boredom"])
        assert asked.dimensions.keys() == plain.dimensions.keys()
        for name, row in plain.dimensions.items():
            assert asked.dimensions[name].numbers == pytest.approx(row.numbers, abs=1e-6)
        assert asked.intensity == plain.intensity


def test_an_artefact_without_heads_maps(model):
    [utterance] = model.predict(text="What a lovely day")
    assert utterance.dimensions == {"text": mapped(utterance.probabilities)}
    assert not utterance.intensity


def test_a_dimension_is_no_emotion(model):
    with pytest.raises(UsageError, match="valence is a dimension, no emotion: every answer has it"):
        model.predict(text="Well", emotions="joy, Valence")


def test_a_head_is_read_in_windows(headed, answering):
    info = answering.artefact.fused.branches["speech"]
    branch: Branch = answering.scorer.branches["speech"]
    frames = np.random.default_rng(1).normal(0, 0.1, (RATE * 9, 1)).astype(np.float32)
    states, features = branch.features(frames)
    np.testing.assert_array_equal(states, features)  # its graph has no layers
    names = [x.name for x in session(str(headed / info.graph)).get_outputs()]
    assert LAYERS not in names
    assert len(branch.features(frames[:0])[0]) == 0


def test_the_states_of_a_long_sound_are_joined_by_the_second(answering, monkeypatch):
    branch: Branch = answering.scorer.branches["speech"]
    frames = np.random.default_rng(1).normal(0, 0.1, (RATE * 31, 1)).astype(np.float32)
    states = branch.states(frames)
    monkeypatch.setattr("moodal.model.branches.MANY", 3)
    joined = branch.states(frames)
    assert len(joined) == 32 < len(states)  # four windows of eight
    np.testing.assert_allclose(joined.mean(0), states.mean(0), atol=1e-5)
    # each stands for its own second
    thirds = [part.mean(0) for part in np.array_split(states, 4)]
    np.testing.assert_allclose(
        [part.mean(0) for part in np.array_split(joined, 4)], thirds, rtol=0.02, atol=0.01
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("offset"), "the tensor offset is missing"),
        (lambda t: t.update(more=np.zeros(3)), "a head has no tensor more"),
        (lambda t: t.update(out=np.zeros((5, 2))), r"the tensor out is \[5, 2\]; \[5, 3\] is"),
        (lambda t: t.update(deviation=np.zeros(8)), "the tensor deviation must be above 0"),
    ],
)
def test_a_damaged_head_is_named(headed, tmp_path, change, message):
    from safetensors.numpy import save

    old = artefact.read(headed)
    tensors = old.tensors("dimensions.safetensors")
    change(tensors)
    files = {n: old.file(n).read_bytes() for n in old.info.files if not n.endswith(".md")}
    for name in (artefact.WEIGHTS, artefact.VECTORS):
        files.pop(name)
    files["dimensions.safetensors"] = save(tensors)
    folder = tmp_path / "damaged"
    artefact.write(folder, old.info, old.weights(), old.vectors(), "", files)
    with pytest.raises(DataError, match=message):
        moodal.load(folder)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("dimensions", "text", "file"), "other.safetensors", "which files does not list"),
        (("dimensions", "text", "values", 0, "name"), "joy", "values must be valence, arousal"),
        (("intensity", "speech", "values", 0, "high"), 0.0, "from a lower to a higher number"),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(headed, tmp_path, path, value, message):
    from moodal.model.consistency import contradiction
    from moodal.model.info import ArtefactInfo

    content = json.loads(artefact.read(headed).info.model_dump_json())
    place = content["body"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert re.search(message, contradiction(ArtefactInfo.model_validate_json(json.dumps(content))))


def test_adapting_keeps_the_heads(headed, tmp_path):
    folder = moodal.load(headed).adapt("boredom", [_text(tmp_path)], tmp_path / "adapted")
    [utterance] = moodal.load(folder).predict(text="What a lovely day")
    assert utterance.dimensions["text"].known == "learned"


def _text(folder):
    path = folder / "bored.txt"
    path.write_text("Nothing ever happens here.", encoding="utf-8")
    return path


def test_levelled_answers_have_dimensions_too(answering):
    assert set(DIMENSIONS) == {"valence", "arousal", "dominance"}
    with pytest.raises(UsageError, match="cannot be levelled"):
        answering.predict(text="Well. Oh!", level=True)
