"""The fit of the channel model: it finds who tells, and what it learns by is what is composed."""

import numpy as np
import pytest

from moodal.train.fuse.fit_channel import Setting, cross_entropy, fit_channel, log_probabilities
from moodal.train.fuse.regimes import Pool, compose_regimes, contradict

BASICS = ("anger", "fear", "happiness", "neutral")


def pools(seed: int, count: int = 240) -> dict[str, Pool]:
    """Evidence of clear rows: the truth has 3 nats more; the voice's is half as clear."""
    rng = np.random.default_rng(seed)
    out = {}
    for name, clarity in (("text", 3.0), ("speech", 1.5)):
        labels = rng.permutation(np.resize(np.arange(4), count))
        values = rng.normal(0, 1, (count, 4)) + clarity * np.eye(4)[labels]
        spoken = rng.normal(0, 1, (count, 4)) + 2 * np.eye(4)[3] if name == "speech" else None
        out[name] = Pool(values, labels, spoken=spoken)
    return out


@pytest.fixture(scope="module")
def fitted():
    setting = Setting(BASICS, {m: np.ones(4, bool) for m in ("text", "speech")})
    regimes = list(compose_regimes(pools(0), BASICS, 400, 1))
    return fit_channel(regimes, setting), setting


def test_the_regimes_are_every_part_of_every_set():
    regimes = list(compose_regimes(pools(0), BASICS, 40, 1))
    names = {(r.present, r.name) for r in regimes}
    both = ("text", "speech")
    assert names == {
        (("text",), "text tells"),
        (("speech",), "speech tells"),
        (both, "text tells"),
        (both, "speech tells"),
        (both, "speech tells, its own words"),
        (both, "text and speech tell"),
    }
    own = next(r for r in regimes if "own words" in r.name)
    assert own.evidence["text"][:, 3].mean() > 1.5  # what was spoken, which is neutral


def test_telling_words_and_telling_voices_both_count(fitted):
    channel, setting = fitted
    for regime in compose_regimes(pools(5), BASICS, 800, 2):
        if len(regime.present) == 2:
            right = (
                log_probabilities(channel, regime.evidence, setting).argmax(1) == regime.labels
            ).mean()
            alone = [
                (
                    log_probabilities(channel, {m: regime.evidence[m]}, setting).argmax(1)
                    == regime.labels
                ).mean()
                for m in regime.telling
            ]
            assert right > max(alone) - 0.15, regime.name


def test_it_is_better_than_where_it_started(fitted):
    channel, setting = fitted
    regimes = list(compose_regimes(pools(7), BASICS, 400, 3))
    flat = fit_channel(regimes[:2], setting)  # sees each modality alone
    both = [r for r in regimes if len(r.present) == 2]
    own, other = (sum(cross_entropy(c, r, setting) for r in both) for c in (channel, flat))
    assert own < other


def test_the_same_seed_gives_the_same_fit(fitted):
    channel, setting = fitted
    again = fit_channel(list(compose_regimes(pools(0), BASICS, 400, 1)), setting)
    assert again == channel


def test_contradictions_are_of_two_emotions_that_are_not_neutral():
    regime = contradict(pools(0), ("text", "speech"), BASICS, 300, 1)
    text, speech = (regime.evidence[m].argmax(1) for m in ("text", "speech"))
    assert (text == regime.labels).mean() > 0.6
    assert (speech == regime.labels).mean() < 0.35
    assert 3 not in regime.labels
