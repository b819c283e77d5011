"""What faces do, from a drawn film to tables and documents, through the command line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import av
import numpy as np
import pytest

from moodal.cli.main import main
from moodal.lookalikes.face import draw_face
from moodal.output.formats import from_json

FPS = 5


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A silent film: a face for two seconds, its smile for two, a wall for one."""
    path = tmp_path_factory.mktemp("film") / "smile.mp4"
    wall = np.full((192, 256, 3), 170, np.uint8)
    pictures = []
    for look in [{}] * 10 + [{"smile": 1.0}] * 10 + [None] * 5:
        picture = wall.copy()
        if look is not None:
            picture[16:176, 48:208] = draw_face(160, **look)
        pictures.append(picture)
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=FPS)
        video.height, video.width, video.pix_fmt = 192, 256, "yuv420p"
        video.bit_rate = 2_000_000
        for rgb in pictures:
            file.mux(video.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        file.mux(video.encode(None))
    return path


def run(capsys, *words):
    """Run `moodal predict` without transcription: output and errors."""
    main(["predict", *map(str, words), "--no-asr"])
    return capsys.readouterr()


def refused(capsys, *words):
    """Run a command that must fail: exit code and sentence."""
    with pytest.raises(SystemExit) as ended:
        main(["predict", *map(str, words), "--no-asr"])
    return ended.value.code, capsys.readouterr().err


def rows_of(path):
    return list(csv.DictReader(io.StringIO(Path(path).read_text(encoding="utf-8"))))


def test_every_picture_of_a_film_has_a_row(film, tmp_path, capsys):
    path = tmp_path / "new" / "faces.csv"
    shown = run(capsys, film, "--face-actions", path)
    assert f"Written: {path}" in shown.err
    rows = rows_of(path)
    assert [float(row["timestamp"]) for row in rows] == pytest.approx([i / FPS for i in range(25)])
    assert [row["success"] for row in rows] == ["1"] * 20 + ["0"] * 5
    smile = [float(row["AU12"]) for row in rows[:20]]
    assert max(smile[:9]) < min(smile[11:])
    assert {row["face_id"] for row in rows[:20]} == {"0"}
    assert all(40 < float(row["FaceRectX"]) < 128 for row in rows[:20])
    assert all(abs(float(row["Yaw"])) < 12 for row in rows[:20])


def test_slices_have_means_and_json_has_them_without_a_table(film, tmp_path, capsys):
    path = tmp_path / "faces.csv"
    shown = run(capsys, film, "--step", "1", "--face-actions", path, "--json")
    [timeline] = from_json(shown.out)
    slices = [p for p in timeline.rows if p.face]
    rows = [row for row in rows_of(path) if row["success"] == "1"]
    assert [float(row["timestamp"]) for row in rows] == pytest.approx([p.start for p in slices])
    assert all(len(p.face) == 1 for p in slices)
    for p, row in zip(slices, rows, strict=True):
        assert p.face[0].action_units["AU12"] == pytest.approx(float(row["AU12"]), abs=1e-3)
    again = run(capsys, film, "--step", "1", "--json", "--face-actions").out
    assert json.loads(again) == json.loads(shown.out)


def test_without_the_option_nothing_is_told(film, capsys):
    [recording] = json.loads(run(capsys, film, "--json").out)["recordings"]
    assert all("face" not in utterance for utterance in recording["utterances"])
    assert not {"face_between", "faceless"} & set(recording)
    assert not any("Action units" in note for note in recording["notes"])


def test_several_films_share_a_table(film, tmp_path, capsys):
    other = tmp_path / "=other.mp4"
    other.write_bytes(film.read_bytes())
    path = tmp_path / "faces.csv"
    run(capsys, film, other, "--face-actions", path, "--format", "csv")
    names = [row["recording"] for row in rows_of(path)]
    assert names == [str(film)] * 25 + [str(other)] * 25


def test_what_cannot_be_is_said_in_a_sentence(film, speech, tmp_path, capsys):
    path = tmp_path / "faces.csv"
    sound = speech()
    copy = tmp_path / "film.csv"
    copy.write_bytes(film.read_bytes())
    for words, code, sentence in (
        ((film, "--streams", "text", "--face-actions", path), 2, "observes no faces"),
        ((sound, "--face-actions", path), 3, f"{sound} has no pictures in which faces act"),
        (("--text", "So good!", "--face-actions", path), 3, "A text has no pictures"),
        ((film, "--face-actions", tmp_path), 2, f"{tmp_path} is a folder; name a file"),
        (("--face-actions", film), 2, "--face-actions writes a .csv file; got smile.mp4."),
        ((copy, "--face-actions", copy), 2, f"{copy} is the recording itself"),
        (
            (film, "--face-actions", path, "--format", "csv", "--out", path),
            2,
            "both name",
        ),
        (
            (film, "--face-actions", path, "--format", "jsonl", "--out", "a", "--resume"),
            2,
            "--resume and --face-actions cannot be combined",
        ),
    ):
        ended, message = refused(capsys, *words)
        assert (ended, sentence in message) == (code, True), message
        assert len(message.strip().splitlines()) == 1
    assert copy.read_bytes() == film.read_bytes()
    assert not path.exists()
