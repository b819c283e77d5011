"""A trained system as an artefact: rebuilt equal, and refused in one sentence when forged."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import moodal
from moodal.cli.inspect import brief, describe
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import MoodalError
from moodal.core.manifest import Manifest
from moodal.core.records import Frames, Utterance
from moodal.model.evaluate import evaluate
from moodal.model.info import (
    ArtefactInfo,
    BatchInfo,
    DataInfo,
    EncoderInfo,
    LabelCounts,
    ProtocolInfo,
    SystemBody,
    ThresholdInfo,
)
from moodal.train.data.dataset import Scale
from moodal.train.export.artefact import export, load
from moodal.train.systems import SYSTEMS

spec = importlib.util.spec_from_file_location("forge", Path(__file__).parents[2] / "forge.py")
forge = sys.modules["forge"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(forge)
put, drop, rename = forge.put, forge.drop, forge.rename
weight, vector, both, one = forge.weight, forge.vector, forge.all_of, forge.with_one

LABELS = ("anger", "happiness", "sadness")
WIDTHS = {"text": 6, "speech": 4}
CONFIG = {"streams": ["text", "speech"], "hidden": {"text": 6, "speech": 3}, "layers": 1}
AS_GIVEN = {"name": "as-given", "fingerprint": "f"}


def written(folder, name="eea", config=CONFIG, task="multi", widths=WIDTHS):
    """Write the artefact of a small system with random weights."""
    torch.manual_seed(0)
    vectors = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    space = EmotionSpace(LABELS, task, vectors, "made up")
    settings = SYSTEMS[name].Config(**config)
    system = SYSTEMS[name].build(settings, widths, space)
    info = ArtefactInfo(
        body=SystemBody(name=name, config=system.portable.model_dump(mode="json")),
        widths=widths,
        labels=LABELS,
        task=task,
        vectors="made up",
        trained=LABELS,
        encoders={s: EncoderInfo(width=w, **AS_GIVEN) for s, w in widths.items()},
        activation={"multi": "sigmoid", "single": "softmax"}[task],
        thresholds=ThresholdInfo(values=(0.5,) * 3, source="fixed at 0.5"),
        protocol=ProtocolInfo(name="supervised", experiment="official"),
        metrics={"auc": {"value": 0.7, "low": 0.6, "high": 0.8}},
        data=DataInfo(
            corpus="made up",
            rows={"train": 12},
            trained=LabelCounts(rows=12, counts=dict.fromkeys(LABELS, 4)),
            scoring=BatchInfo(size=8),
        ),
        licence="CC0",
    )
    ones = {s: np.ones(w, np.float32) for s, w in widths.items()}
    scales = {s: Scale(0 * one_, one_) for s, one_ in ones.items()}
    ids = [str(row) for row in range(12)]
    return export(folder, system, info, vectors, scales=scales, trained_ids=ids)


def corpus():
    """Four utterances with features of both modalities."""
    rng = np.random.default_rng(1)
    features = {
        s: Frames.from_list([rng.normal(size=(n, w)).astype(np.float32) for n in (3, 1, 5, 2)])
        for s, w in WIDTHS.items()
    }
    utterances = tuple(Utterance(f"row-{i}", "test", speaker=f"s{i % 2}") for i in range(4))
    labels = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    encoders = {s: {**AS_GIVEN, "width": w} for s, w in WIDTHS.items()}
    space = EmotionSpace(LABELS, "multi")
    return Manifest("made up", space, utterances, labels, features, encoders)


def answer(folder):
    """Score the corpus, and require finite numbers."""
    model = moodal.load(folder, threads=1)
    scores = model.scores({m: corpus().features[m] for m in model.modalities})
    for values in (scores.logits, scores.probabilities, scores.thresholds):
        assert np.isfinite(values).all()
    json.dumps([describe(folder), brief(folder)], allow_nan=False)
    return model


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The draft of an artefact in which nothing is wrong."""
    return forge.Draft.of(written(tmp_path_factory.mktemp("sound") / "artefact"))


