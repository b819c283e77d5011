"""IEMOCAP's release: names, label lines, transcripts, recordings, and what may be wrong there."""

import json
import shutil
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from moodal.core.emotions import Value, Values
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.corpora.checks.check import check
from moodal.corpora.checks.expected_counts import PUBLISHED
from moodal.corpora.iemocap import release
from moodal.corpora.iemocap.names import CODES, fields
from moodal.lookalikes import LOOKALIKES

SPACES = Path(__file__).parents[3] / "recipes" / "iemocap-release" / "spaces"
HEAD = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"


def line(name: str, code: str = "neu", times: str = "6.2901 - 8.2357") -> str:
    return f"[{times}]\t{name}\t{code}\t[2.5000, 2.5000, 2.5000]\n"


def session(root: Path, number: int, labels: str, texts: str = "", wavs: tuple[str, ...] = ()):
    """One session with one dialogue's files."""
    place = root / f"Session{number}"
    for kind, text in (("EmoEvaluation", labels), ("transcriptions", texts)):
        (place / "dialog" / kind).mkdir(parents=True, exist_ok=True)
        (place / "dialog" / kind / f"Ses0{number}F_impro01.txt").write_bytes(text.encode("latin-1"))
    for name in wavs:
        path = place / "sentences" / "wav" / name.rpartition("_")[0] / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


@pytest.fixture
def one(tmp_path: Path) -> Path:
    names = ("Ses01F_impro01_F000", "Ses01F_impro01_M000", "Ses01F_script01_1b_M002")
    labels = (
        HEAD
        + line(names[0])
        + "C-E2:\tNeutral;\t()\nC-E4:\tAnger; Frustration;\t(curious (a bit))\n"
        + "C-F1:\tNeutral;\t()\n"
        + "A-E3:\tval 3; act 2; dom  2;\t()\nA-E4:\tval 2; act 3; dom  ;\t()\n\n"
        + line(names[1], "xxx", "9.1 - 10")
        + line(names[2], "fru", "11.0 - 12.5")
    )
    texts = (
        f"{names[0]} [006.2901-008.2357]: Excuse me. [LAUGHTER] Caf\xe9?\r\n"
        f"{names[1]} [009.1000-010.0000]: [BREATHING]\r\n"
        "M: Right.\r\n"
        f"{names[2]} [011.0000-012.5000]: No [that is: mine].\r\n"
    )
    return session(tmp_path, 1, labels, texts, names)


def test_a_turn_has_all_that_the_release_says(one: Path) -> None:
    manifest = release.read(one)
    first, second, third = manifest.utterances
    assert (first.id, first.session, first.speaker, first.dialogue) == (
        "Ses01F_impro01_F000",
        "Ses01",
        "Ses01F",
        "Ses01F_impro01",
    )
    assert second.speaker == "Ses01M"  # who speaks, not who wears the markers
    assert first.text == "Excuse me. Café?"
    assert first.extra["transcript"] == "Excuse me. [LAUGHTER] Café?"
    assert (first.extra["style"], first.extra["scenario"]) == ("improvised", "impro01")
    assert (third.extra["style"], third.extra["script"]) == ("scripted", "script01_1")
    assert "script" not in first.extra
    assert (first.extra["start"], first.extra["valence"]) == ("6.2901", "2.5000")
    assert json.loads(first.extra["annotators"]) == {
        "categories": {"E2": ["Neutral"], "E4": ["Anger", "Frustration"], "F1": ["Neutral"]},
        "dimensions": {
            "E3": {"valence": 3, "activation": 2, "dominance": 2},
            "E4": {"valence": 2, "activation": 3},
        },
        "comments": {"C-E4": "curious (a bit)"},
    }
    assert "speech" in first.media
    path = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    assert first.media["speech"].path == path
    labels = [manifest.space.labels[int(c)] for c in manifest.labels.argmax(1)]
    assert labels == ["neutral", "undecided", "frustrated"]
    assert manifest.labels.shape == (3, 11)


