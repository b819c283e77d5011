import numpy as np
import pytest

from moodal.model.level import HALF, LEAST, STRENGTH, cross_fitted, shift, shrunk

PRIOR = np.full(4, 0.25)


def answers(count: int, seed: int = 0, offset=(0.0, 0, 0, 0)) -> tuple[np.ndarray, np.ndarray]:
    """Draw log ratios [n, 4] of clear answers with a constant added, and their emotions."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.resize(np.arange(4), count))
    values = rng.normal(0, 0.7, (count, 4)) + 2.0 * np.eye(4)[labels]
    return values - values.mean(1, keepdims=True) + np.array(offset), labels


def test_a_shift_makes_the_mean_probabilities_those_of_the_prior():
    values, _ = answers(200, offset=(2.0, 0, -1, 0))
    prior = np.array([0.4, 0.3, 0.2, 0.1])
    logs = values + np.log(prior) + shift(values, prior)
    each = np.exp(logs) / np.exp(logs).sum(1, keepdims=True)
    np.testing.assert_allclose(each.mean(0), prior, atol=1e-3)


def test_a_constant_of_the_channel_is_found_and_its_answers_are_mended():
    values, labels = answers(400, offset=(3.0, 0, 0, -1.5))
    right = (values.argmax(1) == labels).mean()
    names = [str(i) for i in range(400)]
    given = ({"speech": values}, {"speech": np.arange(4)}, PRIOR, names)
    levels = cross_fitted(*given, strength=0.5)["speech"]
    assert ((values + levels).argmax(1) == labels).mean() > right + 0.1
    full = shift(values, PRIOR)
    np.testing.assert_allclose(full - full[1], [-3.0, 0, 0, 1.5], atol=0.4)


def test_the_fewer_utterances_the_less_is_taken_off():
    np.testing.assert_allclose(shrunk(np.ones(4), HALF), STRENGTH / 2 * np.ones(4))
    assert shrunk(np.ones(4), 10**6)[0] == pytest.approx(STRENGTH, abs=1e-4)


def test_an_utterance_has_no_part_in_its_own_level():
    values, _ = answers(40)
    names = [str(i // 2) for i in range(40)]
    given = {"speech": np.arange(4)}
    before = cross_fitted({"speech": values}, given, PRIOR, names)["speech"]
    changed = values.copy()
    changed[7, 2] += 5
    after = cross_fitted({"speech": changed}, given, PRIOR, names)["speech"]
    np.testing.assert_array_equal(before[[6, 7]], after[[6, 7]])
    assert not np.array_equal(before, after)


def test_few_utterances_and_other_channels_are_left_as_they_are():
    values, _ = answers(LEAST, offset=(2.0, 0, 0, 0))
    given = {"speech": np.arange(4)}
    names = [str(i) for i in range(LEAST)]
    assert not cross_fitted({"speech": values}, given, PRIOR, names)["speech"].any()
    values, _ = answers(60, offset=(2.0, 0, 0, 0))
    names = [str(i) for i in range(60)]
    channels = ["few"] * 5 + ["many"] * 55
    levels = cross_fitted({"speech": values}, given, PRIOR, names, channels)["speech"]
    assert not levels[:5].any()
    assert levels[5:].any(1).all()


def test_rows_without_the_modality_and_emotions_never_learned_have_no_part():
    values, _ = answers(60, offset=(2.0, 0, 0, 0))
    values[::2] = np.nan
    names = [str(i) for i in range(60)]
    levels = cross_fitted({"speech": values}, {"speech": np.array([0, 1, 3])}, PRIOR, names)
    assert np.isfinite(levels["speech"]).all()
    assert not levels["speech"][:, 2].any()
