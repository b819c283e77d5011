"""The space of speakers: directions in which speakers differ, and those of moods are left out."""

import numpy as np
from safetensors.numpy import load_file

from moodal.modalities.speech.speakers.encoder import SpeakerSpace
from moodal.train.export import speaker_space
from moodal.train.export.speaker_space import TurnStates, fit, shuffled, write

WIDE = 60


def made_turns(speakers=30, turns=10):
    """States whose first numbers tell the speaker, and whose next ones, larger, a mood."""
    rng = np.random.default_rng(0)
    for speaker in range(speakers):
        own = rng.normal(0, 1, 3)
        for _ in range(turns):
            states = rng.normal(0, 0.5, (28, WIDE))
            states[:, :3] += own
            states[:, 3:9] += rng.normal(0, 3, 6)
            yield TurnStates(str(speaker), states.astype(np.float32))


def test_it_keeps_speakers_and_leaves_out_moods(monkeypatch):
    monkeypatch.setattr(speaker_space, "DIRECTIONS", 3)
    monkeypatch.setattr(speaker_space, "SHRINKAGE", 0.01)
    space = fit(list(made_turns()))
    weight = np.abs(space.projection)
    assert weight[:3].max() > 10 * weight[3:9].max()
    assert (np.diff(space.between) <= 0).all()
    assert space.between[2] > 1


def test_vectors_vary_by_about_1_within_a_speaker(monkeypatch):
    monkeypatch.setattr(speaker_space, "SHRINKAGE", 0.0)
    turns = list(made_turns())
    space = fit(turns)
    own = [
        (t.states[:14].mean(0) - space.mean) @ space.projection for t in turns if t.speaker == "0"
    ]
    assert 0.5 < np.var(own, axis=0).mean() < 2


def test_it_is_written_and_read(tmp_path):
    space = fit(list(made_turns()))
    arrays = load_file(write(space, tmp_path / "space.safetensors"))
    np.testing.assert_array_equal(SpeakerSpace(**arrays).projection, space.projection)


def test_the_order_of_actors_is_fixed():
    actors = [str(1001 + i) for i in range(91)]
    assert shuffled(actors) == shuffled(actors[::-1])
    assert shuffled(actors)[61:64] == ["1060", "1053", "1031"]