def test_ratings_are_numbers_and_those_beyond_the_ends_are_cut_off(tmp_path: Path) -> None:
    names = [f"Ses01F_impro01_F00{i}" for i in range(3)]
    rated = ("[5.5000, 2.0000, 0.5000]", "[1.0000, 5.0000, 3.2500]", "[2.5000, 2.5000, 2.5000]")
    plain = "[2.5000, 2.5000, 2.5000]"
    lines = "".join(line(n).replace(plain, r) for n, r in zip(names, rated, strict=True))
    manifest = release.read(session(tmp_path, 1, HEAD + lines))
    assert manifest.ratings is not None
    space = [Value(name, 1, 5) for name in ("valence", "arousal", "dominance")]
    assert manifest.ratings.space == Values(space)
    assert manifest.ratings.numbers.tolist() == [[5, 2, 1], [1, 5, 3.25], [2.5, 2.5, 2.5]]
    assert manifest.utterances[0].extra["valence"] == "5.5000"
    [note] = [n for n in manifest.notes if "rating" in n]
    assert note.startswith("1 turns have a mean rating outside of 1 to 5")
    assert names[0] in note
    assert manifest.rated.labels is manifest.ratings.numbers


def test_a_turn_of_remarks_alone_keeps_them_and_spells_nothing(one: Path) -> None:
    second = release.read(one).utterances[1]
    assert (second.text, second.extra["ctc_text"]) == ("[BREATHING]", "")


def test_the_folder_above_the_release_does_too(one: Path, tmp_path_factory) -> None:
    above = tmp_path_factory.mktemp("above")
    shutil.move(one / "Session1", above / "IEMOCAP_full_release" / "Session1")
    manifest = release.read(above)
    assert len(manifest) == 3
    assert Path(manifest.root or "") == (above / "IEMOCAP_full_release").resolve()
    assert manifest.utterances[0].media["speech"].path.startswith("Session1/")


def test_what_is_missing_is_reported_once_per_kind(one: Path) -> None:
    wav = one / "Session1/sentences/wav/Ses01F_impro01"
    (wav / "Ses01F_impro01_F000.wav").rename(wav / "Ses01F_impro01_F009.wav")
    (wav / "._Ses01F_impro01_M000.wav").touch()
    sheet = one / "Session1/dialog/transcriptions/Ses01F_impro01.txt"
    sheet.write_text("Ses01F_impro01_M000 [9.1-10]: \nSes01F_impro01_FXX0 [9.1-10]: Mm.\n")
    (sheet.parent / "._Ses01F_impro01.txt").write_bytes(b"\x00\x05\x16\x07 Ses")
    (one / "Session2").mkdir()
    manifest = release.read(one)
    assert "speech" not in manifest.utterances[0].media
    assert [u.text for u in manifest.utterances] == [None, None, None]
    assert manifest.notes == (
        "Session2 has no label files in dialog/EmoEvaluation and was left out.",
        *(
            f"Session{i} is missing: folds by session are over the other sessions."
            for i in (3, 4, 5)
        ),
        "1 labelled turns have no recording: Ses01F_impro01_F000.",
        "2 labelled turns have no transcript: Ses01F_impro01_F000, Ses01F_script01_1b_M002.",
        "1 labelled turns have an empty transcript: Ses01F_impro01_M000.",
        "1 recordings have no label and were left out: Ses01F_impro01_F009.",
        "1 transcribed turns have no label and were left out: Ses01F_impro01_FXX0.",
    )


def test_damaged_lines_are_reported_together(tmp_path: Path) -> None:
    good = line("Ses01F_impro01_F000")
    labels = (
        HEAD
        + good
        + good
        + line("Ses01F_impro01_F001", "joy")
        + line("mine")
        + (
            "[6.29 - 8.23]\tSes01F_impro01_F002\tneu\n"
            "6.29 - 8.23]\tSes01F_impro01_F003\tneu\t[2.5, 2.5, 2.5]\n"
        )
        + line("Ses01F_impro01_F004", times="8.0 - 7.0")
    )
    session(tmp_path, 1, labels, "Ses01F_impro01_F000 006.29: Excuse me.\n")
    with pytest.raises(DataError) as error:
        release.read(tmp_path)
    message = str(error.value)
    assert "line 4 labels Ses01F_impro01_F000 a second time" in message
    assert "line 5 has the label 'joy'" in message
    assert "line 6 has the name 'mine'" in message
    assert "and 4 more; correct or remove these lines." in message


