"""Every shipped recipe's system is built, at the widths of its corpus."""

from pathlib import Path

import numpy as np
import pytest

from moodal.core import recipe as config
from moodal.core.emotions import EmotionSpace, Values
from moodal.train.engine.selection import require
from moodal.train.layers.losses import VALUES
from moodal.train.systems import SYSTEMS
from moodal.train.systems.section import parse_system

FOLDER = Path(__file__).parents[3] / "recipes"
WIDTHS = {
    "mosei": {"text": 300, "speech": 74, "face": 35},
    "mosei-sentiment": {"text": 300, "speech": 74, "face": 35},
    "iemocap": {"text": 300, "speech": 74, "face": 35},
    "iemocap-release": {"text": 768, "speech": 16},
    "iemocap-release/as-published": {"text": 768, "speech": 1},
    "iemocap-release/embedded": {"text": 384, "speech": 384},
    "meld": {"text": 384, "speech": 384},
    "iemocap-text": {"text": 384},
    "iemocap-text/finetuned": {"text": 1},
    "mosi": {"text": 300, "speech": 5, "face": 20},
    "crema-d": {"speech": 25},
    "crema-d/speech": {"text": 384, "speech": 384},
    "crema-d/speech/probe": {"speech": 5 * 384},
    "crema-d/speech/probe/base": {"speech": 7 * 512},
    "msp-podcast/speech": {"speech": 1},
    "msp-podcast": {"text": 384, "speech": 25},
    "ravdess": {"speech": 25, "face": 35},
    "ravdess/speech": {"text": 384, "speech": 384},
    "goemotions": {"text": 384},
    "table": {"text": 50, "speech": 25},
    "": {"text": 300, "speech": 74, "face": 35},
}
"""Folder of recipes, or the nearest above -> stream -> values a step."""
BRANCH = {"text": 1, "speech": 1, "face": 2304}
"""What branches read: word pieces, samples, pixels."""
VECTORS = {"glove-50": 50, "minilm": 384}


def whole() -> list[Path]:
    """The recipes; what others extend and is none by itself says so in its first line."""
    paths = sorted(FOLDER.rglob("*.toml"))
    fused = [FOLDER / f"artefact/{name}.toml" for name in ("default", "research")]  # another kind
    return [
        p
        for p in paths
        if p.parent.name != "spaces"
        and "not a recipe by itself" not in " ".join(p.read_text().lower().splitlines()[:3])
        and p not in fused
    ]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A wav2vec2 of the smallest size, in place of those that no package brings."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    convs = {"conv_dim": [16] * 7, "num_conv_pos_embeddings": 4, "intermediate_size": 8}
    built = Wav2Vec2Model(Wav2Vec2Config(**sizes, **convs, num_conv_pos_embedding_groups=2))
    folder = tmp_path_factory.mktemp("tiny")
    built.save_pretrained(folder)
    return folder


def widths_of(path: Path) -> dict[str, int]:
    folder = path.parent.relative_to(FOLDER)
    near = (str(place) for place in (folder, *folder.parents))
    return WIDTHS[next(p for p in ("" if p == "." else p for p in near) if p in WIDTHS)]


@pytest.mark.parametrize("path", whole(), ids=lambda p: str(p.relative_to(FOLDER).with_suffix("")))
def test_it_builds(path, tiny):
    recipe = config.load(path)
    section = dict(recipe.system)
    speech = section.get("speech")
    if isinstance(speech, dict) and speech.get("path") == "facebook/wav2vec2-base":
        section["speech"] = {**speech, "path": str(tiny)}
    name, settings = parse_system(section, str(path))
    d = VECTORS.get(recipe.space.vectors, 300)
    vectors = np.zeros((3, d), np.float32)
    if recipe.train.loss in VALUES:
        space = Values(["sentiment", "valence", "arousal"], vectors)
        require(recipe.train.select, recipe.train.loss, space)
    else:
        task = "single" if recipe.train.loss == "ce" else "multi"
        space = EmotionSpace(["a", "b", "c"], task, vectors=vectors)
    widths = BRANCH if name == "branch" else widths_of(path)
    system = SYSTEMS[name].build(settings, widths, space)
    assert set(system.streams) <= set(widths)
    assert recipe.data.views == "none" or system.second_views
