"""Options of another type are refused in one sentence that says what they may be."""

import numpy as np
import pytest

import moodal
from moodal.core.errors import DataError, UsageError
from moodal.lookalikes.face import draw_face
from moodal.model.options import EvaluateOptions, PredictOptions


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"text": 5}, "text must be a text; got 5"),
        ({"text": "\ud800"}, "half of a character"),
        ({"emotions": [None]}, "emotions must be a list of words, or one text"),
        ({"emotions": {"anger"}}, "emotions must be a list of words"),
        ({"streams": 3}, "streams must be a list of modalities"),
        ({"subtitles": b"a.srt"}, "subtitles must be the path of a file"),
        ({"faces": "alll"}, "faces must be 'main' or 'all'"),
        ({"fps": "5"}, "fps must be a valid number; got '5'"),
        ({"whole": "yes"}, "whole must be a valid boolean"),
        ({"prior": {"anger": "much"}}, "prior must be the name of a prior"),
        ({"media": {"face": 3}}, "media must be modality -> path"),
        ({"step": "1"}, "step must be"),
    ],
)
def test_another_type_is_refused(option, sentence):
    with pytest.raises(UsageError, match=sentence):
        PredictOptions(**option)


def test_what_is_meant_is_taken():
    PredictOptions(emotions="anger", streams=None, fps=5, step=1, prior={"anger": 1})
    PredictOptions(emotions=("anger", "joy"), level=True, asr=None)
    EvaluateOptions(level="channel", by=["sex"], where={"a": "b"}, jobs=2)


def test_one_word_is_one_word():
    assert PredictOptions(emotions="anger").words() == ["anger"]


def test_a_word_of_the_model_may_hold_a_slash():
    options = PredictOptions(emotions="calm/neutral, joy/pride; grief")
    assert options.words(["calm/neutral"]) == ["calm/neutral", "joy", "pride", "grief"]
    assert options.words() == ["calm", "neutral", "joy", "pride", "grief"]
    listed = PredictOptions(emotions=["joy/pride"])
    assert listed.words() == ["joy/pride"]


@pytest.fixture(scope="module")
def model():
    return moodal.load()


@pytest.mark.parametrize("rate", ["16000", True, None, [16000]])
def test_a_rate_is_a_number(model, rate):
    with pytest.raises(UsageError, match="rate"):
        model.predict(np.zeros(16000, np.float32), rate=rate)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_is_above_zero(model, rate):
    with pytest.raises(DataError, match="rate"):
        model.predict(np.zeros(16000, np.float32), rate=rate)


def test_samples_that_are_no_numbers_are_silence_and_said(model):
    answer = model.predict(np.full(16000, np.nan, np.float32), rate=16000, asr=False)
    assert answer.absent["speech"] == "silence"
    assert any("NaN or infinite" in note for note in answer.notes)


def test_an_array_is_a_picture(model, tmp_path):
    from PIL import Image

    face = np.asarray(Image.fromarray(draw_face(48, 0.3)).convert("RGB"))
    Image.fromarray(face).save(tmp_path / "face.png")
    [of_array] = model.predict(face)
    [of_file] = model.predict(tmp_path / "face.png")
    assert dict(of_array.probabilities) == dict(of_file.probabilities)
    assert of_array.probability == max(of_array.probabilities.values())
    for wrong in (face.astype(float), face[..., :2], np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(DataError, match="A picture is an array"):
            model.predict(wrong)