def test_odd_lines_and_second_transcripts_are_counted(tmp_path: Path) -> None:
    name = "Ses01F_impro01_F000"
    labels = HEAD + line(name) + "C-E2\nA-E3:\tval x; act 2; dom 2;\t()\nsomething\n"
    session(tmp_path, 1, labels, f"{name} [6.2-8.2]: One.\n{name} [6.2-8.2]: Two.\nF: Yes.\n")
    manifest = release.read(tmp_path)
    assert manifest.utterances[0].text == "One."
    assert manifest.notes[-3:] == (
        f"1 turns have a second transcript, which was left out: {name}.",
        "1 lines of transcripts name no turn and were left out.",
        "3 lines of label files are not annotations and were left out.",
    )


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no Session folder"):
        release.read(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        release.read(tmp_path / "none")


def test_the_published_totals_are_consistent() -> None:
    published = PUBLISHED["iemocap-release"]
    assert published.utterances["all"] == 10039
    assert set(published.labels["all"]) == set(CODES.values())
    assert PUBLISHED["mmer"].utterances["all"] == 5531


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("release")
    LOOKALIKES["iemocap-release"](folder, 200, 2)
    return release.read(folder)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("four", {"happy": ("happy", "excited"), "angry": (), "neutral": (), "sad": ()}),
        (
            "five",
            {
                "happy": ("happy", "excited"),
                "angry": (),
                "neutral": (),
                "sad": (),
                "frustrated": (),
            },
        ),
        ("six", dict.fromkeys(("happy", "sad", "neutral", "angry", "excited", "frustrated"), ())),
        (
            "nine",
            dict.fromkeys(
                (
                    "angry",
                    "excited",
                    "fear",
                    "sad",
                    "surprised",
                    "frustrated",
                    "happy",
                    "neutral",
                    "disgust",
                ),
                (),
            ),
        ),
    ],
)
def test_every_declared_space_counts_what_it_says(
    manifest: Manifest, name: str, words: dict[str, tuple[str, ...]]
) -> None:
    declared = tomllib.loads((SPACES / f"{name}.toml").read_text(encoding="utf-8"))["data"]
    every = Counter(manifest.space.labels[int(c)] for c in manifest.labels.argmax(1))
    chosen = manifest.merged(declared.get("merges", {})).only(declared["labels"])
    assert list(words) == declared["labels"]
    counts = dict(zip(chosen.space.labels, chosen.labels.sum(0).astype(int).tolist(), strict=True))
    wanted = {word: sum(every[w] for w in parts or (word,)) for word, parts in words.items()}
    assert counts == wanted
    published = PUBLISHED["iemocap-release"].labels["all"]
    totals = {"four": 5531, "five": 7380, "six": 7380, "nine": 7529}
    assert (
        sum(published[w] for word, parts in words.items() for w in parts or (word,))
        == (totals[name])
    )


def test_the_lookalike_is_shaped_like_the_corpus(manifest: Manifest) -> None:
    us = manifest.utterances
    assert {u.session for u in us} == {f"Ses0{i}" for i in range(1, 6)}
    assert len({u.speaker for u in us}) == 10
    assert all(manifest.labels.sum(0) > 0)
    scripted = [u for u in us if u.extra["style"] == "scripted"]
    assert 0.4 < len(scripted) / len(us) < 0.6
    words: dict[str, set[str]] = {}
    for u in scripted:
        words.setdefault(u.text or "", set()).add(u.session or "")
    assert np.mean([len(sessions) > 1 for sessions in words.values()]) > 0.8
    assert all("annotators" in u.extra and {"text", "speech"} <= u.media.keys() for u in us)
    assert any("transcript" in u.extra for u in us)
    assert not [f for f in check(manifest) if f.level == "error"]
    assert not any("missing" in note for note in manifest.notes)


def test_names() -> None:
    assert fields("Ses03M_impro05a_F012")["extra"]["scenario"] == "impro05a"
    assert fields("Ses05M_script01_1b_F012")["dialogue"] == "Ses05M_script01_1b"
    assert fields("Ses02F_script03_2_FXX1")["speaker"] == "Ses02F"
    assert fields("p225_Ses02F_script03_2_F001") == fields("") == {}
