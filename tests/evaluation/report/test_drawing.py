"""Drawing: the ending of a file is checked first, and an error leaves no file behind."""

import pytest

from moodal.core.errors import UsageError
from moodal.evaluation.report.drawing import drawing, folded


def test_a_figure_is_a_picture_of_a_known_kind(tmp_path):
    with (
        pytest.raises(UsageError, match=r"\.png or \.svg; got a\.jpg"),
        drawing(tmp_path / "a.jpg", 1, 1),
    ):
        raise AssertionError("nothing is drawn")
    with pytest.raises(ZeroDivisionError), drawing(tmp_path / "a.png", 1, 1):
        1 / 0  # noqa: B018
    assert not list(tmp_path.iterdir())


def test_stamps_are_folded_each_by_itself():
    assert folded(["selected on test", "zero-shot"], 10) == ["selected", "on test", "zero-shot"]
