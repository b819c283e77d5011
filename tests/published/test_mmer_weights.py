"""Checkpoints of MMER's authors convert in both directions; other files are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, SpaceError, UnsafeFileError
from moodal.published.import_checkpoint import import_checkpoint, recognise
from moodal.published.mmer_weights import to_authors
from moodal.train.data.batch import Stream
from moodal.train.export import artefact
from moodal.train.systems import SYSTEMS

LABELS = ["happy", "angry", "neutral", "sad"]
SPACE = EmotionSpace(LABELS, "single")
SIZES = {
    "model_type": "wav2vec2",
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 10,
    "conv_dim": [4, 4, 4, 4, 4, 4, 5],
    "num_conv_pos_embeddings": 6,
    "num_conv_pos_embedding_groups": 2,
}
CASES = {
    "2022": ("mmer_2022", {"heads": 3, "inner": 7}),
    "2023": ("mmer", {"heads": 3}),
    "cai_sota": ("cai_sota", {}),
    "baseline": ("unimodal_baseline", {}),
}
WIDTHS = {"text": 12, "speech": 1}


def build(case: str, **sizes) -> torch.nn.Module:
    torch.manual_seed(0)
    name, values = CASES[case]
    entry = SYSTEMS[name]
    config = entry.Config(**values, speech={"architecture": {**SIZES, **sizes}})
    return entry.build(config, WIDTHS, SPACE).eval()


def streams() -> dict[str, Stream]:
    torch.manual_seed(1)
    return {
        "text": Stream(torch.randn(2, 4, 12), torch.tensor([4, 2])),
        "speech": Stream(torch.randn(2, 3000, 1), torch.tensor([3000, 2000])),
    }


def older(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename a state dict as PyTorch 1 and DataParallel saved it, without SpecAugment's vector."""
    now = {
        "parametrizations.weight.original0": "weight_g",
        "parametrizations.weight.original1": "weight_v",
    }
    out = {}
    for name, value in state.items():
        for new, old in now.items():
            name = name.replace(new, old)
        if not name.endswith("masked_spec_embed"):
            out[f"module.{name}"] = value
    return out


@pytest.mark.parametrize("case", CASES)
def test_a_checkpoint_converts_in_both_directions(case) -> None:
    system = build(case)
    theirs = to_authors(system)
    for state in (theirs, older(theirs)):
        imported = recognise(state, heads=3)
        assert imported.name == CASES[case][0]
        assert imported.outputs == 4
        entry = SYSTEMS[imported.name]
        again = entry.build(entry.Config(**imported.config), imported.widths, SPACE).eval()
        again.load_state_dict(imported.state)
        with torch.no_grad():
            assert torch.equal(again(streams(), SPACE), system(streams(), SPACE))
    sizes = imported.config["speech"]["architecture"]
    for key, value in SIZES.items():
        assert sizes[key] == value
    if case in ("2022", "2023"):
        assert imported.widths == WIDTHS
        assert imported.config["inner"] == (7 if case == "2022" else 48)


@pytest.mark.parametrize("large", [False, True])
def test_wav2vec2s_sizes_are_read_off_its_shapes(large) -> None:
    sizes = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
    system = build("cai_sota", **(sizes if large else {}))
    imported = recognise(to_authors(system), heads=3).config["speech"]["architecture"]
    assert imported["do_stable_layer_norm"] == imported["conv_bias"] == large
    assert imported["feat_extract_norm"] == ("layer" if large else "group")


@pytest.mark.parametrize("case", CASES)
def test_a_checkpoint_becomes_an_artefact_that_scores_samples(case, tmp_path) -> None:
    system = build(case)
    file = tmp_path / "1_model.pt"
    torch.save({"state_dict": older(to_authors(system))}, file)
    info = import_checkpoint(file, tmp_path / "artefact", LABELS, heads=3)
    assert info.task == "single"
    assert info.activation == "softmax"
    assert info.encoders["speech"].name == "wave"
    assert info.widths["speech"] == 1
    again, imported, _ = artefact.load(tmp_path / "artefact")
    assert imported.space == SPACE
    with torch.no_grad():
        torch.testing.assert_close(again(streams(), SPACE), system(streams(), SPACE))
    with pytest.raises(SpaceError, match="scores 4 emotions; 2 labels"):
        import_checkpoint(file, tmp_path / "other", LABELS[:2], heads=3)


def test_a_file_that_would_run_code_is_not_read(tmp_path) -> None:
    file = tmp_path / "1_model.pt"
    torch.save({"state_dict": {"wav2vec2": print}}, file)
    with pytest.raises(UnsafeFileError, match="nothing in it was run"):
        import_checkpoint(file, tmp_path / "artefact", LABELS)


def test_checkpoints_of_another_shape_are_refused_in_words() -> None:
    state = to_authors(build("2022"))

    def without(*names: str) -> dict[str, torch.Tensor]:
        return {name: value for name, value in state.items() if not name.startswith(names)}

    with pytest.raises(DataError, match="5 heads do not divide its width, 12; name them"):
        recognise(state, heads=5)
    with pytest.raises(DataError, match=r"lacks the weight 'classifier\.bias'"):
        recognise(without("classifier"), heads=3)
    with pytest.raises(DataError, match="6 convolutions, where wav2vec2 has 7"):
        recognise(without("wav2vec2.feature_extractor.conv_layers.6"), heads=3)
    with pytest.raises(DataError, match=r"v1\.weight is missing where \(12, 12\)"):
        recognise(without("vismap2text.weight"), heads=3)
    with pytest.raises(DataError, match=r"looks like mmer_2022 .* odd is \(3,\) where nothing"):
        recognise(state | {"odd": torch.zeros(3)}, heads=3)
    bent = state | {"gate.weight": torch.zeros(12, 20)}
    with pytest.raises(DataError, match=r"gate\.weight is \(12, 20\) where \(12, 24\)"):
        recognise(bent, heads=3)
    name = "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original1"
    with pytest.raises(DataError, match="weights of another shape"):
        recognise(state | {name: torch.zeros(3)}, heads=3)
    with pytest.raises(DataError, match="No system of the authors"):
        recognise({"bert.embeddings": torch.zeros(3)})


def test_what_no_checkpoint_of_theirs_can_hold_keeps_our_names() -> None:
    entry = SYSTEMS["mmer"]
    frozen = entry.build(entry.Config(width=4), {"text": 8, "speech": 6}, SPACE)
    state = to_authors(frozen)
    assert "model_mmi.narrow.weight" in state
    assert "model_mmi.gate.weight" in state
    with pytest.raises(DataError, match="No system of the authors"):
        recognise(state)
    hubert = to_authors(build("baseline", model_type="hubert"))
    assert "backbone.model.encoder.layer_norm.weight" in hubert


def test_what_is_never_read_is_written_as_zeros() -> None:
    first, second = (to_authors(build(case)) for case in ("2022", "2023"))
    unread = {n: v for n, v in first.items() if n.startswith("self_attention.")}
    assert len(unread) == 16
    assert not any(value.any() for value in unread.values())
    assert second["model_mmi.weights"].tolist() == [0] * 13
    arrays = {name: np.asarray(value) for name, value in second.items()}
    assert recognise(arrays, heads=3).name == "mmer"
