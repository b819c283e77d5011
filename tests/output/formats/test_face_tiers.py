"""The tiers of what faces do: means over utterances or slices, in TextGrid and EAF."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from moodal.core.emotions import Value
from moodal.core.face_action import UNITS, mean_action
from moodal.output.formats import timed, to_eaf, to_textgrid

NAMES = ["head yaw", "head pitch", "head roll", "gaze yaw", "gaze pitch", "blink", "mouth opening"]
NAMES += [f"{unit} (derived)" for unit in UNITS]


def texts(textgrid, tier):
    """The texts of a tier that are not empty."""
    item = textgrid.split(f'name = "{tier}"')[1].split("item [")[0]
    return [text for text in re.findall(r'text = "(.*)"', item) if text]


def test_an_utterance_has_the_mean_of_its_pictures(made):
    timeline = made.acted(made.timeline())
    textgrid = to_textgrid(timeline)
    want = [mean_action(p.face, 0.0) for p in timeline if p.face]
    assert texts(textgrid, "head yaw") == [f"{mean.pose.yaw:.1f}" for mean in want]
    assert texts(textgrid, "AU12 (derived)") == [f"{m.action_units['AU12']:.2f}" for m in want]
    assert len(want) == len(timeline) - 1  # one has no face


@pytest.mark.parametrize("step", [None, 0.5])
def test_the_document_of_elan_has_a_tier_of_each(made, step):
    timeline = made.acted(made.timeline() if step is None else made.sliced(step))
    root = ET.fromstring(to_eaf(timeline))
    tiers = {tier.get("TIER_ID"): tier for tier in root.iter("TIER")}
    assert [name for name in tiers if name in NAMES] == NAMES
    parent = "utterance" if step is None else "slice"
    for name in NAMES:
        assert tiers[name].get("PARENT_REF") == parent
        assert len(tiers[name]) == len(timeline.rows)
    assert [kind.get("LINGUISTIC_TYPE_ID") for kind in root.iter("LINGUISTIC_TYPE")].count(
        "face"
    ) == 1


def test_without_actions_there_is_no_tier(made):
    assert "head yaw" not in to_textgrid(made.timeline())
    assert "head yaw" not in to_eaf(made.timeline())


def test_a_value_called_as_a_tier_has_another_name():
    assert timed.value_tier(Value("blink", 0, 1)) == "blink (value)"
