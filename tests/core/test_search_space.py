"""Search spaces: ranges of recipe keys, and one sentence for what is wrong with them."""

import pytest

from moodal.core.errors import UsageError
from moodal.core.recipe import apply
from moodal.core.search_space import assignments, read_search_space


def written(tmp_path, text):
    path = tmp_path / "space.toml"
    path.write_text(text)
    return path


def test_ranges_of_each_kind(tmp_path):
    space = read_search_space(
        written(
            tmp_path,
            "train.lr = { low = 1e-5, high = 1e-2, log = true }\n"
            "[system]\nhidden = { low = 64, high = 512, step = 64 }\n"
            "speech.lora.rank = { choices = [2, 8] }\n",
        )
    )
    assert list(space) == ["system.hidden", "system.speech.lora.rank", "train.lr"]
    assert space["system.hidden"].whole
    assert not space["train.lr"].whole
    assert space["train.lr"].ends == [1e-5, 1e-2]
    assert space["system.speech.lora.rank"].ends == [2, 8]
    assert str(space["train.lr"]) == "1e-05 to 0.01, logarithmic"
    assert str(space["system.hidden"]) == "64 to 512, in steps of 64"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "varies no key"),
        ("train.lr = ", "not TOML"),
        ("train.lr = 3", "train.lr = 3 is no range"),
        (
            "train.lr = { low = 2.0, high = 1.0 }",
            "lr: low must be below high; got 2.0 and 1.0",
        ),
        ("train.lr = { low = 1.0, high = 1.0 }", "low must be below high"),
        ("train.lr = { low = 1.0 }", "needs low and high"),
        ("train.lr = { low = 0.0, high = 1.0, log = true }", "low must be above 0"),
        ("train.lr = { low = nan, high = 1.0 }", "low must be below high"),
        ("train.lr = { low = 1, high = 4, step = 0.5 }", "step of whole numbers is whole"),
        ("train.lr = { low = 1, high = 4, step = 0 }", "step = 0"),
        ("train.lr = { low = 1, high = 4, step = 1, log = true }", "either log = true or a step"),
        ("train.lr = { low = 1, high = 4, hgh = 1 }", "did you mean 'high'"),
        ("train.lr = { choices = [] }", "choices with at least one value"),
        ("train.lr = { choices = [1, 1] }", "1 is a choice twice"),
        ("train.lr = { choices = [1], low = 0 }", "either choices, or low and high"),
        ("data.where = { choices = [{ a = 1 }] }", "cannot be varied"),
        ("system.x = { choices = [{ a = 1 }] }", "choices are numbers"),
        ("train.seed = { low = 0, high = 3 }", "train.seed cannot be varied"),
        ("split.folds = { low = 2, high = 3 }", "split.folds cannot be varied"),
        ('train.select = { choices = ["auc"] }', "train.select cannot be varied"),
    ],
)
def test_a_wrong_space_is_one_sentence(tmp_path, text, message):
    with pytest.raises(UsageError, match=message.replace("(", r"\(")) as caught:
        read_search_space(written(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "space.toml" in str(caught.value)


def test_a_space_that_is_missing(tmp_path):
    with pytest.raises(UsageError, match="no search space"):
        read_search_space(tmp_path / "gone.toml")


def test_assignments_are_read_as_a_recipes_overrides():
    values = {"train.lr": 1e-05, "a.b": 'x"y', "a.c": [1, 2], "a.d": True}
    assert apply({}, assignments(values)) == {
        "train": {"lr": 1e-05},
        "a": {"b": 'x"y', "c": [1, 2], "d": True},
    }
