"""The published flags become recipes that `moodal train` reads, with the authors' values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from moodal.core import recipe as recipes
from moodal.core.errors import UsageError
from moodal.core.recipe import Recipe
from moodal.core.strict import parse
from moodal.published import eea_cli, mmer_cli
from moodal.published.command import best_epoch, write_recipe
from moodal.train.systems import SYSTEMS

EEA = ["-bs=64", "-lr=1e-3", "-ep=10"]
MMER = [
    "--data_path_audio=audio",
    "--data_path_roberta=roberta",
    "--csv_path=csv",
    "--saving_path=save",
]


def eea(*flags: str) -> dict[str, Any]:
    args = eea_cli.parser().parse_args([*EEA, *flags])
    return eea_cli._recipe(args, {"corpus": Path("prepared"), "iemocap9": Path("nine")})


def mmer(*flags: str) -> Recipe:
    args = mmer_cli.parser().parse_args([*MMER, *flags])
    mmer_cli._require_used_weights(args)
    return mmer_cli.recipe_of(args, "backbone", Path("prepared"))


@pytest.mark.parametrize("module", [eea_cli, mmer_cli])
def test_every_key_is_set_by_a_flag_that_there_is(module) -> None:
    flags = {action.dest for action in module.parser()._actions}
    assert module.KEYS.keys() <= flags
    for key in module.KEYS.values():
        section, name = key.split(".", 1)
        if section != "system":
            assert name in Recipe.model_fields[section].annotation.model_fields


@pytest.mark.parametrize(
    "flags",
    [
        ["--model=eea", "--dataset=mosei_emo", "--cap"],
        ["--model=rnn", "--dataset=iemocap", "--zsl=1", "--gru", "-hs=7"],
        ["--model=mult", "--dataset=mosi", "--loss=mse", "-wd=0.1", "-es=3"],
        ["--model=transformer", "--dataset=mosei_senti", "--threshold=0.3", "--optim=sgd"],
    ],
)
def test_the_recipe_that_is_written_is_the_recipe_that_is_run(flags, tmp_path) -> None:
    values = eea(*flags)
    path = write_recipe(values, tmp_path / "run.toml")
    assert recipes.load(path) == parse(Recipe, values, "the values")


def test_flags_set_the_recipe_of_eea() -> None:
    recipe = eea("--model=eea", "--dataset=iemocap", "--fsl=5", "-hss", "300", "8", "9", "-mod=vt")
    assert recipe["system"] == {
        "name": "eea",
        "streams": ["text", "face"],
        "hidden": {"text": 300, "speech": 8, "face": 9},
        "layers": 1,
        "bidirectional": False,
        "cell": "lstm",
        "dropout": 0.1,
        "last_column": True,
    }
    assert recipe["train"]["batch_size"] == 64
    assert (recipe["train"]["lr"], recipe["train"]["loss"]) == (1e-3, "l1")
    assert recipe["protocol"] == {
        "name": "few_shot",
        "unseen": ["frustrated"],
        "append_from": "nine",
    }
    with pytest.raises(UsageError, match="mosi has a sentiment"):
        eea("--model=eea", "--dataset=mosi")


@pytest.mark.parametrize(
    ("dataset", "heads", "dropouts", "mask"),
    [
        ("iemocap", 10, (0.25, 0.3), False),
        ("mosi", 10, (0.2, 0.2), True),
        ("mosei_senti", 8, (0.2, 0.2), True),
    ],
)
def test_mult_has_the_values_of_the_dataset(dataset, heads, dropouts, mask) -> None:
    section = eea("--model=mult", f"--dataset={dataset}")["system"]
    config = SYSTEMS["mult"].Config(**{k: v for k, v in section.items() if k != "name"})
    assert (config.heads, config.layers, config.attention_mask) == (heads, 4, mask)
    assert (config.attention_dropout["text"], config.embed_dropout) == dropouts
    assert config.attention_dropout["speech"] == config.attention_dropout["face"] == 0.0
    assert config.relu_dropout == config.residual_dropout == config.out_dropout == 0.1


def test_each_mmer_has_its_own_defaults_which_flags_replace() -> None:
    first, second = mmer(), mmer("--form=2023")
    assert (first.system["name"], first.system["alpha"], first.train.lr) == (
        "mmer_2022",
        0.001,
        1e-5,
    )
    assert (second.system["name"], second.system["lambda"], second.train.lr) == ("mmer", 0.1, 5e-5)
    assert (first.data.views, second.data.views) == ("none", "any")
    assert mmer("--alpha=0.3").system["alpha"] == 0.3
    assert mmer("--run=cai_sota").system["alpha"] == 0.1
    assert mmer("--form=2023", "--learning_rate=0.5").train.lr == 0.5
    assert mmer("--layers=2").system["speech"] == {"path": "backbone", "layers": 2}
    assert (first.train.select_on, mmer("--honest").train.select_on) == ("test", "valid")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--form=2023", "--alpha=0.1"], "mmer of 2023 has --lambda_value"),
        (["--lambda_value=0.1"], "add --form 2023"),
        (["--run=cai_sota", "--form=2023", "--lambda_value=0.1"], "add --form 2023"),
    ],
)
def test_a_weight_that_the_system_has_not_is_refused(flags, message) -> None:
    with pytest.raises(UsageError, match=message):
        mmer(*flags)


@pytest.mark.parametrize("run", ["unimodal_baseline", "baseline"])
def test_the_baseline_has_two_names_and_no_alpha(run) -> None:
    recipe = mmer(f"--run={run}", "--alpha=0.1")
    assert recipe.system["name"] == "unimodal_baseline"
    assert "alpha" not in recipe.system
    args = mmer_cli.parser().parse_args([*MMER, f"--run={run}", "--alpha=0.1"])
    assert mmer_cli._unused(args) == ["--alpha changes nothing: unimodal_baseline has no CTC."]


def test_the_flags_of_both_of_their_versions_are_taken(tmp_path) -> None:
    config = tmp_path / "iemocap-ours.yaml"
    config.write_text("fusion:\n  hidden_dim: 256\n")
    files = [f"--config={config}", "--bert_config=config.json", "--num_workers=4"]
    words = [*MMER[:3], "--save_path=save", *files, "--accum_iter=8"]
    args = mmer_cli.parser().parse_args(words)
    assert args.save_path == Path("save")
    assert mmer_cli.recipe_of(args, "backbone", Path("prepared")).train.accumulate == 8
    assert mmer_cli._asked_backbone(args.config) == ""
    assert mmer_cli._asked_backbone("facebook/wav2vec2-base") == "facebook/wav2vec2-base"
    assert len(mmer_cli._unused(args)) == 2
    with pytest.raises(UsageError, match="is not there; name the authors' file"):
        mmer_cli._asked_backbone(str(tmp_path / "other.yaml"))
    assert mmer_cli.parser().parse_args(MMER[:3]).save_path == Path()


def test_the_best_epoch_is_the_one_that_training_kept() -> None:
    epochs = [{"epoch": i, "valid_mae": x, "valid_auc": x} for i, x in enumerate([0.4, 0.9, 0.2])]

    def best(select: str) -> int:
        recipe = {"train": {"select": select}}
        return best_epoch({"extras": {"recipe": recipe, "epochs": epochs}})["epoch"]

    assert (best("auc"), best("mae"), best("last")) == (1, 2, 2)
