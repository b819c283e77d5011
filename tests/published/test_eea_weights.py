"""The EEA authors' checkpoints convert in both directions; other files are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moodal.core.emotions import EmotionSpace, Values
from moodal.core.errors import DataError, SpaceError, UsageError
from moodal.published.eea_weights import PUBLISHED_WIDTHS, to_authors
from moodal.published.import_checkpoint import import_checkpoint, recognise
from moodal.train.export.artefact import load
from moodal.train.systems import SYSTEMS

SPACE = EmotionSpace(["angry", "happy"], vectors=np.random.default_rng(0).normal(size=(2, 8)))
HIDDEN = {"text": 8, "speech": 5, "face": 4}
EQUAL = {"text": 6, "speech": 6, "face": 6}
ALL = ("text", "speech", "face")
CASES = [
    ("eea", {"hidden": HIDDEN}, ALL),
    ("eea", {"hidden": HIDDEN, "cell": "gru", "bidirectional": False, "layers": 3}, ALL),
    ("eea", {"hidden": HIDDEN}, ("text", "face")),
    ("eea", {"hidden": HIDDEN}, ("speech",)),
    ("rnn", {"fusion": "ef", "width": 6}, ALL),
    ("rnn", {"fusion": "ef", "width": 6, "layers": 1}, ("text", "face")),
    ("rnn", {"fusion": "lf", "hidden": HIDDEN}, ALL),
    ("rnn", {"fusion": "lf", "hidden": HIDDEN, "cell": "gru"}, ("speech", "face")),
    ("rnn", {"fusion": "eflf", "hidden": HIDDEN, "width": 6}, ALL),
    ("rnn", {"fusion": "ts", "hidden": EQUAL}, ALL),
    ("mult", {"width": 10, "layers": 4, "heads": 10}, ALL),
]


def build(name, settings, streams):
    torch.manual_seed(0)
    entry = SYSTEMS[name]
    config = entry.Config(**settings, streams=streams, last_column=True)
    return config, entry.build(config, PUBLISHED_WIDTHS, SPACE)


@pytest.mark.parametrize(("name", "settings", "streams"), CASES)
def test_a_checkpoint_converts_in_both_directions(name, settings, streams) -> None:
    config, system = build(name, settings, streams)
    imported = recognise(to_authors(system, SPACE), streams=streams)
    assert imported.name == name
    assert imported.outputs == 2
    assert imported.widths == {m: PUBLISHED_WIDTHS[m] for m in streams}
    config_read = SYSTEMS[name].Config(**imported.config)
    for key in settings.keys() - {"hidden"}:
        assert getattr(config_read, key) == settings[key]
    assert config_read.last_column
    assert config_read.streams == config.streams
    assert imported.state.keys() == system.state_dict().keys()
    for key, value in system.state_dict().items():
        assert torch.equal(imported.state[key], value)
    if name == "eea":
        assert np.array_equal(imported.vectors.numpy(), SPACE.vectors)
    else:
        assert imported.vectors is None


def test_another_order_of_streams_becomes_theirs() -> None:
    _, system = build("eea", {"hidden": HIDDEN}, ("face", "text"))
    with torch.no_grad():
        system.weight.copy_(torch.tensor([0.9, 0.1]))
    state = to_authors(system, SPACE)
    torch.testing.assert_close(state["modality_weights.weight"], torch.tensor([0.1, 0.9]))
    imported = recognise(state, streams=["face", "text"])
    assert imported.config["streams"] == ("text", "face")
    for case in ({"fusion": "lf", "hidden": HIDDEN}, {"fusion": "ef"}):
        _, other = build("rnn", case, ("face", "text"))
        with pytest.raises(DataError, match="order text, speech, face"):
            to_authors(other, SPACE)


def test_an_eea_of_three_modalities_is_read_with_fewer_which_weigh_the_same() -> None:
    _, system = build("eea", {"hidden": HIDDEN}, ALL)
    with torch.no_grad():
        system.weight.copy_(torch.tensor([0.7, 0.2, 0.1]))
    state = to_authors(system, SPACE)
    imported = recognise(state, streams=["speech", "text"])
    assert tuple(imported.widths) == imported.config["streams"] == ("text", "speech")
    assert imported.state["weight"].tolist() == [0.5, 0.5]
    assert not [name for name in imported.state if "face" in name]
    for name, value in imported.state.items():
        assert name == "weight" or torch.equal(value, system.state_dict()[name])
    assert "weight" not in recognise(state, streams=["face"]).state


def test_an_eea_of_fewer_modalities_has_zeros_for_the_others() -> None:
    _, system = build("eea", {"hidden": HIDDEN}, ("speech",))
    state = to_authors(system, SPACE)
    assert state["RNNs.0.weight_ih_l0"].shape == (32, 300)
    assert not state["RNNs.2.weight_hh_l1_reverse"].any()
    assert state["affineVisual.weight"].shape == (4, 8)
    assert state["modality_weights.weight"].shape == (1,)


def test_arrays_will_do() -> None:
    _, system = build("rnn", {"fusion": "lf", "hidden": HIDDEN}, ALL)
    state = {name: value.numpy() for name, value in to_authors(system, SPACE).items()}
    assert recognise(state).config["fusion"] == "lf"


def test_mults_constants_are_written() -> None:
    _, system = build("mult", {"width": 10}, ALL)
    state = to_authors(system, SPACE)
    assert "trans_l_mem.version" in state
    assert "trans_a_with_v.embed_positions._float_tensor" in state


def test_what_the_file_does_not_show_must_be_named() -> None:
    _, system = build("eea", {"hidden": HIDDEN}, ("text", "face"))
    state = to_authors(system, SPACE)
    with pytest.raises(DataError, match="trained on 2 of the three modalities"):
        recognise(state)
    with pytest.raises(DataError, match="trained on 2 of the three"):
        recognise(state, streams=["text"])
    _, early = build("rnn", {"fusion": "ef", "width": 6}, ("text", "face"))
    with pytest.raises(DataError, match="reads 335 values per step"):
        recognise(to_authors(early, SPACE))


def test_other_checkpoints_are_refused() -> None:
    with pytest.raises(DataError, match=r"No system .* weights: bert"):
        recognise({"bert": torch.zeros(3)})
    with pytest.raises(DataError, match="none at all"):
        recognise({})
    with pytest.raises(DataError, match="Streams are one or more of"):
        recognise({}, streams=["smell"])
    _, system = build("eea", {"hidden": HIDDEN}, ALL)
    state = to_authors(system, SPACE)
    bent = state | {"affineAudio.weight": torch.zeros(5, 9)}
    with pytest.raises(DataError, match=r"affine\.speech\.weight is \(5, 9\) where \(5, 8\)"):
        recognise(bent)
    state.pop("affineAudio.bias")
    with pytest.raises(DataError, match=r"lacks the weight 'affineAudio\.bias'"):
        recognise(state)
    odd = to_authors(system, SPACE) | {"RNNs.0.weight_ih_l0": torch.zeros(10, 300)}
    with pytest.raises(DataError, match="no LSTM or GRU 8 wide"):
        recognise(odd)
    flat = to_authors(system, SPACE) | {"RNNs.0.weight_ih_l0": torch.zeros(10)}
    with pytest.raises(DataError, match="weights of another shape"):
        recognise(flat)
    _, late = build("rnn", {"fusion": "lf", "hidden": HIDDEN}, ("text", "face"))
    with pytest.raises(DataError, match="were these its modalities"):
        recognise(to_authors(late, SPACE))


def test_a_space_that_does_not_fit_is_refused() -> None:
    _, system = build("eea", {"hidden": HIDDEN}, ALL)
    with pytest.raises(SpaceError, match="this space has none"):
        to_authors(system, EmotionSpace(["angry", "happy"]))
    _, late = build("rnn", {"fusion": "lf", "hidden": HIDDEN}, ALL)
    with pytest.raises(SpaceError, match="not for angry, sad"):
        to_authors(late, EmotionSpace(["angry", "sad"]))


def test_mult_of_sentiment_attends_to_no_later_steps(tmp_path) -> None:
    sentiment = Values(["sentiment"])
    settings = SYSTEMS["mult"].Config(width=10, last_column=True, attention_mask=True)
    system = SYSTEMS["mult"].build(settings, PUBLISHED_WIDTHS, sentiment)
    torch.save(to_authors(system, sentiment), tmp_path / "model.pt")
    info = import_checkpoint(tmp_path / "model.pt", tmp_path / "out", ["sentiment"], "regression")
    assert info.body.config["attention_mask"] is True
    assert info.body.config["embed_dropout"] == 0.2
    _, emotions = build("mult", {"width": 10}, ALL)
    torch.save(to_authors(emotions, SPACE), tmp_path / "model.pt")
    info = import_checkpoint(tmp_path / "model.pt", tmp_path / "other", SPACE.labels)
    assert info.body.config["attention_mask"] is False


def test_the_threshold_of_an_import_is_that_of_every_emotion(tmp_path) -> None:
    _, system = build("eea", {"hidden": HIDDEN}, ALL)
    torch.save(to_authors(system, SPACE), tmp_path / "model.pt")
    words = (tmp_path / "model.pt", tmp_path / "out", SPACE.labels)
    info = import_checkpoint(*words, threshold=0.3)
    assert (info.thresholds.values, info.thresholds.source) == ((0.3, 0.3), "fixed at 0.3")
    with pytest.raises(UsageError, match="from 0 to 1; got 3"):
        import_checkpoint(*words, threshold=3.0)


def test_a_checkpoint_of_sentiment_has_its_range_and_other_values_are_refused(tmp_path) -> None:
    sentiment = Values(["sentiment"])
    settings = SYSTEMS["rnn"].Config(fusion="lf", hidden=HIDDEN, last_column=True)
    system = SYSTEMS["rnn"].build(settings, PUBLISHED_WIDTHS, sentiment)
    torch.save(to_authors(system, sentiment), tmp_path / "model.pt")
    words = {"task": "regression", "modalities": "tav"}
    out = tmp_path / "artefact"
    info = import_checkpoint(tmp_path / "model.pt", out, ["sentiment"], **words)
    assert (info.values[0].low, info.values[0].high) == (-3, 3)
    again, read, _ = load(out)
    assert read.space == sentiment
    for key, value in system.state_dict().items():
        assert torch.equal(again.state_dict()[key], value)
    with pytest.raises(SpaceError, match="have sentiment from -3 to 3; got valence"):
        import_checkpoint(tmp_path / "model.pt", tmp_path / "other", ["valence"], **words)
