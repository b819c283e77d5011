import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.corpora import xed


def write(root, annotated="Go away !\t1, 3\nOh .\t7\n", neutral="9\tIt is eleven .\n"):
    root.mkdir(exist_ok=True)
    (root / "en-annotated.tsv").write_text(annotated, encoding="utf-8")
    (root / "neu_en.txt").write_text(neutral, encoding="utf-8")
    return root


def test_lines_and_their_emotions(tmp_path):
    manifest = xed.read(write(tmp_path / "xed"))
    assert [u.text for u in manifest.utterances] == ["Go away !", "Oh .", "It is eleven ."]
    names = [[xed.LABELS[k] for k in np.flatnonzero(row)] for row in manifest.labels]
    assert names == [["anger", "disgust"], ["surprise"], ["neutral"]]
    assert manifest.licence == "CC BY 4.0"


def test_a_line_that_is_none_is_named(tmp_path):
    with pytest.raises(DataError, match="line 2: the emotions are numbers from 1 to 8; got '9'"):
        xed.read(write(tmp_path / "a", annotated="Oh .\t7\nNo .\t9\n"))
    with pytest.raises(DataError, match="line 1: there is no tab"):
        xed.read(write(tmp_path / "b", annotated="Oh . 7\n"))
    (tmp_path / "b" / "neu_en.txt").unlink()
    with pytest.raises(DataError, match=r"has no neu_en.txt; XED's English part"):
        xed.read(tmp_path / "b")


def test_two_files_of_one_language_have_other_ids(tmp_path):
    root = write(tmp_path / "xed")
    for name in ("br", "cn", "zh"):
        (root / f"{name}-projections.tsv").write_text("Oh .\t7\nNo .\t1\n", encoding="utf-8")
    manifest = xed.read(root)
    projected = [(u.id, u.extra["language"]) for u in manifest.utterances[3:]]
    assert projected[::2] == [
        ("pt-BR-p-00000", "pt-BR"),
        ("cn-p-00000", "zh"),
        ("zh-p-00000", "zh"),
    ]
    assert len({u.id for u in manifest.utterances}) == len(manifest.utterances)
