import torch

from moodal.train.backbones.masking import spans


def test_spans_cover_about_their_share_and_only_valid_steps():
    torch.manual_seed(0)
    lengths = torch.tensor([400, 200, 9, 10, 0] * 40)
    hidden = spans(lengths, 400, 0.2, 10)
    beyond = torch.arange(400) >= lengths[:, None]
    assert not (hidden & beyond).any()
    share = hidden[lengths == 400].float().mean()
    assert 0.15 < share < 0.2  # spans may overlap
    assert not hidden[lengths == 9].any()
    assert {0, 10} == set(hidden[lengths == 10].sum(1).tolist())


def test_a_span_is_whole():
    torch.manual_seed(1)
    hidden = spans(torch.full((50,), 30), 30, 0.2, 6)[:, :, None].float()
    runs = torch.nn.functional.unfold(hidden.transpose(1, 2)[:, :, None], (1, 6)).sum(1)
    assert (runs == 6).any(1)[hidden.sum((1, 2)) > 0].all()


def test_none_where_none_are_asked_for():
    assert not spans(torch.tensor([30, 20]), 30, 0.0, 6).any()
    assert spans(torch.zeros(0, dtype=torch.long), 5, 0.5, 2).shape == (0, 5)


def test_they_follow_from_torchs_random_state():
    lengths = torch.tensor([50, 40])
    torch.manual_seed(2)
    state = torch.get_rng_state()
    one = spans(lengths, 50, 0.3, 5)
    torch.set_rng_state(state)
    assert torch.equal(spans(lengths, 50, 0.3, 5), one)
