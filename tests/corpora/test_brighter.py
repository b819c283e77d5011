"""BRIGHTER: languages by file, labels that a language was not asked for, splits."""

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.corpora import brighter

HEAD = "id,text,anger,disgust,fear,joy,sadness,surprise\n"


def write(root, **files):
    for place, text in files.items():
        part, _, name = place.partition("_")
        (root / part).mkdir(parents=True, exist_ok=True)
        (root / part / f"{name}.csv").write_text(text, encoding="utf-8")
    return root


def test_labels_languages_and_splits(tmp_path):
    root = write(
        tmp_path,
        train_deu=HEAD + 'deu_1,"Hallo, du!",0,0,1,0,1,0\ndeu_2,Gut.,0,0,0,0,0,0\n',
        dev_deu=HEAD + "deu_3,Nein!,1,0,0,0,0,0\n",
        train_eng="id,text,anger,fear,joy,sadness,surprise\neng_1,Oh.,0,0,0,0,0\n",
    )
    manifest = brighter.read(root)
    rows = {u.id: u for u in manifest.utterances}
    assert rows["deu_1"].text == "Hallo, du!"
    assert [rows[name].extra["language"] for name in ("deu_1", "eng_1")] == ["de", "en"]
    assert rows["deu_3"].split == "test"
    assert {rows[name].split for name in ("deu_1", "deu_2", "eng_1")} <= {"train", "valid"}
    labels = dict(zip(rows, manifest.labels, strict=True))
    assert labels["deu_1"].tolist() == [0, 0, 1, 0, 1, 0, 0]
    assert labels["deu_2"].tolist() == [0, 0, 0, 0, 0, 0, 1]
    # English was not asked for disgust, so a text without the others may be disgusted
    assert np.isnan(labels["eng_1"][[1, 6]]).all()
    assert np.nansum(labels["eng_1"]) == 0


def test_a_test_file_takes_the_place_of_dev(tmp_path):
    root = write(
        tmp_path,
        train_deu=HEAD + "deu_1,Gut.,0,0,0,1,0,0\n",
        dev_deu=HEAD + "deu_3,Nein!,1,0,0,0,0,0\n",
        test_deu=HEAD + "deu_4,Nie!,1,0,0,0,0,0\n",
    )
    splits = {u.id: u.split for u in brighter.read(root).utterances}
    assert (splits["deu_3"], splits["deu_4"]) == ("valid", "test")


def test_intensities_are_kept(tmp_path):
    root = write(
        tmp_path,
        train_deu=HEAD + "deu_1,Gut.,0,0,0,1,0,0\n",
    )
    (root / "intensity_train").mkdir()
    (root / "intensity_train" / "deu.csv").write_text(HEAD + "deu_b_9,Gut.,0,0,0,3,0,0\n")
    assert brighter.read(root).utterances[0].extra["intensity_joy"] == "3"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"dev_deu": HEAD}, "has no train/LANGUAGE.csv"),
        ({"train_xxx": HEAD}, "no language of BRIGHTER is called 'xxx'"),
        ({"train_deu": "id,words\n1,Oh.\n"}, "has no column text"),
        ({"train_deu": HEAD + "a,Oh.,2,0,0,0,0,0\n"}, "row 1: anger is '2'; a label is 0 or 1"),
        ({"train_deu": HEAD + "a,,0,0,0,0,0,0\n"}, "row 1: there is no text"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, files, words):
    with pytest.raises(DataError, match=words):
        brighter.read(write(tmp_path, **files))


def test_the_real_corpus(real):
    manifest = brighter.read(real("brighter"))
    languages = manifest.column("language")
    assert len(set(languages)) == 18
    assert len(manifest.rows("valid")) == pytest.approx(len(manifest) / 11, rel=0.1)