def test_a_system_is_rebuilt_with_equal_weights_and_scales(tmp_path):
    folder = written(tmp_path / "a")
    system, artefact, scales = load(folder)
    state = system.state_dict()
    assert not system.training
    assert state.keys() == artefact.weights().keys()
    for name, values in artefact.weights().items():
        np.testing.assert_array_equal(state[name].numpy(), values)
    np.testing.assert_array_equal(scales["speech"].deviation, np.ones(4))


def test_layers_that_features_store_need_no_weights_of_their_own(tmp_path):
    config = {"streams": ["speech"], "speech": {"stored_layers": 8}, "hidden": 2}
    folder = written(tmp_path / "a", "emobox", config, "single", {"speech": 16})
    system, artefact, _ = load(folder)
    assert len(artefact.weights()) < 8
    assert system.state_dict()["backbone.layer_sum.weights"].shape == (8,)


def test_the_card_of_a_system_has_its_figures(tmp_path):
    card = (written(tmp_path / "a") / "README.md").read_text()
    for words in ("# eea on made up", "anger, happiness, sadness", "CC0", "It was not evaluated"):
        assert words in card


NAN, HUGE = float("nan"), 1e30
CASES = {
    "sound": (lambda draft: None, None),
    "an unknown system": (put("body/name", "oracle"), "oracle"),
    "another system": (put("body/name", "rnn"), "unknown key"),
    "a system that needs a backbone": (put("body/name", "cai_sota"), "unknown key"),
    "a fused body": (put("body/kind", "fused"), "body"),
    "no config": (drop("body/config"), "body.config"),
    "config null": (put("body/config", None), "body.config"),
    "another system by the config": (put("body/config/name", "rnn"), "name"),
    "an unknown key": (put("body/config/colour", 1), "colour"),
    "streams empty": (put("body/config/streams", []), "streams"),
    "a stream twice": (put("body/config/streams", ["text", "text"]), "streams"),
    "an unknown stream": (put("body/config/streams", ["text", "smell"]), "streams"),
    "a stream without width": (put("body/config/streams", ["text", "face"]), ""),
    "a stream too few": (put("body/config/streams", ["text"]), "weights.safetensors"),
    "hidden as a number": (put("body/config/hidden", 3), "hidden"),
    "a hidden width of 0": (put("body/config/hidden/text", 0), "hidden"),
    "a negative hidden width": (put("body/config/hidden/text", -3), "hidden"),
    "another hidden width": (put("body/config/hidden/speech", 5), "weights.safetensors"),
    "a huge hidden width": (put("body/config/hidden/speech", 10**7), ""),
    "a hidden width beyond all": (put("body/config/hidden/speech", 10**30), ""),
    "no layers": (put("body/config/layers", 0), "layers"),
    "a layer too many": (put("body/config/layers", 2), "weights.safetensors"),
    "layers without end": (put("body/config/layers", 10**9), "layers"),
    "dropout of NaN": (put("body/config/dropout", NAN), "artefact.json"),
    "dropout of 1": (put("body/config/dropout", 1.0), "dropout"),
    "another cell": (put("body/config/cell", "gru"), "weights.safetensors"),
    "an unknown cell": (put("body/config/cell", "brain"), "cell"),
    "in one direction": (put("body/config/bidirectional", False), "weights.safetensors"),
    "a width too large": (put("widths/speech", 5), "encoders.speech.width"),
    "a width too large throughout": (
        both(put("widths/speech", 5), put("encoders/speech/width", 5)),
        "speech",
    ),
    "a huge width": (
        both(
            put("widths/speech", 10**9),
            put("encoders/speech/width", 10**9),
            vector("speech.mean", None),
            vector("speech.deviation", None),
        ),
        "weights.safetensors",
    ),
    "a modality too few": (
        both(drop("widths/speech"), drop("encoders/speech")),
        "",
    ),
    "a modality too many": (put("widths/face", 3), "widths names"),
    "no encoders": (put("encoders", {}), "was trained on"),
    "a label too few": (drop("labels/2"), "thresholds"),
    "another order of labels": (put("labels", ["sadness", "anger", "happiness"]), None),
    "trained on nothing": (put("trained", []), None),
    "a regression": (
        both(put("task", "regression"), put("activation", "identity")),
        "values must give the ranges",
    ),
    "a range without values": (put("values", [{"name": "joy", "low": 0, "high": 1}]), "values"),
    "a range of NaN": (put("values", [{"name": "joy", "low": NAN, "high": 1}]), "artefact.json"),
    "no source of vectors": (put("vectors", None), None),
    "synonyms as a word": (put("words/synonyms", {"anger": "rage"}), "words.synonyms"),
    "a length below 0": (put("words/length", -1), "words.length"),
    "batches of 0": (put("data/scoring/size", 0), "data.scoring.size"),
    "negative frames": (put("data/scoring/max_frames", -1), "data.scoring.max_frames"),
    "the largest batch": (put("data/scoring/size", 10**18), None),
    "no batches": (put("data/scoring", None), None),
    "negative steps": (put("data/max_steps", -1), "data.max_steps"),
    "one step": (put("data/max_steps", 1), None),
    "no data": (put("data", {}), None),
    "metrics without value": (put("metrics/auc", {}), None),
    "a metric as a word": (put("metrics/auc/value", "good"), None),
    # tensors
    "no weights": (lambda draft: draft.weights.clear(), ""),
    "a weight missing": (lambda draft: draft.weights.pop(next(iter(draft.weights))), "missing"),
    "a weight too many": (weight("stray", np.zeros(2, np.float32)), "stray"),
    "a weight with NaN": (
        lambda draft: draft.weights.update(
            {name: one(NAN)(x) for name, x in draft.weights.items()}
        ),
        "weights.safetensors",
    ),
    "weights of another shape": (
        lambda draft: draft.weights.update({name: x[:1] for name, x in draft.weights.items()}),
        "weights.safetensors",
    ),
    "weights of whole numbers": (
        lambda draft: draft.weights.update(
            {name: x.astype(np.int32) for name, x in draft.weights.items()}
        ),
        None,
    ),
    "no vectors": (vector("emotions", None), ""),
    "vectors of another number": (vector("emotions", lambda x: x[:2]), "emotions"),
    "vectors of another width": (vector("emotions", lambda x: x[:, :4]), ""),
    "vectors that are a row": (vector("emotions", lambda x: x[0]), "emotions"),
    "vectors with NaN": (vector("emotions", one(NAN)), "emotions"),
    "huge vectors": (vector("emotions", lambda x: x * HUGE), "emotions"),
    "a mean without deviation": (vector("speech.deviation", None), "speech.deviation"),
    "a deviation without mean": (vector("speech.mean", None), "speech.mean"),
    "a mean of another length": (vector("speech.mean", lambda x: x[:3]), "speech.mean"),
    "a deviation of 0": (vector("speech.deviation", one(0)), "speech.deviation"),
    "a negative deviation": (vector("speech.deviation", one(-1)), "speech.deviation"),
    "a deviation with NaN": (vector("speech.deviation", one(NAN)), "speech.deviation"),
    "a mean of whole numbers": (
        vector("speech.mean", lambda x: x.astype(np.int32)),
        "speech.mean",
    ),
    "training rows as numbers": (vector("trained.ids", np.zeros(4)), "trained.ids"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_forged_system_is_refused_or_answers(name, sound, tmp_path):
    change, named = CASES[name]
    draft = sound.copy()
    change(draft)
    folder = draft.sign(tmp_path / "forged")
    if named is None:
        report = evaluate(answer(folder), corpus(), tmp_path / "report")
        assert report["rows"] == 4
        json.dumps(report, allow_nan=False)
        return
    with pytest.raises(MoodalError) as caught:
        evaluate(answer(folder), corpus(), tmp_path / "report")
    message = str(caught.value)
    assert named in message
    assert "\n" not in message
    assert message.endswith(".")
