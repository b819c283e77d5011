import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.corpora import emobank

HEAD = "id,split,V,A,D,text\n"


ROWS = 'a,train,3.0,1.0,5.0,"Oh, ""no""."\nb,dev,4.0,3.5,2.5,Yes.\nc,test,2,3,3,Hm\n'


def write(root, rows=ROWS):
    root.mkdir(exist_ok=True)
    (root / "emobank.csv").write_text(HEAD + rows, encoding="utf-8")
    return root


def test_ratings_become_numbers_from_minus_one_to_one(tmp_path):
    manifest = emobank.read(write(tmp_path))
    assert [u.text for u in manifest.utterances] == ['Oh, "no".', "Yes.", "Hm"]
    assert [u.split for u in manifest.utterances] == ["train", "valid", "test"]
    assert manifest.space.labels == ("valence", "arousal", "dominance")
    np.testing.assert_allclose(manifest.labels, [[0, -1, 1], [0.5, 0.25, -0.25], [-0.5, 0, 0]])
    assert manifest.licence == "CC BY-SA 4.0"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,train,3,3,5.5,Hm\n", "row 1: D is 5.5, outside of 1 to 5"),
        ("a,train,3,x,5,Hm\n", "row 1: A is 'x', which is no number"),
        ("a,train,3,3,5,Hm\nb,valid,3,3,3,Hm\n", "row 2: the split is 'valid'; it must be train"),
    ],
)
def test_a_row_that_is_none_is_named(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        emobank.read(write(tmp_path, rows))


def test_a_missing_file_or_column_is_named(tmp_path):
    with pytest.raises(DataError, match=r"emobank\.csv is missing"):
        emobank.read(tmp_path)
    (tmp_path / "emobank.csv").write_text("id,split,V,A,text\na,train,3,3,Hm\n", encoding="utf-8")
    with pytest.raises(DataError, match="has no column d"):
        emobank.read(tmp_path)
