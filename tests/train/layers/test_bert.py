"""BertLayer equals transformers' BERT, with its masks."""

from __future__ import annotations

import pytest
import torch

from moodal.published.mmer_weights import LAYER
from moodal.train.layers.bert import BertLayer
from moodal.train.layers.pooling import masked_max, masked_mean

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def layer() -> BertLayer:
    torch.manual_seed(0)
    return BertLayer(8, 2, 12).eval()


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_over_itself_it_is_transformers_layer() -> None:
    bert = pytest.importorskip("transformers.models.bert.modeling_bert")
    config = bert.BertConfig(
        hidden_size=8, num_attention_heads=2, intermediate_size=12, attn_implementation="eager"
    )
    theirs, ours = bert.BertLayer(config).eval(), layer()
    theirs.load_state_dict(
        {
            next(f"{b}{name.removeprefix(a)}" for a, b in LAYER.items() if name.startswith(a)): v
            for name, v in ours.state_dict().items()
        }
    )
    x, mask = drawn(3, 5, 8), torch.arange(5) < torch.tensor([[5], [3], [1]])
    with torch.no_grad():
        actual = theirs(x, ((~mask) * -10000.0)[:, None, None])
        actual = actual[0] if isinstance(actual, tuple) else actual
        torch.testing.assert_close(ours(x, x, mask), actual, **CLOSE)


def test_a_masked_step_has_no_effect() -> None:
    x, source = drawn(2, 3, 8), drawn(2, 6, 8)
    mask = torch.arange(6) < torch.tensor([[4], [2]])
    with torch.no_grad():
        expected = layer()(x[1:], source[1:, :2])
        torch.testing.assert_close(layer()(x, source, mask)[1:], expected, **CLOSE)
        source[1, 2:] = 50.0
        torch.testing.assert_close(layer()(x, source, mask)[1:], expected, **CLOSE)


def test_numbers_are_added_to_the_scores() -> None:
    x, source = drawn(2, 3, 8), drawn(2, 4, 8)
    keep = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    with torch.no_grad():
        plain = layer()(x, source)
        torch.testing.assert_close(layer()(x, source, keep.float())[1], plain[1], **CLOSE)
        assert (layer()(x, source, keep.float())[0] - plain[0]).abs().max() > 1e-4
        cut = layer()(x, source, (1 - keep) * -1e4)
        torch.testing.assert_close(cut, layer()(x, source, keep.bool()), **CLOSE)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert layer()(x, source, keep.float()).isfinite().all()


def test_dropout_is_for_training_alone() -> None:
    built, x = layer(), drawn(2, 3, 8)
    assert torch.equal(built(x, x), built(x, x))
    built.train()
    assert not torch.equal(built(x, x), built(x, x))


def test_pooling_sees_valid_steps_alone() -> None:
    x, mask = drawn(3, 5, 4), torch.arange(5) < torch.tensor([[5], [2], [0]])
    for pool, own in ((masked_mean, lambda a: a.mean(0)), (masked_max, lambda a: a.amax(0))):
        actual = pool(x, mask)
        torch.testing.assert_close(actual[0], own(x[0]))
        torch.testing.assert_close(actual[1], own(x[1, :2]))
        assert not actual[2].any()
        torch.testing.assert_close(pool(x, None)[1], own(x[1]))
