"""Kept evidence answers for other words as a prediction with those words does."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import moodal
from moodal.core.errors import DataError, UsageError
from moodal.core.timeline import Timeline
from moodal.model.keeping import Keeper, Kept
from moodal.model.options import PredictOptions
from moodal.output.formats import from_json, render

EXAMPLES = Path(__file__).parents[2] / "examples"
WORDS = "gratitude, anger, boredom, joy"


def followed(model, tmp_path, source, **options):
    """Predict, and return what a server would keep: the document and the evidence, from disk."""
    keeper = Keeper(model.info.digest)
    *_, timeline = model.follow(source, options=PredictOptions(**options), keeper=keeper)
    assert isinstance(timeline, Timeline)
    keeper.kept.write(tmp_path / "kept.npz")
    [read] = from_json(render([timeline], "json"))
    return timeline, read, Kept.read(tmp_path / "kept.npz")


def numbers(value):
    """Yield the numbers and texts in a document, in order."""
    if isinstance(value, dict):
        for key, own in value.items():
            yield key
            yield from numbers(own)
    elif isinstance(value, list):
        for own in value:
            yield from numbers(own)
    else:
        yield value


def assert_same(one, other):
    first = list(numbers(json.loads(render([one], "json"))))
    second = list(numbers(json.loads(render([other], "json"))))
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        if isinstance(a, float) and isinstance(b, float):
            assert a == pytest.approx(b, abs=2e-4)  # the document's last digit
        else:
            assert a == b
    for a, b in zip(one, other, strict=True):
        for emotion, p in a.probabilities.items():
            assert p == pytest.approx(b.probabilities[emotion], abs=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"subtitles": EXAMPLES / "clip.srt"},
        {"subtitles": EXAMPLES / "clip.srt", "language": "de", "face_actions": True},
        {"asr": False},
        {"asr": False, "speakers": "auto"},
        {"whole": True, "asr": False},
    ],
    ids=["subtitles", "faces", "sound", "speakers", "whole"],
)
def test_other_words_are_answered_as_by_a_prediction(model, tmp_path, options):
    film = EXAMPLES / "clip.mp4"
    timeline, read, kept = followed(model, tmp_path, film, **options)
    assert len(timeline)
    again = model.rescore(read, kept, PredictOptions(**options, emotions=WORDS))
    assert_same(again, model.predict(film, **options, emotions=WORDS))
    assert again.notes != timeline.notes  # joy is taken for happiness


def test_the_same_words_give_the_same_answer(model, tmp_path):
    timeline, read, kept = followed(model, tmp_path, None, text="So good! I hate it.")
    assert_same(model.rescore(read, kept, PredictOptions(text="x")), timeline)


@pytest.fixture(scope="module")
def channel_model(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("channel") / "artefact"
    return moodal.load(tiny.write_tiny(folder, body=tiny.channel_body()), threads=1)


@pytest.mark.parametrize(
    "options",
    [{"step": 0.5}, {"level": True}, {"prior": "talk", "step": 1.0}, {"level": True, "step": 1}],
    ids=["slices", "level", "prior", "both"],
)
def test_slices_levels_and_priors_hold_for_other_words(channel_model, tmp_path, options):
    options = {"subtitles": EXAMPLES / "clip.srt", **options}
    film = EXAMPLES / "clip.mp4"
    _, read, kept = followed(channel_model, tmp_path, film, **options)
    again = channel_model.rescore(read, kept, PredictOptions(**options, emotions=WORDS))
    assert_same(again, channel_model.predict(film, **options, emotions=WORDS))


def test_the_evidence_is_small(model, tmp_path, speech):
    followed(model, tmp_path, speech(seconds=20), asr=False, whole=True)
    assert (tmp_path / "kept.npz").stat().st_size < 20_000


def test_evidence_of_another_model_is_refused(model, tmp_path):
    _, read, kept = followed(model, tmp_path, None, text="So good!")
    other = dataclasses.replace(kept, digest="0" * 64)
    with pytest.raises(DataError, match="another model"):
        model.rescore(read, other, PredictOptions(text="x"))
    with pytest.raises(DataError, match="another model or recording"):
        model.rescore(read, dataclasses.replace(kept, utterances=()), PredictOptions(text="x"))


def test_a_damaged_file_is_one_sentence(model, tmp_path):
    path = tmp_path / "kept.npz"
    followed(model, tmp_path, None, text="So good!")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="holds no evidence"):
        Kept.read(path)
    np.savez(path, about=np.array([{"a": 1}], dtype=object))  # a pickle, which is never run
    with pytest.raises(DataError, match="holds no evidence"):
        Kept.read(path)


def test_a_model_of_fixed_words_says_so(model, tmp_path):
    _, read, kept = followed(model, tmp_path, None, text="So good!")
    info = model.info.model_copy(
        update={"body": model.info.body.model_copy(update={"kind": "system"})}
    )
    artefact = dataclasses.replace(model.artefact, info=info)
    with pytest.raises(UsageError, match="words of its training"):
        dataclasses.replace(model, artefact=artefact).rescore(read, kept, PredictOptions(text="x"))
