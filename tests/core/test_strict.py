"""Strict sections: a wrong key is one sentence, which names the keys that would be right."""

import pytest
from pydantic import Field

from moodal.core.errors import UsageError
from moodal.core.strict import Strict, parse


class Inner(Strict):
    rate: float


class Outer(Strict):
    part: Inner
    parts: dict[str, Inner] = Field(default_factory=dict)
    names: dict[str, str] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"part": {"rat": 1.0}}, r"^here: key 'part\.rate' is missing \(and 1 more\)\.$"),
        ({"part": {"rate": 1.0, "q": 2}}, r"unknown key 'part\.q'; known keys: rate\."),
        (
            {"part": {"rate": 1.0}, "parts": {"a": {"rate": 1.0, "rates": 2}}},
            r"unknown key 'parts\.a\.rates'; did you mean 'rate'\?",
        ),
        ({}, r"^here: key 'part' is missing\.$"),
        ({"part": {"rate": "1"}}, r"^here: part\.rate = '1': input should be a valid number\.$"),
    ],
)
def test_a_wrong_section_is_one_sentence(values, said):
    with pytest.raises(UsageError, match=said):
        parse(Outer, values, "here")


def test_a_section_is_parsed_and_cannot_be_changed():
    outer = parse(Outer, {"part": {"rate": 2.0}, "names": {"any": "key"}}, "here")
    assert (outer.part.rate, outer.names) == (2.0, {"any": "key"})
    with pytest.raises(ValueError, match="frozen"):
        outer.part.rate = 3.0
