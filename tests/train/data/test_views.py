"""Second views are drawn by seed and epoch, and never of another utterance."""

import dataclasses

import numpy as np
import pytest
import torch

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Frames, Utterance, Views
from moodal.train.data.dataset import TensorData


@pytest.fixture
def corpus() -> Manifest:
    """Six utterances whose frames hold their number; views hold number + 100 and more.

    Utterance 0 has two given views, 1 a made one, 3 three made ones; the others none.
    """
    rows = np.array([0, 0, 1, 3, 3, 3])
    given = np.array([True, True, False, False, False, False])
    views = [np.full((2 + i, 2), 100 + r + i / 10, np.float32) for i, r in enumerate(rows)]
    own = [np.full((3 + i, 2), i + 1, np.float32) for i in range(6)]
    return Manifest(
        "made up",
        EmotionSpace(["a", "b"], "single"),
        tuple(Utterance(str(i), media={"text": "Hi, you!" if i % 2 else ""}) for i in range(6)),
        np.eye(2, dtype=np.float32)[[0, 1, 0, 1, 0, 1]],
        {"speech": Frames.from_list(own)},
        views={"speech": Views(Frames.from_list(views), rows, given, "made up")},
    )


def shown(data, rows):
    batch = data.batch(torch.tensor(rows))
    second = batch.views["speech"]
    return second.values[:, 0, 0].tolist(), second.lengths.tolist(), batch


def test_an_utterance_shows_its_own_view_or_itself(corpus):
    data = TensorData(corpus, ("speech",), views="any")
    drawn = {i: set() for i in range(6)}
    for epoch in range(30):
        data.draw_views(7, epoch)
        values, lengths, batch = shown(data, [0, 1, 2, 3, 4, 5])
        for row, value, length in zip(range(6), values, lengths, strict=True):
            drawn[row].add(round(value, 1))
            assert batch.views["speech"].values[row, length:].abs().sum() == 0
    assert drawn[0] == {100.0, 100.1}
    assert drawn[1] == {101.2}
    assert drawn[3] == {103.3, 103.4, 103.5}
    for row in (2, 4, 5):
        assert drawn[row] == {row + 1.0}


def test_the_draw_depends_on_seed_and_epoch_alone(corpus):
    one, two = (TensorData(corpus, ("speech",), views="any") for _ in range(2))
    one.draw_views(1, 4)
    two.draw_views(1, 9)
    two.draw_views(1, 4)
    assert shown(one, [3, 0, 1])[0] == shown(two, [3, 0, 1])[0]


@pytest.mark.parametrize(("which", "changed"), [("given", {0}), ("made", {1, 3})])
def test_the_switch_tells_which(corpus, which, changed):
    data = TensorData(corpus, ("speech",), views=which)
    values, _, _ = shown(data, range(6))
    assert {row for row, value in enumerate(values) if value >= 100} == changed


def test_no_views_where_views_are_wanted_is_one_sentence(corpus):
    bare = dataclasses.replace(corpus, views={})
    with pytest.raises(DataError, match="has no views of speech"):
        TensorData(bare, ("speech",), views="any")
    assert TensorData(bare, ("speech",)).batch(torch.tensor([0])).views is None


def test_transcripts_are_spelled_and_cut_to_the_batch(corpus):
    data = TensorData(corpus, ("speech",), transcripts=True)
    transcripts = data.batch(torch.tensor([0, 1])).transcripts
    assert transcripts.lengths.tolist() == [0, 6]
    assert transcripts.characters.shape == (2, 6)
    assert transcripts.characters[0].tolist() == [0] * 6


def test_manifests_keep_views(corpus, tmp_path):
    from moodal.core import manifest as manifests

    corpus.write(tmp_path / "m")
    again = manifests.read(tmp_path / "m")
    assert again.fingerprint == corpus.fingerprint
    part = again.select([3, 0]).views["speech"]
    assert part.rows.tolist() == [0, 0, 0, 1, 1]
    assert part.frames[0][0, 0] == pytest.approx(103.3)
    assert part.given.tolist() == [False] * 3 + [True] * 2
