"""Two people label moodal's answers in ELAN and Praat, and are compared with it."""

import dataclasses

import pytest

from moodal.output.formats import write


@pytest.fixture
def labelled(made, tmp_path):
    """Folders of two people and the model's table; Ben differs in one utterance of each call."""
    calls = [made.timeline(f"call{i}.mp4") for i in range(3)]
    calls = [
        dataclasses.replace(
            call, predictions=tuple(dataclasses.replace(p, decided=(p.top,)) for p in call)
        )
        for call in calls
    ]
    write(calls, "csv", tmp_path / "model.csv")
    write(calls, "eaf", f"{tmp_path}/ann/")
    for call in calls:
        first = dataclasses.replace(call[0], decided=("fear",))
        other = dataclasses.replace(call, predictions=(first, *call.predictions[1:]))
        write(other, "textgrid", f"{tmp_path}/ben/")
    return tmp_path


def test_people_and_the_model(labelled, answer, capsys):
    paths = (labelled / "ann", labelled / "ben")
    report = answer("agree", *paths, "--model", labelled / "model.csv")
    assert report["raters"] == ["ann", "ben", "model"]
    kappas = {tuple(p["raters"]): p["kappa"]["value"] for p in report["pairs"]}
    assert kappas["ann", "model"] == pytest.approx(1)
    assert kappas["ann", "ben"] == kappas["ben", "model"] < 1
    assert report["groups"]["people"]["kappa"]["value"] == kappas["ann", "ben"]
    from moodal.cli.main import main

    main(["agree", *map(str, paths), "--model", str(labelled / "model.csv")])
    shown = capsys.readouterr().out
    assert "model with each person" in shown
    assert "people by row, model by column" in shown
    assert f"{kappas['ann', 'ben']:.3f} [" in shown


def test_mistakes_are_one_sentence(labelled, fails):
    code, said = fails("agree", labelled / "ann", "--tier", "mood")
    assert (code, "has no tier 'mood'; its tiers are utterance, " in said) == (3, True)
    code, said = fails("agree", labelled / "ann")
    assert (code, said) == (3, "moodal: Agreement needs at least two raters; there is ann.")
