"""From a recording to emotions over time: `moodal predict` as a user runs it."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from moodal.cli.main import main
from moodal.media.audio import read_audio
from moodal.output.formats import from_json

av = pytest.importorskip("av")
ROOT = Path(__file__).parents[2]
CLIP = ROOT / "examples" / "clip.mp4"
SAID = "We won, and I am so happy!"


@pytest.fixture(scope="session")
def artefact(tmp_path_factory):
    """The tiny artefact; not to be changed."""
    pytest.importorskip("onnx")
    path = ROOT / "tests" / "tiny.py"
    spec = importlib.util.spec_from_file_location("tiny", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write_tiny(tmp_path_factory.mktemp("tiny") / "artefact")


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A folder with recordings, a picture and texts."""
    folder = tmp_path_factory.mktemp("files")
    sound = read_audio(CLIP, rate=48000)
    stereo = np.stack([sound, sound], 1)
    soundfile.write(folder / "phone.wav", stereo[::6], 8000, subtype="ULAW")
    soundfile.write(folder / "cinema.wav", np.repeat(sound[:, None] / 2, 6, 1), 48000)
    soundfile.write(folder / "silence.flac", np.zeros(16000), 16000)
    with av.open(str(CLIP)) as clip:
        pictures = [f.to_ndarray(format="rgb24") for f in clip.decode(video=0)][:40]
    with av.open(str(folder / "mute.mp4"), "w") as file:
        video = file.add_stream("mpeg4", rate=10)
        video.height, video.width, video.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        for rgb in pictures:
            file.mux(video.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        file.mux(video.encode(None))
    Image.fromarray(pictures[0]).save(folder / "face.png")
    (folder / "said.txt").write_text(f"{SAID} How dare you touch that!\n")
    shutil.copy(CLIP.with_suffix(".srt"), folder / "cues.srt")
    return folder


@pytest.fixture
def predicted(artefact, answer):
    """Run predict with --json: what it told of one recording."""

    def run(*words):
        document = answer("predict", "--artefact", artefact, "--no-asr", *words)
        from_json(json.dumps(document))  # by the schema
        return document["recordings"][0] if len(document["recordings"]) == 1 else document

    return run


@pytest.fixture
def refused(artefact, fails):
    """Run predict, which must fail: exit code and sentence."""
    return lambda *words: fails("predict", "--artefact", artefact, "--no-asr", *words)


def used(recording):
    return sorted({s for u in recording["utterances"] for s in u["streams"]})


def pipe(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_a_clip_with_its_subtitles(predicted):
    found = predicted(CLIP)
    assert (found["kind"], found["duration"]) == ("video", pytest.approx(6.64))
    assert found["utterances"][0]["text"] == SAID
    assert used(found) == ["face", "speech", "text"]
    for u in found["utterances"]:
        assert sum(u["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    some = predicted(CLIP, "--faces", "all", "--fps", "2", "--streams", "face,text")
    assert used(some) == ["face", "text"]


@pytest.mark.parametrize("name", ["phone.wav", "cinema.wav"])
def test_sound_of_any_rate_and_channels(predicted, files, name):
    found = predicted(files / name)
    assert (found["kind"], found["duration"]) == ("audio", pytest.approx(6.6, abs=0.1))
    assert used(found) == ["speech"]
    assert 2 <= len(found["utterances"]) <= 4
    assert found["absent"]["face"] == "no pictures"
    (one,) = predicted(files / name, "--text", SAID)["utterances"]
    assert (one["text"], one["streams"]) == (SAID, ["text", "speech"])


def test_a_video_without_sound_and_a_picture(predicted, files):
    film = predicted(files / "mute.mp4")
    assert (film["kind"], used(film), film["absent"]["speech"]) == ("video", ["face"], "no sound")
    picture = predicted(files / "face.png")
    (one,) = picture["utterances"]
    assert (picture["kind"], one["streams"], one["start"]) == ("image", ["face"], None)


def test_texts_and_subtitles(predicted, files, monkeypatch):
    told = predicted(files / "said.txt")["utterances"]
    assert [u["text"] for u in told] == [SAID, "How dare you touch that!"]
    cues = predicted(files / "cues.srt")["utterances"]
    assert cues[0]["start"] == pytest.approx(0.7)
    assert cues[0]["probabilities"] == told[0]["probabilities"]
    alone = predicted("--text", SAID)["utterances"]
    assert alone[0]["probabilities"] == told[0]["probabilities"]
    pipe(monkeypatch, SAID.encode())
    piped = predicted("-")
    assert piped["utterances"][0]["probabilities"] == told[0]["probabilities"]


@pytest.mark.parametrize("form", [["--json"], ["--format", "csv"], []])
def test_documents_are_in_utf_8_and_the_table_in_what_there_is(artefact, monkeypatch, form):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    main(["predict", "--artefact", str(artefact), "--text", "Très joli !", *form])
    out.flush()
    told = out.buffer.getvalue().decode("utf-8" if form else "ascii")
    assert ("Très joli" if form else "Tr?s joli") in told


def test_a_recording_comes_in_by_standard_input(predicted, files, monkeypatch):
    pipe(monkeypatch, (files / "phone.wav").read_bytes())
    piped, named = predicted("-", "--whole"), predicted(files / "phone.wav", "--whole")
    assert piped["utterances"][0]["probabilities"] == named["utterances"][0]["probabilities"]


def test_silence_is_said_and_is_no_failure(predicted, files, artefact, capsys):
    found = predicted(files / "silence.flac")
    assert (found["utterances"], found["absent"]["speech"]) == ([], "silence")
    main(["predict", str(files / "silence.flac"), "--artefact", str(artefact), "--no-asr"])
    assert "silence" in capsys.readouterr().out


def test_any_words_may_be_asked(predicted, files):
    found = predicted(files / "said.txt", "--emotions", "relieved, joy,fear")
    assert found["emotions"] == ["relieved", "joy", "fear"]
    sources = found["utterances"][0]["sources"]
    assert (sources["relieved"], sources["fear"]) == ({"text": "guess"}, {"text": "learned"})
    assert any("joy is taken for happiness" in note for note in found["notes"])


def test_a_damaged_file_in_a_folder_is_left_out_and_listed(files, artefact, tmp_path, capsys):
    folder = tmp_path / "many"
    shutil.copytree(files, folder)
    (folder / "damaged.wav").write_bytes(b"RIFF" + bytes(60))
    words = ["predict", str(folder), "--artefact", str(artefact), "--no-asr", "--format", "json"]
    main(words)  # exit code 0
    out, err = capsys.readouterr()
    paths = [Path(r["path"]).name for r in json.loads(out)["recordings"]]
    assert paths == sorted(p.name for p in files.iterdir())
    *_, left, count = err.strip().splitlines()
    assert left.startswith("moodal: skipped:")
    assert "damaged.wav" in left
    assert count == "moodal: 1 of 8 inputs were skipped."
    main([*words[:-2], "--jobs", "2", "--fps", "1"])
    out = "".join(capsys.readouterr().out.split())  # long paths are folded
    assert [name in out for name in paths] == [True] * 7
    for path in folder.iterdir():
        path.write_bytes(b"")
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 3
    assert "none of the 8 inputs could be read" in capsys.readouterr().err


BEGINS = {
    "json": "{",
    "csv": "recording,",
    "srt": "1\n00:00:00,700 --> ",
    "textgrid": 'File type = "oo',
    "eaf": "<?xml",
}


@pytest.mark.parametrize("format", BEGINS)
def test_each_format_to_the_terminal_and_to_a_file(artefact, tmp_path, capsys, format):
    words = ["predict", str(CLIP), "--artefact", str(artefact), "--fps", "1", "--format", format]
    main(words)
    out, err = capsys.readouterr()
    assert out.startswith(BEGINS[format])
    assert err == ""
    main([*words, "--out", str(tmp_path / "answer")])
    main([*words, "--out", f"{tmp_path}/new/"])
    told = capsys.readouterr()
    assert (told.out, told.err.count("Written: ")) == ("", 2)
    (made,) = (tmp_path / "new").iterdir()
    assert made.name.split(".")[0] == "clip"
    if format == "eaf":  # it holds the time of writing
        assert ET.fromstring(made.read_text()).tag == "ANNOTATION_DOCUMENT"
    else:
        assert made.read_text() == (tmp_path / "answer").read_text() == out


def test_answers_do_not_replace_the_words_they_are_made_from(files, refused, tmp_path):
    shutil.copy(CLIP, tmp_path / "a.mp4")
    shutil.copy(CLIP.with_suffix(".srt"), tmp_path / "a.srt")
    code, said = refused(tmp_path / "a.mp4", "--format", "srt", "--out", tmp_path / "a.srt")
    assert (code, "a.srt contains the subtitles of" in said) == (2, True)
    assert (tmp_path / "a.srt").read_bytes() == CLIP.with_suffix(".srt").read_bytes()


def test_the_table_and_the_plot(files, artefact, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    words = ["predict", str(CLIP), "--artefact", str(artefact), "--fps", "1"]
    main([*words, "--plot", str(tmp_path / "a.svg")])
    out = capsys.readouterr().out
    assert SAID in out
    assert ET.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    several = [str(files / n) for n in ("said.txt", "face.png", "silence.flac")]
    main(["predict", *several, *words[2:], "--plot", str(tmp_path / "plots")])
    made = sorted(p.name for p in (tmp_path / "plots").iterdir())
    assert made == ["face.png.png", "said.txt.png", "silence.flac.png"]
    for path in (tmp_path / "plots").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")


MISTAKES = [
    (["none.wav"], 3, "There is no file"),
    (["a.pdf"], 3, "is a PDF document"),
    (["nothing.wav"], 3, "is empty"),
    (["cinema.wav", "--emotions", "fear,12"], 5, "'12' is no emotion word"),
    (["cinema.wav", "--emotions", "joy, joy"], 5, "twice"),
    (["cinema.wav", "--emotions", "x" * 70], 5, "60 at most"),
    (["cinema.wav", "phone.wav", "--text", "So good."], 2, "--text and --subtitles need a single"),
    (["cinema.wav", "phone.wav", "--format", "srt"], 2, "name a folder"),
    (["cinema.wav", "phone.wav", "--plot", "a.png"], 2, "name a folder"),
    (["cinema.wav", "--plot", "a.gif"], 2, ".png or .svg"),
    (["cinema.wav", "--out", "a.json"], 2, "--out needs a --format"),
    (["cinema.wav", "--format", "xml"], 2, "invalid choice: 'xml'"),
    (["cinema.wav", "--json", "--format", "csv"], 2, "cannot be combined"),
    (["cinema.wav", "--streams", "smell"], 2, "smell"),
    (["cinema.wav", "--fps", "0"], 2, "--fps must be above 0"),
    (["cinema.wav", "--jobs", "0"], 2, "--jobs must be 1 or more"),
    (["cinema.wav", "--subtitles", "none.srt"], 3, "none.srt"),
    (["cinema.wav", "--text", "a", "--subtitles", "cues.srt"], 2, "not both"),
    (["said.txt", "--text", "So good."], 2, "is a text itself"),
    (["-", "cinema.wav"], 2, "cannot be combined"),
    (["-"], 3, "Standard input is empty"),
    ([], 2, "Name a recording"),
]


@pytest.mark.parametrize(("words", "code", "said"), MISTAKES)
def test_a_mistake_is_one_sentence(files, refused, monkeypatch, tmp_path, words, code, said):
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\n" + bytes(200))
    (tmp_path / "nothing.wav").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    pipe(monkeypatch, b"")
    given = refused(*words)
    assert given[0] == code, given
    assert said in given[1]


def test_what_comes_in_by_standard_input_is_called_so(refused, monkeypatch):
    pipe(monkeypatch, b"%PDF-1.7\n" + bytes(200))
    code, said = refused("-")
    assert (code, said[:45]) == (3, "moodal: standard input is a PDF document, not")


def test_an_artefact_that_is_not_as_it_was_written(artefact, fails, tmp_path):
    def refused(change):
        folder = shutil.copytree(artefact, tmp_path / "changed", dirs_exist_ok=True)
        change(folder)
        return fails("predict", "--text", SAID, "--artefact", folder)

    def flip(folder):
        content = bytearray((folder / "speech.onnx").read_bytes())
        content[len(content) // 2] ^= 1
        (folder / "speech.onnx").write_bytes(content)

    def renumber(folder):
        about = json.loads((folder / "artefact.json").read_text())
        (folder / "artefact.json").write_text(json.dumps({**about, "format": 99}))

    for change, said in (
        (flip, "speech.onnx has changed"),
        (renumber, "has format 99"),
        (lambda f: (f / "text.onnx").unlink(), "text.onnx is missing"),
        (lambda f: (f / "artefact.json").write_text("{"), "cannot be read"),
        (shutil.rmtree, "is not an artefact"),
    ):
        code, given = refused(change)
        assert (code, said in given) == (3, True), given
