"""A fused artefact that is signed but contradicts itself: one sentence, or a finite answer."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import moodal
from moodal.cli.inspect import brief, describe
from moodal.core.errors import MoodalError
from moodal.core.records import Frames
from moodal.model.evaluate import evaluate, rows_of

spec = importlib.util.spec_from_file_location("forge", Path(__file__).parents[1] / "forge.py")
forge = sys.modules["forge"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(forge)
put, drop, rename = forge.put, forge.drop, forge.rename
weight, vector, both, one = forge.weight, forge.vector, forge.all_of, forge.with_one

EMOTIONS = ["joy", "anger", "gratitude", "contempt", "love", "surprise"]
"""Asked for: a synonym, basic emotions, and words that one branch learned."""
TEXTS = ("I am so glad that you came.", "Leave me alone!", "It is what it is.")


@pytest.fixture(scope="module")
def sound(tiny_artefact):
    """The draft of an artefact in which nothing is wrong."""
    return forge.Draft.of(tiny_artefact)


def frames():
    """One utterance of each modality, as the encoders give them."""
    rng = np.random.default_rng(0)
    return {
        "text": Frames.from_list([np.array([[102.0], [2000.0], [103.0]], np.float32)]),
        "speech": Frames.from_list([rng.normal(size=(4000, 1)).astype(np.float32) / 9]),
        "face": Frames.from_list([rng.random((2, 2304)).astype(np.float32)]),
    }


def answer(folder):
    """Ask the artefact in every way that is quick, and require finite numbers."""
    model = moodal.load(folder, threads=1)
    own = {m: f for m, f in frames().items() if m in model.modalities}
    some = [own, *({m: f} for m, f in own.items())]
    for streams in some:
        scores = model.scores(streams, EMOTIONS)
        for values in (scores.logits, scores.probabilities, scores.thresholds):
            assert np.isfinite(values).all()
        assert (scores.probabilities >= 0).all()
        assert (scores.probabilities <= 1).all()
    if "text" in own:
        for prediction in model.predict(text=TEXTS[0], emotions=EMOTIONS):
            assert np.isfinite(list(prediction.probabilities.values())).all()
    json.dumps([describe(folder), brief(folder)], allow_nan=False)
    return model


def _with_nan(graph):
    """Return the face graph with a NaN among its weights."""
    from onnx import load_from_string, numpy_helper

    model = load_from_string(graph)
    [kept] = model.graph.initializer
    changed = one(float("nan"))(numpy_helper.to_array(kept))
    kept.CopyFrom(numpy_helper.from_array(changed, kept.name))
    return model.SerializeToString()


def require_sentence(error, folder):
    """Require that a refusal is one sentence that names the folder."""
    message = str(error)
    assert str(folder) in message
    assert "\n" not in message
    assert message.endswith(".")
    assert len(message.replace(str(folder), "")) < 400


def cases():
    """Name -> (change, what the sentence must name; None: a finite answer)."""
    text, fusion = "body/branches/text", "body/fusion/text+speech"
    nan, huge = float("nan"), 1e30
    words = ["fear", "surprise"]
    keys = np.zeros((1, 8), np.float32)
    return {
        # the description's own keys
        "format of the future": (put("format", 3), "format 3"),
        "format as a word": (put("format", "2"), "format '2'"),
        "format as a truth": (put("format", True), "format"),
        "no format": (drop("format"), "format None"),
        "no version": (drop("moodal"), "moodal"),
        "no labels": (drop("labels"), "labels"),
        "labels null": (put("labels", None), "labels"),
        "labels empty": (put("labels", []), "labels"),
        "labels twice": (put("labels/1", "anger"), "labels"),
        "a label too few": (drop("labels/6"), "thresholds"),
        "a label that is a number": (put("labels/0", 3), "labels.0"),
        "an empty label": (put("labels/0", ""), "labels.0"),
        "labels and basics differ": (put("labels/0", "rage"), "trained"),
        "another task": (put("task", "multi"), "activation"),
        "another task and activation": (
            both(put("task", "multi"), put("activation", "sigmoid")),
            "task",
        ),
        "an unknown task": (put("task", "guess"), "task"),
        "an unknown activation": (put("activation", "relu"), "activation"),
        "trained on an unknown word": (put("trained/0", "boredom"), "trained"),
        "vectors as a number": (put("vectors", 1), "vectors"),
        "no widths": (put("widths", {}), "widths"),
        "a width of 0": (put("widths/text", 0), "widths.text"),
        "a negative width": (put("widths/text", -1), "widths.text"),
        "a huge width": (put("widths/text", 10**12), "encoders.text.width"),
        "a width that is a fraction": (put("widths/text", 1.5), "widths.text"),
        "a width for an unknown modality": (put("widths/smell", 3), "widths"),
        "a modality without width": (drop("widths/face"), "face"),
        "no encoders": (put("encoders", {}), "encoders"),
        "encoders null": (put("encoders", None), "encoders"),
        "an encoder missing": (drop("encoders/speech"), "speech"),
        "an encoder without name": (drop("encoders/text/name"), "encoders.text.name"),
        "an encoder without width": (drop("encoders/text/width"), "encoders.text.width"),
        "an encoder without fingerprint": (put("encoders/text/fingerprint", None), None),
        "an empty fingerprint": (put("encoders/text/fingerprint", ""), "fingerprint"),
        "another fingerprint": (put("encoders/text/fingerprint", "0" * 32), "text"),
        "an encoder that nobody has": (put("encoders/text/name", "tea-leaves"), "tea-leaves"),
        "a parameter that it does not have": (put("encoders/text/parameters", {"x": 1}), "text"),
        "an encoder of another modality": (put("encoders/text/name", "wave"), "text"),
        "an encoder for an unknown modality": (
            lambda d: d.content["encoders"].update(smell=d.content["encoders"]["text"]),
            "encoders has smell",
        ),
        "a reader for an unknown modality": (
            lambda d: d.content["readers"].update(smell=d.content["encoders"]["text"]),
            "readers has smell",
        ),
        "a modality under another's name": (put("modalities/text/name", "face"), "modalities.text"),
        "a modality without colour": (drop("modalities/text/colour"), "modalities.text"),
        "no modalities": (put("modalities", {}), None),
        "thresholds missing": (drop("thresholds"), "thresholds"),
        "a threshold too many": (lambda d: d.content["thresholds"]["values"].append(0.5), "thres"),
        "a threshold of NaN": (put("thresholds/values/0", nan), "artefact.json"),
        "a threshold of infinity": (put("thresholds/values/0", float("inf")), "artefact.json"),
        "a negative threshold": (put("thresholds/values/0", -0.5), "thresholds.values.0"),
        "a threshold above 1": (put("thresholds/values/0", 2), "thresholds.values.0"),
        "a threshold that is a word": (put("thresholds/values/0", "0.5"), "thresholds.values.0"),
        "a threshold that is a truth": (put("thresholds/values/0", True), "thresholds.values.0"),
        "metrics null": (put("metrics", None), "metrics"),
        "a metric of NaN": (put("metrics", {"auc": nan}), "artefact.json"),
        "calibration of NaN": (put("calibration", {"ece": nan}), "artefact.json"),
        "no protocol": (drop("protocol"), "protocol"),
        "stamps as a word": (put("protocol/stamps", "honest"), "protocol.stamps"),
        "no data": (drop("data"), "data"),
        "more labels than rows": (
            put("data/trained", {"rows": 1, "counts": {"anger": 5}}),
            "data.trained",
        ),
        "counts of an unknown label": (
            put("data/trained", {"rows": 9, "counts": {"boredom": 5}}),
            "data.trained",
        ),
        "negative counts": (
            put("data/trained", {"rows": 9, "counts": {"anger": -5}}),
            "data.trained",
        ),
        "training rows without end": (
            put("data/trained", {"rows": 10**15, "counts": {"anger": 5}}),
            None,
        ),
        "no licence": (put("licence", None), "licence"),
        "an unknown key": (put("mood", "good"), "mood"),
        "nested too deep": (
            lambda d: d.content.update(metrics=json.loads('{"a":' * 300 + "1" + "}" * 300)),
            "artefact.json",
        ),
        # the body
        "no body": (drop("body"), "body"),
        "body null": (put("body", None), "body"),
        "body as a list": (put("body", []), "body"),
        "no kind": (drop("body/kind"), "body"),
        "an unknown kind": (put("body/kind", "oracle"), "body"),
        "a system's kind": (put("body/kind", "system"), "body"),
        "another system": (
            put("body", {"kind": "system", "name": "eeaa", "config": {}}),
            "eeaa",
        ),
        "no name": (put("body/name", ""), "body.name"),
        "basics in another order": (
            lambda d: d.content["body"]["basics"].reverse(),
            "body.basics",
        ),
        "a word twice": (put("body/words/8", "anger"), "body.words"),
        "a word too few": (drop("body/words/10"), "body"),
        "a word too many": (lambda d: d.content["body"]["words"].append("awe"), "words"),
        "no words": (put("body/words", []), "body.words"),
        "a synonym of an unknown word": (put("body/synonyms/joy", "bliss"), None),
        "a synonym of nothing": (put("body/synonyms/joy", " "), "body.synonyms.joy"),
        "a synonym that is a list": (put("body/synonyms/joy", ["a"]), "body.synonyms.joy"),
        "no branches": (put("body/branches", {}), "body.branches"),
        "a branch missing": (drop("body/branches/face"), "body.branches"),
        "a branch of an unknown modality": (rename("body/branches/face", "smell"), "body.branches"),
        "an unknown modality throughout": (
            both(
                rename("body/branches/face", "smell"),
                rename("widths/face", "smell"),
                rename("encoders/face", "smell"),
                drop("modalities/face"),
            ),
            "",
        ),
        "a branch null": (put(text, None), "body.branches.text"),
        "no graph": (drop(f"{text}/graph"), "body.branches.text.graph"),
        "a graph that is not listed": (put(f"{text}/graph", "other.onnx"), "other.onnx"),
        "a graph outside the folder": (put(f"{text}/graph", "../text.onnx"), "../text.onnx"),
        "a graph that is a picture's": (put(f"{text}/graph", "README.md"), "README.md"),
        "another branch's graph": (put(f"{text}/graph", "face.onnx"), "face.onnx"),
        "graphs exchanged": (
            both(
                put(f"{text}/graph", "speech.onnx"), put("body/branches/speech/graph", "text.onnx")
            ),
            ".onnx",
        ),
        "a graph that is damaged": (lambda d: d.files.update({"text.onnx": b"junk"}), "text.onnx"),
        "an empty graph": (lambda d: d.files.update({"text.onnx": b""}), "text.onnx"),
        "a map of another height than its graph": (
            both(
                weight("text.map", lambda x: x[:5]),
                weight("text.mean", None),
                weight("text.covariance", None),
            ),
            "text.onnx",
        ),
        "a graph that gives NaN": (
            lambda d: d.files.update({"face.onnx": _with_nan(d.files["face.onnx"])}),
            "face.onnx",
        ),
        "nothing learned": (put(f"{text}/learned", {}), "learned"),
        "learned as a list": (put(f"{text}/learned", ["anger"]), "learned"),
        "a share of 0": (put(f"{text}/learned/anger", 0), "learned.anger"),
        "a share of NaN": (put(f"{text}/learned/anger", nan), "artefact.json"),
        "a negative share": (put(f"{text}/learned/anger", -0.1), "learned.anger"),
        "a share above 1": (put(f"{text}/learned/anger", 7), "learned.anger"),
        "the smallest share": (put(f"{text}/learned/anger", 5e-324), None),
        "an unknown word learned": (put(f"{text}/learned/boredom", 0.1), "boredom"),
        "no basic emotion learned": (put(f"{text}/learned", {"love": 0.1}), "learned"),
        "adapted without keys": (put(f"{text}/adapted", ["love"]), "text.adapted"),
        "an unknown word adapted": (put(f"{text}/adapted", ["boredom"]), "boredom"),
        "a word adapted twice": (put(f"{text}/adapted", ["love", "love"]), "adapted"),
        "adapted with one key too few": (
            both(
                put(f"{text}/adapted", words),
                weight("text.adapted", keys),
                weight("text.constants", np.zeros(2, np.float32)),
            ),
            "text.adapted",
        ),
        "adapted with wide keys": (
            both(
                put(f"{text}/adapted", ["love"]),
                weight("text.adapted", np.zeros((1, 9), np.float32)),
                weight("text.constants", np.zeros(1, np.float32)),
            ),
            "text.adapted",
        ),
        "adapted without constants": (
            both(put(f"{text}/adapted", ["love"]), weight("text.adapted", keys)),
            "text.constants",
        ),
        "keys that nobody named": (
            both(weight("text.adapted", keys), weight("text.constants", np.zeros(1, np.float32))),
            "text.adapted",
        ),
        "no guess": (drop(f"{text}/guess"), "guess"),
        "a guess without weight": (put(f"{text}/guess", {"auc": 0.5}), "guess.weight"),
        "a negative guess": (put(f"{text}/guess/weight", -1), "guess.weight"),
        "a guess of NaN": (put(f"{text}/guess/weight", nan), "artefact.json"),
        "thresholds of an unknown word": (put(f"{text}/thresholds", {"awe": 0.5}), "thresholds"),
        "a branch threshold of NaN": (put(f"{text}/thresholds", {"love": nan}), "artefact.json"),
        # the fusion
        "no fusion": (put("body/fusion", {}), "body.fusion"),
        "a set missing": (drop(fusion), "body.fusion"),
        "a set under another name": (rename(fusion, "speech+text"), "text+speech"),
        "a set of an unknown modality": (rename(fusion, "text+smell"), "text+speech"),
        "a set too many": (
            lambda d: d.content["body"]["fusion"].update(smell=d.content["body"]["fusion"]["text"]),
            "body.fusion",
        ),
        "a set null": (put(fusion, None), fusion.replace("/", ".")),
        "no weights": (drop(f"{fusion}/weights"), "weights"),
        "a weight missing": (drop(f"{fusion}/weights/text"), "weights"),
        "a weight of another modality": (rename(f"{fusion}/weights/text", "face"), "weights"),
        "a negative weight": (put(f"{fusion}/weights/text", -1), "weights.text"),
        "a huge weight": (put(f"{fusion}/weights/text", huge), "weights.text"),
        "a weight of NaN": (put(f"{fusion}/weights/text", nan), "artefact.json"),
        "a weight of 0": (put(f"{fusion}/weights/text", 0), None),
        "a large weight": (put("body/fusion/text/weights/text", 999), None),
        "a neutral weight missing": (drop(f"{fusion}/neutral/text"), "weights"),
        "a neutral weight as a word": (put(f"{fusion}/neutral/text", "1"), "neutral.text"),
        "a bias missing": (drop(f"{fusion}/bias/anger"), "bias"),
        "a bias of an unknown word": (put(f"{fusion}/bias/boredom", 0.0), "bias"),
        "a huge bias": (put(f"{fusion}/bias/anger", huge), "bias.anger"),
        "a large bias": (put("body/fusion/text/bias/anger", 1000), None),
        "no other": (drop(f"{fusion}/other"), "other"),
        "other of infinity": (put(f"{fusion}/other", -float("inf")), "artefact.json"),
        "a huge other": (put(f"{fusion}/other", huge), "other"),
        "a large other": (put("body/fusion/text/other", 1000), None),
        "a low other": (put("body/fusion/text/other", -1000), None),
        "a fused threshold above 1": (put(f"{fusion}/threshold", 1.5), "threshold"),
        "figures that lack a number": (put(f"{fusion}/measured", {"rows": 1}), "measured"),
        # the files
        "weights not listed": (
            lambda d: d.content.update(files={"README.md": "0" * 64}),
            "weights.safetensors",
        ),
        "no vectors": (lambda d: d.vectors.clear(), "words"),
        # the tensors
        "a map missing": (weight("text.map", None), "text.map"),
        "a map of another width": (weight("text.map", lambda x: x[:, :9]), "text.map"),
        "a map of another height": (weight("text.map", lambda x: x[:5]), "text"),
        "a map that is a row": (weight("text.map", lambda x: x[0]), "text.map"),
        "an empty map": (weight("text.map", lambda x: x[:0]), "text.map"),
        "a map of whole numbers": (weight("text.map", lambda x: x.astype(np.int64)), "text.map"),
        "a map with NaN": (weight("text.map", one(nan)), "text.map"),
        "a map with infinity": (weight("text.map", one(float("inf"))), "text.map"),
        "a huge map": (weight("text.map", lambda x: x * huge), "text.map"),
        "a map in double precision": (weight("text.map", lambda x: x.astype(np.float64)), None),
        "a map in half precision": (weight("text.map", lambda x: x.astype(np.float16)), None),
        "an offset missing": (weight("text.offset", None), "text.offset"),
        "an offset of another length": (weight("text.offset", lambda x: x[:7]), "text.offset"),
        "an offset with NaN": (weight("text.offset", one(nan)), "text.offset"),
        "a bias of another length": (weight("text.bias", np.ones(7, np.float32)), "text.bias"),
        "a bias with NaN": (weight("text.bias", np.full(8, nan, np.float32)), "text.bias"),
        "a bias": (weight("text.bias", np.ones(8, np.float32)), None),
        "no mean": (weight("text.mean", None), None),
        "a mean of another length": (weight("text.mean", lambda x: x[:7]), "text.mean"),
        "a covariance that is no square": (
            weight("text.covariance", lambda x: x[:7]),
            "text.covariance",
        ),
        "a covariance with NaN": (weight("text.covariance", one(nan)), "text.covariance"),
        "words of another number": (vector("words", lambda x: x[:-1]), "words"),
        "words of another width": (vector("words", lambda x: x[:, :9]), "text.map"),
        "words that are a row": (vector("words", lambda x: x[0]), "words"),
        "words that are a number": (vector("words", np.float32(1)), "words"),
        "words with NaN": (vector("words", one(nan)), "words"),
        "huge words": (vector("words", lambda x: x * huge), "words"),
        "words of length 0": (vector("words", lambda x: 0 * x), None),
        "emotions of another number": (vector("emotions", lambda x: x[:-1]), "emotions"),
        "no emotions": (vector("emotions", None), None),
        "training rows as numbers": (vector("text.trained", np.zeros(3)), "text.trained"),
        "training rows as a table": (
            vector("text.trained", np.zeros((3, 2), np.uint64)),
            "text.trained",
        ),
        "a stray tensor": (weight("smell.map", np.zeros(3, np.float32)), None),
    }


CASES = cases()


@pytest.mark.parametrize("name", CASES)
def test_a_forged_artefact_is_refused_or_answers(name, sound, tmp_path):
    change, named = CASES[name]
    draft = sound.copy()
    change(draft)
    folder = draft.sign(tmp_path / "forged", listed="files" not in name and "listed" not in name)
    if named is None:
        answer(folder)
        return
    with pytest.raises(MoodalError) as caught:
        answer(folder)
    require_sentence(caught.value, folder)
    assert named in str(caught.value)
    with contextlib.suppress(MoodalError):  # a faulty graph is not inspected
        describe(folder)


@pytest.mark.parametrize(
    "name", ["training rows without end", "no emotions", "no modalities", "a large other"]
)
def test_a_forged_artefact_that_answers_can_be_evaluated(name, sound, tmp_path):
    draft = sound.copy()
    CASES[name][0](draft)
    folder = draft.sign(tmp_path / "forged")
    table = tmp_path / "table.csv"
    rows = zip(TEXTS, ("happiness", "anger", "neutral"), strict=True)
    table.write_text("id,text,label\n" + "".join(f"{e},{t},{e}\n" for t, e in rows))
    report = evaluate(moodal.load(folder, threads=1), rows_of(table), tmp_path / "report")
    assert report["rows"] == 3
    json.dumps(report, allow_nan=False)


def nodes(value, path=()):
    """Yield the path of every key, and of the first of many that are alike."""
    if isinstance(value, dict):
        alike = len({repr(sorted(v)) if isinstance(v, dict) else type(v) for v in value.values()})
        names = list(value)[:1] if alike == 1 and len(value) > 2 else list(value)
        children = [(name, value[name]) for name in names]
    else:
        children = list(enumerate(value))[:1] if isinstance(value, list) else []
    for name, child in children:
        yield (*path, name)
        yield from nodes(child, (*path, name))


JUNK = (None, "x", -1, 1e308, 10**30, True, [], {}, [None], {"x": None})


def test_junk_in_every_key_is_refused_or_answered(sound, tmp_path):
    draft = sound.copy()
    folder = draft.sign(tmp_path / "forged")
    paths = ["/".join(map(str, path)) for path in nodes(draft.content)]
    assert len(paths) > 90
    refused = 0
    for path in paths:
        for change in (drop(path), *(put(path, junk) for junk in JUNK)):
            forged = draft.copy()
            change(forged)
            forged.describe(folder, forged.content)
            try:
                answer(folder)
            except MoodalError as error:
                require_sentence(error, folder)
                refused += 1
    assert refused > 5 * len(paths)
