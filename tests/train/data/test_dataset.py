"""TensorData: batches equal to padding by hand, whatever the device layout."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.emotions import EmotionSpace
from moodal.core.manifest import Manifest
from moodal.core.records import Frames, Utterance
from moodal.train.data.buckets import epoch_batches
from moodal.train.data.dataset import TensorData, scales, valid_spans


def manifest(features, n, aligned=False):
    utterances = tuple(Utterance(str(i)) for i in range(n))
    labels = np.arange(n, dtype=np.float32)[:, None]
    return Manifest("x", EmotionSpace(["a"]), utterances, labels, features, aligned=aligned)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=12), st.integers(0, 99))
def test_a_batch_is_what_padding_by_hand_gives(lengths, seed):
    rng = np.random.default_rng(seed)
    sequences = [rng.normal(size=(n, 3)) for n in lengths]
    data = TensorData(manifest({"text": Frames.from_list(sequences)}, len(lengths)), ["text"])
    rows = torch.as_tensor(rng.integers(0, len(lengths), 5))
    batch = data.batch(rows)
    values, own = batch.streams["text"]
    assert own.tolist() == [lengths[r] for r in rows]
    for i, r in enumerate(rows.tolist()):
        np.testing.assert_array_equal(values[i, : lengths[r]], sequences[r].astype("f"))
        assert not values[i, lengths[r] :].any()
    assert batch.targets[:, 0].tolist() == rows.tolist()


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_trimming_finds_the_first_and_last_step_that_is_not_zero(data):
    lengths = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=8))
    sequences = [
        np.array(data.draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n)))
        for n in lengths
    ]
    frames = Frames.from_list([s.reshape(-1, 1) for s in sequences])
    starts, kept = valid_spans(frames)
    for i, sequence in enumerate(sequences):
        live = np.flatnonzero(sequence)
        expected = sequence[live[0] : live[-1] + 1] if len(live) else sequence[:0]
        np.testing.assert_array_equal(frames.values[starts[i] : starts[i] + kept[i], 0], expected)


def test_aligned_streams_are_trimmed_together():
    text = np.zeros((1, 4, 1))
    speech = np.zeros((1, 4, 1))
    text[0, 2] = 1
    speech[0, 1] = 1
    features = {"text": Frames.from_list(text), "speech": Frames.from_list(speech)}
    streams = TensorData(manifest(features, 1, aligned=True), ["text", "speech"]).batch(
        torch.tensor([0])
    )[0]
    assert streams["text"].values[0, :, 0].tolist() == [0, 1]
    assert streams["speech"].values[0, :, 0].tolist() == [1, 0]


def test_even_sequences_take_the_short_way_to_the_same_batch():
    values = np.random.default_rng(0).normal(size=(6, 4, 2))
    even = TensorData(manifest({"text": Frames.from_list(values)}, 6), ["text"])
    assert even.ragged["text"].even == 4
    got = even.batch(torch.tensor([5, 0])).streams["text"].values
    np.testing.assert_array_equal(got, values[[5, 0]].astype("f"))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 300), st.integers(1, 17), st.booleans(), st.integers(0, 9))
def test_an_epoch_holds_every_row_once(n, size, even, seed):
    rows = torch.arange(n) * 2
    lengths = torch.ones(2 * n) if even else torch.randint(1, 9, (2 * n,))
    batches = list(epoch_batches(rows, lengths, size, torch.Generator().manual_seed(seed)))
    assert sorted(torch.cat(batches).tolist()) == rows.tolist()
    assert max(map(len, batches)) <= size
    again = list(epoch_batches(rows, lengths, size, torch.Generator().manual_seed(seed)))
    assert all(torch.equal(a, b) for a, b in zip(batches, again, strict=True))


def test_standardising_uses_the_given_rows_alone():
    values = np.concatenate(
        [np.random.default_rng(0).normal(5, 3, (4, 9, 2)), np.full((4, 9, 2), 99)]
    )
    corpus = manifest({"text": Frames.from_list(values)}, 8)
    scale = scales(corpus, ["text"], np.arange(4))
    data = TensorData(corpus, ["text"], scales=scale)
    values = data.batch(torch.arange(4)).streams["text"].values
    torch.testing.assert_close(values.mean((0, 1)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(values.std((0, 1), correction=0), torch.ones(2), atol=1e-5, rtol=0)


def test_standardising_leaves_empty_steps_empty():
    values = np.random.default_rng(0).normal(5, 3, (4, 9, 2))
    values[:, 6] = 0
    corpus = manifest({"text": Frames.from_list(values)}, 4)
    scale = scales(corpus, ["text"], np.arange(4))
    for trim in (True, False):
        data = TensorData(corpus, ["text"], scales=scale, trim=trim)
        values = data.batch(torch.arange(4)).streams["text"].values
        assert not values[:, 6].any()
        assert values[:, [0, 8]].all()
