"""Backbones by hf:// from the command to the trained system: fetched at the start, never later."""

import pytest

pytest.importorskip("torch")

import soundfile
import torch

import moodal
from moodal.cli.main import main
from moodal.core.errors import DataError, UsageError
from moodal.hub.fetch import cached_backbone

RECIPE = """
title = "test"
[data]
prepared = "{prepared}"
trim_padding = false
[split]
by = "speaker"
folds = 3
only = [0]
[system]
name = "unimodal_baseline"
speech = {{ path = "{path}" }}
[train]
epochs = 1
batch_size = 16
loss = "ce"
select = "balanced_accuracy"
accelerator = "cpu"
[report]
draws = 20
figures = false
"""


@pytest.fixture
def wav2vec2(hub, tmp_path):
    """Put a wav2vec2 of the smallest size on the hub; return its address."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        conv_dim=[8] * 7,
        intermediate_size=16,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        layerdrop=0.0,
    )
    Wav2Vec2Model(config).save_pretrained(tmp_path / "network")
    files = {path.name: path.read_bytes() for path in (tmp_path / "network").iterdir()}
    return f"hf://anna/w2v@{hub.commit('anna/w2v', files)}"


def prepare(tmp_path, address):
    """Prepare a look-alike with the front-end of a backbone."""
    main(["synthesise", "table", str(tmp_path / "calls"), "--utterances", "36"])
    table, out = tmp_path / "calls" / "table.csv", tmp_path / "prepared"
    encoder = ["--encoder", f"speech=speech-backbone:path={address}", "--encoder", "text=none"]
    main(["prepare", "table", str(table), str(out), *encoder])
    return out


def test_prepare_train_and_predict(hub, wav2vec2, tmp_path, monkeypatch):
    prepared = prepare(tmp_path, wav2vec2)
    assert any(line.endswith("model.safetensors") for line in hub.requests)
    hub.requests.clear()
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(prepared=prepared, path=wav2vec2))
    main(["train", str(recipe), "--out", str(tmp_path / "run")])
    clip = next((tmp_path / "calls" / "recordings").glob("*.wav"))
    model = moodal.load(tmp_path / "run" / "artefact")
    assert len(model.predict(clip, whole=True)) == 1
    assert hub.requests == []  # the commit was in the cache

    # where the cache lacks it, an artefact does not reach out
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))
    other = moodal.load(tmp_path / "run" / "artefact")
    with pytest.raises((DataError, UsageError), match=r"is not in the local cache of the hub"):
        other.predict(clip, whole=True)
    assert hub.requests == []


def test_train_fetches_what_its_recipe_names(hub, wav2vec2, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(prepared=tmp_path / "nowhere", path=wav2vec2))
    with pytest.raises(SystemExit):
        main(["train", str(recipe), "--out", str(tmp_path / "run")])
    assert cached_backbone(wav2vec2)


def test_the_authors_command_line_takes_an_address(hub, wav2vec2):
    from moodal.published.mmer_cli import _backbone

    assert _backbone(wav2vec2) == (wav2vec2, "")
    assert cached_backbone(wav2vec2)


def test_a_backbone_that_is_not_there_is_one_sentence(hub, tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", [0.0] * 16000, 16000)
    (tmp_path / "table.csv").write_text("id,audio,speaker,label\n1,a.wav,x,happy\n")
    with pytest.raises(SystemExit) as end:
        main(
            [
                "prepare",
                "table",
                str(tmp_path / "table.csv"),
                str(tmp_path / "out"),
                "--encoder",
                "speech=speech-backbone:path=hf://anna/nothing",
            ]
        )
    assert end.value.code == 3
    assert "has no repository anna/nothing" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
