"""GoEmotions: its three files, its label names, and its faults in words."""

from pathlib import Path

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.corpora import goemotions


def write(root: Path, *, labels: str | None = None, train: str = "Well done!\t0,17\ta1\n") -> Path:
    (root / "train.tsv").write_text(train, encoding="utf-8")
    (root / "dev.tsv").write_text("Who said that?\t7\tb1\n", encoding="utf-8")
    (root / "test.tsv").write_text("On page two.\t27\tc1\n", encoding="utf-8")
    if labels is not None:
        (root / "labels.txt").write_text(labels, encoding="utf-8")
    return root


def test_splits_text_and_labels(tmp_path: Path) -> None:
    manifest = goemotions.read(write(tmp_path))
    assert [u.split for u in manifest.utterances] == ["train", "valid", "test"]
    assert manifest.utterances[0].text == "Well done!"
    named = [[manifest.space.labels[c] for c in np.flatnonzero(row)] for row in manifest.labels]
    assert named == [["admiration", "joy"], ["curiosity"], ["neutral"]]
    assert manifest.space.task == "multi"


@pytest.mark.parametrize("last", [None, "neutral"])
def test_labels_file_of_27_or_28_lines(tmp_path: Path, last: str | None) -> None:
    names = [*goemotions.LABELS[:-1], *([last] if last else [])]
    manifest = goemotions.read(write(tmp_path, labels="\n".join(names) + "\n"))
    assert manifest.space.labels == goemotions.LABELS


def test_labels_file_names_the_columns(tmp_path: Path) -> None:
    names = list(goemotions.LABELS)
    names[0], names[1] = names[1], names[0]
    manifest = goemotions.read(write(tmp_path, labels="\n".join(names)))
    assert manifest.space.labels[:2] == ("amusement", "admiration")


def test_quotes_and_odd_line_ends_stay_in_the_text(tmp_path: Path) -> None:
    text = 'He said "no\u2028yes\x85'
    manifest = goemotions.read(write(tmp_path, train=f"{text}\t3\ta1\r\n\nMore\t4\ta2\n"))
    assert [u.text for u in manifest.utterances][:2] == [text, "More"]
    assert manifest.utterances[0].id == "a1"


def test_a_repeated_id_is_left_for_the_check(tmp_path: Path) -> None:
    manifest = goemotions.read(write(tmp_path, train="One\t3\ta1\nOne\t3\ta1\n"))
    assert [u.id for u in manifest.utterances][:2] == ["a1", "a1"]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("no tabs", "line 1"),
        ("text\tx\tid", "line 1"),
        ("text\t28\tid", "0 to 27"),
        ("text\t-1\tid", "no label -1"),
        ("text\t\tid", "line 1"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, word: str) -> None:
    with pytest.raises(DataError, match=word):
        goemotions.read(write(tmp_path, train=line + "\n"))


def test_missing_and_undecodable_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.tsv is missing"):
        goemotions.read(tmp_path)
    write(tmp_path)
    (tmp_path / "dev.tsv").write_bytes(b"caf\xe9\t3\tid\n")
    with pytest.raises(DataError, match="not UTF-8"):
        goemotions.read(tmp_path)


def test_the_real_corpus_has_its_published_totals(real) -> None:
    manifest = goemotions.read(real("goemotions"))
    counts = {split: len(manifest.rows(split)) for split in ("train", "valid", "test")}
    assert counts == {"train": 43410, "valid": 5426, "test": 5427}
    train = manifest.labels[manifest.rows("train")].sum(0)
    assert train[manifest.space.index("neutral")] == 14219
    assert train[manifest.space.index("grief")] == 77
