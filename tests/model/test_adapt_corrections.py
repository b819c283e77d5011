"""Corrections teach scales and offsets, where they help, and the artefact says so."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from moodal.cli.main import main
from moodal.core.correction import Correction, CorrectionFile
from moodal.core.errors import DataError, UsageError
from moodal.loading import load
from moodal.model.adapt_corrections import adapt_corrections
from moodal.model.artefact import CARD, read
from moodal.model.consistency import contradiction
from moodal.output.formats import from_json, render, write

TEXTS = {
    "anger": "You broke my favourite cup again number {}, this makes me angry!",
    "sadness": "I miss my grandmother, {} years have gone, and I cry.",
    "happiness": "What a lovely day, we won {} prizes, I am happy!",
    "neutral": "The train leaves from platform {} at noon.",
}


@pytest.fixture(scope="module")
def model():
    return load(threads=1)


@pytest.fixture(scope="module")
def results(model):
    """Twenty short texts, each one recording, as they come back from JSON."""
    timelines = [
        dataclasses.replace(model.predict(text=text.format(n)), path=f"{emotion}-{n}.txt")
        for n in range(2, 7)
        for emotion, text in TEXTS.items()
    ]
    return from_json(render(timelines, "json"))


def said(results, label):
    """Corrections that say of each recording what ``label`` makes of its emotion."""
    return [Correction.of(t, t[0], "emotion", label(t.path.split("-")[0]), "ann") for t in results]


def shifted(emotion):
    """An annotator for whom everything angry is fear."""
    return "fear" if emotion == "anger" else emotion


@pytest.fixture(scope="module")
def corrected(model, results, tmp_path_factory):
    out = tmp_path_factory.mktemp("corrected") / "artefact"
    return adapt_corrections(model, said(results, shifted), results, out, source="chats")


def test_what_is_learned_helps_and_is_told(corrected, results):
    info = read(corrected).fused.corrections
    assert info.fitted != "none"
    assert info.after < info.before
    assert (info.corrections, info.recordings, info.annotators) == (20, 20, 1)
    assert info.labels == {"fear": 5, "happiness": 5, "sadness": 5, "neutral": 5}
    assert info.modalities == {"text": 20}
    assert info.offsets["fear"] > info.offsets["neutral"]
    card = (corrected / CARD).read_text(encoding="utf-8")
    assert "## Corrections" in card
    assert f"{info.before:.3f} to {info.after:.3f}" in card
    timeline = load(corrected, threads=1).predict(text="You broke it, I am angry!")
    assert any(note.startswith("Corrected by 20 corrections of chats") for note in timeline.notes)


def test_answers_follow_the_equation_and_still_add_up(model, corrected):
    text = "You broke my favourite cup, this makes me angry!"
    before, after = model.predict(text=text)[0], load(corrected, threads=1).predict(text=text)[0]
    info, basics = read(corrected).fused.corrections, model.info.labels
    likelihood = np.log([before.probabilities[b] for b in basics])
    likelihood -= likelihood.mean()
    expected = [
        info.scales[b] * v + info.offsets[b] for b, v in zip(basics, likelihood, strict=True)
    ]
    expected = np.exp(expected) / np.exp(expected).sum()
    np.testing.assert_allclose([after.probabilities[b] for b in basics], expected, atol=1e-9)
    assert after.probabilities["fear"] > before.probabilities["fear"]
    logits = np.array([after.logits[b] for b in basics])
    np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(), expected, atol=1e-9)
    words = sum(w.shares["fear"] for w in after.words) + after.rest["text"]["fear"]
    assert words == pytest.approx(after.shares["text"]["fear"])


def test_other_words_and_a_second_modality_follow(corrected, model):
    new = load(corrected, threads=1)
    text = "I hope that we will see each other soon."
    asked = ["hope", "fear"]
    assert new.predict(text=text, emotions=asked)[0].probabilities["hope"] == pytest.approx(
        model.predict(text=text, emotions=asked)[0].probabilities["hope"], abs=1e-9
    )


def test_adapting_again_starts_from_the_evidence(model, corrected, results, tmp_path):
    new = load(corrected, threads=1)
    again = [
        dataclasses.replace(
            new.predict(text=TEXTS[t.path.split("-")[0]].format(t.path[-5])), path=t.path
        )
        for t in results
    ]
    out = adapt_corrections(new, said(again, shifted), again, tmp_path / "again")
    first, second = read(corrected).fused.corrections, read(out).fused.corrections
    assert second.fitted == first.fitted
    for emotion, value in first.offsets.items():
        assert second.offsets[emotion] == pytest.approx(value, abs=0.02)
        assert second.scales[emotion] == pytest.approx(first.scales[emotion], abs=0.02)


def test_what_does_not_help_is_not_kept_and_that_is_said(model, results, tmp_path):
    rng = np.random.default_rng(0)  # annotators who agree as often as the model expects
    shares = [np.array(list(t[0].probabilities.values())) for t in results]
    labels = [
        str(rng.choice(t.emotions, p=p / p.sum())) for t, p in zip(results, shares, strict=True)
    ]
    rows = [Correction.of(t, t[0], "emotion", new) for t, new in zip(results, labels, strict=True)]
    out = adapt_corrections(model, rows, results, tmp_path / "out")
    info = read(out).fused.corrections
    assert info.fitted == "none"
    assert set(info.scales.values()) == {1.0}
    card = (out / CARD).read_text(encoding="utf-8")
    assert "Nothing was learned from 20 corrections" in card
    text = "I am glad."
    assert load(out).predict(text=text)[0] == model.predict(text=text)[0]


def test_rows_that_cannot_be_used_are_counted(model, results, tmp_path):
    rows = said(results, shifted)
    rows[0] = dataclasses.replace(rows[0], new="unsure")
    rows[1] = dataclasses.replace(rows[1], new="schadenfreude")
    rows[2] = dataclasses.replace(rows[2], id="x#1")
    rows[3] = dataclasses.replace(rows[3], artefact="other")
    rows[4] = dataclasses.replace(rows[4], new="joy" if rows[4].new == "happiness" else "fear")
    rows += [dataclasses.replace(rows[5], new="anger", kind="text")]
    left_out: list[str] = []
    out = adapt_corrections(model, rows, results, tmp_path / "out", left_out=left_out)
    assert read(out).fused.corrections.corrections == 16
    assert [reason.split(" corrections: ")[0] for reason in left_out] == ["1"] * 4
    assert "schadenfreude" in left_out[1]


@pytest.mark.parametrize(
    ("change", "error", "problem"),
    [
        (lambda rows: rows[:9], DataError, "there are 9 in 9"),
        (lambda rows: [dataclasses.replace(r, artefact="x") for r in rows], DataError, "20 are of"),
    ],
)
def test_too_few_corrections_are_refused(model, results, tmp_path, change, error, problem):
    with pytest.raises(error, match=problem):
        adapt_corrections(model, change(said(results, shifted)), results, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_several_priors_are_refused(model, results, tmp_path):
    mixed = [dataclasses.replace(results[0], prior="talk"), *results[1:]]
    with pytest.raises(UsageError, match="different priors"):
        adapt_corrections(model, said(mixed, shifted), mixed, tmp_path / "out")


def test_a_description_that_contradicts_itself_is_refused(corrected):
    info = read(corrected).info
    learned = info.body.corrections.model_copy(update={"scales": {"anger": 1.0}})
    body = info.body.model_copy(update={"corrections": learned})
    assert "scales must have" in contradiction(info.model_copy(update={"body": body}))


def test_the_command(model, results, tmp_path, capsys):
    write(results, "json", f"{tmp_path}/")
    file = CorrectionFile(tmp_path / "corrections.csv")
    for row in said(results, shifted):
        file.append(row)
    main(["adapt", "--corrections", str(file.path), "--out", str(tmp_path / "out"), "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["corrections"]["corrections"] == 20
    main(["inspect", str(tmp_path / "out")])
    assert "Corrected by 20 corrections" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["adapt", "fear", "--corrections", str(file.path), "--out", str(tmp_path / "b")])
    assert "--corrections takes no word" in capsys.readouterr().err
