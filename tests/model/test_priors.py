import pytest

from moodal.core.errors import UsageError
from moodal.model.priors import MELD_TRAIN, prior_of

BASICS = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]


def test_the_named_priors_are_probabilities(tmp_path):
    trained = dict(zip(BASICS, [0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1], strict=True))
    for name in ("level", "talk", "training"):
        assert sum(prior_of(name, BASICS, trained).values()) == pytest.approx(1)
    assert prior_of("talk", BASICS, trained)["neutral"] == pytest.approx(4710 / 9989)
    assert sum(MELD_TRAIN.values()) == 9989
    assert prior_of("training", BASICS, trained) == pytest.approx(trained)


def test_a_file_gives_shares(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("anger = 1\nneutral = 3\n")
    assert prior_of(path, ["anger", "neutral"], {}) == {"anger": 0.25, "neutral": 0.75}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("anger = 1\n", "share above 0 for neutral"),
        ("anger = 1\nneutral = 0\n", "share above 0 for neutral"),
        ("anger = 1\nneutral = inf\n", "share above 0 for neutral"),
        ("anger = 1\nneutral = true\n", "share above 0 for neutral"),
        ("anger = 1\nneutral = 1\nenvy = 1\n", "names envy"),
        ("anger is 1", "Cannot read the prior"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path, content, words):
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(UsageError, match=words) as caught:
        prior_of(path, ["anger", "neutral"], {})
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(UsageError, match="no prior 'talks'; there are level, talk, training"):
        prior_of("talks", BASICS, {})
