"""Tiny networks with random weights, saved as transformers saves real ones."""

import json
from pathlib import Path

import pytest
import torch

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [24] * 7,
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
GROUP = {"feat_extract_norm": "group"}
LAYER = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}


def _save(kind: str, folder: Path, sizes: dict) -> Path:
    from transformers import AutoConfig, AutoModel

    torch.manual_seed(5)
    model = AutoModel.from_config(AutoConfig.for_model(kind, **sizes))
    # Fresh networks hardly attend: larger weights show what leaks from padding.
    for name, weight in model.named_parameters():
        if "encoder" in name and weight.ndim == 2:
            weight.data.mul_(6)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def networks(tmp_path_factory) -> dict[str, str]:
    """Name -> folder of a tiny speech network of each family."""
    root = tmp_path_factory.mktemp("networks")
    whisper = {
        "d_model": 32,
        "encoder_layers": 3,
        "encoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_layers": 1,
        "decoder_attention_heads": 4,
        "decoder_ffn_dim": 48,
        "num_mel_bins": 80,
        "max_source_positions": 200,
        "vocab_size": 60,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 1,
    }
    folders = {
        "wav2vec2-group": _save("wav2vec2", root / "wav2vec2-group", SIZES | GROUP),
        "wav2vec2-layer": _save("wav2vec2", root / "wav2vec2-layer", SIZES | LAYER),
        "hubert": _save("hubert", root / "hubert", SIZES | GROUP),
        "wavlm": _save("wavlm", root / "wavlm", SIZES | GROUP),
        "wavlm-layer": _save("wavlm", root / "wavlm-layer", SIZES | LAYER),
        "whisper": _save("whisper", root / "whisper", whisper),
    }
    plain = folders["hubert"] / "preprocessor_config.json"
    plain.write_text(json.dumps({"do_normalize": False}))
    return {name: str(folder) for name, folder in folders.items()}


@pytest.fixture(scope="session")
def bert(tmp_path_factory) -> str:
    """A tiny BERT with a tokeniser of a few words."""
    folder = tmp_path_factory.mktemp("text") / "bert"
    words = "[PAD] [UNK] [CLS] [SEP] [MASK] what a day oh no so glad you came . !".split()  # noqa: SIM905
    sizes = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 24,
    }
    _save("bert", folder, sizes)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    )
    return str(folder)
