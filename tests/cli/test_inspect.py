"""inspect: damaged files are one sentence."""

import pytest

from moodal.cli.inspect import describe
from moodal.core.errors import DataError


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe"])
def test_a_run_whose_recipe_is_damaged(tmp_path, content):
    (tmp_path / "recipe.json").write_bytes(content)
    with pytest.raises(DataError, match=r"recipe\.json cannot be read"):
        describe(tmp_path)
