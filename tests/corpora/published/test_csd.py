"""Computational sequences of CMU-MultimodalSDK: the SDK's rule of alignment, and bad files."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from moodal.cli.main import main
from moodal.core.errors import DataError, UnsafeFileError
from moodal.corpora import CORPORA
from moodal.corpora.published import csd, csd_corpora, h5
from moodal.lookalikes import LOOKALIKES

LABELS = "CMU_MOSEI_Labels.csd"
COVAREP = "CMU_MOSEI_COVAREP.csd"


def write(path: Path, root: str, videos: dict[str, tuple]) -> None:
    with h5py.File(path, "w") as file:
        for video, (intervals, features) in videos.items():
            group = file.create_group(f"{root}/data/{video}")
            group["intervals"], group["features"] = intervals, features
        file.create_group(f"{root}/metadata")


def small(folder: Path) -> Path:
    """Two videos: a has two segments of two words each, b one word and no speech."""
    words = np.array([[0, 1], [1, 2], [2, 3], [4, 5.0]])
    vectors = np.arange(12.0).reshape(4, 3)
    write(
        folder / "CMU_MOSEI_TimestampedWordVectors.csd",
        "glove_vectors",
        {"a": (words, vectors), "b": (words[:1], vectors[:1])},
    )
    transcript = np.array([[b"so"], [b"good"], [b"sp"], [b"bye"]], "S8")
    write(
        folder / "CMU_MOSEI_TimestampedWords.csd",
        "words",
        {"a": (words, transcript), "b": (words[:1], transcript[:1])},
    )
    times = np.arange(0, 6, 0.4)
    frames = np.stack([times, times + 0.4], axis=1), np.stack([times, -times], axis=1)
    write(folder / COVAREP, "COVAREP", {"a": frames})
    labels = np.array([[1.0, 2, 0, 0, 0, 0, 0], [-2, 0, 1, 1 / 3, 0, 0, 0]])
    segments = np.array([[0, 2], [2, 5.0]])
    write(
        folder / LABELS,
        "All Labels",
        {"a": (segments, labels), "b": (np.array([[0.0, 1]]), labels[:1])},
    )
    folds = "standard_train_fold=['a']\nstandard_valid_fold = []\nstandard_test_fold=['b']\n"
    (folder / "cmu_mosei_std_folds.py").write_text(folds + "raise SystemExit('run')\n")
    return folder


def reference(words, intervals, features):
    """The SDK's rule, frame by frame: the plain mean of all frames that overlap a word."""
    means = []
    for start, end in words:
        inside = [
            row
            for (first, last), row in zip(intervals, features, strict=True)
            if min(last, end) - max(first, start) > 1e-5
        ]
        means.append(np.mean(inside, axis=0) if inside else np.zeros(features.shape[1]))
    return np.array(means)


def test_frames_are_averaged_over_words_as_the_sdk_does() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        starts = np.sort(rng.uniform(0, 10, 60))
        intervals = np.stack([starts, starts + rng.uniform(0, 0.6, 60)], axis=1)
        features = rng.normal(size=(60, 3))
        edges = np.sort(rng.uniform(-1, 12, 20)).reshape(10, 2)
        means, present = csd.word_means(edges, csd.CsdEntry(intervals, features))
        expected = reference(edges, intervals, features)
        np.testing.assert_allclose(means, expected, atol=1e-6)
        assert (present == expected.any(1)).all()


def test_frames_that_only_touch_a_word_do_not_count() -> None:
    entry = csd.CsdEntry(np.array([[0, 1.0], [1, 2], [2, 3]]), np.array([[1.0], [2], [4]]))
    means, _ = csd.word_means(np.array([[1.0, 2.0], [0.5, 2.000001], [5, 6]]), entry)
    assert means.ravel().tolist() == [2.0, 1.5, 0.0]


