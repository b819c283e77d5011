"""`moodal report` from the command line: what it writes, links and refuses."""

from __future__ import annotations

import base64
import csv
import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest

from moodal.cli.main import main
from moodal.core.timeline import SpeakerTurn
from moodal.output.formats import to_json

CLIP = Path(__file__).parents[2] / "examples" / "clip.mp4"


@pytest.fixture
def result(tmp_path, made):
    """A result whose recording lies beside it."""
    shutil.copy(CLIP, tmp_path / "clip.mp4")
    path = tmp_path / "answers.json"
    path.write_text(to_json(made.timeline("clip.mp4")), encoding="utf-8")
    return path


def block(page, name):
    """The JSON in a block of a page."""
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page)
    return None if found is None else json.loads(found[1])


def test_a_result_becomes_a_page_that_links_its_recording(result, tmp_path, capsys):
    out = tmp_path / "pages" / "report.html"
    main(["report", str(result), "--out", str(out)])
    page = out.read_text(encoding="utf-8")
    assert block(page, "links") == ["../clip.mp4"]
    assert len(block(page, "timelines")["recordings"][0]["utterances"]) == 5
    assert block(page, "study") is None
    assert 'id="media-0"' not in page
    assert "Written: " in capsys.readouterr().err


def test_embedded_it_holds_the_recording_and_no_link(result, tmp_path):
    out = tmp_path / "report.html"
    main(["report", str(result), "--out", str(out), "--embed"])
    page = out.read_text(encoding="utf-8")
    assert block(page, "links") == [None]
    assert 'id="media-0" data-type="video/mp4"' in page
    assert out.stat().st_size > CLIP.stat().st_size


@pytest.mark.parametrize("embed", [True, False])
@pytest.mark.parametrize("kind", ["audio", "video", "image"])
def test_a_result_cannot_bring_another_file_into_the_page(tmp_path, made, capsys, embed, kind):
    secret = tmp_path / "secret.mp4"
    secret.write_text("canary-of-a-secret\n")
    shutil.copy(CLIP, tmp_path / "clip.mp4")
    hostile = dataclasses.replace(made.timeline(str(secret)), kind=kind)
    answers, out = tmp_path / "answers.json", tmp_path / "report.html"
    answers.write_text(to_json([hostile, made.timeline("clip.mp4")]), encoding="utf-8")
    main(["report", str(answers), "--out", str(out), *(["--embed"] if embed else [])])
    page = out.read_text(encoding="utf-8")
    assert base64.b64encode(b"canary-of-a-secret").decode() not in page
    assert 'id="media-0"' not in page
    assert ('id="media-1"' in page) == embed
    assert block(page, "links") == [None, None if embed else "clip.mp4"]
    said = f"not {'embedded' if embed else 'linked'}, since no sound, film or picture: {secret}."
    assert said in capsys.readouterr().err


def test_a_recording_is_predicted(tmp_path, tiny_artefact, speech):
    out = tmp_path / "report.html"
    sound = speech("talk.wav")
    main(["report", str(sound), "--out", str(out), "--artefact", str(tiny_artefact), "--no-asr"])
    page = out.read_text(encoding="utf-8")
    assert block(page, "links") == ["talk.wav"]
    assert block(page, "timelines")["recordings"][0]["path"] == str(sound)


def test_a_missing_recording_is_said(result, tmp_path, capsys):
    (tmp_path / "clip.mp4").unlink()
    main(["report", str(result), "--out", str(tmp_path / "report.html")])
    assert "not linked, since not there: clip.mp4" in capsys.readouterr().err


def test_a_study_of_twelve_in_two_conditions(tmp_path, made):
    rows, timelines = ["recording,participant,condition"], []
    for number in range(12):
        for condition, mood in (("calm", "happiness"), ("loud", "anger")):
            name = f"p{number}-{condition}.mp4"
            rows.append(f"{name},P{number},{condition}")
            if name != "p3-loud.mp4":
                lines = [(text, mood) for text, _ in made.LINES]
                timelines.append(made.timeline(name, lines=lines))
    design, answers = tmp_path / "design.csv", tmp_path / "answers.json"
    design.write_text("\n".join(rows) + "\n")
    answers.write_text(to_json(timelines), encoding="utf-8")
    out, table = tmp_path / "study.html", tmp_path / "long.csv"
    main(["report", str(answers), "--design", str(design), "--csv", str(table), "--out", str(out)])
    study = block(out.read_text(encoding="utf-8"), "study")
    assert (study["counts"]["participants"], study["counts"]["missing"]) == (12, 1)
    assert [one["recording"] for one in study["missing"]] == ["p3-loud.mp4"]
    means = {(m["condition"], m["measure"]): m for m in study["conditions"]}
    assert means["calm", "p_happiness"]["participants"] == 12
    assert means["loud", "p_happiness"]["participants"] == 11
    [contrast] = [c for c in study["contrasts"] if c["measure"] == "p_anger"]
    assert contrast["participants"] == 11
    assert contrast["low"] > 0
    long = list(csv.DictReader(table.read_text().splitlines()))
    assert {row["participant"] for row in long} == {f"P{number}" for number in range(12)}


def test_pseudonyms_and_no_words_leave_no_name_and_no_word(result, tmp_path, made):
    out, key = tmp_path / "report.html", tmp_path / "key.csv"
    design = tmp_path / "design.csv"
    design.write_text("recording,condition\nclip.mp4,calm\nanna-secret.mp4,loud\n")
    main(
        [
            *("report", str(result), "--out", str(out), "--pseudonyms", str(key), "--no-text"),
            *("--design", str(design)),
        ]
    )
    page = out.read_text(encoding="utf-8")
    data = page[page.index('id="timelines"') :]
    assert "clip.mp4" not in page
    assert "anna-secret" not in page
    assert made.LINES[0][0] not in data
    assert block(page, "links") == [None]


