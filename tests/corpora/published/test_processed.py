"""The authors' ready-made sets: objects of classes that are not here."""

from __future__ import annotations

import pickle
import sys
import types

import numpy as np
import pytest
import torch

from moodal.core.errors import DataError, UnsafeFileError
from moodal.corpora.published import processed

SIZES = {"train": 4, "valid": 2, "test": 3}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a set as the authors' code does: pickled objects of ``src.dataset``."""
    folder = tmp_path / "processed_datasets"
    folder.mkdir()

    def write(kind, name, labels, *, suffix="", saved=pickle.dump, **more):
        module = types.ModuleType("src.dataset")
        authors_class = type(kind, (), {"__module__": "src.dataset"})
        setattr(module, kind, authors_class)
        torch.manual_seed(0)
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "src", types.ModuleType("src"))
            patch.setitem(sys.modules, "src.dataset", module)
            for phase, n in SIZES.items():
                item = authors_class()
                item.text, item.audio = torch.randn(n, 4, 300), torch.randn(n, 4, 74)
                item.vision, item.labels = torch.randn(n, 4, 35), torch.as_tensor(labels(n))
                item.id = list(range(n))
                vars(item).update(more)
                with open(folder / f"{name}_{phase}{suffix}.pt", "wb") as file:
                    saved(item, file)
        return folder

    return write


def _multi(n):
    return (torch.arange(6 * n).reshape(n, 6) % 5 == 0).float()


@pytest.mark.parametrize(
    ("kind", "name", "labels", "corpus", "task", "columns"),
    [
        ("MOSEI", "mosei_emo_20", _multi, "mosei", "multi", 6),
        ("MOSEI", "mosei_senti_50", lambda n: torch.ones(n), "mosei-sentiment", "regression", 1),
        ("MOSI", "mosi_20", lambda n: torch.linspace(-3, 3, n), "mosi", "regression", 1),
        ("IEMOCAP", "iemocap_20", lambda n: torch.eye(4)[:n], "iemocap", "single", 4),
    ],
)
@pytest.mark.parametrize("saved", [pickle.dump, torch.save], ids=["pickle", "torch"])
def test_reads_each_of_them(write, kind, name, labels, corpus, task, columns, saved):
    folder = write(kind, name, labels, saved=saved)
    manifest = processed.read(folder.parent)
    assert (manifest.corpus, manifest.space.task) == (corpus, task)
    assert manifest.labels.shape == (9, columns)
    assert np.array_equal(manifest.labels[:4], labels(4).numpy().reshape(4, columns))
    assert manifest.utterances[5].id == "valid-00001"
    torch.manual_seed(0)
    assert np.array_equal(manifest.features["text"][3], torch.randn(4, 4, 300)[3].numpy())
    assert "src.dataset" not in sys.modules


def test_unaligned_sets_and_one_of_several(write):
    folder = write("IEMOCAP", "iemocap_20", lambda n: torch.eye(4)[:n])
    write("IEMOCAP", "iemocap_20", lambda n: torch.eye(4)[:n], suffix="_noalign")
    with pytest.raises(DataError, match=r"several sets \(iemocap_20, iemocap_20_noalign\)"):
        processed.read(folder)
    manifest = processed.read(folder / "iemocap_20_valid_noalign.pt")
    assert (manifest.corpus, manifest.aligned) == ("iemocap-noalign", False)
    assert processed.read(folder / "iemocap_20_train.pt").aligned


def test_what_is_wrong_is_named(write, tmp_path):
    with pytest.raises(DataError, match="holds no ready-made set"):
        processed.read(tmp_path)
    folder = write("MOSEI", "mosei_emo_20", lambda n: torch.zeros(n, 5))
    with pytest.raises(DataError, match=r"train.pt\['labels'\] has shape \(4, 5\)"):
        processed.read(folder)
    (folder / "mosei_emo_20_train.pt").write_bytes(pickle.dumps({"text": 1}))
    with pytest.raises(DataError, match=r"train.pt holds a dict, not one of the authors'"):
        processed.read(folder)
    (folder / "mosei_emo_20_train.pt").unlink()
    with pytest.raises(DataError, match=r"mosei_emo_20_train.pt is missing"):
        processed.read(folder)
    other = tmp_path / "other.pt"
    other.touch()
    with pytest.raises(DataError, match="not named like a ready-made set"):
        processed.read(other)


def test_an_object_that_hides_another_is_refused(write):
    folder = write("MOSEI", "mosei_emo_20", _multi, collate=np.load)
    with pytest.raises(UnsafeFileError, match=r"train.pt names numpy\.(\w+\.)*load"):
        processed.read(folder)
