"""What the tests of other toolkits' formats share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from moodal.core.emotions import EmotionSpace, Targets, Value, Values
from moodal.core.manifest import Manifest, Ratings
from moodal.core.records import Clip, Frames, Utterance


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    folder = tmp_path / "sounds"
    (folder / "wav").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        soundfile.write(folder / f"wav/{name}.wav", rng.normal(size=16000) * 0.1, 16000)
    return folder


@pytest.fixture
def corpus(sounds: Path):
    """Return a function that makes a corpus of a kind of label: four rows, of which one a text."""

    def make(kind: str = "single") -> Manifest:
        single = EmotionSpace(["happy", "sad"], "single")
        spaces: dict[str, tuple[Targets, list]] = {
            "single": (single, [[1, 0], [0, 1], [0, 1], [1, 0]]),
            "multi": (EmotionSpace(["happy", "sad"], "multi"), [[1, 0], [1, 1], [0, 0], [0, 1]]),
            "values": (
                Values(["valence", Value("trust", 0, 4)]),
                [[-0.5, 3], [0.25, np.nan], [1, 0.125], [0, 4]],
            ),
        }
        rated = {"rated": "single", "rated multi": "multi"}
        space, labels = spaces[rated.get(kind, kind)]
        values, numbers = spaces["values"]
        ratings = Ratings(values, np.array(numbers, np.float32)) if kind in rated else None
        speech = (
            Clip("wav/a.wav", 0.125, 0.5),
            Clip("wav/a.wav", 0.5, 0.9),
            Clip("wav/b.wav"),
            None,
        )
        utterances = tuple(
            Utterance(
                f"u{i}",
                split=("train", "train", "valid", "test")[i],
                speaker=f"s{i}",
                session="monday",
                media={"text": f"words, {i}", **({"speech": clip} if clip else {})},
                extra={"age": str(20 + i)},
            )
            for i, clip in enumerate(speech)
        )
        frames = [np.full((i, 3), i, np.float32) for i in (2, 0, 1, 3)]
        return Manifest(
            corpus="own",
            space=space,
            utterances=utterances,
            labels=np.array(labels, np.float32),
            features={"face": Frames.from_list(frames)},
            encoders={"face": {"name": "as-given", "fingerprint": "x", "width": 3}},
            licence="CC0",
            root=str(sounds),
            ratings=ratings,
        )

    return make


@pytest.fixture
def same():
    """Return a function that compares corpora whose rows may stand in another order."""

    def compare(first: Manifest, second: Manifest) -> None:
        assert first.space == second.space
        assert (first.ratings is None) == (second.ratings is None)
        if first.ratings is not None:
            assert first.ratings.space == second.ratings.space
        rows = {u.id: i for i, u in enumerate(second.utterances)}
        assert rows.keys() == {u.id for u in first.utterances}
        for i, utterance in enumerate(first.utterances):
            other = second.utterances[rows[utterance.id]]
            np.testing.assert_array_equal(first.labels[i], second.labels[rows[utterance.id]])
            if first.ratings is not None:
                numbers = second.ratings.numbers[rows[utterance.id]]
                np.testing.assert_array_equal(first.ratings.numbers[i], numbers)
            for name in ("split", "speaker", "session", "dialogue", "text", "extra"):
                assert getattr(utterance, name) == getattr(other, name)
            clip, copy = utterance.media.get("speech"), other.media.get("speech")
            assert (clip is None) == (copy is None)
            if isinstance(clip, Clip) and isinstance(copy, Clip):
                content = (Path(first.root or "") / clip.path).read_bytes()
                assert (Path(second.root or "") / copy.path).read_bytes() == content
                assert (clip.start or 0, clip.end) == (copy.start or 0, copy.end)

    return compare