@pytest.fixture
def canaries(tmp_path, made, monkeypatch):
    """Two results and their design, in which every name holds "canary"; and the folder."""
    monkeypatch.chdir(tmp_path)
    names = ("Canary Anna", None, "Canary Ben", "Canary Anna, Canary Ben", "speaker 2")
    timelines = []
    for condition in ("calm", "loud"):
        whole = made.named(made.timeline(f"canary-{condition}.mp4"), names)
        flagged = dataclasses.replace(whole[0], flags=("Canary Anna is quiet.",))
        turns = (SpeakerTurn(0.0, 1.0, "Canary Ben"),)
        rows = (flagged, *whole[1:])
        timelines.append(dataclasses.replace(whole, predictions=rows, turns=turns))
    Path("canary-answers.json").write_text(to_json(timelines), encoding="utf-8")
    Path("canary-design.csv").write_text(
        "recording,participant,condition,session,channel\n"
        "canary-calm.mp4,Canary P1,calm,Canary's first,Canary Anna\n"
        "canary-loud.mp4,Canary P1,loud,Canary's second,Canary Anna\n"
        "canary-calm.mp4,Canary Ben,calm,1,Canary Ben\n"
        "canary-gone.mp4,Canary P3,loud,2,Canary Eve\n"
    )
    return tmp_path


@pytest.mark.parametrize("study", [False, True], ids=["page", "study"])
def test_pseudonyms_leave_no_name_of_anybody(canaries, capsys, study):
    more = ("--design", "canary-design.csv", "--csv", "long.csv") if study else ()
    inputs = ("canary-answers.json", "--pseudonyms", "key.csv", "--out", "report.html")
    main(["report", *inputs, *more, "--json"])
    told = capsys.readouterr()
    outputs = [Path("report.html").read_text(encoding="utf-8"), told.out, told.err]
    outputs += [Path("long.csv").read_text(encoding="utf-8")] if study else []
    assert not [text for text in outputs if "anary" in text]
    key = csv.DictReader(Path("key.csv").read_text().splitlines())
    named = {row["name"]: row["pseudonym"] for row in key}
    assert named["Canary Anna"] in outputs[0]
    if study:
        long = list(csv.DictReader(outputs[-1].splitlines()))
        assert {row["participant"] for row in long} == {named["Canary P1"], named["Canary Ben"]}
        assert {row["session"] for row in long} == {
            *("1", named["Canary's first"], named["Canary's second"])
        }
        own = [row for row in long if row["channel"] == named["Canary Ben"]]
        assert {row["participant"] for row in own} == {named["Canary Ben"]}
        page = block(outputs[0], "study")
        assert page["counts"]["participants"] == 2
        assert page["missing"][0]["participant"] == named["Canary P3"]


@pytest.mark.parametrize(
    "design",
    [
        "recording,participant\ncanary-calm.mp4,Canary P1\ncanary-calm.mp4,Canary P2\n",
        "recording,channel\ncanary-calm.mp4,\ncanary-calm.mp4,Canary Anna\n",
        "recording\ncanary-calm\ncanary-calm.mp4\n",
        "recording\ncanary-other.mp4\n",
    ],
)
def test_a_mistake_in_a_design_tells_no_name(canaries, capsys, design):
    Path("design.csv").write_text(design)
    inputs = ("canary-answers.json", "--pseudonyms", "key.csv", "--out", "report.html")
    with pytest.raises(SystemExit) as ended:
        main(["report", *inputs, "--design", "design.csv"])
    assert ended.value.code == 3
    assert "anary" not in capsys.readouterr().err


def test_what_is_left_out_is_told_by_its_pseudonym(
    tmp_path, monkeypatch, capsys, speech, tiny_artefact
):
    monkeypatch.chdir(tmp_path)
    speech("good.wav")
    Path("canary-damaged.wav").write_bytes(b"RIFF")
    Path("canary-notes.txt").write_text("x")
    tiny = ("--artefact", str(tiny_artefact), "--no-asr")
    with pytest.raises(SystemExit) as ended:
        main(["report", ".", "--out", "r.html", "--pseudonyms", "key.csv", "--strict", *tiny])
    err = capsys.readouterr().err
    assert ended.value.code == 8
    assert "skipped: " in err
    assert "anary" not in err


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--out", "report.pdf"], 2, "A report is an .html file"),
        (["--out", "r.html", "--csv", "long.csv"], 2, "--csv needs --design"),
        (["--out", "r.html", "--emotions", "joy"], 2, "a result in JSON has its answers"),
        (["--out", "r.html", "--jobs", "0"], 2, "--jobs must be 1 or more"),
        (["--out", "r.html", "--design", "none.csv"], 3, "none.csv"),
    ],
)
def test_mistakes_are_told_in_a_sentence(result, tmp_path, monkeypatch, capsys, more, code, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["report", str(result), *more])
    assert ended.value.code == code
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("r*.html"))


def test_damaged_results_are_refused(tmp_path, capsys):
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"schema": "other"}')
    for name, said in ((wrong, "has the schema 'other'"), (tmp_path / "gone.json", "no such file")):
        with pytest.raises(SystemExit) as ended:
            main(["report", str(name), "--out", str(tmp_path / "r.html")])
        assert ended.value.code == 3
        assert said in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()
