"""Recipes: strict keys, overrides, extends, and that every shipped one is whole."""

from pathlib import Path

import pytest

from moodal.core import recipe as config
from moodal.core.errors import UsageError

ROOT = Path(__file__).parents[2]
MINIMAL = 'title = "x"\n[data]\nprepared = "p"\n[system]\nname = "eea"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


def test_defaults_and_overrides(tmp_path):
    path = written(tmp_path, MINIMAL)
    recipe = config.load(path, ["train.lr=5e-4", "data.prepared=elsewhere", "split.only=[1, 2]"])
    assert recipe.train.lr == 5e-4
    assert recipe.data.prepared == "elsewhere"
    assert recipe.split.only == [1, 2]


@pytest.mark.parametrize(
    ("text", "overrides", "said"),
    [
        (MINIMAL, ["train.epoch=3"], "did you mean 'epochs'"),
        (MINIMAL, ["train.epochs=many"], "train.epochs = 'many'"),
        (MINIMAL, ["train.epochs=0"], "greater than or equal to 1"),
        (MINIMAL, ["nonsense"], "not key=value"),
        (MINIMAL, ["title.x=1"], "'title' is a value"),
        ('title = "x"\n[system]\nname = "eea"', [], "'data' is missing"),
        ("title = ", [], "not TOML"),
        (MINIMAL + "[train]\nlr = true\n", [], "train.lr = True"),
        ('extends = "recipe.toml"\n' + MINIMAL, [], "must name another recipe"),
        ('extends = "gone.toml"\n' + MINIMAL, [], "no recipe"),
    ],
)
def test_a_wrong_recipe_is_one_sentence(tmp_path, text, overrides, said):
    with pytest.raises(UsageError, match=said.replace("(", r"\(")) as caught:
        config.load(written(tmp_path, text), overrides)
    assert "\n" not in str(caught.value)


def test_a_recipe_extends_another(tmp_path):
    written(tmp_path, MINIMAL + "[train]\nlr = 0.5\nepochs = 7\n")
    above = tmp_path / "above.toml"
    above.write_text('extends = "recipe.toml"\ntitle = "y"\n[train]\nlr = 0.25\n')
    recipe = config.load(above)
    assert (recipe.title, recipe.train.lr, recipe.train.epochs) == ("y", 0.25, 7)


FUSION = (
    'name = "x"\nabout = "y"\nlicence = "z"\nbasics = ["joy", "neutral"]\n'
    '[parts.text]\nrecipe = "text.toml"\ncorpus = "table"\nroot = "."\nlicence = "CC0"\n'
)


def test_a_table_of_parts_makes_the_recipe_of_a_fused_artefact(tmp_path):
    path = written(tmp_path, FUSION)
    above = tmp_path / "above.toml"
    above.write_text('extends = "recipe.toml"\nsure = 0.6\n[parts.text]\nbits = 8\n')
    recipe = config.read(above, ["parts.text.root=here", "synonyms.happy=joy"])
    assert isinstance(recipe, config.FusionRecipe)
    assert (recipe.sure, recipe.synonyms) == (0.6, {"happy": "joy"})
    assert (recipe.parts["text"].bits, recipe.parts["text"].root) == (8, "here")
    assert config.load_fusion(path).parts["text"].bits == 32
    assert isinstance(config.read(written(tmp_path, MINIMAL)), config.Recipe)


def test_each_kind_of_recipe_is_refused_where_the_other_is_needed(tmp_path):
    with pytest.raises(UsageError, match="moodal compose"):
        config.load(written(tmp_path, FUSION))
    with pytest.raises(UsageError, match="moodal train"):
        config.load_fusion(written(tmp_path, MINIMAL))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (['basics=["joy", "anger"]'], "name neutral"),
        (['basics=["neutral"]'], "basics"),
        (["parts.text.bits=7"], "parts.text.bits = 7"),
        (["parts.text.bit=8"], "did you mean 'bits'"),
        (["sure=1"], "sure = 1"),
        (["title=x"], "unknown key 'title'"),
        (["parts={}"], "parts = {}"),
    ],
)
def test_a_wrong_recipe_of_a_fused_artefact_is_one_sentence(tmp_path, overrides, said):
    with pytest.raises(UsageError, match=said) as caught:
        config.load_fusion(written(tmp_path, FUSION), overrides)
    assert "\n" not in str(caught.value)


FUSED = [ROOT / "recipes/artefact/default.toml", ROOT / "recipes/artefact/research.toml"]


def whole():
    """The recipes; what others extend and is none by itself says so in its first lines."""
    for path in sorted(ROOT.glob("recipes/**/*.toml")):
        first = " ".join(path.read_text().lower().splitlines()[:3])
        fused = path in FUSED
        if path.parent.name != "spaces" and "not a recipe by itself" not in first and not fused:
            yield path


@pytest.mark.parametrize("path", whole(), ids=lambda p: p.stem)
def test_shipped_recipes_are_whole(path):
    recipe = config.load(path)
    assert recipe.title
    systems = {
        "eea",
        "rnn",
        "transformer",
        "mult",
        "tfn",
        "self_mm",
        "mmer",
        "mmer_2022",
        "cai_sota",
        "unimodal_baseline",
        "emobox",
    }
    assert recipe.system["name"] in {*systems, "branch"}


@pytest.mark.parametrize("path", FUSED, ids=lambda p: p.stem)
def test_the_recipe_of_an_artefact_names_recipes_of_branches(path):
    for stream, part in config.load_fusion(path).parts.items():
        recipe = config.load(path.parent / part.recipe)
        assert (recipe.system["name"], recipe.system["streams"]) == ("branch", [stream])


def test_every_row_of_mmers_tables_has_a_recipe():
    names = ["mmer", "mmer-2022", "cai_sota", "unimodal_baseline"]
    names += [f"ablations/mmer-without-{loss}" for loss in ("ctc", "supervised", "augmentation")]
    names += [f"as-published/{x}" for x in ("mmer-2022", "mmer-2023", "cai_sota")]
    for name in names:
        assert (ROOT / "recipes/iemocap-release" / f"{name}.toml").exists(), name


def test_every_row_of_the_papers_has_a_recipe():
    systems = ["eea", "rnn-ef", "rnn-lf", "rnn-eflf", "rnn-ts", "transformer", "mult", "tfn"]
    systems.append("self-mm")
    modalities = ["t", "a", "v", "ta", "tv", "av"]
    unseen = {
        "mosei": ["anger", "disgust", "fear", "happy", "sad", "surprise"],
        "iemocap": ["excited", "surprised", "frustrated"],
    }
    for corpus, emotions in unseen.items():
        folder = ROOT / "recipes" / corpus
        rows = [
            *systems,
            *(f"modalities/{m}" for m in modalities),
            *(f"{kind}/{e}" for kind in ("zero-shot", "few-shot") for e in emotions),
        ]
        assert [row for row in rows if not (folder / f"{row}.toml").exists()] == []
