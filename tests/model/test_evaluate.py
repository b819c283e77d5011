"""evaluate: tables of recordings, texts and pictures, scored and reported."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

import moodal
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, SpaceError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Frames, Utterance
from moodal.core.votes import HardRule
from moodal.evaluation.report.measures import NO_EVIDENCE
from moodal.evaluation.report.write import predictions
from moodal.features.store import FeatureStore
from moodal.modalities.face.pixels import Pixels
from moodal.modalities.modality import Absent
from moodal.model import states
from moodal.model.evaluate import rows_of
from moodal.model.label_mapping import with_truth
from moodal.model.row_sources import read_rows
from moodal.model.rows import observe_row

LABELS = ("joy", "angry", "sadness", "calm")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """24 rows with any of a text, a sound and a face; one sound is damaged."""
    import soundfile
    from PIL import Image

    from moodal.lookalikes.face import draw_face

    folder = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(24):
        row = {"id": f"r{i}", "label": LABELS[i % 4], "text": "", "audio": "", "face": ""}
        row["speaker"] = f"s{i % 5}"
        if i % 3 != 1:
            row["text"] = f"I am so {LABELS[i % 4]} about number {i}"
        if i % 3 != 2:
            soundfile.write(folder / f"{i}.wav", rng.normal(0, 0.1, 4000 + 100 * i), 16000)
            row["audio"] = f"{i}.wav"
        if i % 5 == 0:
            Image.fromarray(draw_face(48, i / 24)).save(folder / f"{i}.png")
            row["face"] = f"{i}.png"
        rows.append(row)
    (folder / "1.wav").write_bytes(b"RIFF, but no sound")
    return written(folder / "table.csv", rows)


def written(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def done(model, table, tmp_path_factory):
    """The folder and the report of that table."""
    out = tmp_path_factory.mktemp("runs") / "out"
    return out, model.evaluate(table, out, by=["streams"])


def test_the_full_report_is_written(done):
    out, report = done
    for name in ("report.json", "report.md", "predictions.csv", "figures/reliability.png"):
        assert (out / name).stat().st_size > 100
    assert report["task"] == "single"
    assert report["labels"] == ["anger", "happiness", "sadness"]
    assert report["clusters"]["kind"] == "speaker"
    assert 0 <= report["calibration"]["ece"] <= 1
    assert 0 < report["extras"]["abstention"]["share"]["value"] <= 1
    assert set(report["groups"]["streams"]) == set(report["extras"]["sets"])


def test_what_is_left_out_is_told(done):
    out, report = done
    stamps = report["protocol"]["stamps"]
    assert "6 rows of other emotions left out (calm)" in stamps
    assert "names as declared: angry for anger, joy for happiness" in stamps
    assert "1 rows without anything that can be read left out" in stamps
    assert report["rows"] == 17
    assert list(report["extras"]["unreadable"]) == ["r1"]
    assert "## Not read" in (out / "report.md").read_text()
    assert sum(report["extras"]["sets"].values()) == 17


def test_rows_are_scored_as_prediction_scores_them(done, model, table):
    out, _ = done
    with open(out / "predictions.csv", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    wanted = ["anger", "happiness", "sadness"]
    for name, options in (
        ("r8", {"text": "I am so joy about number 8"}),
        ("r4", {"source": table.parent / "4.wav", "whole": True, "asr": False}),
        ("r6", {"source": table.parent / "6.wav", "text": "I am so sadness about number 6"}),
    ):
        answer = model.predict(emotions=wanted, **({"whole": True} | options))[0]
        told = [float(rows[name][f"probability:{w}"]) for w in wanted]
        assert told == pytest.approx([answer.probabilities[w] for w in wanted], abs=1e-4)


def test_a_second_time_nothing_is_computed(done, model, table, monkeypatch):
    out, report = done
    read = []
    whole = states.States.encode
    monkeypatch.setattr(
        states.States, "encode", lambda self, item: read.append(item) or whole(self, item)
    )
    again = model.evaluate(table, out)
    assert [clip.path for clip in read] == [str(table.parent / "1.wav")]
    assert again["metrics"] == report["metrics"]
    assert json.loads((out / "report.json").read_text()) == again


def test_a_run_that_was_killed_goes_on(model, table, tmp_path, monkeypatch, done):
    whole, calls = states.States.encode, []

    def dying(self, item):
        calls.append(item)
        if len(calls) == 21:
            raise KeyboardInterrupt
        return whole(self, item)

    monkeypatch.setattr(states.States, "encode", dying)
    monkeypatch.setattr("moodal.features.encode.PACK", {"text": 4, "sound": 4, "pictures": 4})
    with pytest.raises(KeyboardInterrupt):
        model.evaluate(table, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    first = len(calls)
    report = model.evaluate(table, tmp_path / "out")
    # 12 texts, 12 sounds, 4 faces in all (without those of calm); a pack of four is lost at most
    assert len(calls) - first < 14
    assert report["metrics"] == done[1]["metrics"]


def test_processes_give_the_same(model, table, tmp_path, done, monkeypatch):
    monkeypatch.setattr("moodal.features.encode.PACK", {"text": 99, "sound": 6, "pictures": 99})
    report = model.evaluate(
        table, tmp_path / "out", jobs=2, store=tmp_path / "store", by=["streams"]
    )
    assert report["metrics"] == done[1]["metrics"]
    assert (tmp_path / "store").is_dir()
    assert not (tmp_path / "out.states").exists()


def test_names_are_mapped_only_as_declared(model, table, tmp_path):
    options = {"streams": ["text"], "store": tmp_path / "store"}
    report = model.evaluate(table, tmp_path / "a", names={"calm": "neutral"}, **options)
    assert report["labels"] == ["anger", "neutral", "happiness", "sadness"]
    told = "names as declared: angry for anger, joy for happiness, calm for neutral"
    assert told in report["protocol"]["stamps"]
    with pytest.raises(UsageError, match="no cheer"):
        model.evaluate(table, tmp_path / "b", names={"cheer": "joy"}, **options)


def test_unknown_emotions_are_guessed_only_where_asked(model, table, tmp_path):
    options = {"streams": ["text"], "store": tmp_path / "store"}
    report = model.evaluate(table, tmp_path / "a", emotions=["joy", "calm"], **options)
    assert report["labels"] == ["happiness", "calm"]
    assert "never trained on: calm" in report["protocol"]["stamps"]
    assert report["protocol"]["unseen"] == ["calm"]
    with pytest.raises(UsageError, match="no awe"):
        model.evaluate(table, tmp_path / "b", emotions=["awe"], **options)


def test_what_a_used_branch_never_learned_is_left_out(model, tmp_path):
    rows = [
        {"id": str(i), "text": "I did not see that coming", "label": x}
        for i, x in enumerate(["surprise", "fear", "surprise", "anger"])
    ]
    table = written(tmp_path / "t.csv", rows)
    report = model.evaluate(table, tmp_path / "out")
    assert report["labels"] == ["anger", "fear", "surprise"]
    auc = report["metrics"]["auc"]["emotions"]
    assert all(auc[label]["value"] is not None for label in report["labels"])
    only = written(tmp_path / "u.csv", [{**r, "label": "awe"} for r in rows])
    with pytest.raises(SpaceError, match="--map"):
        model.evaluate(only, tmp_path / "none")


def test_faces_that_came_as_pixels_are_read_as_they_are(model, tmp_path):
    rng = np.random.default_rng(0)
    # noise shows no face, so that each picture is taken as a whole
    values = (rng.integers(0, 256, (9, 2304)) / 255).astype(np.float16)
    manifest = Manifest(
        "faces",
        EmotionSpace(["anger", "happiness", "awe"], "single"),
        tuple(Utterance(f"f{i}", split="test") for i in range(9)),
        np.eye(3, dtype=np.float32)[np.arange(9) % 3],
        features={"face": Frames(values, np.ones(9, np.int64))},
    )
    report = model.evaluate(manifest, tmp_path / "out")
    assert report["rows"] == 6
    assert report["subset"] == "test"
    assert report["extras"]["sets"] == {"face": 6}
    branch, store = model.scorer.branches["face"], FeatureStore(tmp_path / "store")

    def states_of(manifest):
        return read_rows(model, manifest, ["face"], store, 1, False).rows["face"].states

    expected = branch.states(values.astype(np.float32))
    assert states_of(manifest).values == pytest.approx(expected, abs=1e-3)
    twice = Frames(values[:8], np.array([3, 0, 1, 0, 4, 0, 0, 0, 0]))
    read = states_of(replace(manifest, features={"face": twice}))
    assert read.lengths.tolist() == [1, 0, 1, 0, 1] + [0] * 4
    expected = branch.states(values[4:8].astype(np.float32)).mean(0)
    assert read[4][0] == pytest.approx(expected, abs=1e-3)


def test_a_picture_of_48_pixels_is_a_face_already(tmp_path):
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 255, (48, 48), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    observed = observe_row("face", Clip(str(tmp_path / "a.png")))
    assert observed.item[0] == pytest.approx(noise, abs=1e-6)
    frames = Pixels().encode(observed.item)
    assert frames[0] == pytest.approx(noise.ravel() / 255, abs=1e-6)
    Image.fromarray(np.kron(noise, np.ones((3, 3), np.uint8))).save(tmp_path / "b.png")
    assert observe_row("face", Clip(str(tmp_path / "b.png"))) == Absent("no face")


def test_votes_are_scored_by_their_majority_or_another_rule():
    labels = np.array([[0.7, 0.3], [0.5, 0.5], [0.2, 0.8]], np.float32)
    space = EmotionSpace(["anger", "fear"], "single")
    own = tuple(Utterance(str(i), extra={"clear": x}) for i, x in enumerate(("no", "no", "yes")))

    def scored(corpus, truth):
        manifest = Manifest(corpus, space, own, labels)
        test = predictions(manifest, np.arange(3), labels, space, "test", truth=truth)
        return with_truth(test, manifest, truth)

    # a column "clear" of another corpus than FER+ is a column as any other
    one, stamps = scored("table", HardRule("majority"))
    assert one.targets.tolist() == [[1, 0], [0, 0], [0, 1]]
    assert one.clear.tolist() == [True, False, True]
    assert stamps == ["1 rows without a majority count only against the shares of raters"]
    one, _ = scored("ferplus", HardRule("majority"))
    assert one.clear.tolist() == [False, False, True]
    one, stamps = scored("ferplus", HardRule("plurality", "first"))
    assert (one.clear.tolist(), stamps) == ([True, True, True], [])


def test_a_majority_is_that_of_the_emotions_that_are_scored(model, tmp_path):
    shares = {"share:happiness": 0.4, "share:excited": 0.4, "share:sadness": 0.2}
    rows = [{"id": f"u{i}", "text": "so glad", "speaker": f"s{i}", **shares} for i in range(4)]
    corpus = rows_of(written(tmp_path / "t.csv", rows))
    report = model.evaluate(corpus, tmp_path / "out", names={"excited": "happiness"})
    assert report["votes"]["without_truth"] == 0
    others = {"share:happiness": 0.4, "share:fear": 0.3, "share:sadness": 0.3}
    rows = [{"id": f"u{i}", "text": "so glad", "speaker": f"s{i}", **others} for i in range(4)]
    corpus = rows_of(written(tmp_path / "o.csv", rows))
    with pytest.raises(DataError, match="no row to be tested has a single true emotion"):
        model.evaluate(corpus, tmp_path / "majority")
    report = model.evaluate(corpus, tmp_path / "plurality", truth=HardRule("plurality"))
    assert report["votes"]["without_truth"] == 0


def test_shares_of_raters_are_tested_as_such(model, tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        {
            "id": f"u{i}",
            "text": "so glad" if i % 2 else "so sad",
            "speaker": f"s{i % 6}",
            **{f"rater:{who}": str(rng.choice(["happiness", "sadness"])) for who in "abc"},
            "rater:d": "happiness" if i % 2 else "",
        }
        for i in range(24)
    ]
    corpus = rows_of(written(tmp_path / "t.csv", rows))
    report = model.evaluate(corpus, tmp_path / "out")
    assert report["rows"] == 24
    assert report["votes"]["without_truth"] > 0
    assert set(report["votes"]["raters"]) == {"a", "b", "c", "d"}
    jsd = report["metrics"]["jsd"]["all"]
    assert 0 < jsd["low"] <= jsd["value"] <= jsd["high"] < 1
    assert report["metrics"]["accuracy"]["people"]["value"] is not None
    assert "prior" not in jsd["baselines"]  # the shares of its training are unknown


def test_rows_with_any_number_of_emotions(tiny, tmp_path):
    rows = [
        {
            "id": str(i),
            "text": f"sentence {i} is here",
            "emotion:joy": i % 2,
            "emotion:fear": i % 3,
            "emotion:awe": 1,
        }
        for i in range(9)
    ]
    table = written(tmp_path / "t.csv", rows)
    branch = tiny.body(["text"]).branches["text"]
    branch = branch.model_copy(update={"thresholds": {"happiness": 0.3}})
    body = tiny.body(["text"], branches={"text": branch})
    model = moodal.load(tiny.write_tiny(tmp_path / "a", ["text"], body=body))
    report = model.evaluate(table, tmp_path / "out")
    assert report["task"] == "multi"
    assert report["labels"] == ["happiness", "fear"]
    assert report["rows"] == 9
    assert report["thresholds"]["values"] == {"happiness": 0.3, "fear": 0.5}
    assert any(s.endswith(": awe") for s in report["protocol"]["stamps"])
    # each word by itself, as the branch was trained: the sigmoid of its logit
    from moodal.evaluation.report.scores import load as kept

    branch, asked = model.scorer.branches["text"], model.ask()
    keys, constants = branch.keys(asked.words, asked.vectors)
    mean = branch.states(model.encoders["text"].encode("sentence 3 is here")).mean(0)
    logit = (mean @ keys + constants)[3] + np.log(branch.learned["happiness"])
    probability = kept(tmp_path / "out").probabilities[3, 0]
    assert probability == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)


def test_words_are_heard_where_that_is_asked_for(model, table, tmp_path, monkeypatch):
    from moodal.core.timeline import Word
    from moodal.modalities.speech import transcribe

    def heard(samples, *_, **__):
        words = [Word("so"), Word("sad")] if len(samples) % 200 == 0 else []
        return transcribe.Transcript(words)

    monkeypatch.setattr("moodal.model.rows.transcript", heard)
    options = {"streams": ["text"], "store": tmp_path / "store"}
    usual = model.evaluate(table, tmp_path / "a", **options)
    more = model.evaluate(table, tmp_path / "b", asr=True, **options)
    assert usual["rows"] == 12
    # rows with a sound alone that can be read, and an emotion that is scored
    assert more["rows"] == 12 + sum(
        (4000 + 100 * i) % 200 == 0 for i in range(24) if i % 3 == 1 and i % 4 != 3 and i != 1
    )


def test_foreign_texts_are_told(model, tmp_path):
    foreign = "Das habe ich wirklich nicht von dir erwartet."
    rows = [
        {"id": "1", "text": foreign, "label": "fear"},
        {"id": "2", "text": "It is the end of the world.", "label": "anger"},
    ]
    report = model.evaluate(written(tmp_path / "t.csv", rows), tmp_path / "out")
    stamp = "1 row in languages that were not in the training of the words: German"
    assert stamp in report["protocol"]["stamps"]


def test_mistakes_are_one_sentence(model, tiny_artefact, table, tmp_path, done):
    with pytest.raises(UsageError, match="--root"):
        rows_of("ravdess")
    (tmp_path / "crema_d").mkdir()
    with pytest.raises(DataError, match=r"name that corpus: crema-d --root .*crema_d\.$"):
        rows_of(tmp_path / "crema_d")
    with pytest.raises(UsageError, match="smell"):
        model.evaluate(table, tmp_path / "a", streams=["smell"])
    with pytest.raises(UsageError, match="no 'test' rows"):
        model.evaluate(table, tmp_path / "a", split="test")
    with pytest.raises(UsageError, match="no column"):
        model.evaluate(table, tmp_path / "a", by=["age"])
    with pytest.raises(UsageError, match="choose another"):
        model.evaluate(table, tiny_artefact)
    with pytest.raises(DataError, match="can be read"):
        model.evaluate(table, tmp_path / "a", root=tmp_path, streams=["speech"])
    text = written(tmp_path / "t.csv", [{"id": "1", "text": "hello", "label": "fear"}])
    with pytest.raises(DataError, match="no row of all has speech"):
        model.evaluate(text, tmp_path / "a", streams=["speech"])


def test_an_emotion_that_no_used_modality_knows_has_no_auc_but_a_sentence(tmp_path):
    import soundfile

    rng = np.random.default_rng(0)
    rows = []
    for i in range(12):
        soundfile.write(tmp_path / f"{i}.wav", rng.normal(0, 0.1, 16000), 16000)
        rows.append({"id": str(i), "audio": f"{i}.wav", "label": ("anger", "surprise")[i % 2]})
    table = written(tmp_path / "t.csv", rows)
    report = moodal.load(threads=1).evaluate(
        table, tmp_path / "out", emotions=["anger", "surprise"], streams=["speech"]
    )
    auc = report["metrics"]["auc"]["emotions"]
    assert auc["surprise"] == {"value": None, "gap": NO_EVIDENCE}
    assert auc["anger"]["value"] is not None
    assert NO_EVIDENCE in (tmp_path / "out/report.md").read_text()
