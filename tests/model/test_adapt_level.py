"""A level of unlabelled recordings is stored in a new artefact, and every answer says so."""

import numpy as np
import pytest

from moodal.cli.main import main
from moodal.core.errors import DataError, UsageError
from moodal.core.records import Frames
from moodal.loading import load
from moodal.model.artefact import read
from moodal.model.consistency import contradiction
from moodal.model.level import LEAST

CHEERFUL = [f"We won {n} games today, I am so happy and grateful!" for n in range(2, 14)]


@pytest.fixture(scope="module")
def model():
    return load(threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chats")
    for n, text in enumerate(CHEERFUL):
        (folder / f"{n}.txt").write_text(text)
    return folder


@pytest.fixture(scope="module")
def levelled(model, folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("levelled") / "artefact"
    model.adapt_level(sorted(folder.iterdir()), out, strength=0.5, source="chats")
    return load(out, threads=1)


def happiness(model, text, **options):
    return model.predict(text=text, **options)[0].probabilities["happiness"]


def test_what_every_recording_shows_counts_for_less(model, levelled):
    text = "It is fine, I am glad."
    assert 1 - happiness(levelled, text) > 1.2 * (1 - happiness(model, text))
    [level] = [levelled.artefact.fused.level]
    assert level.utterances == {"text": len(CHEERFUL)}
    assert (level.prior, level.strength, level.source) == ("level", 0.5, "chats")
    assert level.shifts["text"]["happiness"] == min(level.shifts["text"].values()) < 0


def test_the_stored_shift_is_that_of_the_evidence(model, levelled):
    asked, frames = model.ask(), Frames.from_list([model.encoders["text"].encode("I am glad.")])
    evidence = model.scorer.evidence(model.scorer.prepared({"text": frames}), asked)
    shifts = levelled.artefact.fused.level.shifts["text"]
    own = {"text": np.array([[shifts[basic] for basic in model.info.labels]])}
    by_hand = model.scorer.fused(evidence, asked, level=own).probabilities
    np.testing.assert_allclose(
        levelled.scorer.fused(evidence, asked).probabilities, by_hand, atol=1e-9
    )


def test_shares_stay_exact_under_a_stored_level(levelled):
    [answer] = levelled.predict(text="I am glad.")
    for word in answer.probabilities:
        total = sum(own[word] for own in answer.shares.values()) + answer.bias[word]
        assert total == pytest.approx(answer.logits[word], abs=1e-6)


def test_every_answer_says_so_but_one_that_is_levelled_anew(model, levelled):
    [note] = levelled.predict(text="I am glad.").notes
    assert note.startswith(f"Levelled by {len(CHEERFUL)} utterances of text in chats (nats): text")
    assert not any(n.startswith("Levelled by 12") for n in model.predict(text="Hi.").notes)
    many = " ".join(f"I am glad about number {n}." for n in range(12))
    anew = levelled.predict(text=many, level=True).notes
    assert not any("in chats" in note for note in anew)


def test_too_few_utterances_and_its_own_folder_are_refused(model, folder, tmp_path):
    few = sorted(folder.iterdir())[: LEAST - 1]
    with pytest.raises(DataError, match=f"needs {LEAST} utterances.*have {LEAST - 1} of text"):
        model.adapt_level(few, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="choose another --out"):
        model.adapt_level(few, model.artefact.folder)


def test_an_unreadable_recording_is_left_out_with_a_warning(model, folder, tmp_path, caplog):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    left_out = []
    recordings = [broken, *sorted(folder.iterdir())]
    model.adapt_level(recordings, tmp_path / "out", left_out=left_out)
    assert len(left_out) == 1
    assert "broken.wav" in left_out[0]
    assert "Left out" in caplog.text
    assert "broken.wav" in caplog.text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"shifts": {"smell": {}}}, "smell, which is none of body.branches"),
        ({"shifts": {"text": {"anger": 1.0}}}, "one number for each of body.basics"),
        ({"utterances": {}}, "one number for each of body.level.shifts"),
    ],
)
def test_a_level_that_contradicts_the_artefact_is_refused(levelled, change, sentence):
    info, body = levelled.info, levelled.artefact.fused
    forged = body.model_copy(update={"level": body.level.model_copy(update=change)})
    assert contradiction(info) == ""
    assert sentence in contradiction(info.model_copy(update={"body": forged}))


def test_the_command_adapts_and_refuses_what_does_not_go_together(folder, tmp_path, capsys):
    out = tmp_path / "out"
    main(["adapt", "--unlabelled", str(folder), "--out", str(out), "--prior", "talk"])
    assert "Levelled by 12 utterances of text" in capsys.readouterr().out
    assert read(out).fused.level.prior == "talk"
    for wrong in (
        ["glad", "--unlabelled", str(folder)],
        ["glad"],
        ["glad", "x.txt", "--prior", "talk"],
    ):
        with pytest.raises(SystemExit) as stopped:
            main(["adapt", *wrong, "--out", str(tmp_path / "other")])
        assert stopped.value.code == UsageError.exit_code
        assert "moodal: " in capsys.readouterr().err


def test_options_may_stand_between_the_word_and_the_clips(tmp_path, capsys):
    for n in range(3):
        (tmp_path / f"{n}.txt").write_text(f"I am so relieved that it is over {n}.")
    clips = [str(tmp_path / f"{n}.txt") for n in range(3)]
    main(["adapt", "relieved", "--out", str(tmp_path / "out"), *clips])
    assert "learned relieved from 3 clips of text" in capsys.readouterr().out


@pytest.mark.parametrize("strength", [0, 7, float("nan")])
def test_a_strength_outside_of_its_range_is_refused_before_anything_is_read(model, strength):
    with pytest.raises(UsageError, match="strength is above 0"):
        model.adapt_level(["missing.wav"], "out", strength=strength)


def test_recordings_that_are_few_keep_the_stored_level(levelled):
    text = "I am glad."
    plain, anew = levelled.predict(text=text), levelled.predict(text=text, level=True)
    assert dict(anew[0].probabilities) == pytest.approx(dict(plain[0].probabilities))
    assert any("in chats" in note for note in anew.notes)
