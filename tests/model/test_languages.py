"""How much evidence counts in a language, and what is flagged."""

import numpy as np
import pytest

from moodal.core.records import Frames
from moodal.model.info import BranchInfo, GuessInfo, LanguageInfo
from moodal.model.languages import Languages, flags, language_infos, of_branches, untrained
from moodal.model.scorer import Evidence

TEXT = Languages({"en": 1.0, "pt-BR": 0.8, "ary": 0.5, "hr": 0.9}, other=0.4)
VOICE = Languages({"en": 1.0})


@pytest.mark.parametrize(
    ("language", "weight"),
    [("en", 1.0), ("pt-BR", 0.8), ("pt", 0.8), ("ar", 0.5), ("sr", 0.9), ("de", 0.4), ("und", 1.0)],
)
def test_a_language_counts_as_it_was_trained(language, weight):
    assert TEXT.weight(language) == weight
    assert TEXT.knows(language) == (language != "de")


def test_a_branch_without_languages_knows_all():
    face = Languages()
    assert face.weight("sw") == 1.0
    assert face.knows("sw")


def test_each_modality_that_was_not_trained_is_flagged():
    languages = {"text": TEXT, "speech": VOICE, "face": Languages()}
    assert untrained("pt", languages) == ("speech",)
    assert list(flags("pt", languages)) == [
        "The language is Portuguese; the training of the voice was in English alone."
    ]
    assert next(flags("de", languages)) == (
        "The language is German, which was not in the training of the words."
    )
    assert list(flags("en", languages)) == list(flags("und", languages)) == []


def test_a_text_branch_that_states_nothing_was_trained_on_english():
    branch = BranchInfo(graph="a.onnx", learned={"anger": 1.0}, guess=GuessInfo(weight=0))
    own = of_branches({"text": branch, "face": branch})
    assert not own["text"].knows("de")
    assert own["text"].weight("de") == 1.0
    assert own["face"].knows("de")
    stated = branch.model_copy(update={"languages": {"de": LanguageInfo(rows=3, weight=0.5)}})
    assert of_branches({"text": stated})["text"].weight("de") == 0.5


def test_training_rows_are_counted():
    infos = language_infos(["de", "en", "de"], {"de": 0.7})
    assert infos["de"] == LanguageInfo(rows=2, weight=0.7)
    assert infos["en"] == LanguageInfo(rows=1, weight=1.0)


def test_evidence_is_multiplied_with_its_steps():
    steps = Frames.from_list([np.ones((2, 3)), np.ones((1, 3))])
    evidence = Evidence({"text": np.ones((2, 3)), "face": np.ones((2, 3))}, {"text": steps})
    changed = evidence.weighed({"text": np.array([0.5, 1.0]), "speech": np.array([0.1, 0.1])})
    assert changed.logits["text"].tolist() == [[0.5] * 3, [1.0] * 3]
    assert changed.steps["text"].values.tolist() == [[0.5] * 3, [0.5] * 3, [1.0] * 3]
    assert changed.logits["face"] is evidence.logits["face"]