def test_segments_consist_of_the_words_that_overlap_their_interval(tmp_path: Path) -> None:
    manifest = csd_corpora.read_mosei(small(tmp_path))
    assert [u.id for u in manifest.utterances] == ["a[0]", "a[1]", "b[0]"]
    assert [u.split for u in manifest.utterances] == ["train", "train", "test"]
    assert [u.text for u in manifest.utterances] == ["so good", "bye", "so"]
    assert manifest.utterances[1].extra == {"start": "2", "end": "5", "sentiment": "-2"}
    assert manifest.features["text"].lengths.tolist() == [2, 2, 1]
    assert manifest.features["text"][1].tolist() == [[6, 7, 8], [9, 10, 11]]
    # the words 0 to 1 and 1 to 2 overlap the frames that begin at 0, 0.4, 0.8 and 0.8, 1.2, 1.6
    np.testing.assert_allclose(
        manifest.features["speech"][0], [[0.4, -0.4], [1.2, -1.2]], rtol=1e-6
    )
    assert manifest.features["speech"].lengths.tolist() == [2, 2, 0]
    assert manifest.aligned
    order = ["anger", "disgust", "fear", "happy", "sad", "surprise"]
    assert list(manifest.space.labels) == order
    assert manifest.labels.tolist() == [[0, 0, 0, 1, 0, 0], [1, 0, 0, 0, 1, 0], [0, 0, 0, 1, 0, 0]]
    assert any("speech: 1 utterances are of videos without it" in n for n in manifest.notes)


def test_sentiment_is_the_first_column(tmp_path: Path) -> None:
    manifest = csd_corpora.read_mosei_sentiment(small(tmp_path))
    assert manifest.labels.tolist() == [[1], [-2], [1]]


def test_without_word_vectors_the_transcript_gives_the_words(tmp_path: Path) -> None:
    small(tmp_path)
    (tmp_path / "CMU_MOSEI_TimestampedWordVectors.csd").unlink()
    (tmp_path / "cmu_mosei_std_folds.py").unlink()
    manifest = csd_corpora.read_mosei(tmp_path)
    assert set(manifest.features) == {"speech"}
    assert manifest.features["speech"].lengths.tolist() == [2, 2, 0]
    assert {u.split for u in manifest.utterances} == {None}
    assert any("have no official split" in note for note in manifest.notes)


def test_words_without_frames_are_zero_and_what_is_not_finite_is_counted(tmp_path: Path) -> None:
    small(tmp_path)
    intervals = np.array([[0, 0.5], [0.5, 1.0]])
    write(tmp_path / COVAREP, "COVAREP", {"a": (intervals, np.array([[-np.inf, 1], [0, 3.0]]))})
    manifest = csd_corpora.read_mosei(tmp_path)
    assert manifest.features["speech"][0].tolist() == [[0, 2], [0, 0]]
    assert "speech: 1 values that are not finite were set to 0." in manifest.notes


def test_of_several_files_of_a_stream_one_is_read_and_the_others_are_named(tmp_path) -> None:
    small(tmp_path)
    (tmp_path / "CMU_MOSEI_openSMILE_IS09.csd").write_bytes((tmp_path / COVAREP).read_bytes())
    notes = csd_corpora.read_mosei(tmp_path).notes
    assert any(f"Speech is read from {COVAREP}, not from CMU_MOSEI_openSMILE" in n for n in notes)


@pytest.mark.parametrize("name", ["mosei-csd", "mosi-csd"])
def test_the_lookalike_runs_through_the_command_line(tmp_path: Path, name: str, capsys) -> None:
    main(["synthesise", name, str(tmp_path / "raw"), "--utterances", "40"])
    capsys.readouterr()
    main(["prepare", name, str(tmp_path / "raw"), str(tmp_path / "out"), "--json"])
    about = json.loads(capsys.readouterr().out)
    assert about["utterances"] == 40
    width = {"mosei-csd": 35, "mosi-csd": 47}[name]
    assert {s["stream"]: s["width"] for s in about["streams"]} == {
        "text": 300,
        "speech": 74,
        "face": width,
    }
    assert {split: n["utterances"] for split, n in about["splits"].items()} == {
        "train": 28,
        "valid": 4,
        "test": 8,
    }


