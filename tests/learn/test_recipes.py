"""Every shipped recipe's system is built, at the widths of its corpus."""

from pathlib import Path

import numpy as np
import pytest

from moodal import config
from moodal.emotions import EmotionSpace
from moodal.learn.export import parse_system
from moodal.learn.systems import SYSTEMS

FOLDER = Path(__file__).parents[2] / "recipes"
WIDTHS = {
    "mosei": {"text": 300, "speech": 74, "face": 35},
    "mosei-sentiment": {"text": 300, "speech": 74, "face": 35},
    "iemocap": {"text": 300, "speech": 74, "face": 35},
    "mosi": {"text": 300, "speech": 5, "face": 20},
    "crema-d": {"speech": 25},
    "ravdess": {"speech": 25, "face": 35},
    "goemotions": {"text": 384},
    "table": {"text": 50, "speech": 25},
    "": {"text": 300, "speech": 74, "face": 35},
}
VECTORS = {"glove-50": 50, "minilm": 384}


@pytest.mark.parametrize(
    "path", sorted(FOLDER.rglob("*.toml")), ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_it_builds(path):
    recipe = config.load(path)
    name, settings = parse_system(recipe.system, str(path))
    corpus = path.relative_to(FOLDER).parts[0] if path.parent != FOLDER else ""
    d = VECTORS.get(recipe.space.vectors, 300)
    space = EmotionSpace(["a", "b", "c"], vectors=np.zeros((3, d), np.float32))
    system = SYSTEMS[name].build(settings, WIDTHS[corpus], space)
    assert set(system.streams) <= set(WIDTHS[corpus])