def message(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        csd_corpora.read_mosei(folder)
    return str(caught.value)


def test_intervals_that_run_backwards_name_video_and_row(tmp_path: Path) -> None:
    small(tmp_path)
    intervals = np.array([[0, 0.5], [0.9, 0.5]])
    write(tmp_path / COVAREP, "COVAREP", {"a": (intervals, np.zeros((2, 2)))})
    assert message(tmp_path) == (
        f"{tmp_path / COVAREP}, video a, row 2: the interval runs backwards, from 0.9 s to 0.5 s; "
        "exchange its ends or remove that row."
    )


def test_steps_out_of_order_are_sorted_as_in_the_sdk(tmp_path: Path) -> None:
    small(tmp_path)
    expected = csd_corpora.read_mosei(tmp_path).features["speech"].values
    with h5py.File(tmp_path / COVAREP, "r+") as file:
        for key in ("intervals", "features"):
            data = file[f"COVAREP/data/a/{key}"]
            data[...] = data[...][::-1]
    values = csd_corpora.read_mosei(tmp_path).features["speech"].values
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize(
    ("intervals", "features", "problem"),
    [
        (np.zeros((3, 2)), np.zeros((2, 2)), "intervals (3, 2) and features (2, 2) do not fit"),
        (np.full((2, 2), np.nan), np.zeros((2, 2)), "a time is not a finite number"),
        (np.zeros((2, 2)), np.zeros((2, 2, 2)), "features (2, 2, 2) are not [steps, width]"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, intervals, features, problem) -> None:
    small(tmp_path)
    write(tmp_path / COVAREP, "COVAREP", {"a": (intervals, features)})
    assert f"{COVAREP}, video a: {problem}" in message(tmp_path)


def test_missing_and_foreign_files_are_one_sentence(tmp_path: Path) -> None:
    assert "holds no .csd file: the file of labels is missing" in message(tmp_path)
    small(tmp_path)
    with h5py.File(tmp_path / COVAREP, "w") as file:
        file["x"] = np.zeros(3)
    assert f"{COVAREP} has no group 'x'" in message(tmp_path)
    (tmp_path / COVAREP).write_bytes(b"no file")
    assert "is damaged, cut short or no HDF5 file" in message(tmp_path)
    small(tmp_path)
    write(tmp_path / LABELS, "All Labels", {"a": (np.array([[0.0, 2]]), np.zeros((1, 1)))})
    assert "has 1 columns; MOSEI's labels are sentiment, happy" in message(tmp_path)


def test_the_file_of_folds_is_parsed_and_never_run(tmp_path: Path) -> None:
    small(tmp_path)
    (tmp_path / "cmu_mosei_std_folds.py").write_text(
        f"standard_train_fold = open({str(tmp_path / 'written')!r}, 'w')\n"
    )
    assert "is not the SDK's file of folds" in message(tmp_path)
    assert not (tmp_path / "written").exists()


def link(file: h5py.File, other: Path) -> None:
    file["COVAREP/data/a"] = h5py.ExternalLink(str(other), "COVAREP/data/a")


def link_of_a_root(file: h5py.File, other: Path) -> None:
    file["COVAREP"] = h5py.ExternalLink(str(other), "COVAREP")


def link_of_features(file: h5py.File, other: Path) -> None:
    group = file.create_group("COVAREP/data/a")
    group["intervals"] = np.array([[0, 1.0]])
    group["features"] = h5py.ExternalLink(str(other), "COVAREP/data/a/features")


@pytest.mark.parametrize("make", [link, link_of_a_root, link_of_features])
def test_links_to_other_files_are_refused(tmp_path: Path, make) -> None:
    small(tmp_path)
    (tmp_path / COVAREP).rename(tmp_path / "other.h5")
    with h5py.File(tmp_path / COVAREP, "w") as file:
        make(file, tmp_path / "other.h5")
    with pytest.raises(UnsafeFileError, match=re.escape(COVAREP)):
        csd_corpora.read_mosei(tmp_path)


def test_links_are_refused_without_a_look_at_their_target(tmp_path: Path) -> None:
    small(tmp_path)
    with h5py.File(tmp_path / COVAREP, "w") as file:
        link(file, tmp_path / "nowhere.h5")
    with pytest.raises(UnsafeFileError, match="is a link to another file"):
        csd_corpora.read_mosei(tmp_path)


def test_a_damaged_file_is_one_sentence_wherever_it_is_damaged(tmp_path: Path) -> None:
    LOOKALIKES["mosi-csd"](tmp_path, 12, 0)
    path = tmp_path / "CMU_MOSI_Opinion_Labels.csd"
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(0, len(damaged), rng.integers(1, 30)):
            damaged[place] = rng.integers(256)
        path.write_bytes(bytes(damaged))
        with contextlib.suppress(DataError):
            CORPORA["mosi-csd"](tmp_path)


def test_an_open_file_reads_several_data_sets(tmp_path: Path) -> None:
    small(tmp_path)
    with h5.opened(tmp_path / "CMU_MOSEI_TimestampedWords.csd") as file:
        assert file.names() == ["words"]
        assert file.texts("words/data/b/features") == ["so"]
        with pytest.raises(DataError, match="where numbers should be"):
            file.read("words/data/b/features")
